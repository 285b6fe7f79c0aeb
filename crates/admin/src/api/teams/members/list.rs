//! `GET /api/v1/teams/{team}/members`

use axum::extract::Path;

use crate::api::error::ApiError;
use crate::api::extract::{PageQuery, QueryParameters, RequestCaller};
use crate::api::openapi_errors::OneErrors;
use crate::api::organizations::MemberBody;
use crate::api::response::List;
use narthex_ops::members::{self, Group};

/// Lists a team's members
///
/// Sorted by user id. Each member has the effective role and the open grants. A user whose grants give no role now is
/// left out, so a page may be shorter than `limit`.
#[utoipa::path(
    get, path = "/teams/{team}/members", tag = "teams",
    operation_id = "list_team_members",
    params(("team" = String, Path, description = "The team's id."), PageQuery),
    responses((status = 200, description = "A page of members.", body = List<MemberBody>), OneErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    Path(team): Path<String>,
    QueryParameters(query): QueryParameters<PageQuery>,
) -> Result<List<MemberBody>, ApiError> {
    let page = query.into();
    Ok(members::list(&caller, Group::Team(&team), page).await?.into())
}
