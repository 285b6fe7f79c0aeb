//! `POST /api/v1/issuers/{name}/refresh`

use axum::Json;
use axum::extract::Path;
use narthex_decision::Action;

use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::gateway_api::{KeyHealthBody, RefreshRefusal};
use crate::api::openapi_errors::RefreshErrors;

/// Fetches an issuer's keys now
///
/// Takes no body. A failed fetch is answered 200 too: `last_error` gives the reason, and the earlier keys stay.
#[utoipa::path(
    post, path = "/issuers/{name}/refresh", tag = "issuers", operation_id = "refresh_issuer_keys",
    params(("name" = String, Path, description = "The issuer's configured name.")),
    responses((status = 200, description = "Its keys now.", body = KeyHealthBody), RefreshErrors),
)]
pub(crate) async fn refresh(admin: Admin, Path(name): Path<String>) -> Result<Json<KeyHealthBody>, ApiError> {
    let permit = admin.permit(Action::RefreshIssuers, None)?;
    permit
        .gateway()
        .refresh(&name)
        .await
        .map(Json)
        .map_err(|refusal| match refusal {
            RefreshRefusal::UnknownIssuer => ApiError::Unknown { what: "issuer" },
            RefreshRefusal::NothingToFetch => {
                ApiError::Conflict("this issuer's keys come from the configuration, there is nothing to fetch")
            }
            RefreshRefusal::TooSoon => ApiError::TooOften {
                what: "the keys were fetched a moment ago",
            },
        })
}
