//! `GET`, `PUT` and `DELETE /api/v1/organizations/{organization}/logo`

use axum::extract::{DefaultBodyLimit, Path, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, header};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::{ApiError, BODY_BYTES_MAX, OrganizationBody, RequestCaller, State, VersionedRecord};
use crate::api::extract::{self, IfMatch};
use crate::api::openapi_errors::{ChangeErrors, OneErrors, RemoveErrors};
use narthex_ops::organizations;

/// Maximum size of a body that is read as a logo, in bytes. The logo itself is limited to 1 MB, with a clearer error.
const LOGO_BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
const _: () = assert!(LOGO_BODY_BYTES_MAX > narthex_directory::LOGO_BYTES_MAX && LOGO_BODY_BYTES_MAX > BODY_BYTES_MAX);

pub(super) fn operations() -> OpenApiRouter<State> {
    let logo = routes!(read, put, delete).layer(DefaultBodyLimit::max(LOGO_BODY_BYTES_MAX));
    OpenApiRouter::default().routes(logo)
}

/// Reads an organization's logo
#[utoipa::path(
    get, path = "/organizations/{organization}/logo", tag = "organizations", operation_id = "read_organization_logo",
    params(("organization" = String, Path, description = "The organization's id or name.")),
    responses(
        (status = 200, description = "The picture.", content(("image/png"), ("image/jpeg"))),
        OneErrors,
    ),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
) -> Result<Response, ApiError> {
    let logo = organizations::logo(&caller, &organization).await?;
    // SECURITY: whatever the bytes are, a browser shows them as a picture or not at all, and runs nothing in them.
    let headers: [(HeaderName, &'static str); 3] = [
        (header::CONTENT_TYPE, logo.media_type()),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (header::CONTENT_DISPOSITION, "inline; filename=\"logo\""),
    ];
    Ok((headers, logo.bytes().to_vec()).into_response())
}

/// Sets an organization's logo
///
/// A PNG or JPEG image of at most 1 MB. The type is detected from the bytes.
#[utoipa::path(
    put, path = "/organizations/{organization}/logo", tag = "organizations", operation_id = "set_organization_logo",
    request_body(content(("image/png"), ("image/jpeg"))),
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the organization must still have."),
    ),
    responses((status = 200, description = "The organization now.", body = OrganizationBody, headers(("etag"))), ChangeErrors),
)]
pub(crate) async fn put(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    IfMatch(expected): IfMatch,
    request: Request,
) -> Result<VersionedRecord<OrganizationBody>, ApiError> {
    organizations::may_set_logo(&caller, &organization, &expected).await?;
    let media_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if !media_type.is_some_and(|media_type| ["image/png", "image/jpeg"].contains(&media_type)) {
        return Err(ApiError::MediaType {
            expected: "image/png` or `image/jpeg",
        });
    }
    let bytes = extract::bytes(request, &()).await?;
    let organization = organizations::set_logo(&caller, &organization, &expected, bytes.to_vec());
    Ok(organization.await?.into())
}

/// Deletes an organization's logo
#[utoipa::path(
    delete, path = "/organizations/{organization}/logo", tag = "organizations",
    operation_id = "remove_organization_logo",
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the organization must still have."),
    ),
    responses((status = 204, description = "Deleted."), RemoveErrors),
)]
pub(crate) async fn delete(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, ApiError> {
    organizations::delete_logo(&caller, &organization, &expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
