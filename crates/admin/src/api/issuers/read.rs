//! `GET /api/v1/issuers/{name}`

use axum::Json;
use axum::extract::Path;
use narthex_decision::Action;

use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::gateway_api::IssuerBody;
use crate::api::openapi_errors::OneErrors;

/// Reads an issuer
#[utoipa::path(
    get, path = "/issuers/{name}", tag = "issuers", operation_id = "read_issuer",
    params(("name" = String, Path, description = "The issuer's configured name.")),
    responses((status = 200, description = "The issuer.", body = IssuerBody), OneErrors),
)]
pub(crate) async fn read(admin: Admin, Path(name): Path<String>) -> Result<Json<IssuerBody>, ApiError> {
    let permit = admin.permit(Action::ReadIssuers, None)?;
    let found = permit
        .gateway()
        .issuers()
        .into_iter()
        .find(|issuer| issuer.name == name);
    found.map(Json).ok_or(ApiError::Unknown { what: "issuer" })
}
