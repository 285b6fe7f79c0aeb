//! `POST /api/v1/organizations/{organization}/teams`

use axum::extract::Path;
use narthex_decision::Action;
use narthex_directory::{ExternalId, NewTeam, TeamId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::extract::{Body, IdempotencyKey};
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::{CreatedRecord, StoredResponse};
use crate::api::teams::{TeamBody, team_name};
use narthex_clock::NewIds;

/// A team to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTeamBody {
    /// Display name.
    #[schema(example = "Night shift")]
    name: String,
    /// Its id at the identity provider, used exactly as given. Platform admins only.
    external_id: Option<String>,
}

/// Creates a team in an organization
#[utoipa::path(
    post, path = "/organizations/{organization}/teams", tag = "teams", operation_id = "create_team",
    request_body = NewTeamBody,
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("Idempotency-Key" = Option<String>, Header, description = "Key of this attempt, for safe retries."),
    ),
    responses((status = 201, description = "Created.", body = TeamBody, headers(("location"), ("etag"))), CreateErrors),
)]
pub(crate) async fn create(
    admin: Admin,
    Path(organization): Path<String>,
    key: IdempotencyKey,
    Body { value: body, digest }: Body<NewTeamBody>,
) -> Result<StoredResponse, ApiError> {
    let (permit, organization) = admin.organization(Action::WriteMembers, &organization).await?;
    if body.external_id.is_some() {
        // SECURITY: external ids are unique in the realm. An organization's admin who could take an id that the
        // identity provider means for another organization's team would lock out the members of that team.
        admin.permit(Action::RuleOrganization, Some(organization.id))?;
    }
    permit
        .once(key, digest, async {
            let external_id = body
                .external_id
                .map(|id| ExternalId::new(id).map_err(ApiError::name("external_id")));
            let new = NewTeam {
                id: TeamId::new(permit.now_ms(), &mut NewIds::new()?),
                realm: organization.realm,
                organization: Some(organization.id),
                external_id: external_id.transpose()?,
                name: team_name(&body.name)?,
            };
            let team = permit.directory().create_team(new, permit.by()).await?;
            let location = format!("/api/v1/teams/{}", team.id);
            Ok(CreatedRecord {
                location,
                version: Some(team.version),
                body: TeamBody::from(team),
            })
        })
        .await
}
