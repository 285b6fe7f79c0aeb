//! `/organizations/{organization}/machine-keys`: keys of an organization's programs for its routes. A key is shown when it
//! is created, and never again.

use narthex_directory::MachineKey;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::time::Time;
use super::wire_enums::OrganizationRole;

mod create;
mod list;
mod read;
mod revoke;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list, create::create))
        .routes(routes!(read::read, revoke::revoke))
}

/// A machine key, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MachineKeyBody {
    /// Its id, which applications receive as the id of the user that it acts as.
    #[schema(example = "01hf7yat000000000000000019")]
    pub id: String,
    /// The organization.
    pub organization_id: String,
    /// Purpose of the key.
    #[schema(example = "nightly export")]
    pub name: String,
    /// Role of the key in the organization.
    pub role: OrganizationRole,
    /// Time at which it was created.
    pub created_at: Time,
    /// Time at which it stops working.
    pub expires_at: Time,
    /// Time at which it was revoked.
    #[schema(required)]
    pub revoked_at: Option<Time>,
    /// Time of the last use, to the minute.
    #[schema(required)]
    pub last_used_at: Option<Time>,
}

impl From<MachineKey> for MachineKeyBody {
    fn from(key: MachineKey) -> Self {
        Self {
            id: key.id.to_string(),
            organization_id: key.organization.to_string(),
            name: key.name,
            role: key.role.into(),
            created_at: Time(key.created_at_ms),
            expires_at: Time(key.expires_at_ms),
            revoked_at: key.revoked_at_ms.map(Time),
            last_used_at: key.last_used_at_ms.map(Time),
        }
    }
}

/// A machine key that was just created.
#[derive(Serialize, ToSchema)]
pub struct FreshMachineKeyBody {
    /// Its record.
    #[serde(flatten)]
    pub about: MachineKeyBody,
    /// The key, shown this once; `null` when the response is repeated for the same `Idempotency-Key`.
    #[schema(required, example = "nxk_…")]
    pub key: Option<String>,
}

/// SECURITY: not the key.
impl std::fmt::Debug for FreshMachineKeyBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreshMachineKeyBody")
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}
