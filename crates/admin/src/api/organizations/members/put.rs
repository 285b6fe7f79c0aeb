//! `PUT /api/v1/organizations/{organization}/members/{user_id}`

use axum::Json;
use axum::extract::Path;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::error::ApiError;
use crate::api::extract::{Body, RequestCaller};
use crate::api::openapi_errors::ChangeErrors;
use crate::api::organizations::MemberBody;
use crate::api::time::Time;
use crate::api::wire_enums::OrganizationRole;
use narthex_ops::members::{self, GrantTerms, GroupRole};

/// Role to grant manually.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationMemberBody {
    /// Role to grant.
    role: OrganizationRole,
    /// Time at which the grant expires; without one it stays until it is revoked.
    expires_at: Option<Time>,
    /// Reason, recorded with the grant.
    #[schema(example = "stands in for Ada until January")]
    why: Option<String>,
}

/// Grants a role in an organization
///
/// The grant is manual and replaces an earlier manual grant. Grants from tokens stay beside it, and the highest role
/// counts. With `expires_at`, it ends by itself at that time. An `external_only` organization takes no manual grants
/// (409).
///
/// The user may be of another realm: a realm bounds external ids and tags, not manual grants. An empty list of tags in
/// that user's tokens, which removes all tag grants in the user's own realm, leaves a manual grant.
///
/// Callers who may not read users (an organization's own admins) know only the users that the organization has met.
/// Such a user holds a grant in the organization or in one of its teams, or once got one there by a token. Any other
/// user is unknown (404).
#[utoipa::path(
    put, path = "/organizations/{organization}/members/{user_id}", tag = "organizations",
    operation_id = "grant_organization_role", request_body = OrganizationMemberBody,
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("user_id" = String, Path, description = "The user's id."),
    ),
    responses((status = 200, description = "The member now.", body = MemberBody), ChangeErrors),
)]
pub(crate) async fn put(
    RequestCaller(caller): RequestCaller,
    Path((organization, user)): Path<(String, String)>,
    Body { value: body, .. }: Body<OrganizationMemberBody>,
) -> Result<Json<MemberBody>, ApiError> {
    let role = GroupRole::Organization(&organization, body.role.into());
    let terms = GrantTerms {
        expires_at_ms: body.expires_at.map(|Time(at_ms)| at_ms),
        why: body.why,
    };
    let member = members::grant(&caller, role, &user, terms).await?;
    Ok(Json(member.into()))
}
