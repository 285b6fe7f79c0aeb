//! `/settings`: how the console looks in this browser, and the state of this installation.

use askama::Template;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{HeaderValue, header};
use narthex_console_frame::fields::Form;
use narthex_console_frame::form::{Radio, radios};
use narthex_console_frame::frame::{Frame, THEME_COOKIE};
use narthex_console_frame::problem::{Failed, sentence};
use narthex_console_frame::visit::{Answer, Visit, page, see};
use narthex_console_frame::wording::number;
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_ops::settings::{self, ConfigurationFacts, Settings};

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
    /// State of this installation, for callers of the platform.
    installation: Option<Installation>,
}

/// State of an installation, in words.
struct Installation {
    version: &'static str,
    store: Option<String>,
    configuration: Option<Configuration>,
}

/// A configuration file, in words.
struct Configuration {
    file: String,
    read: Moment,
    waits: Vec<String>,
    refused: Option<Refused>,
}

/// A refused change of the file, in words.
struct Refused {
    tried: Moment,
    problems: Vec<Problem>,
}

/// A problem of the file.
struct Problem {
    place: String,
    sentences: String,
}

/// Shows the settings.
async fn show(visit: Visit) -> Answer {
    let frame = visit.frame();
    let installation = if visit.may(Action::ReadIssuers, None) {
        Some(installation(&visit, settings::read(visit.caller())?))
    } else {
        None
    };
    page(&SettingsPage {
        frame,
        notice: Notice::of(visit.query()),
        themes: radios("theme", &THEMES, frame.theme.unwrap_or("system")),
        installation,
    })
}

fn installation(visit: &Visit, settings: Settings) -> Installation {
    let kind = settings.store.map(|kind| match kind {
        "sqlite" => "SQLite",
        "postgresql" => "PostgreSQL",
        other => other,
    });
    let store = kind.map(|kind| match settings.store_bytes {
        Some(bytes) => format!("{kind}, {}", number::bytes(bytes)),
        None => kind.to_owned(),
    });
    Installation {
        version: settings.version,
        store,
        configuration: settings.configuration.map(|facts| configuration(visit, facts)),
    }
}

fn configuration(visit: &Visit, facts: ConfigurationFacts) -> Configuration {
    let refused = facts.refused.map(|refused| {
        let problems = refused.problems.into_iter().map(|problem| Problem {
            place: problem
                .place
                .map(|place| format!("{}, line {}, column {}: ", place.file, place.line, place.column))
                .unwrap_or_default(),
            sentences: match problem.help {
                Some(help) => format!("{} {}", sentence(&problem.problem), sentence(&help)),
                None => sentence(&problem.problem),
            },
        });
        Refused {
            tried: visit.moment(refused.at_ms),
            problems: problems.collect(),
        }
    });
    Configuration {
        file: facts.file,
        read: visit.moment(facts.read_at_ms),
        waits: facts.waits_for_restart,
        refused,
    }
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
