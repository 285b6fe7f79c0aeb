//! `GET /api/v1/organizations/{organization}/members`

use axum::extract::Path;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::OneErrors;
use crate::api::organizations::MemberBody;
use crate::api::response::List;
use crate::api::time::Time;
use narthex_ops::PageRequest;
use narthex_ops::as_of::{self, PastRoles, RoleScope};
use narthex_ops::members::{self, Group};

/// Page of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns the users who held a role at this time, with the grants held then.
    as_of: Option<Time>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists an organization's members
///
/// Sorted by user id. Each member has the effective role and the open grants. A user whose grants give no role now is
/// left out, so a page may be shorter than `limit`. With `as_of`, `role` is the highest role held at that time; `gives` of a
/// grant is always the role given now.
#[utoipa::path(
    get, path = "/organizations/{organization}/members", tag = "organizations",
    operation_id = "list_organization_members",
    params(("organization" = String, Path, description = "The organization's id or name."), Query),
    responses((status = 200, description = "A page of members.", body = List<MemberBody>), OneErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<MemberBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    if let Some(Time(at_ms)) = query.as_of {
        let scope = RoleScope::Group(Group::Organization(&organization));
        let PastRoles { scope_name, roles } = as_of::list(&caller, scope, Some(at_ms), page).await?;
        let name = scope_name.unwrap_or_default();
        return Ok(List::of(roles, |past| MemberBody::past(past, &name)));
    }
    Ok(members::list(&caller, Group::Organization(&organization), page)
        .await?
        .into())
}
