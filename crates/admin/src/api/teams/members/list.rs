//! `GET /api/v1/teams/{team}/members`

use axum::extract::Path;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::OneErrors;
use crate::api::organizations::MemberBody;
use crate::api::response::List;
use narthex_ops::PageRequest;
use narthex_ops::members::{self, Group};

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

/// Lists a team's members
///
/// Sorted by user id. Each member has the effective role and the open grants. A user whose grants give no role now is
/// left out, so a page may be shorter than `limit`.
#[utoipa::path(
    get, path = "/teams/{team}/members", tag = "teams",
    operation_id = "list_team_members",
    params(("team" = String, Path, description = "The team's id."), Query),
    responses((status = 200, description = "A page of members.", body = List<MemberBody>), OneErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    Path(team): Path<String>,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<MemberBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    Ok(members::list(&caller, Group::Team(&team), page).await?.into())
}
