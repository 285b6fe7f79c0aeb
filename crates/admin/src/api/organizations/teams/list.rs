//! `GET /api/v1/organizations/{organization}/teams`

use axum::extract::Path;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::List;
use crate::api::teams::TeamBody;
use narthex_ops::{PageRequest, teams};

/// Filter and page of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns only records with exactly this external id.
    external_id: Option<String>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists an organization's teams
#[utoipa::path(
    get, path = "/organizations/{organization}/teams", tag = "teams", operation_id = "list_organization_teams",
    params(("organization" = String, Path, description = "The organization's id or name."), Query),
    responses((status = 200, description = "A page of teams.", body = List<TeamBody>), OneErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<TeamBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let teams = teams::list_of_organization(&caller, &organization, query.external_id, page).await?;
    Ok(List::of(teams, TeamBody::from))
}
