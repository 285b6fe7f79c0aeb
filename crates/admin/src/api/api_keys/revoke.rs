//! `DELETE /api/v1/api-keys/{id}`

use axum::extract::Path;
use http::StatusCode;

use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::OneErrors;
use narthex_ops::api_keys;

/// Revokes an API key
///
/// The key is refused from now on. Its record stays.
#[utoipa::path(
    delete, path = "/api-keys/{id}", tag = "api keys", operation_id = "revoke_api_key",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 204, description = "Revoked."), OneErrors),
)]
pub(crate) async fn revoke(
    RequestCaller(caller): RequestCaller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    api_keys::revoke(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
