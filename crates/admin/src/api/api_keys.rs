//! `/api-keys`: keys for this API. A key is shown when it is created, and never again.

use narthex_directory::{ApiKey, ScopedRole};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::time::Time;

mod create;
mod list;
mod revoke;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list, create::create))
        .routes(routes!(revoke::revoke))
}

/// An API key, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKeyBody {
    /// Its id.
    #[schema(example = "01hf7yat000000000000000019")]
    pub id: String,
    /// Purpose of the key.
    pub name: String,
    /// `admin` or `viewer`; with `organization_id`, in that organization.
    #[schema(example = "admin")]
    pub role: &'static str,
    /// The one organization that it reaches; `null` for everything.
    #[schema(required)]
    pub organization_id: Option<String>,
    /// Time at which it was created.
    pub created_at: Time,
    /// Time at which it stops working.
    #[schema(required)]
    pub expires_at: Option<Time>,
    /// Time at which it was revoked.
    #[schema(required)]
    pub revoked_at: Option<Time>,
    /// Time of the last use, to the minute.
    #[schema(required)]
    pub last_used_at: Option<Time>,
}

impl From<ApiKey> for ApiKeyBody {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name,
            role: key.role.role_str(),
            organization_id: match key.role {
                ScopedRole::Organization(id, _) => Some(id.to_string()),
                _ => None,
            },
            created_at: Time(key.created_at_ms),
            expires_at: key.expires_at_ms.map(Time),
            revoked_at: key.revoked_at_ms.map(Time),
            last_used_at: key.last_used_at_ms.map(Time),
        }
    }
}

/// An API key that was just created.
#[derive(Serialize, ToSchema)]
pub struct FreshApiKeyBody {
    /// Its record.
    #[serde(flatten)]
    pub about: ApiKeyBody,
    /// The key, shown this once; `null` when the response is repeated for the same `Idempotency-Key`.
    #[schema(required, example = "nx_…")]
    pub key: Option<String>,
}

/// SECURITY: not the key.
impl std::fmt::Debug for FreshApiKeyBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreshApiKeyBody")
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}
