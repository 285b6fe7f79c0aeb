//! `GET /api/v1/users`

use serde::Deserialize;
use utoipa::IntoParams;

use super::{ApiError, RequestCaller, UserBody};
use crate::api::extract::QueryParameters;
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::PageRequest;
use narthex_ops::users::{self, UserQuery};

/// Filters of the list. A record must match all that are given.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns only records of this realm.
    realm: Option<String>,
    /// Returns only records with exactly this external id.
    external_id: Option<String>,
    /// Returns only records with exactly this username.
    username: Option<String>,
    /// Returns only records with exactly this e-mail address.
    email: Option<String>,
    /// Returns only users whose username, external id, e-mail address or name contains this text; ASCII letters match
    /// in any case.
    q: Option<String>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists users
///
/// Sorted by id, which is the order of creation.
#[utoipa::path(
    get, path = "/users", tag = "users", operation_id = "list_users", params(Query),
    responses((status = 200, description = "A page of users.", body = List<UserBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<UserBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let query = UserQuery {
        realm: query.realm,
        external_id: query.external_id,
        username: query.username,
        email: query.email,
        q: query.q,
    };
    let users = users::list(&caller, query, page).await?;
    Ok(List::of(users, UserBody::from))
}
