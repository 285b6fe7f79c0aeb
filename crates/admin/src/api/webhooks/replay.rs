//! `POST /api/v1/webhooks/{webhook}/replay`

use axum::extract::Path;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::error::ApiError;
use crate::api::extract::{Body, RequestCaller};
use crate::api::openapi_errors::BodyErrors;
use narthex_ops::webhooks;

/// Event after which to go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    /// Number of an event, as in `/audit-events`; 0 for the begin of the audit trail.
    after: u64,
}

/// Sends the events after one again
///
/// They have the same ids and bytes as before. A higher number skips events instead.
#[utoipa::path(
    post, path = "/webhooks/{webhook}/replay", tag = "webhooks", operation_id = "replay_webhook",
    request_body = Replay,
    params(("webhook" = String, Path, description = "The webhook's name.")),
    responses((status = 204, description = "They are sent from now on."), BodyErrors),
)]
pub(crate) async fn replay(
    RequestCaller(caller): RequestCaller,
    Path(webhook): Path<String>,
    Body { value: replay, .. }: Body<Replay>,
) -> Result<StatusCode, ApiError> {
    webhooks::replay(&caller, &webhook, replay.after).await?;
    Ok(StatusCode::NO_CONTENT)
}
