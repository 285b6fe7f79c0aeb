//! `GET /api/v1/issuers/{name}/keys`

use axum::Json;
use axum::extract::Path;
use narthex_decision::Action;

use crate::admin::access::Admin;
use crate::admin::error::ApiError;
use crate::admin::problems::OneProblems;
use crate::admin::surroundings::KeyHealthBody;

/// Reads an issuer's keys
///
/// Which there are, since when and until when they were seen, which are refused and why, and when they are fetched next.
#[utoipa::path(
    get, path = "/issuers/{name}/keys", tag = "issuers", operation_id = "read_issuer_keys",
    params(("name" = String, Path, description = "The issuer's configured name.")),
    responses((status = 200, description = "Its keys.", body = KeyHealthBody), OneProblems),
)]
pub(crate) async fn keys(admin: Admin, Path(name): Path<String>) -> Result<Json<KeyHealthBody>, ApiError> {
    let permit = admin.permit(Action::ReadIssuers, None)?;
    permit
        .surroundings()
        .keys(&name)
        .map(Json)
        .ok_or(ApiError::Unknown { what: "issuer" })
}
