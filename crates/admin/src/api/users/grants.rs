//! `GET /api/v1/users/{id}/grants`

use axum::extract::Path;
use narthex_directory::GrantsWhen;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ApiError, GrantBody, RequestCaller, Time};
use crate::api::extract::QueryParameters;
use crate::api::openapi_errors::OneErrors;
use crate::api::response::List;
use narthex_ops::{PageRequest, users};

/// Time in the grants' history, by default now, and page of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns the grants that were held at this time.
    as_of: Option<Time>,
    /// Returns all grants that ever were, including closed ones.
    all: Option<bool>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists a user's grants
///
/// The history shows who had which role at which time, and which token gave it: grants are closed, never deleted.
/// `gives` is always the role given now, even for a list as of another time.
#[utoipa::path(
    get, path = "/users/{id}/grants", tag = "users", operation_id = "list_user_grants",
    params(("id" = String, Path, description = "The user's id."), Query),
    responses((status = 200, description = "A page of grants.", body = List<GrantBody>), OneErrors),
)]
pub(crate) async fn grants(
    RequestCaller(caller): RequestCaller,
    Path(id): Path<String>,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<GrantBody>, ApiError> {
    let when = match (query.as_of, query.all.unwrap_or_default()) {
        (Some(_), true) => {
            let detail = "the query cannot be used: ask for `as_of` or for `all`, not for both".to_owned();
            return Err(ApiError::Malformed { detail });
        }
        (Some(Time(at_ms)), false) => Some(GrantsWhen::AsOf(at_ms)),
        (None, true) => Some(GrantsWhen::Ever),
        (None, false) => None,
    };
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let grants = users::grants(&caller, &id, when, page).await?;
    Ok(List::of(grants, GrantBody::from))
}
