//! `PUT` and `DELETE /api/v1/users/{id}/platform-role`

use axum::extract::Path;
use http::StatusCode;
use narthex_decision::Action;
use narthex_directory::{EffectiveGrant, GrantId, NewGrant, Scope, ScopedRole};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Admin, ApiError, GrantBody, PlatformRole, find, input_rules};
use crate::api::extract::{Body, QueryParameters};
use crate::api::openapi_errors::{ChangeErrors, RemoveErrors};
use crate::api::organizations::GrantScope;
use narthex_clock::NewIds;

/// Platform role to grant manually.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlatformRoleBody {
    /// `admin` or `viewer`.
    role: PlatformRole,
    /// Reason, recorded with the grant.
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
/// The grant is manual and replaces an earlier manual grant. Grants from tokens stay beside it.
#[utoipa::path(
    put, path = "/users/{id}/platform-role", tag = "users", operation_id = "grant_platform_role",
    request_body = PlatformRoleBody,
    params(("id" = String, Path, description = "The user's id.")),
    responses((status = 200, description = "The grant.", body = GrantBody), ChangeErrors),
)]
pub(crate) async fn grant(
    admin: Admin,
    Path(id): Path<String>,
    Body { value: body, .. }: Body<PlatformRoleBody>,
) -> Result<axum::Json<GrantBody>, ApiError> {
    let permit = admin.permit(Action::WriteUsers, None)?;
    if body.role == PlatformRole::User {
        return Err(ApiError::invalid(
            "role",
            "everybody is a `user`; take the role away with `DELETE` instead",
        ));
    }
    let new = NewGrant {
        id: GrantId::new(permit.now_ms(), &mut NewIds::new()?),
        user: find(permit, &id).await?.user.id,
        role: ScopedRole::Platform(body.role.into()),
        why: input_rules::why(body.why)?,
    };
    let grant = permit.directory().grant_role(new, permit.by()).await?;
    let given = EffectiveGrant {
        gives: Ok(grant.role),
        grant,
    };
    Ok(axum::Json(GrantBody::new(given, None)))
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
    admin: Admin,
    Path(id): Path<String>,
    QueryParameters(query): QueryParameters<Why>,
) -> Result<StatusCode, ApiError> {
    let permit = admin.permit(Action::WriteUsers, None)?;
    let id = find(permit, &id).await?.user.id;
    let on = GrantScope {
        scope: Scope::Platform,
        home: None,
        name: "platform",
    };
    on.revoke(permit, &id.to_string(), query.why).await?;
    Ok(StatusCode::NO_CONTENT)
}
