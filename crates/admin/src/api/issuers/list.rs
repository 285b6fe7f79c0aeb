//! `GET /api/v1/issuers`

use narthex_decision::Action;
use narthex_directory::{Cursor, StoreError};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, page};
use crate::api::gateway_api::IssuerBody;
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;

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

/// Lists issuers
///
/// Sorted by name.
#[utoipa::path(
    get, path = "/issuers", tag = "issuers", operation_id = "list_issuers", params(Query),
    responses((status = 200, description = "A page of issuers.", body = List<IssuerBody>), ListErrors),
)]
pub(crate) async fn list(
    admin: Admin,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<IssuerBody>, ApiError> {
    let permit = admin.permit(Action::ReadIssuers, None)?;
    let page = page(query.cursor, query.limit)?;
    let issuers = permit.gateway().issuers();
    // Any text could be a name. A name that is unknown, because the configuration has changed, is no valid cursor
    // either.
    let is_known = |cursor: &Cursor| issuers.iter().any(|issuer| issuer.name == cursor.as_str());
    if page.cursor().is_some_and(|cursor| !is_known(cursor)) {
        return Err(StoreError::Cursor.into());
    }
    Ok(List::cut(issuers, &page, |issuer| issuer.name.clone()))
}
