//! `GET /api/v1/connections/{connection}`

use axum::extract::Path;
use narthex_decision::Action;

use super::{ConnectionBody, Sight, found};
use crate::admin::access::Admin;
use crate::admin::answer::Found;
use crate::admin::error::ApiError;
use crate::admin::problems::OneProblems;

/// Reads a connection
#[utoipa::path(
    get, path = "/connections/{connection}", tag = "connections", operation_id = "read_connection",
    params(("connection" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The connection.", body = ConnectionBody, headers(("etag"))), OneProblems),
)]
pub(crate) async fn read(admin: Admin, Path(connection): Path<String>) -> Result<Found<ConnectionBody>, ApiError> {
    let (permit, held) = admin.connection(Action::ListConnections, &connection).await?;
    let sight = Sight::of(&admin, &held);
    Ok(found(permit, held, sight))
}
