//! `DELETE /api/v1/api-keys/{id}`

use axum::extract::Path;
use http::StatusCode;
use narthex_decision::Action;

use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::openapi_errors::OneErrors;

/// Revokes an API key
///
/// The key is refused from now on. Its record stays.
#[utoipa::path(
    delete, path = "/api-keys/{id}", tag = "api keys", operation_id = "revoke_api_key",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 204, description = "Revoked."), OneErrors),
)]
pub(crate) async fn revoke(admin: Admin, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    let permit = admin.permit(Action::WriteApiKeys, None)?;
    let id = ApiError::id(&id, "API key", "api-keys")?;
    if permit.directory().revoke_api_key(id, permit.by()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::Unknown {
            what: "API key that works",
        })
    }
}
