//! `GET /api/v1/audit-events`

use narthex_decision::Action;
use narthex_directory::{ACTIONS, EventFilter};
use serde::Deserialize;
use utoipa::IntoParams;

use super::EventBody;
use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, page};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use crate::api::time::Time;
use crate::api::wire_enums::EventOrder;
use narthex_engine::nearest;

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
    admin: Admin,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<EventBody>, ApiError> {
    let permit = admin.permit(Action::ReadAudit, None)?;
    let organization = match query.organization {
        Some(text) => Some(admin.organization(Action::ReadAudit, &text).await?.1.id),
        None => None,
    };
    let filter = EventFilter {
        user: query
            .user
            .map(|id| id.parse().map_err(ApiError::name("user")))
            .transpose()?,
        organization,
        action: query.action.map(known_action).transpose()?,
        from_ms: query.from.map(|Time(at_ms)| at_ms),
        until_ms: query.until.map(|Time(at_ms)| at_ms),
        order: query.order.unwrap_or(EventOrder::NewestFirst).into(),
    };
    let events = permit
        .directory()
        .events(filter, page(query.cursor, query.limit)?)
        .await?;
    Ok(List::of(events, EventBody::from))
}

/// Maximum number of actions proposed in place of an unknown one.
const NEAR_MAX: usize = 3;

/// Checks that an action exists. Any other would match nothing, now and later.
fn known_action(action: String) -> Result<String, ApiError> {
    let names = ACTIONS.iter().map(|(name, _)| *name);
    if names.clone().any(|name| name == action) {
        return Ok(action);
    }
    let near = nearest(&action, names, NEAR_MAX);
    let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    let meant = match near.as_slice() {
        [] => String::new(),
        near => format!("did you mean {}? ", near.join(" or ")),
    };
    Err(ApiError::invalid(
        "action",
        format!("there is no such action; {meant}`docs/reference/audit-events.md` lists all"),
    ))
}
