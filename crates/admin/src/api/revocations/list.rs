//! `GET /api/v1/revocations`

use serde::Deserialize;
use utoipa::IntoParams;

use super::RevocationBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::{PageRequest, revocations};

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

/// Lists revocations
///
/// Single tokens that were revoked, and issuers whose older tokens were; the oldest first. Users whose tokens were revoked have
/// `tokens_not_before`.
#[utoipa::path(
    get, path = "/revocations", tag = "users", operation_id = "list_revocations", params(Query),
    responses((status = 200, description = "A page of revocations.", body = List<RevocationBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<RevocationBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let listing = revocations::list(&caller, page).await?;
    Ok(List::of(listing, |(_, revocation)| RevocationBody::from(revocation)))
}
