//! `GET /api/v1/users`

use narthex_decision::Action;
use narthex_directory::{Realm, UserFilter};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Admin, ApiError, UserBody};
use crate::api::answer::List;
use crate::api::extract::{Asked, page};
use crate::api::problems::ListProblems;

/// Everything given must agree.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Of this realm.
    realm: Option<String>,
    /// With exactly this external id.
    external_id: Option<String>,
    /// With exactly this username.
    username: Option<String>,
    /// With exactly this e-mail.
    email: Option<String>,
    /// Whose username, external id, e-mail or name holds this text; ASCII letters in any case.
    q: Option<String>,
    /// Where to read on.
    cursor: Option<String>,
    /// How many at the most, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists users
///
/// By id, which is by the time they were made.
#[utoipa::path(
    get, path = "/users", tag = "users", operation_id = "list_users", params(Query),
    responses((status = 200, description = "A page of users.", body = List<UserBody>), ListProblems),
)]
pub(crate) async fn list(admin: Admin, Asked(query): Asked<Query>) -> Result<List<UserBody>, ApiError> {
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
    users.items = permit.scales(&permit.in_force()).users(users.items).await?;
    Ok(List::of(users, UserBody::from))
}
