//! `GET /api/v1/issuers`

use crate::api::error::ApiError;
use crate::api::extract::{PageQuery, QueryParameters, RequestCaller};
use crate::api::issuers::IssuerBody;
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::issuers;

/// Lists issuers
///
/// Sorted by name.
#[utoipa::path(
    get, path = "/issuers", tag = "issuers", operation_id = "list_issuers", params(PageQuery),
    responses((status = 200, description = "A page of issuers.", body = List<IssuerBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<PageQuery>,
) -> Result<List<IssuerBody>, ApiError> {
    let page = query.into();
    Ok(List::of(issuers::list(&caller, page)?, IssuerBody::from))
}
