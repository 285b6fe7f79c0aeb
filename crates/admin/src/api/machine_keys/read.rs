//! `GET /api/v1/organizations/{organization}/machine-keys/{key}`

use axum::Json;
use axum::extract::Path;

use super::MachineKeyBody;
use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::OneErrors;
use narthex_ops::machine_keys;

/// Reads a machine key
#[utoipa::path(
    get, path = "/organizations/{organization}/machine-keys/{key}", tag = "machine keys",
    operation_id = "read_machine_key",
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("key" = String, Path, description = "The key's id."),
    ),
    responses((status = 200, description = "The key, without its secret.", body = MachineKeyBody), OneErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path((organization, key)): Path<(String, String)>,
) -> Result<Json<MachineKeyBody>, ApiError> {
    Ok(Json(machine_keys::read(&caller, &organization, &key).await?.into()))
}
