//! `POST /api/v1/webhooks/{webhook}/retry`

use axum::Json;
use axum::extract::Path;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::error::ApiError;
use crate::api::extract::{Body, RequestCaller};
use crate::api::openapi_errors::BodyErrors;
use narthex_ops::webhooks;

/// Deliveries to try now.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    /// `true` tries again what was given up, too.
    #[serde(default)]
    dead: bool,
}

/// Number of deliveries that are tried now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Retried {
    /// The number.
    deliveries: usize,
}

/// Tries what waits now
#[utoipa::path(
    post, path = "/webhooks/{webhook}/retry", tag = "webhooks", operation_id = "retry_webhook",
    request_body = Retry,
    params(("webhook" = String, Path, description = "The webhook's name.")),
    responses((status = 200, description = "They are tried within a second.", body = Retried), BodyErrors),
)]
pub(crate) async fn retry(
    RequestCaller(caller): RequestCaller,
    Path(webhook): Path<String>,
    Body { value: retry, .. }: Body<Retry>,
) -> Result<Json<Retried>, ApiError> {
    let deliveries = webhooks::retry(&caller, &webhook, retry.dead).await?;
    Ok(Json(Retried { deliveries }))
}
