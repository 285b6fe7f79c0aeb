//! `GET /api/v1/issuers/{name}/keys`

use axum::Json;
use axum::extract::Path;

use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::issuers::KeyHealthBody;
use crate::api::openapi_errors::OneErrors;
use narthex_ops::issuers;

/// Reads an issuer's keys
///
/// The response lists the keys, each with the times at which it was first and last seen. It also lists the refused keys
/// with the reason, and the time of the next fetch.
#[utoipa::path(
    get, path = "/issuers/{name}/keys", tag = "issuers", operation_id = "read_issuer_keys",
    params(("name" = String, Path, description = "The issuer's configured name.")),
    responses((status = 200, description = "Its keys.", body = KeyHealthBody), OneErrors),
)]
pub(crate) async fn keys(
    RequestCaller(caller): RequestCaller,
    Path(name): Path<String>,
) -> Result<Json<KeyHealthBody>, ApiError> {
    Ok(Json(issuers::keys(&caller, &name)?.into()))
}
