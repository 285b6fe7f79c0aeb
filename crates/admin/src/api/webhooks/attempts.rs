//! `GET /api/v1/webhooks/{webhook}/attempts`

use axum::extract::Path;

use super::AttemptBody;
use crate::api::error::ApiError;
use crate::api::extract::{PageQuery, QueryParameters, RequestCaller};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::List;
use narthex_ops::webhooks;

/// Lists the tries of a webhook
///
/// The newest first. The last 1,000 are kept.
#[utoipa::path(
    get, path = "/webhooks/{webhook}/attempts", tag = "webhooks", operation_id = "list_webhook_attempts",
    params(("webhook" = String, Path, description = "The webhook's name."), PageQuery),
    responses((status = 200, description = "A page of tries.", body = List<AttemptBody>), OneErrors),
)]
pub(crate) async fn attempts(
    RequestCaller(caller): RequestCaller,
    Path(webhook): Path<String>,
    QueryParameters(query): QueryParameters<PageQuery>,
) -> Result<List<AttemptBody>, ApiError> {
    let page = query.into();
    let attempts = webhooks::attempts(&caller, &webhook, page).await?;
    Ok(List::of(attempts, AttemptBody::from))
}
