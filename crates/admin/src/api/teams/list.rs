//! `GET /api/v1/teams`

use serde::Deserialize;
use utoipa::IntoParams;

use super::{ApiError, TeamBody};
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::{PageRequest, teams};

/// Filters of the list. A record must match all that are given.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns only records of this realm.
    realm: Option<String>,
    /// Returns only records with exactly this external id.
    external_id: Option<String>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists teams
///
/// The list includes the teams of all organizations, and those that belong to none yet. For the teams of one
/// organization, use `/organizations/{organization}/teams`.
#[utoipa::path(
    get, path = "/teams", tag = "teams", operation_id = "list_teams", params(Query),
    responses((status = 200, description = "A page of teams.", body = List<TeamBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<TeamBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let teams = teams::list(&caller, query.realm, query.external_id, page).await?;
    Ok(List::of(teams, TeamBody::from))
}
