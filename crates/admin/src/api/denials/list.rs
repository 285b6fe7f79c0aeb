//! `GET /api/v1/denials`

use super::DenialBody;
use crate::api::error::ApiError;
use crate::api::extract::{PageQuery, QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::denials;

/// Lists denials
///
/// The requests that any node refused in the last hour, the newest first. Of a flood, each node keeps 200 a second.
#[utoipa::path(
    get, path = "/denials", tag = "diagnosis", operation_id = "list_denials", params(PageQuery),
    responses((status = 200, description = "A page of denials.", body = List<DenialBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<PageQuery>,
) -> Result<List<DenialBody>, ApiError> {
    let page = query.into();
    Ok(List::of(denials::list(&caller, page).await?, DenialBody::from))
}
