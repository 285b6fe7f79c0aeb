//! `/issuers`: the issuers whose tokens are trusted, their keys, and how their tokens are read.

use askama::Template;
use axum::Router;
use axum::routing::{get, post};
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Visit, page};
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_issuers::DocumentState;
use narthex_ops::issuers::documents;
use narthex_ops::{IssuerProvenance, IssuerSummary, PageRequest, issuers};

use super::notice::Notice;

mod change;
mod keys;
mod new;
pub(crate) mod proposal;
mod read;
mod revoke;

pub(super) fn routes() -> Router {
    Router::new()
        .route("/issuers", get(list))
        .route("/issuers/new", get(new::form))
        .route("/issuers/new/check", get(new::form).post(new::check))
        .route("/issuers/new/save", get(new::form).post(new::save))
        .route("/issuers/{name}", get(read::read))
        .route("/issuers/{name}/change", get(change::form).post(change::save))
        .route("/issuers/{name}/delete", post(change::delete))
        .route("/issuers/{name}/keys", get(keys::read))
        .route("/issuers/{name}/revoke", get(revoke::question).post(revoke::revoke))
        .route(
            "/issuers/{name}/revoke-all",
            get(revoke::question_all).post(revoke::revoke_all),
        )
        .route("/issuers/{name}/keys/fetch", post(keys::fetch))
}

/// State of an issuer in a word, with its tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) tone: &'static str,
    pub(super) word: &'static str,
}

impl State {
    pub(super) fn of(issuer: &IssuerSummary) -> Self {
        let (tone, word) = match issuer {
            IssuerSummary { enabled: false, .. } => ("", "Switched off"),
            issuer if !issuer.key_health.serving => ("bad", "No keys"),
            issuer if issuer.key_health.failures_in_a_row > 0 => ("warn", "On old keys"),
            issuer if issuer.mode == "observe" => ("blue", "Observing"),
            _ => ("good", "Working"),
        };
        Self { tone, word }
    }
}

/// Says what the mode of an issuer does.
fn mode_words(mode: &str) -> &str {
    match mode {
        "enforce" => "Enforcing",
        "observe" => "Observing: writes nothing",
        other => other,
    }
}

#[derive(Template)]
#[template(path = "issuers.html")]
struct IssuersPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    rows: Vec<Row>,
    /// Issuers made at run time that are not in use: name, address and reason.
    off: Vec<(String, String, String)>,
    pager: Pager,
    may_write: bool,
}

struct Row {
    href: String,
    name: String,
    /// Value of `iss`; `None` for tokens without one.
    iss: Option<String>,
    realm: String,
    keys: usize,
    fetched: Option<Moment>,
    next: Option<Moment>,
    failures: u32,
    mode: String,
    state: State,
    /// Address of the form of its document, for an issuer made at run time.
    change: Option<String>,
    organization: Option<String>,
}

/// Shows the list.
async fn list(visit: Visit) -> Answer {
    let query = visit.query();
    let listing = issuers::list(visit.caller(), query.page())?;
    page(&IssuersPage {
        frame: visit.frame(),
        notice: Notice::of(query),
        off: off(&visit).await?,
        may_write: visit.may(Action::WriteIssuers, None),
        pager: Pager::new(
            "/issuers",
            query,
            &[],
            listing.items.len(),
            listing.next_cursor.as_ref(),
        ),
        rows: listing.items.iter().map(|issuer| row(&visit, issuer)).collect(),
    })
}

fn row(visit: &Visit, issuer: &IssuerSummary) -> Row {
    let health = &issuer.key_health;
    Row {
        href: paths::issuer(&issuer.name) + "/keys",
        name: issuer.name.clone(),
        iss: issuer.issuer.clone(),
        realm: issuer.realm.clone(),
        keys: health.usable_count,
        fetched: health.fetched_at.map(|at| visit.moment(at.0)),
        next: health.next_refresh_at.map(|at| visit.moment(at.0)),
        failures: health.failures_in_a_row,
        mode: mode_words(&issuer.mode).to_owned(),
        state: State::of(issuer),
        change: (issuer.provenance == IssuerProvenance::Api).then(|| paths::issuer(&issuer.name) + "/change"),
        organization: issuer.organization.clone(),
    }
}

/// Returns the issuers made at run time that are not in use.
async fn off(visit: &Visit) -> Result<Vec<(String, String, String)>, Failed> {
    let page = PageRequest {
        cursor: None,
        limit: Some(narthex_directory::PAGE_LIMIT_MAX),
    };
    let records = documents::list(visit.caller(), page).await?.items.into_iter();
    let off = records.filter_map(|record| match record.state {
        Some(DocumentState::Off(reason)) => {
            let name = record.document.name;
            let address = paths::issuer(&name) + "/change";
            Some((name, address, reason.to_string()))
        }
        _ => None,
    });
    Ok(off.collect())
}
