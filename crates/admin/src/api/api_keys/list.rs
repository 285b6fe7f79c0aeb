//! `GET /api/v1/api-keys`

use super::ApiKeyBody;
use crate::api::error::ApiError;
use crate::api::extract::{PageQuery, QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::api_keys;

/// Lists API keys
///
/// Sorted by id, which is the order of creation. The list includes revoked and expired keys.
#[utoipa::path(
    get, path = "/api-keys", tag = "api keys", operation_id = "list_api_keys", params(PageQuery),
    responses((status = 200, description = "A page of keys.", body = List<ApiKeyBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<PageQuery>,
) -> Result<List<ApiKeyBody>, ApiError> {
    let page = query.into();
    let keys = api_keys::list(&caller, page).await?;
    Ok(List::of(keys, ApiKeyBody::from))
}
