//! `/webhooks/{name}`: whether it arrives, what waits, and what was given up.

use std::collections::{BTreeSet, HashMap, HashSet};

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::Fields;
use narthex_console_frame::form::{Faults, Input, Pager};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, html};
use narthex_console_frame::wording::number;
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_directory::{
    DeliveryAttempt, EventOrder, PAGE_LIMIT_MAX, RecordedAttempt, RecordedEvent, WaitingDelivery, WaitingState,
};
use narthex_ops::audit_events::{self, EventQuery};
use narthex_ops::webhooks::{self, SignatureScheme, WebhookView, WebhookWithSecret};
use narthex_ops::{OpError, PageRequest};

use super::form::words;
use super::send_again::{DEAD, FROM};
use super::{State, failing_since_ms};
use crate::pages::events::{self, EventRow};
use crate::pages::notice::Notice;

/// Number of waiting deliveries, and of those that were given up, that the page shows.
const SHOWN_MAX: usize = 20;

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    faults: &'a Faults,
    fresh: Option<Fresh<'a>>,
    view: &'a WebhookView,
    href: String,
    state: State,
    trouble: Option<Trouble>,
    attempts: Vec<AttemptRow>,
    pager: Pager,
    waiting: Rows,
    dead: Rows,
    dead_field: &'static str,
    events: String,
    signed: &'static str,
    from: Input,
    may_change: bool,
}

/// Secret or public key of a webhook that was just created.
///
/// SECURITY: it is the answer to the form, so it is in no address and in no history, and no cache keeps it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fresh<'a> {
    secret: Option<&'a str>,
    public_key: Option<&'a str>,
}

impl<'a> Fresh<'a> {
    pub(super) fn of(created: &'a WebhookWithSecret) -> Self {
        Self {
            secret: created.secret.as_ref().map(|secret| secret.as_str()),
            public_key: created.webhook.settings.public_key.as_deref(),
        }
    }
}

/// Parts of the page that only the answer to a form has.
#[derive(Clone, Copy, Default)]
pub(super) struct Extra<'a> {
    fresh: Option<Fresh<'a>>,
    form: Option<(&'a Fields, &'a Faults)>,
}

impl<'a> Extra<'a> {
    pub(super) fn fresh(fresh: Fresh<'a>) -> Self {
        Self {
            fresh: Some(fresh),
            form: None,
        }
    }

    pub(super) fn faults(fields: &'a Fields, faults: &'a Faults) -> Self {
        Self {
            fresh: None,
            form: Some((fields, faults)),
        }
    }
}

/// A receiver that takes nothing.
struct Trouble {
    since: Moment,
    /// Answer to the last try, in words.
    answer: Option<String>,
    next: Moment,
}

/// An event: its code and its sentence, or its number alone.
struct EventName {
    number: String,
    code: Option<String>,
    what: String,
}

struct AttemptRow {
    event: EventName,
    is_success: bool,
    answer: String,
    error: Option<String>,
    took: String,
    number: u32,
    next: Option<Moment>,
    at: Moment,
}

/// The first deliveries in one state.
struct Rows {
    rows: Vec<DeliveryRow>,
    has_more: bool,
}

struct DeliveryRow {
    event: EventName,
    /// `true` if an earlier event of its object waits.
    is_behind: bool,
    attempts: u32,
    next: Moment,
    at: Moment,
}

/// Shows the page.
pub(super) async fn read(visit: Visit, Named(name): Named) -> Answer {
    let view = webhooks::read(visit.caller(), &name).await?;
    show(&visit, &view, StatusCode::OK, Extra::default()).await
}

/// Shows the page of a webhook.
pub(super) async fn show(visit: &Visit, view: &WebhookView, status: StatusCode, extra: Extra<'_>) -> Answer {
    let (query, none) = (visit.query(), (Fields::default(), Faults::default()));
    let (fields, faults) = extra.form.unwrap_or((&none.0, &none.1));
    let href = paths::webhook(&view.name);
    let listing = webhooks::attempts(visit.caller(), &view.name, query.page()).await?;
    let last = listing.items.first().filter(|_| query.filled("cursor").is_none());
    let page = WebhookPage {
        frame: visit.frame(),
        notice: Notice::of(query),
        faults,
        fresh: extra.fresh,
        state: State::of(view),
        trouble: trouble(visit, view, last),
        pager: Pager::new(&href, query, &[], listing.items.len(), listing.next_cursor.as_ref()),
        attempts: attempt_rows(visit, listing.items).await?,
        waiting: delivery_rows(visit, &view.name, WaitingState::Waiting).await?,
        dead: delivery_rows(visit, &view.name, WaitingState::Dead).await?,
        dead_field: DEAD,
        events: words(&view.settings.actions),
        signed: match view.settings.signature {
            SignatureScheme::V1 => "Standard Webhooks, with a shared secret (v1)",
            SignatureScheme::V1a => "Standard Webhooks, with a key pair (v1a)",
        },
        from: Input::text(FROM, "From (UTC)")
            .kind("datetime-local")
            .class("field grow")
            .required()
            .kept(fields, faults),
        may_change: visit.may(Action::WriteWebhooks, None),
        view,
        href,
    };
    html(status, &page)
}

