//! `GET /api/v1/sessions`

use serde::Deserialize;
use utoipa::IntoParams;

use super::SessionBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use crate::api::wire_enums::SessionKind;
use narthex_ops::PageRequest;
use narthex_ops::sessions::{self, SessionQuery};

/// Filters and page of the list. A session must match all that are given.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns only sessions in this place.
    #[param(inline)]
    kind: Option<SessionKind>,
    /// Returns only sessions of this user.
    user: Option<String>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists sessions
///
/// The signed-in browsers, sorted by id, which is the order of sign-in. Sessions that have ended are not in the list.
#[utoipa::path(
    get, path = "/sessions", tag = "sessions", operation_id = "list_sessions", params(Query),
    responses((status = 200, description = "A page of sessions.", body = List<SessionBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<SessionBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let query = SessionQuery {
        kind: query.kind.map(Into::into),
        user: query.user,
    };
    let sessions = sessions::list(&caller, query, page).await?;
    Ok(List::of(sessions, SessionBody::from))
}
