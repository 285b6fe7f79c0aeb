//! `GET /api/v1/routes`

use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use crate::api::routes::RouteBody;
use narthex_ops::{PageRequest, routes};

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

/// Lists routes
///
/// In the order of the configuration.
#[utoipa::path(
    get, path = "/routes", tag = "diagnosis", operation_id = "list_routes", params(Query),
    responses((status = 200, description = "A page of routes.", body = List<RouteBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<RouteBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    Ok(List::of(routes::list(&caller, page)?, RouteBody::from))
}
