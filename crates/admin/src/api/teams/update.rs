//! `PATCH /api/v1/teams/{team}`

use axum::extract::Path;
use narthex_decision::Action;
use narthex_directory::{Edit, ExternalId, TeamEdit};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ApiError, TeamBody, team_name};
use crate::api::access::Admin;
use crate::api::extract::{Body, IfMatch};
use crate::api::merge_patch::Patch;
use crate::api::openapi_errors::ChangeErrors;
use crate::api::response::VersionedRecord;

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
    admin: Admin,
    Path(team): Path<String>,
    if_match: IfMatch,
    Body { value: change, .. }: Body<TeamChange>,
) -> Result<VersionedRecord<TeamBody>, ApiError> {
    let (permit, team) = admin.team(Action::WriteMembers, &team).await?;
    if change.organization.is_given() || change.external_id.is_given() {
        // SECURITY: as in the creation of a team; and a team that moved would take its members along.
        admin.permit(Action::RuleOrganization, team.organization)?;
    }
    let organization = match change.organization {
        Patch::Keep => Edit::Keep,
        Patch::Clear => Edit::Clear,
        Patch::Set(text) => Edit::Set(admin.organization(Action::RuleOrganization, &text).await?.1.id),
    };
    let edit = TeamEdit {
        name: (change.name.never_empty("name")?)
            .map(|name| team_name(&name))
            .transpose()?,
        organization,
        external_id: change
            .external_id
            .checked(|id| ExternalId::new(id).map(Some).map_err(ApiError::name("external_id")))?,
    };
    let expected = if_match.expect(team.version)?;
    Ok(permit
        .directory()
        .update_team(team.id, expected, edit, permit.by())
        .await?
        .into())
}
