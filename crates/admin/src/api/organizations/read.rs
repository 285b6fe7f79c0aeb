//! `GET /api/v1/organizations/{organization}`

use axum::extract::Path;

use super::{ApiError, OrganizationBody, RequestCaller};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::VersionedRecord;
use narthex_ops::organizations;

/// Reads an organization
#[utoipa::path(
    get, path = "/organizations/{organization}", tag = "organizations", operation_id = "read_organization",
    params(("organization" = String, Path, description = "The organization's id or name. What is an id is never a name.")),
    responses((status = 200, description = "The organization.", body = OrganizationBody, headers(("etag"))), OneErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
) -> Result<VersionedRecord<OrganizationBody>, ApiError> {
    Ok(organizations::read(&caller, &organization).await?.into())
}
