//! `POST /api/v1/issuers/{name}/refresh`

use axum::Json;
use axum::extract::Path;

use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::issuers::KeyHealthBody;
use crate::api::openapi_errors::RefreshErrors;
use narthex_ops::issuers;

/// Fetches an issuer's keys now
///
/// Takes no body. A failed fetch is answered 200 too: `last_error` gives the reason, and the earlier keys stay.
#[utoipa::path(
    post, path = "/issuers/{name}/refresh", tag = "issuers", operation_id = "refresh_issuer_keys",
    params(("name" = String, Path, description = "The issuer's configured name.")),
    responses((status = 200, description = "Its keys now.", body = KeyHealthBody), RefreshErrors),
)]
pub(crate) async fn refresh(
    RequestCaller(caller): RequestCaller,
    Path(name): Path<String>,
) -> Result<Json<KeyHealthBody>, ApiError> {
    Ok(Json(issuers::refresh(&caller, &name).await?.into()))
}
