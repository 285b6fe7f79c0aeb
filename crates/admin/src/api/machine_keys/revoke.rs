//! `DELETE /api/v1/organizations/{organization}/machine-keys/{key}`

use axum::extract::Path;
use http::StatusCode;

use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::OneErrors;
use narthex_ops::machine_keys;

/// Revokes a machine key
///
/// The key is refused from now on, on every node within a second. Its record stays.
#[utoipa::path(
    delete, path = "/organizations/{organization}/machine-keys/{key}", tag = "machine keys",
    operation_id = "revoke_machine_key",
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("key" = String, Path, description = "The key's id."),
    ),
    responses((status = 204, description = "Revoked."), OneErrors),
)]
pub(crate) async fn revoke(
    RequestCaller(caller): RequestCaller,
    Path((organization, key)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    machine_keys::revoke(&caller, &organization, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}
