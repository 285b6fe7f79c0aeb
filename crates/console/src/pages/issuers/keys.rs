//! `/issuers/{name}/keys`: the keys of an issuer, and the state of fetching them.

use askama::Template;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::sentence;
use narthex_console_frame::visit::{Answer, Named, Visit, page, see};
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_ops::{IssuerSummary, OpError, issuers};

use super::State;
use crate::pages::notice::{self, Notice};

#[derive(Template)]
#[template(path = "issuer_keys.html")]
struct KeysPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    issuer: &'a IssuerSummary,
    href: String,
    state: State,
    trouble: Option<Trouble>,
    keys: Vec<KeyRow>,
    refused: Vec<RefusedRow>,
    fetched: Option<Moment>,
    fresh_until: Option<Moment>,
    usable_until: Option<Moment>,
    next: Option<Moment>,
    may_fetch: bool,
}

/// Failure of the last fetch.
struct Trouble {
    serves: bool,
    until: Option<Moment>,
    failures: u32,
    why: Option<String>,
}

struct KeyRow {
    kid: Option<String>,
    kind: String,
    algorithms: String,
    first_seen: Option<Moment>,
    last_seen: Option<Moment>,
    is_present: bool,
}

struct RefusedRow {
    kid: Option<String>,
    /// Position in the set, from 1.
    position: usize,
    why: String,
}

/// Shows the keys.
pub(super) async fn read(visit: Visit, Named(name): Named) -> Answer {
    let issuer = issuers::read(visit.caller(), &name)?;
    let health = &issuer.key_health;
    let keys = health.keys.iter().map(|key| KeyRow {
        kid: key.kid.clone(),
        kind: key.kind.clone(),
        algorithms: key.algorithms.join(", "),
        first_seen: key.first_seen_at.map(|at| visit.moment(at.0)),
        last_seen: key.last_seen_at.map(|at| visit.moment(at.0)),
        is_present: key.present,
    });
    let refused = health.refused.iter().map(|key| RefusedRow {
        kid: key.kid.clone(),
        position: key.position.saturating_add(1),
        why: sentence(&key.why),
    });
    page(&KeysPage {
        frame: visit.frame(),
        notice: Notice::of(visit.query()),
        issuer: &issuer,
        href: paths::issuer(&issuer.name),
        state: State::of(&issuer),
        trouble: trouble(&visit, &issuer),
        keys: keys.collect(),
        refused: refused.collect(),
        fetched: health.fetched_at.map(|at| visit.moment(at.0)),
        fresh_until: health.fresh_until.map(|at| visit.moment(at.0)),
        usable_until: health.usable_until.map(|at| visit.moment(at.0)),
        next: health.next_refresh_at.map(|at| visit.moment(at.0)),
        may_fetch: visit.may(Action::RefreshIssuers, None) && health.next_refresh_at.is_some(),
    })
}

/// Returns the failure of the last fetch; `None` if it succeeded and there are keys.
fn trouble(visit: &Visit, issuer: &IssuerSummary) -> Option<Trouble> {
    let health = &issuer.key_health;
    if health.serving && health.failures_in_a_row == 0 {
        return None;
    }
    let last = health.last_error.as_ref().filter(|_| health.failures_in_a_row > 0);
    Some(Trouble {
        serves: health.serving,
        until: health.usable_until.map(|at| visit.moment(at.0)),
        failures: health.failures_in_a_row,
        why: last.map(|error| sentence(&error.message)),
    })
}

/// Fetches the keys now. A fetch that failed is shown by the page of the keys.
pub(super) async fn fetch(visit: Visit, Named(name): Named) -> Answer {
    let address = paths::issuer(&name) + "/keys";
    match issuers::refresh(visit.caller(), &name).await {
        Ok(health) if health.failures_in_a_row == 0 => Ok(see(&notice::after(&address, "fetched"))),
        Ok(_) => Ok(see(&address)),
        Err(OpError::TooOften { .. }) => Ok(see(&notice::after(&address, "too-soon"))),
        Err(error) => Err(error.into()),
    }
}
