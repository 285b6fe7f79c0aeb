//! `DELETE /api/v1/connections/{connection}`

use axum::extract::Path;
use http::StatusCode;
use narthex_decision::Action;
use narthex_directory::{DocumentAt, DocumentKind};

use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::extract::IfMatch;
use crate::api::openapi_errors::RemoveErrors;

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
    admin: Admin,
    Path(connection): Path<String>,
    if_match: IfMatch,
) -> Result<StatusCode, ApiError> {
    let (permit, held) = admin.connection(Action::WriteConnections, &connection).await?;
    let at = if_match
        .expect(held.version)?
        .map_or(DocumentAt::Any, DocumentAt::Version);
    permit
        .directory()
        .delete_document(DocumentKind::Connection, held.id.to_string(), at, permit.by())
        .await?;
    permit.compiled().forget(&held);
    Ok(StatusCode::NO_CONTENT)
}
