//! `GET /api/v1/connections`

use serde::Deserialize;
use utoipa::IntoParams;

use super::ConnectionBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::{PageRequest, connections};

/// Filter and page of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns only connections of this organization (id or name). Required for callers who may not read everything.
    organization: Option<String>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists connections
///
/// Sorted by time of creation. Members of the organization see the name and the needs of each connection; its admins
/// see the document too. No response shows a secret.
#[utoipa::path(
    get, path = "/connections", tag = "connections", operation_id = "list_connections", params(Query),
    responses((status = 200, description = "A page of connections.", body = List<ConnectionBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<ConnectionBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let connections = connections::list(&caller, query.organization.as_deref(), page).await?;
    Ok(List::of(connections, ConnectionBody::from))
}
