//! `GET /api/v1/routes`

use narthex_decision::Action;
use narthex_directory::StoreError;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, page};
use crate::api::gateway_api::RouteBody;
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;

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
    admin: Admin,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<RouteBody>, ApiError> {
    let permit = admin.permit(Action::ReadRoutes, None)?;
    let page = page(query.cursor, query.limit)?;
    let is_number = |cursor: &str| cursor.len() == 8 && cursor.bytes().all(|byte| byte.is_ascii_digit());
    if page.cursor().is_some_and(|cursor| !is_number(cursor.as_str())) {
        return Err(StoreError::Cursor.into());
    }
    // Numbers of equal length order as they count.
    Ok(List::cut(permit.gateway().routes(), &page, |route| {
        format!("{:08}", route.index)
    }))
}
