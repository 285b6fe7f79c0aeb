//! `GET /api/v1/organizations/{organization}/deletion`, `DELETE /api/v1/organizations/{organization}` and
//! `POST /api/v1/organization-deletions/lift`

use axum::extract::Path;
use http::StatusCode;
use narthex_directory::OrganizationContent;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ApiError, RequestCaller};
use crate::api::extract::{Body, IfMatch, QueryParameters};
use crate::api::openapi_errors::{BodyErrors, DeletionErrors, OneErrors};
use crate::api::response::VersionedRecord;
use narthex_ops::organizations::deletion::{self, DeletionTerms};

/// Records that end with an organization.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrganizationContentBody {
    /// Users with an open grant in it or in one of its teams.
    pub members: u64,
    /// Its teams.
    pub teams: u64,
    /// Its machine keys that are not revoked.
    pub machine_keys: u64,
    /// The API keys for it alone that are not revoked.
    pub api_keys: u64,
    /// Its documents: connections and the like.
    pub documents: u64,
    /// `true` if nothing ends with it, so that it can be deleted without `with_content`.
    pub is_empty: bool,
}

impl From<OrganizationContent> for OrganizationContentBody {
    fn from(content: OrganizationContent) -> Self {
        Self {
            members: content.members,
            teams: content.teams,
            machine_keys: content.machine_keys,
            api_keys: content.api_keys,
            documents: content.documents,
            is_empty: content.is_empty(),
        }
    }
}

/// Previews the deletion of an organization
///
/// Counts the records that end with it. The `ETag` is the organization's: send it as `If-Match` with the deletion.
#[utoipa::path(
    get, path = "/organizations/{organization}/deletion", tag = "organizations",
    operation_id = "preview_organization_deletion",
    params(("organization" = String, Path, description = "The organization's id or name.")),
    responses(
        (status = 200, description = "What ends with it.", body = OrganizationContentBody, headers(("etag"))),
        OneErrors,
    ),
)]
pub(crate) async fn preview(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
) -> Result<VersionedRecord<OrganizationContentBody>, ApiError> {
    let (organization, content) = deletion::content(&caller, &organization).await?;
    Ok(VersionedRecord {
        version: organization.version,
        body: content.into(),
    })
}

/// Terms of a deletion.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// `true` to delete the organization with all its content. It needs `If-Match`.
    #[serde(default)]
    with_content: bool,
    /// Reason, recorded with the deletion.
    why: Option<String>,
}

/// Deletes an organization
///
/// Without `with_content`, only an empty organization is deleted (422 otherwise). With it, its teams, keys and connections go
/// too, and the roles in it end. Grants stay on record, no other organization takes its name, and no token that names its
/// external id creates it again. It cannot be undone.
#[utoipa::path(
    delete, path = "/organizations/{organization}", tag = "organizations", operation_id = "delete_organization",
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the organization must still have."),
        Query,
    ),
    responses((status = 204, description = "Deleted."), DeletionErrors),
)]
pub(crate) async fn delete(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    IfMatch(expected): IfMatch,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<StatusCode, ApiError> {
    let terms = DeletionTerms {
        with_content: query.with_content,
        why: query.why,
    };
    deletion::delete(&caller, &organization, &expected, terms).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A deleted organization, by the names that tokens have for it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiftedDeletionBody {
    /// Realm of the organization. Required if there is more than one.
    #[schema(example = "corp")]
    realm: Option<String>,
    /// The external id that the organization had.
    #[schema(example = "4711")]
    external_id: String,
}

/// Lets tokens create a deleted organization again
///
/// The next token that names the external id creates another organization, with another name.
#[utoipa::path(
    post, path = "/organization-deletions/lift", tag = "organizations", operation_id = "lift_organization_deletion",
    request_body = LiftedDeletionBody,
    responses((status = 204, description = "Lifted."), BodyErrors),
)]
pub(crate) async fn lift(
    RequestCaller(caller): RequestCaller,
    Body { value: body, .. }: Body<LiftedDeletionBody>,
) -> Result<StatusCode, ApiError> {
    deletion::lift(&caller, body.realm, body.external_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
