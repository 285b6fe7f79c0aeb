//! `GET /api/v1/denials/{request_id}`

use axum::Json;
use axum::extract::Path;

use super::DenialBody;
use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::OneErrors;
use narthex_ops::denials;

/// Reads a denial
///
/// The request may have been refused on any node, within the last hour.
#[utoipa::path(
    get, path = "/denials/{request_id}", tag = "diagnosis", operation_id = "read_denial",
    params(("request_id" = String, Path, description = "The id that the client was told.")),
    responses((status = 200, description = "The denial.", body = DenialBody), OneErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path(request_id): Path<String>,
) -> Result<Json<DenialBody>, ApiError> {
    Ok(Json(denials::read(&caller, &request_id).await?.into()))
}
