//! `DELETE /api/v1/connections/{connection}`

use axum::extract::Path;
use http::StatusCode;

use crate::api::error::ApiError;
use crate::api::extract::{IfMatch, RequestCaller};
use crate::api::openapi_errors::RemoveErrors;
use narthex_ops::connections;

/// Deletes a connection
///
/// Its secrets are deleted too. Its events stay in the audit trail.
#[utoipa::path(
    delete, path = "/connections/{connection}", tag = "connections", operation_id = "delete_connection",
    params(
        ("connection" = String, Path, description = "The connection's id."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the connection must still have."),
    ),
    responses((status = 204, description = "Deleted."), RemoveErrors),
)]
pub(crate) async fn delete(
    RequestCaller(caller): RequestCaller,
    Path(connection): Path<String>,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, ApiError> {
    connections::delete(&caller, &connection, &expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
