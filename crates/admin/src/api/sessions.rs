//! `/sessions`: the browsers that are signed in, at the doors and at the console.

use narthex_directory::Session;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::time::Time;
use super::wire_enums::{CredentialKind, SessionKind};

mod end;
mod list;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list))
        .routes(routes!(end::end))
}

/// A session that stands, without its credential and its cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionBody {
    /// Its id.
    #[schema(example = "01hf7yat000000000000000019")]
    pub id: String,
    /// Place in which it is accepted.
    pub kind: SessionKind,
    /// Credential that the browser signed in with.
    pub credential: CredentialKind,
    /// Issuer of its token; `null` for another credential.
    #[schema(required)]
    pub issuer: Option<String>,
    /// Id of its user; `null` for an API key, for a sign-in link, and while the user is not known.
    #[schema(required)]
    pub user_id: Option<String>,
    /// User agent of the browser, shortened. It proves nothing.
    #[schema(required)]
    pub user_agent: Option<String>,
    /// Address of the browser.
    #[schema(required)]
    pub address: Option<String>,
    /// Time of the sign-in.
    pub created_at: Time,
    /// Time of the last use, to the minute.
    pub last_seen_at: Time,
    /// Time at which it ends if it is not used again.
    pub lapses_at: Time,
    /// Time at which it ends at the latest.
    pub ends_at: Time,
}

impl From<Session> for SessionBody {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.to_string(),
            kind: session.kind.into(),
            credential: session.credential.into(),
            lapses_at: Time(session.lapses_at_ms()),
            issuer: session.issuer.map(|issuer| issuer.to_string()),
            user_id: session.user.map(|user| user.to_string()),
            user_agent: session.client.user_agent,
            address: session.client.address,
            created_at: Time(session.created_at_ms),
            last_seen_at: Time(session.last_seen_at_ms),
            ends_at: Time(session.ends_at_ms),
        }
    }
}
