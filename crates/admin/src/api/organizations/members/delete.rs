//! `DELETE /api/v1/organizations/{organization}/members/{user_id}`

use axum::extract::Path;
use http::StatusCode;
use narthex_decision::Action;
use narthex_directory::Scope;

use super::GrantScope;
use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::extract::QueryParameters;
use crate::api::openapi_errors::RemoveErrors;
use crate::api::users::Why;

/// Revokes a role in an organization
///
/// This revokes manual grants and grants from claims: claims only add, so no token revokes such a role. A grant from a
/// claim comes back with the next token that names the organization. Grants from tags stay (409, with the tags): they
/// end with the tag.
#[utoipa::path(
    delete, path = "/organizations/{organization}/members/{user_id}", tag = "organizations",
    operation_id = "revoke_organization_role",
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("user_id" = String, Path, description = "The user's id."),
        Why,
    ),
    responses((status = 204, description = "Revoked."), RemoveErrors),
)]
pub(crate) async fn delete(
    admin: Admin,
    Path((organization, user)): Path<(String, String)>,
    QueryParameters(query): QueryParameters<Why>,
) -> Result<StatusCode, ApiError> {
    let (permit, organization) = admin.organization(Action::WriteMembers, &organization).await?;
    let on = GrantScope {
        scope: Scope::Organization(organization.id),
        home: Some(organization.id),
        name: organization.name.as_str(),
    };
    on.revoke(permit, &user, query.why).await?;
    Ok(StatusCode::NO_CONTENT)
}
