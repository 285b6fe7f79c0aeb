//! `PATCH /api/v1/webhooks/{webhook}`

use axum::extract::Path;
use serde::Deserialize;
use utoipa::ToSchema;

use super::WebhookBody;
use crate::api::error::ApiError;
use crate::api::extract::{Body, IfMatch, RequestCaller};
use crate::api::openapi_errors::ChangeErrors;
use crate::api::response::VersionedRecord;
use narthex_ops::webhooks;

/// Change of a webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookChange {
    /// New address of the receiver.
    url: Option<String>,
    /// Actions to send from now on; an empty list means all.
    actions: Option<Vec<String>>,
    /// `false` stops it, and its events wait. `true` starts it again with what it missed.
    enabled: Option<bool>,
}

/// Updates a webhook
#[utoipa::path(
    patch, path = "/webhooks/{webhook}", tag = "webhooks", operation_id = "update_webhook",
    request_body = WebhookChange,
    params(
        ("webhook" = String, Path, description = "The webhook's name."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the webhook must still have."),
    ),
    responses((status = 200, description = "The webhook now.", body = WebhookBody, headers(("etag"))), ChangeErrors),
)]
pub(crate) async fn update(
    RequestCaller(caller): RequestCaller,
    Path(webhook): Path<String>,
    IfMatch(expected): IfMatch,
    Body { value: change, .. }: Body<WebhookChange>,
) -> Result<VersionedRecord<WebhookBody>, ApiError> {
    let change = webhooks::WebhookChange {
        url: change.url,
        actions: change.actions,
        enabled: change.enabled,
    };
    Ok(webhooks::update(&caller, &webhook, change, &expected).await?.into())
}
