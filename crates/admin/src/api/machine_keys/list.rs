//! `GET /api/v1/organizations/{organization}/machine-keys`

use axum::extract::Path;

use super::MachineKeyBody;
use crate::api::error::ApiError;
use crate::api::extract::{PageQuery, QueryParameters, RequestCaller};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::List;
use narthex_ops::machine_keys;

/// Lists an organization's machine keys
///
/// Sorted by id, which is the order of creation. The list includes revoked and expired keys.
#[utoipa::path(
    get, path = "/organizations/{organization}/machine-keys", tag = "machine keys", operation_id = "list_machine_keys",
    params(("organization" = String, Path, description = "The organization's id or name."), PageQuery),
    responses((status = 200, description = "A page of keys.", body = List<MachineKeyBody>), OneErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    QueryParameters(query): QueryParameters<PageQuery>,
) -> Result<List<MachineKeyBody>, ApiError> {
    let page = query.into();
    let keys = machine_keys::list(&caller, &organization, page).await?;
    Ok(List::of(keys, MachineKeyBody::from))
}
