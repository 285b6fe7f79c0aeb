//! `GET /api/v1/connections/{connection}`

use axum::extract::Path;

use super::ConnectionBody;
use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::OneErrors;
use crate::api::response::VersionedRecord;
use narthex_ops::connections;

/// Reads a connection
#[utoipa::path(
    get, path = "/connections/{connection}", tag = "connections", operation_id = "read_connection",
    params(("connection" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The connection.", body = ConnectionBody, headers(("etag"))), OneErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path(connection): Path<String>,
) -> Result<VersionedRecord<ConnectionBody>, ApiError> {
    Ok(connections::read(&caller, &connection).await?.into())
}
