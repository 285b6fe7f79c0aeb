//! `GET /api/v1/organizations/{organization}/machine-keys`

use axum::extract::Path;
use serde::Deserialize;
use utoipa::IntoParams;

use super::MachineKeyBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::List;
use narthex_ops::{PageRequest, machine_keys};

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

/// Lists an organization's machine keys
///
/// Sorted by id, which is the order of creation. The list includes revoked and expired keys.
#[utoipa::path(
    get, path = "/organizations/{organization}/machine-keys", tag = "machine keys", operation_id = "list_machine_keys",
    params(("organization" = String, Path, description = "The organization's id or name."), Query),
    responses((status = 200, description = "A page of keys.", body = List<MachineKeyBody>), OneErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<MachineKeyBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let keys = machine_keys::list(&caller, &organization, page).await?;
    Ok(List::of(keys, MachineKeyBody::from))
}
