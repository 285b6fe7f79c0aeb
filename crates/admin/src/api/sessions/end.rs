//! `DELETE /api/v1/sessions/{session}`

use axum::extract::Path;
use http::StatusCode;

use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::OneErrors;
use narthex_ops::sessions;

/// Ends a session
///
/// Every node refuses its cookie within a second. A user ends own sessions at the console; a platform admin ends all. To end
/// all sessions and refuse all tokens of a user, revoke the user's tokens.
#[utoipa::path(
    delete, path = "/sessions/{session}", tag = "sessions", operation_id = "end_session",
    params(("session" = String, Path, description = "The session's id.")),
    responses((status = 204, description = "Ended."), OneErrors),
)]
pub(crate) async fn end(
    RequestCaller(caller): RequestCaller,
    Path(session): Path<String>,
) -> Result<StatusCode, ApiError> {
    sessions::end(&caller, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}
