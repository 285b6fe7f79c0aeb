//! `GET /api/v1/audit-events`

use serde::Deserialize;
use utoipa::IntoParams;

use super::EventBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use crate::api::time::Time;
use crate::api::wire_enums::EventOrder;
use narthex_ops::PageRequest;
use narthex_ops::audit_events::{self, EventQuery};

/// Filters of the list. An event must match all that are given.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns only events about this user.
    user: Option<String>,
    /// Returns only events in this organization (id or name).
    organization: Option<String>,
    /// Returns only events with this action; `docs/reference/audit-events.md` lists all actions.
    #[param(example = "grant.closed")]
    action: Option<String>,
    /// Returns only events by this actor: its name (an issuer's name, an id, or a system user as `alice (uid 1000)`), or its
    /// kind.
    #[param(example = "command_line")]
    actor: Option<String>,
    /// Returns only events with this text in their detail; ASCII letters in any case.
    text: Option<String>,
    /// Returns only events at or after this time.
    from: Option<Time>,
    /// Returns only events before this time.
    until: Option<Time>,
    /// Order of the list; by default the newest event comes first.
    #[param(inline)]
    order: Option<EventOrder>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists audit events
///
/// In the order of commits.
#[utoipa::path(
    get, path = "/audit-events", tag = "diagnosis", operation_id = "list_audit_events", params(Query),
    responses((status = 200, description = "A page of events.", body = List<EventBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<EventBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let query = EventQuery {
        user: query.user,
        organization: query.organization,
        action: query.action,
        actor: query.actor,
        text: query.text,
        from_ms: query.from.map(|Time(at_ms)| at_ms),
        until_ms: query.until.map(|Time(at_ms)| at_ms),
        order: query.order.unwrap_or(EventOrder::NewestFirst).into(),
    };
    let events = audit_events::list(&caller, query, page).await?;
    Ok(List::of(events, EventBody::from))
}
