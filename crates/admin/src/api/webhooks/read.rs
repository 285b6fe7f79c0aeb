//! `GET /api/v1/webhooks/{webhook}`

use axum::extract::Path;

use super::WebhookBody;
use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::OneErrors;
use crate::api::response::VersionedRecord;
use narthex_ops::webhooks;

/// Reads a webhook
#[utoipa::path(
    get, path = "/webhooks/{webhook}", tag = "webhooks", operation_id = "read_webhook",
    params(("webhook" = String, Path, description = "The webhook's name.")),
    responses((status = 200, description = "The webhook.", body = WebhookBody, headers(("etag"))), OneErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path(webhook): Path<String>,
) -> Result<VersionedRecord<WebhookBody>, ApiError> {
    Ok(webhooks::read(&caller, &webhook).await?.into())
}
