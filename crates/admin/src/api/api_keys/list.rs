//! `GET /api/v1/api-keys`

use serde::Deserialize;
use utoipa::IntoParams;

use super::ApiKeyBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::{PageRequest, api_keys};

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

/// Lists API keys
///
/// Sorted by id, which is the order of creation. The list includes revoked and expired keys.
#[utoipa::path(
    get, path = "/api-keys", tag = "api keys", operation_id = "list_api_keys", params(Query),
    responses((status = 200, description = "A page of keys.", body = List<ApiKeyBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<ApiKeyBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let keys = api_keys::list(&caller, page).await?;
    Ok(List::of(keys, ApiKeyBody::from))
}
