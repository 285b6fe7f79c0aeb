//! `GET /api/v1/webhooks/{webhook}/attempts`

use axum::extract::Path;
use serde::Deserialize;
use utoipa::IntoParams;

use super::AttemptBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::List;
use narthex_ops::{PageRequest, webhooks};

/// Page of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists the tries of a webhook
///
/// The newest first. The last 1,000 are kept.
#[utoipa::path(
    get, path = "/webhooks/{webhook}/attempts", tag = "webhooks", operation_id = "list_webhook_attempts",
    params(("webhook" = String, Path, description = "The webhook's name."), Query),
    responses((status = 200, description = "A page of tries.", body = List<AttemptBody>), OneErrors),
)]
pub(crate) async fn attempts(
    RequestCaller(caller): RequestCaller,
    Path(webhook): Path<String>,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<AttemptBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let attempts = webhooks::attempts(&caller, &webhook, page).await?;
    Ok(List::of(attempts, AttemptBody::from))
}
