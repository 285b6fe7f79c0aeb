//! `PUT` and `DELETE /api/v1/users/{id}/platform-role`

use axum::extract::Path;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ApiError, GrantBody, PlatformRole, RequestCaller};
use crate::api::extract::{Body, QueryParameters};
use crate::api::openapi_errors::{ChangeErrors, RemoveErrors};
use crate::api::time::Time;
use narthex_ops::members::GrantTerms;
use narthex_ops::users;

/// Platform role to grant manually.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlatformRoleBody {
    /// `admin` or `viewer`.
    role: PlatformRole,
    /// Time at which the grant expires; without one it stays until it is revoked.
    expires_at: Option<Time>,
    /// Reason, recorded with the grant.
    #[schema(example = "stands in for Ada until January")]
    why: Option<String>,
}

/// Reason for a revocation.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Why {
    /// Reason, recorded with the revocation.
    pub(crate) why: Option<String>,
}

/// Grants a platform role
///
/// The grant is manual and replaces an earlier manual grant. Grants from tokens stay beside it. With `expires_at`, it ends
/// by itself at that time.
#[utoipa::path(
    put, path = "/users/{id}/platform-role", tag = "users", operation_id = "grant_platform_role",
    request_body = PlatformRoleBody,
    params(("id" = String, Path, description = "The user's id.")),
    responses((status = 200, description = "The grant.", body = GrantBody), ChangeErrors),
)]
pub(crate) async fn grant(
    RequestCaller(caller): RequestCaller,
    Path(id): Path<String>,
    Body { value: body, .. }: Body<PlatformRoleBody>,
) -> Result<axum::Json<GrantBody>, ApiError> {
    let terms = GrantTerms {
        expires_at_ms: body.expires_at.map(|Time(at_ms)| at_ms),
        why: body.why,
    };
    let grant = users::grant_platform_role(&caller, &id, body.role.into(), terms).await?;
    Ok(axum::Json(GrantBody::new(grant, None)))
}

/// Revokes a platform role that was granted manually
///
/// Grants from tags stay (409, with the tags and their issuer): they end with the tag.
#[utoipa::path(
    delete, path = "/users/{id}/platform-role", tag = "users", operation_id = "revoke_platform_role",
    params(("id" = String, Path, description = "The user's id."), Why),
    responses((status = 204, description = "Revoked."), RemoveErrors),
)]
pub(crate) async fn revoke(
    RequestCaller(caller): RequestCaller,
    Path(id): Path<String>,
    QueryParameters(query): QueryParameters<Why>,
) -> Result<StatusCode, ApiError> {
    users::revoke_platform_role(&caller, &id, query.why).await?;
    Ok(StatusCode::NO_CONTENT)
}
