//! `/webhooks`: the receivers that are told of changes, and whether it arrives.

use askama::Template;
use axum::Router;
use axum::routing::{get, post};
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Visit, page};
use narthex_console_frame::wording::number;
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_directory::WaitingState;
use narthex_ops::PageRequest;
use narthex_ops::webhooks::{self, WebhookView};

use super::notice::Notice;

mod delete;
mod edit;
mod enabled;
mod form;
mod new;
mod read;
mod secret;
mod send_again;

/// Largest number of deliveries that a list counts.
const COUNTED_MAX: usize = 100;

pub(super) fn routes() -> Router {
    Router::new()
        .route("/webhooks", get(list))
        .route("/webhooks/new", get(new::form).post(new::create))
        .route("/webhooks/{name}", get(read::read))
        .route("/webhooks/{name}/edit", get(edit::form).post(edit::save))
        .route("/webhooks/{name}/enable", post(enabled::enable))
        .route(
            "/webhooks/{name}/disable",
            get(enabled::question).post(enabled::disable),
        )
        .route("/webhooks/{name}/secret", get(secret::question).post(secret::replace))
        .route("/webhooks/{name}/retry", post(send_again::retry))
        .route("/webhooks/{name}/replay", post(send_again::replay))
        .route("/webhooks/{name}/delete", get(delete::question).post(delete::delete))
}

/// State of a webhook: its tone, and the word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    tone: &'static str,
    word: &'static str,
}

impl State {
    fn of(view: &WebhookView) -> Self {
        let (tone, word) = match (view.settings.enabled, failing_since_ms(view)) {
            (false, _) => ("", "Disabled"),
            (true, Some(_)) => ("bad", "Failing"),
            (true, None) => ("good", "Working"),
        };
        Self { tone, word }
    }
}

/// Returns the time since which the receiver of an enabled webhook takes nothing, in milliseconds.
pub(super) fn failing_since_ms(view: &WebhookView) -> Option<i64> {
    let progress = view.progress.as_ref().filter(|_| view.settings.enabled)?;
    progress.failing_since_ms.filter(|_| progress.failures > 0)
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct ListPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    rows: Vec<Row>,
    pager: Pager,
    may_create: bool,
}

struct Row {
    href: String,
    name: String,
    url: String,
    events: String,
    delivered: Option<Moment>,
    waiting: String,
    dead: String,
    state: State,
}

/// Shows the list.
async fn list(visit: Visit) -> Answer {
    let query = visit.query();
    let listing = webhooks::list(visit.caller(), query.page()).await?;
    let mut rows = Vec::with_capacity(listing.items.len());
    for view in &listing.items {
        let delivered_ms = view.progress.as_ref().and_then(|progress| progress.last_success_ms);
        rows.push(Row {
            href: paths::webhook(&view.name),
            name: view.name.clone(),
            url: view.settings.url.clone(),
            events: form::words(&view.settings.actions),
            delivered: delivered_ms.map(|at_ms| visit.moment(at_ms)),
            waiting: count(&visit, &view.name, WaitingState::Waiting).await?,
            dead: count(&visit, &view.name, WaitingState::Dead).await?,
            state: State::of(view),
        });
    }
    page(&ListPage {
        frame: visit.frame(),
        notice: Notice::of(query),
        pager: Pager::new("/webhooks", query, &[], rows.len(), listing.next_cursor.as_ref()),
        rows,
        may_create: visit.may(Action::WriteWebhooks, None),
    })
}

/// Returns the number of deliveries in this state, in words: large ones are not counted to the end.
async fn count(visit: &Visit, name: &str, state: WaitingState) -> Result<String, Failed> {
    let page = PageRequest {
        cursor: None,
        limit: Some(COUNTED_MAX),
    };
    let listing = webhooks::deliveries(visit.caller(), name, state, page).await?;
    let more = if listing.next_cursor.is_some() { "+" } else { "" };
    Ok(number::grouped(listing.items.len()) + more)
}
