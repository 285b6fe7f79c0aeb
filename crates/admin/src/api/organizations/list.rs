//! `GET /api/v1/organizations`

use serde::Deserialize;
use utoipa::IntoParams;

use super::{ApiError, OrganizationBody, RequestCaller};
use crate::api::extract::QueryParameters;
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use narthex_ops::PageRequest;
use narthex_ops::organizations::{self, OrganizationQuery};

/// Filters of the list. A record must match all that are given.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns only records of this realm.
    realm: Option<String>,
    /// Returns only records with exactly this name.
    name: Option<String>,
    /// Returns only records with exactly this external id.
    external_id: Option<String>,
    /// Returns only organizations that list exactly this tag.
    tag: Option<String>,
    /// Returns only organizations whose name or label contains this text; ASCII letters match in any case.
    q: Option<String>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists organizations
///
/// Sorted by id, which is the order of creation. An organization's admin sees only their own organizations.
#[utoipa::path(
    get, path = "/organizations", tag = "organizations", operation_id = "list_organizations", params(Query),
    responses((status = 200, description = "A page of organizations.", body = List<OrganizationBody>), ListErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<OrganizationBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let query = OrganizationQuery {
        realm: query.realm,
        name: query.name,
        external_id: query.external_id,
        tag: query.tag,
        q: query.q,
    };
    let organizations = organizations::list(&caller, query, page).await?;
    Ok(List::of(organizations, OrganizationBody::from))
}
