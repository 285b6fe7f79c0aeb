//! `GET /api/v1/tags`

use serde::Deserialize;
use utoipa::IntoParams;

use super::TagBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::{PageRequest, tags};

/// Filter and page of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns only records of this realm.
    realm: Option<String>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists tags
///
/// Returns the tags that tokens carried, by realm and tag, with the organizations that list them exactly or nearly.
#[utoipa::path(
    get, path = "/tags", tag = "diagnosis", operation_id = "list_tags", params(Query),
    responses((status = 200, description = "A page of tags.", body = List<TagBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<TagBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let tags = tags::list(&caller, query.realm, page).await?;
    Ok(List::of(tags, TagBody::from))
}
