//! `POST /api/v1/organizations/{organization}/teams`

use axum::extract::Path;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::error::ApiError;
use crate::api::extract::{Body, RequestCaller};
use crate::api::idempotency::IdempotencyKey;
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::{CreatedRecord, StoredResponse};
use crate::api::teams::TeamBody;
use narthex_ops::teams::{self, NewTeam};

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
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    key: IdempotencyKey,
    Body { value: body, digest }: Body<NewTeamBody>,
) -> Result<StoredResponse, ApiError> {
    let new = NewTeam {
        name: body.name,
        external_id: body.external_id,
    };
    let permitted = teams::may_create(&caller, &organization, &new);
    let create = async {
        let team = teams::create(&caller, &organization, new.clone()).await?;
        Ok(CreatedRecord {
            location: format!("/api/v1/teams/{}", team.id),
            version: Some(team.version),
            body: TeamBody::from(team),
        })
    };
    key.once(&caller, digest, permitted, create).await
}
