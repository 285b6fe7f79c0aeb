//! `/search`: all kinds of records, by a part of their name or by their id.

use askama::Template;
use axum::Router;
use axum::routing::get;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Visit, page};
use narthex_console_frame::wording::number;
use narthex_decision::Action;
use narthex_ops::search::{self, FoundKind};

pub(super) fn routes() -> Router {
    Router::new().route("/search", get(search))
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage<'a> {
    frame: &'a Frame,
    /// The text; empty if it is a credential.
    q: &'a str,
    is_credential: bool,
    found: Vec<Found>,
    count: String,
}

/// A record that was found.
struct Found {
    href: String,
    name: String,
    /// `true` for a permission tag, which is shown as one.
    is_tag: bool,
    /// Kind of the record, and a further name of it.
    kind: &'static str,
    more: String,
}

/// Shows the records that a text is found in.
async fn search(visit: Visit) -> Answer {
    visit.needs(Action::ReadUsers, None)?;
    let q = visit.query().text("q").trim();
    // SECURITY: a credential is neither searched for nor shown. It should not be in an address at all, and the page says
    // where to put it.
    let is_credential = search::is_credential(q);
    let found = if is_credential {
        Vec::new()
    } else {
        search::find(visit.caller(), q).await?
    };
    page(&SearchPage {
        frame: visit.frame(),
        q: if is_credential { "" } else { q },
        is_credential,
        count: number::grouped(found.len()),
        found: found.into_iter().map(Found::from).collect(),
    })
}

impl From<search::Found> for Found {
    fn from(found: search::Found) -> Self {
        let also = found.also.unwrap_or_default();
        let (kind, href) = match found.kind {
            FoundKind::User => ("User", paths::user(&found.id)),
            FoundKind::Organization => ("Organization", paths::organization(&also)),
            FoundKind::Team if also.is_empty() => ("Team", "/organizations".to_owned()),
            FoundKind::Team => ("Team of", paths::in_organization(&also, &format!("teams/{}", found.id))),
            FoundKind::Issuer => ("Issuer", paths::issuer(&found.id) + "/keys"),
            FoundKind::Tag => ("Tag that tokens carry in realm", "/tags".to_owned()),
            FoundKind::Denial => ("Refused request", paths::denial(&found.id)),
        };
        Self {
            href,
            name: found.name,
            is_tag: found.kind == FoundKind::Tag,
            kind,
            more: also,
        }
    }
}
