//! `GET /api/v1/connections/{connection}`

use axum::extract::Path;
use narthex_decision::Action;

use super::{ConnectionBody, Sight, found};
use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::openapi_errors::OneErrors;
use crate::api::response::VersionedRecord;

/// Reads a connection
#[utoipa::path(
    get, path = "/connections/{connection}", tag = "connections", operation_id = "read_connection",
    params(("connection" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The connection.", body = ConnectionBody, headers(("etag"))), OneErrors),
)]
pub(crate) async fn read(
    admin: Admin,
    Path(connection): Path<String>,
) -> Result<VersionedRecord<ConnectionBody>, ApiError> {
    let (permit, held) = admin.connection(Action::ListConnections, &connection).await?;
    let sight = Sight::of(&admin, &held);
    Ok(found(permit, held, sight))
}
