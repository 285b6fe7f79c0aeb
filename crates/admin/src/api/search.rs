//! `/search`: records of all kinds, by a part of a name or by an id.

use narthex_ops::search::Found;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::wire_enums::FoundKind;

mod find;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(find::find))
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FoundBody {
    /// Kind of the record.
    pub kind: FoundKind,
    /// Its id: of an issuer the configured name, of a tag the tag, of a denial the id of the request.
    pub id: String,
    /// Name to show.
    pub name: String,
    /// A further fact: the username of a user, the name in paths of an organization, the organization of a team, the realm of
    /// an issuer or a tag, the reason of a denial.
    #[schema(required)]
    pub also: Option<String>,
}

impl From<Found> for FoundBody {
    fn from(found: Found) -> Self {
        Self {
            kind: found.kind.into(),
            id: found.id,
            name: found.name,
            also: found.also,
        }
    }
}
