//! `/audit/denials`: the requests that were refused in the last hour, and why each was.

use askama::Template;
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, page, see};
use narthex_console_frame::wording::reason;
use narthex_console_frame::wording::time::Moment;
use narthex_decision::{Action, Reason};
use narthex_directory::{DenialRecord, Listing};
use narthex_ops::denials;

#[derive(Template)]
#[template(path = "denials.html")]
struct DenialsPage<'a> {
    frame: &'a Frame,
    rows: Vec<Row>,
    pager: Pager,
}

struct Row {
    at: Moment,
    href: String,
    request_id: String,
    request: String,
    words: String,
    code: String,
    who: Option<String>,
}

#[derive(Template)]
#[template(path = "denial.html")]
struct DenialPage<'a> {
    frame: &'a Frame,
    request_id: String,
    at: Moment,
    words: String,
    code: String,
    status: String,
    message: String,
    detail: Option<String>,
    /// The reason that the client was told, where it is another one.
    told: Option<String>,
    /// Address of the organization whose tags or members may have to change.
    organization: Option<(String, String)>,
    /// Address of the user.
    user: Option<String>,
    request: String,
    facts: Vec<(&'static str, String)>,
}

/// Facts that the page shows as they are, with their headings.
const SHOWN: [(&str, &str); 4] = [
    ("door", "Door"),
    ("client", "Client"),
    ("issuer", "Issuer"),
    ("took_us", "Microseconds"),
];

/// Shows the list, or leads to the request whose id was typed.
pub(super) async fn list(visit: Visit) -> Answer {
    visit.needs(Action::ReadAudit, None)?;
    let query = visit.query();
    if let Some(id) = query.filled("id") {
        return Ok(see(&paths::denial(&id)));
    }
    let Listing { items, next_cursor } = denials::list(visit.caller(), query.page()).await?;
    page(&DenialsPage {
        frame: visit.frame(),
        pager: Pager::new("/audit/denials", query, &[], items.len(), next_cursor.as_ref()),
        rows: items.iter().map(|denial| row(&visit, denial)).collect(),
    })
}

/// Shows why one request was refused.
pub(super) async fn read(visit: Visit, Named(request_id): Named) -> Answer {
    let denial = denials::read(visit.caller(), &request_id).await?;
    let fact = |name: &str| fact(&denial, name);
    let code = fact("reason").unwrap_or_default();
    let organization = fact("organization").map(|name| (paths::organization(&name), name));
    page(&DenialPage {
        frame: visit.frame(),
        at: visit.moment(denial.at_ms),
        words: words(&code),
        status: fact("status").unwrap_or_default(),
        message: fact("message").unwrap_or_default(),
        detail: fact("detail"),
        told: fact("told"),
        organization,
        user: fact("user_id").map(paths::user),
        request: request(&denial),
        facts: SHOWN
            .iter()
            .filter_map(|(name, heading)| Some((*heading, fact(name)?)))
            .collect(),
        code,
        request_id: denial.request_id.clone(),
    })
}

fn row(visit: &Visit, denial: &DenialRecord) -> Row {
    let code = fact(denial, "reason").unwrap_or_default();
    Row {
        at: visit.moment(denial.at_ms),
        href: paths::denial(&denial.request_id),
        request_id: denial.request_id.clone(),
        request: request(denial),
        words: words(&code),
        who: fact(denial, "issuer").or_else(|| fact(denial, "client")),
        code,
    }
}

/// Returns a fact as text.
fn fact(denial: &DenialRecord, name: &str) -> Option<String> {
    let value = denial.facts.get(name)?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Returns the method and the path.
fn request(denial: &DenialRecord) -> String {
    let part = |name| fact(denial, name).unwrap_or_default();
    format!("{} {}", part("method"), part("path"))
}

/// Returns the words for a reason; the code itself for one that a newer node wrote.
fn words(code: &str) -> String {
    Reason::from_code(code).map_or_else(|| code.to_owned(), |known| reason::in_words(known).to_owned())
}
