//! `PATCH /api/v1/teams/{team}`

use axum::extract::Path;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ApiError, TeamBody};
use crate::api::extract::{Body, IfMatch, RequestCaller};
use crate::api::merge_patch::Patch;
use crate::api::openapi_errors::ChangeErrors;
use crate::api::response::VersionedRecord;
use narthex_ops::teams;

/// Change of a team.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeamChange {
    /// New name.
    #[serde(default)]
    #[schema(value_type = String)]
    name: Patch<String>,
    /// Id or name of the new organization; `null` removes the team from its organization. Platform admins only.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    organization: Patch<String>,
    /// Its id at the identity provider. Platform admins only.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    external_id: Patch<String>,
}

/// Updates a team
#[utoipa::path(
    patch, path = "/teams/{team}", tag = "teams", operation_id = "update_team", request_body = TeamChange,
    params(
        ("team" = String, Path, description = "The team's id."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the team must still have."),
    ),
    responses((status = 200, description = "The team now.", body = TeamBody, headers(("etag"))), ChangeErrors),
)]
pub(crate) async fn update(
    RequestCaller(caller): RequestCaller,
    Path(team): Path<String>,
    IfMatch(expected): IfMatch,
    Body { value: change, .. }: Body<TeamChange>,
) -> Result<VersionedRecord<TeamBody>, ApiError> {
    let change = teams::TeamChange {
        name: change.name.into_edit(),
        organization: change.organization.into_edit(),
        external_id: change.external_id.into_edit(),
    };
    Ok(teams::update(&caller, &team, &expected, change).await?.into())
}
