//! The audit trail.

use narthex_audit::{ChainKeeper, KeeperError};
pub use narthex_audit::{ExportFormat, TrailExport};
use narthex_clock::random_bytes;
use narthex_decision::Action;
use narthex_directory::{ACTIONS, Actor, By, EventFilter, EventOrder, Listing, RecordedEvent};
use narthex_explain::nearest;

use super::caller::Caller;
use super::error::OpError;
use super::input_rules;
use super::paging::PageRequest;

/// Filters and order of a list of events. An event must match all that are given.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Id of the user that the event is about.
    pub user: Option<String>,
    /// Id or name of the organization of the event.
    pub organization: Option<String>,
    /// Name of the action.
    pub action: Option<String>,
    /// Name or kind of the actor.
    pub actor: Option<String>,
    /// Text in the detail of the event; ASCII letters in any case.
    pub text: Option<String>,
    /// Earliest time, in milliseconds since the epoch.
    pub from_ms: Option<i64>,
    /// Time before which the event was, in milliseconds since the epoch.
    pub until_ms: Option<i64>,
    /// Order of the list.
    pub order: EventOrder,
}

/// Lists audit events.
///
/// # Errors
///
/// When the caller may not, there is no such organization or action, a filter or the page cannot be used, or the
/// directory fails.
pub async fn list(caller: &Caller, query: EventQuery, page: PageRequest) -> Result<Listing<RecordedEvent>, OpError> {
    let permit = caller.permit(Action::ReadAudit, None)?;
    let filter = filter(caller, query).await?;
    Ok(permit.directory().events(filter, page.page()?).await?)
}

/// Begins an export of the events that a query admits, the oldest first, whatever its order. The pieces are read while they
/// are sent.
///
/// # Errors
///
/// As [`list`].
pub async fn export(caller: &Caller, format: ExportFormat, query: EventQuery) -> Result<TrailExport, OpError> {
    let permit = caller.permit(Action::ReadAudit, None)?;
    let filter = filter(caller, query).await?;
    let (directory, now_ms) = (permit.shared_directory(), permit.now_ms());
    let by = By {
        actor: Actor::System,
        at_ms: now_ms,
    };
    let keeper = ChainKeeper::open(&*directory, [random_bytes()?, random_bytes()?], by).await;
    let keeper = keeper.map_err(|error| match error {
        KeeperError::Store(error) => OpError::Store(error),
        KeeperError::Key(error) => OpError::Internal(error.to_string()),
    })?;
    Ok(TrailExport::begin(directory, keeper, format, filter, now_ms).await?)
}

/// Lists the public keys of checkpoints, the newest first, each a JSON Web Key as text.
///
/// # Errors
///
/// When the caller may not, or the directory fails.
pub async fn keys(caller: &Caller) -> Result<Vec<String>, OpError> {
    let permit = caller.permit(Action::ReadAudit, None)?;
    let keys = permit.directory().audit_keys().await?;
    Ok(keys.into_iter().map(|key| key.public_jwk).collect())
}

/// Reads the filters, as the caller wrote them.
async fn filter(caller: &Caller, query: EventQuery) -> Result<EventFilter, OpError> {
    let organization = match query.organization {
        Some(text) => Some(caller.organization(Action::ReadAudit, &text).await?.1.id),
        None => None,
    };
    Ok(EventFilter {
        user: query
            .user
            .map(|id| id.parse().map_err(input_rules::name("user")))
            .transpose()?,
        organization,
        action: query.action.map(known_action).transpose()?,
        actor: query.actor,
        text: query.text,
        from_ms: query.from_ms,
        until_ms: query.until_ms,
        order: query.order,
    })
}

/// Maximum number of actions proposed in place of an unknown one.
const NEAR_MAX: usize = 3;

/// Checks that an action exists. Any other would match nothing, now and later.
fn known_action(action: String) -> Result<String, OpError> {
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
    Err(OpError::invalid(
        "action",
        format!("there is no such action; {meant}`docs/reference/audit-events.md` lists all"),
    ))
}
