//! `GET /api/v1/revocations`

use super::RevocationBody;
use crate::api::error::ApiError;
use crate::api::extract::{PageQuery, QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::revocations;

/// Lists revocations
///
/// Single tokens that were revoked, and issuers whose older tokens were; the oldest first. Users whose tokens were revoked have
/// `tokens_not_before`.
#[utoipa::path(
    get, path = "/revocations", tag = "users", operation_id = "list_revocations", params(PageQuery),
    responses((status = 200, description = "A page of revocations.", body = List<RevocationBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<PageQuery>,
) -> Result<List<RevocationBody>, ApiError> {
    let page = query.into();
    let listing = revocations::list(&caller, page).await?;
    Ok(List::of(listing, |(_, revocation)| RevocationBody::from(revocation)))
}
