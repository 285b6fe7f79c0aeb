//! `GET /api/v1/search`

use serde::Deserialize;
use utoipa::IntoParams;

use super::FoundBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::search;

/// Text of the search.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Part of a name or e-mail address, a tag, or an id. A token or a key is refused.
    #[param(example = "ada")]
    q: String,
}

/// Searches all kinds of records
///
/// Users, organizations, teams, issuers, tags that tokens carried, and requests that were refused in the last hour; at most
/// 20 of each kind, in one page. Teams, issuers and requests are found by their id.
#[utoipa::path(
    get, path = "/search", tag = "diagnosis", operation_id = "search_records", params(Query),
    responses((status = 200, description = "The records that were found.", body = List<FoundBody>), ListErrors),
)]
pub(crate) async fn find(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<FoundBody>, ApiError> {
    let found = search::find(&caller, &query.q).await?;
    Ok(List {
        items: found.into_iter().map(FoundBody::from).collect(),
        next_cursor: None,
    })
}
