//! `DELETE /api/v1/webhooks/{webhook}`

use axum::extract::Path;
use http::StatusCode;

use crate::api::error::ApiError;
use crate::api::extract::{IfMatch, RequestCaller};
use crate::api::openapi_errors::RemoveErrors;
use narthex_ops::webhooks;

/// Deletes a webhook
///
/// Its secret, what waits for it, and its log are deleted too. Its events stay in the audit trail.
#[utoipa::path(
    delete, path = "/webhooks/{webhook}", tag = "webhooks", operation_id = "delete_webhook",
    params(
        ("webhook" = String, Path, description = "The webhook's name."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the webhook must still have."),
    ),
    responses((status = 204, description = "Deleted."), RemoveErrors),
)]
pub(crate) async fn delete(
    RequestCaller(caller): RequestCaller,
    Path(webhook): Path<String>,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, ApiError> {
    webhooks::delete(&caller, &webhook, &expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
