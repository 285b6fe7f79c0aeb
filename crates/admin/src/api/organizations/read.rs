//! `GET /api/v1/organizations/{organization}`

use axum::extract::Path;
use narthex_decision::Action;

use super::{Admin, ApiError, OrganizationBody};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::VersionedRecord;

/// Reads an organization
#[utoipa::path(
    get, path = "/organizations/{organization}", tag = "organizations", operation_id = "read_organization",
    params(("organization" = String, Path, description = "The organization's id or name. What is an id is never a name.")),
    responses((status = 200, description = "The organization.", body = OrganizationBody, headers(("etag"))), OneErrors),
)]
pub(crate) async fn read(
    admin: Admin,
    Path(organization): Path<String>,
) -> Result<VersionedRecord<OrganizationBody>, ApiError> {
    let (_, organization) = admin.organization(Action::ReadOrganization, &organization).await?;
    Ok(organization.into())
}
