//! `/audit`: what happened, when, and who did it; who had which role; and which requests were refused.

mod denials;
mod export;
mod roles;

use askama::Template;
use axum::Router;
use axum::routing::get;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use narthex_console_frame::fields::Fields;
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Visit, page};
use narthex_console_frame::wording::number;
use narthex_decision::Action;
use narthex_directory::{ACTIONS, DAY_MS, Listing};
use narthex_ops::OpError;
use narthex_ops::audit_events::{self, EventQuery};

use super::events::{self, EventRow};

/// Filters of the list, which its pages and exports keep.
const FILTERS: [&str; 7] = ["user", "organization", "action", "actor", "text", "from", "until"];

pub(super) fn routes() -> Router {
    Router::new()
        .route("/audit", get(list))
        .route("/audit/export", get(export::file))
        .route("/audit/roles", get(roles::show))
        .route("/audit/roles.csv", get(roles::csv))
        .route("/audit/denials", get(denials::list))
        .route("/audit/denials/{request_id}", get(denials::read))
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage<'a> {
    frame: &'a Frame,
    organization: &'a str,
    actor: &'a str,
    text: &'a str,
    from: &'a str,
    until: &'a str,
    actions: Vec<ActionChoice>,
    rows: Vec<Row>,
    pager: Pager,
    csv: String,
    ndjson: String,
}

struct ActionChoice {
    name: &'static str,
    is_chosen: bool,
}

struct Row {
    number: String,
    event: EventRow,
}

/// Shows the list.
async fn list(visit: Visit) -> Answer {
    visit.needs(Action::ReadAudit, None)?;
    let query = visit.query();
    let listing = audit_events::list(visit.caller(), event_query(query)?, query.page()).await?;
    let Listing { items, next_cursor } = listing;
    let numbers: Vec<u64> = items.iter().map(|recorded| recorded.sequence).collect();
    let events = events::rows(&visit, items, None).await?;
    let rows = numbers.into_iter().zip(events).map(|(sequence, event)| Row {
        number: number::grouped(usize::try_from(sequence).unwrap_or(usize::MAX)),
        event,
    });
    let rows: Vec<Row> = rows.collect();
    let action = query.text("action");
    page(&AuditPage {
        frame: visit.frame(),
        organization: query.text("organization"),
        actor: query.text("actor"),
        text: query.text("text"),
        from: query.text("from"),
        until: query.text("until"),
        actions: ACTIONS
            .iter()
            .map(|&(name, _)| ActionChoice {
                name,
                is_chosen: name == action,
            })
            .collect(),
        pager: Pager::new("/audit", query, &FILTERS, rows.len(), next_cursor.as_ref()),
        csv: export_address(query, "csv"),
        ndjson: export_address(query, "ndjson"),
        rows,
    })
}

/// Returns the address of the export with the filters of the list.
fn export_address(query: &Fields, format: &str) -> String {
    let mut fields: Vec<(&str, Option<&str>)> = vec![("format", Some(format))];
    let filters = FILTERS.map(|name| (name, query.sent(name).filter(|value| !value.is_empty())));
    fields.extend(filters);
    paths::with_query("/audit/export", &fields)
}

/// Reads the filters.
fn event_query(query: &Fields) -> Result<EventQuery, OpError> {
    let from_ms = query.filled("from").map(|text| moment("from", &text)).transpose()?;
    let until_ms = match query.filled("until") {
        // A day is in the list to its end.
        Some(text) if !text.contains('T') => Some(moment("until", &text)?.saturating_add(DAY_MS)),
        Some(text) => Some(moment("until", &text)?),
        None => None,
    };
    Ok(EventQuery {
        user: query.filled("user"),
        organization: query.filled("organization"),
        action: query.filled("action"),
        actor: query.filled("actor"),
        text: query.filled("text"),
        from_ms,
        until_ms,
        ..EventQuery::default()
    })
}

/// Reads a day, or a day and a time of it, in UTC, as browsers send them. Returns milliseconds since the epoch.
fn moment(field: &'static str, text: &str) -> Result<i64, OpError> {
    let read = text.parse::<DateTime>().and_then(|at| at.to_zoned(TimeZone::UTC));
    match read {
        Ok(at) => Ok(at.timestamp().as_millisecond()),
        Err(_) => Err(OpError::invalid(field, "write a time as `2026-03-01T12:00`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_in_the_list_to_its_end() {
        let query = event_query(&Fields::parse(b"from=2023-11-14&until=2023-11-14")).unwrap();
        assert_eq!(query.from_ms, Some(1_699_920_000_000));
        assert_eq!(query.until_ms, Some(1_699_920_000_000 + DAY_MS));
        let query = event_query(&Fields::parse(b"until=2023-11-14T22:13&text=+")).unwrap();
        assert_eq!((query.until_ms, query.text), (Some(1_699_999_980_000), None));
        assert!(event_query(&Fields::parse(b"from=yesterday")).is_err());
    }
}
