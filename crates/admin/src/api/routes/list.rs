//! `GET /api/v1/routes`

use crate::api::error::ApiError;
use crate::api::extract::{PageQuery, QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use crate::api::routes::RouteBody;
use narthex_ops::routes;

/// Lists routes
///
/// In the order of the configuration.
#[utoipa::path(
    get, path = "/routes", tag = "diagnosis", operation_id = "list_routes", params(PageQuery),
    responses((status = 200, description = "A page of routes.", body = List<RouteBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<PageQuery>,
) -> Result<List<RouteBody>, ApiError> {
    let page = query.into();
    Ok(List::of(routes::list(&caller, page)?, RouteBody::from))
}
