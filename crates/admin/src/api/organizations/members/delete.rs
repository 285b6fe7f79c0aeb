//! `DELETE /api/v1/organizations/{organization}/members/{user_id}`

use axum::extract::Path;
use http::StatusCode;

use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::RemoveErrors;
use crate::api::users::Why;
use narthex_ops::members::{self, Group};

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
    RequestCaller(caller): RequestCaller,
    Path((organization, user)): Path<(String, String)>,
    QueryParameters(query): QueryParameters<Why>,
) -> Result<StatusCode, ApiError> {
    members::revoke(&caller, Group::Organization(&organization), &user, query.why).await?;
    Ok(StatusCode::NO_CONTENT)
}
