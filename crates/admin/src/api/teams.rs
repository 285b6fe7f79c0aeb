//! `/teams`: teams inside organizations.

use narthex_directory::Team;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::ApiError;
use super::response::VersionedRecord;
use super::time::Time;

mod list;
mod members;
mod read;
mod update;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .routes(routes!(list::list))
        .routes(routes!(read::read, update::update))
        .routes(routes!(members::list::list))
        .routes(routes!(members::read::read, members::put::put, members::delete::delete))
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TeamBody {
    /// Its id.
    #[schema(example = "01hf7yat000000000000000019")]
    pub id: String,
    /// Realm in which its external id is unique.
    pub realm: String,
    /// The organization that it belongs to, if any yet.
    #[schema(required)]
    pub organization_id: Option<String>,
    /// Its id at the identity provider.
    #[schema(required)]
    pub external_id: Option<String>,
    /// Display name.
    #[schema(example = "Night shift")]
    pub name: String,
    /// Time at which the record was created.
    pub created_at: Time,
    /// Time of the last change of the record.
    pub updated_at: Time,
}

impl From<Team> for TeamBody {
    fn from(team: Team) -> Self {
        Self {
            id: team.id.to_string(),
            realm: team.realm.to_string(),
            organization_id: team.organization.map(|id| id.to_string()),
            external_id: team.external_id.map(|id| id.to_string()),
            name: team.name,
            created_at: Time(team.created_at_ms),
            updated_at: Time(team.updated_at_ms),
        }
    }
}

impl From<Team> for VersionedRecord<TeamBody> {
    fn from(team: Team) -> Self {
        Self {
            version: team.version,
            body: team.into(),
        }
    }
}
