//! `GET /api/v1/denials`

use serde::Deserialize;
use utoipa::IntoParams;

use super::DenialBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::{PageRequest, denials};

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

/// Lists denials
///
/// The requests that any node refused in the last hour, the newest first. Of a flood, each node keeps 200 a second.
#[utoipa::path(
    get, path = "/denials", tag = "diagnosis", operation_id = "list_denials", params(Query),
    responses((status = 200, description = "A page of denials.", body = List<DenialBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<DenialBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    Ok(List::of(denials::list(&caller, page).await?, DenialBody::from))
}
