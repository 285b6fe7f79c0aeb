//! `POST /api/v1/users/{id}/revoke-tokens`

use axum::extract::Path;
use narthex_decision::Action;

use super::{Admin, ApiError, UserBody, find, shown};
use crate::admin::answer::Found;
use crate::admin::problems::OneProblems;

/// Signs a user out everywhere
///
/// Tokens issued until now are refused from now on. Takes no body.
#[utoipa::path(
    post, path = "/users/{id}/revoke-tokens", tag = "users", operation_id = "revoke_user_tokens",
    params(("id" = String, Path, description = "The user's id.")),
    responses((status = 200, description = "The user now.", body = UserBody, headers(("etag"))), OneProblems),
)]
pub(crate) async fn revoke_tokens(admin: Admin, Path(id): Path<String>) -> Result<Found<UserBody>, ApiError> {
    let permit = admin.permit(Action::WriteUsers, None)?;
    let id = find(permit, &id).await?.user.id;
    permit.directory().revoke_tokens(id, permit.by()).await?;
    shown(permit, id).await
}
