//! `/settings`: how the console looks in this browser, and which version this installation has.

use askama::Template;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{HeaderValue, header};
use narthex_console_frame::fields::Form;
use narthex_console_frame::form::{Radio, radios};
use narthex_console_frame::frame::{Frame, THEME_COOKIE};
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Visit, page, see};
use narthex_decision::Action;

use super::notice::{self, Notice};

/// Choice of the appearance: value, label and consequence.
const THEMES: [(&str, &str, &str); 3] = [
    ("system", "As my system", "It follows the setting of your system."),
    ("light", "Light", "Dark text on a light page."),
    ("dark", "Dark", "Light text on a dark page."),
];

/// Attributes of the cookie of the theme (RFC 6265 section 4.1): this console only, for a year.
const ATTRIBUTES: &str = "Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly";

pub(super) fn routes() -> Router {
    Router::new().route("/settings", get(show).post(save))
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    themes: Vec<Radio>,
    /// Version of this installation, for callers of the platform.
    version: Option<&'static str>,
}

/// Shows the settings.
async fn show(visit: Visit) -> Answer {
    let frame = visit.frame();
    page(&SettingsPage {
        frame,
        notice: Notice::of(visit.query()),
        themes: radios("theme", &THEMES, frame.theme.unwrap_or("system")),
        version: visit.may(Action::ReadUsers, None).then_some(env!("CARGO_PKG_VERSION")),
    })
}

/// Keeps the appearance in a cookie.
async fn save(Form(fields): Form) -> Answer {
    let chosen = THEMES.iter().find(|(value, _, _)| *value == fields.text("theme"));
    let (theme, _, _) = chosen.ok_or(Failed::NotAForm)?;
    // SECURITY: the text is one of the words above.
    let cookie = HeaderValue::try_from(format!("{THEME_COOKIE}={theme}; {ATTRIBUTES}"));
    let cookie = cookie.map_err(|_| Failed::NotAForm)?;
    let saved = see(&notice::after("/settings", "saved"));
    Ok(([(header::SET_COOKIE, cookie)], saved).into_response())
}
