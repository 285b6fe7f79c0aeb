//! `/audit-events` and `/audit`: the audit trail, its exports and its keys.

use narthex_directory::{Actor, RecordedEvent, TokenFingerprint};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::time::Time;
use super::users::TokenBody;

mod export;
mod keys;
mod list;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list))
        .routes(routes!(export::export))
        .routes(routes!(keys::keys))
}

/// An audit event.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct EventBody {
    /// Its position in the order of commits.
    pub sequence: u64,
    /// Time of the event.
    pub at: Time,
    /// Actor that caused the event.
    pub actor: ActorBody,
    /// Name of the action.
    #[schema(example = "grant.closed")]
    pub action: String,
    /// User that the action concerned.
    #[schema(required)]
    pub user_id: Option<String>,
    /// Organization that the action concerned or took place in.
    #[schema(required)]
    pub organization_id: Option<String>,
    /// Team that the action concerned or took place in.
    #[schema(required)]
    pub team_id: Option<String>,
    /// Further details of the event.
    pub detail: Map<String, Value>,
}

/// Actor of an event.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ActorBody {
    /// `token`, `user`, `api_key`, `command_line`, `configuration` or `system`.
    #[schema(example = "api_key")]
    pub kind: &'static str,
    /// Name of the actor: the issuer's name, an id, or the system user as `alice (uid 1000)`.
    #[schema(required)]
    pub name: Option<String>,
    /// Identification of the token, if the actor was one.
    #[schema(required)]
    pub token: Option<TokenBody>,
}

impl From<Actor> for ActorBody {
    fn from(actor: Actor) -> Self {
        let (kind, name) = (actor.kind(), actor.name());
        let token = match actor {
            Actor::Token { token, .. } => token,
            _ => TokenFingerprint::default(),
        };
        Self {
            kind,
            name,
            token: TokenBody::of(token),
        }
    }
}

impl From<RecordedEvent> for EventBody {
    fn from(RecordedEvent { sequence, event, .. }: RecordedEvent) -> Self {
        Self {
            sequence,
            at: Time(event.at_ms),
            actor: event.actor.into(),
            action: event.action,
            user_id: event.user.map(|id| id.to_string()),
            organization_id: event.organization.map(|id| id.to_string()),
            team_id: event.team.map(|id| id.to_string()),
            detail: event.detail,
        }
    }
}
