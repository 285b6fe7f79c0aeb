//! `GET /api/v1/issuers/{name}`

use axum::Json;
use axum::extract::Path;

use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::issuers::IssuerBody;
use crate::api::openapi_errors::OneErrors;
use narthex_ops::issuers;

/// Reads an issuer
#[utoipa::path(
    get, path = "/issuers/{name}", tag = "issuers", operation_id = "read_issuer",
    params(("name" = String, Path, description = "The issuer's configured name.")),
    responses((status = 200, description = "The issuer.", body = IssuerBody), OneErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path(name): Path<String>,
) -> Result<Json<IssuerBody>, ApiError> {
    Ok(Json(issuers::read(&caller, &name)?.into()))
}
