//! `GET /api/v1/webhooks`

use super::WebhookBody;
use crate::api::error::ApiError;
use crate::api::extract::{PageQuery, QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::webhooks;

/// Lists webhooks
///
/// Sorted by name.
#[utoipa::path(
    get, path = "/webhooks", tag = "webhooks", operation_id = "list_webhooks", params(PageQuery),
    responses((status = 200, description = "A page of webhooks.", body = List<WebhookBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<PageQuery>,
) -> Result<List<WebhookBody>, ApiError> {
    let page = query.into();
    Ok(List::of(webhooks::list(&caller, page).await?, WebhookBody::from))
}
