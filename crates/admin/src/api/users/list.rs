//! `GET /api/v1/users`

use narthex_decision::Action;
use narthex_directory::{Realm, UserFilter};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Admin, ApiError, UserBody};
use crate::api::extract::{QueryParameters, page};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;

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
    admin: Admin,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<UserBody>, ApiError> {
    let permit = admin.permit(Action::ReadUsers, None)?;
    let filter = UserFilter {
        realm: query
            .realm
            .map(|realm| Realm::new(realm).map_err(ApiError::name("realm")))
            .transpose()?,
        external_id: query.external_id,
        username: query.username,
        email: query.email,
        q: query.q,
    };
    let mut users = permit
        .directory()
        .users(filter, page(query.cursor, query.limit)?)
        .await?;
    users.items = permit.grant_policy(&permit.in_force()).users(users.items).await?;
    Ok(List::of(users, UserBody::from))
}