fn trouble(visit: &Visit, view: &WebhookView, last: Option<&RecordedAttempt>) -> Option<Trouble> {
    let since_ms = failing_since_ms(view)?;
    let progress = view.progress.as_ref()?;
    Some(Trouble {
        since: visit.moment(since_ms),
        answer: last.map(|last| answer(&last.attempt)),
        next: visit.moment(progress.next_try_ms),
    })
}

/// Says the answer to a try.
fn answer(attempt: &DeliveryAttempt) -> String {
    match attempt.status {
        Some(status) => status.to_string(),
        None => "No answer".to_owned(),
    }
}

async fn attempt_rows(visit: &Visit, attempts: Vec<RecordedAttempt>) -> Result<Vec<AttemptRow>, Failed> {
    let numbers = attempts.iter().map(|kept| kept.attempt.sequence).collect();
    let names = names(visit, numbers).await?;
    let row = |RecordedAttempt { attempt, .. }: RecordedAttempt| AttemptRow {
        event: names.name(attempt.sequence),
        is_success: attempt.outcome() == "delivered",
        answer: answer(&attempt),
        took: format!("{} ms", number::grouped(usize::try_from(attempt.took_ms).unwrap_or(0))),
        number: attempt.attempt,
        next: attempt.next_try_ms.map(|at_ms| visit.moment(at_ms)),
        at: visit.moment(attempt.at_ms),
        error: attempt.error,
    };
    Ok(attempts.into_iter().map(row).collect())
}

async fn delivery_rows(visit: &Visit, name: &str, state: WaitingState) -> Result<Rows, Failed> {
    let page = PageRequest {
        cursor: None,
        limit: Some(SHOWN_MAX),
    };
    let listing = webhooks::deliveries(visit.caller(), name, state, page).await?;
    let numbers = listing.items.iter().map(|delivery| delivery.sequence).collect();
    let names = names(visit, numbers).await?;
    let mut objects = HashSet::new();
    let row = |delivery: WaitingDelivery| DeliveryRow {
        event: names.name(delivery.sequence),
        attempts: delivery.attempts,
        next: visit.moment(delivery.next_try_ms),
        at: visit.moment(delivery.dead_at_ms.unwrap_or(delivery.taken_up_ms)),
        is_behind: !objects.insert(delivery.object),
    };
    Ok(Rows {
        has_more: listing.next_cursor.is_some(),
        rows: listing.items.into_iter().map(row).collect(),
    })
}

/// Names of events, by their numbers.
struct Names(HashMap<u64, EventRow>);

impl Names {
    fn name(&self, sequence: u64) -> EventName {
        let row = self.0.get(&sequence);
        EventName {
            number: number::grouped(usize::try_from(sequence).unwrap_or(usize::MAX)),
            code: row.map(|row| row.code.clone()),
            what: row.map(|row| row.what.clone()).unwrap_or_default(),
        }
    }
}

/// Reads the names of events: of those among the last ones before the highest number, as many as a page of the audit has.
async fn names(visit: &Visit, numbers: BTreeSet<u64>) -> Result<Names, Failed> {
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
        return Ok(Names(HashMap::new()));
    };
    let page_size = u64::try_from(PAGE_LIMIT_MAX).unwrap_or(u64::MAX);
    let after = first.saturating_sub(1).max(last.saturating_sub(page_size));
    let query = EventQuery {
        order: EventOrder::OldestFirst,
        ..EventQuery::default()
    };
    let page = PageRequest {
        cursor: Some(after.to_string()),
        limit: Some(PAGE_LIMIT_MAX),
    };
    let found = match audit_events::list(visit.caller(), query, page).await {
        Ok(listing) => listing.items,
        Err(OpError::Forbidden { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let is_asked_for = |recorded: &RecordedEvent| numbers.contains(&recorded.sequence);
    let found: Vec<RecordedEvent> = found.into_iter().filter(is_asked_for).collect();
    let sequences: Vec<u64> = found.iter().map(|recorded| recorded.sequence).collect();
    let rows = events::rows(visit, found, None).await?;
    Ok(Names(sequences.into_iter().zip(rows).collect()))
}
