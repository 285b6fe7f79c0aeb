//! `POST /api/v1/revocations`

use axum::Json;
use serde::Deserialize;
use utoipa::ToSchema;

use super::RevocationBody;
use crate::api::error::ApiError;
use crate::api::extract::{Body, RequestCaller};
use crate::api::openapi_errors::BodyErrors;
use crate::api::time::Time;
use narthex_ops::OpError;
use narthex_ops::revocations::{self, TokensToRevoke};

/// Tokens to revoke: exactly one of `jti`, `token` and `all`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRevocationBody {
    /// Name of the issuer.
    #[schema(example = "corp")]
    issuer: String,
    /// The `jti` of the token.
    #[schema(example = "7f2c9a0e")]
    jti: Option<String>,
    /// The token itself. It is revoked by its `jti`, or by its content if it has none; it is not kept.
    token: Option<String>,
    /// `true` for all tokens that the issuer has issued until now, and all without `iat`.
    all: Option<bool>,
    /// Time by which the last of these tokens has expired: after it, the revocation is deleted. By default it stays for ever.
    expires_at: Option<Time>,
}

/// Revokes tokens
///
/// They are refused with `token.revoked` at every door, on every node within a second, also in another spelling or with
/// another signature over the same content; streams that began with them end. It cannot be undone: the holder gets a new
/// token. To revoke all tokens of a user, use `/users/{id}/revoke-tokens`; to end a session, end it.
#[utoipa::path(
    post, path = "/revocations", tag = "users", operation_id = "create_revocation", request_body = NewRevocationBody,
    responses((status = 200, description = "Revoked.", body = RevocationBody), BodyErrors),
)]
pub(crate) async fn create(
    RequestCaller(caller): RequestCaller,
    Body { value: body, .. }: Body<NewRevocationBody>,
) -> Result<Json<RevocationBody>, ApiError> {
    let tokens = match (body.jti, body.token, body.all.unwrap_or(false)) {
        (Some(id), None, false) => TokensToRevoke::Id(id),
        (None, Some(token), false) => TokensToRevoke::Token(token),
        (None, None, true) => TokensToRevoke::All,
        _ => {
            let problem = "give exactly one of `jti`, `token` and `\"all\": true`";
            return Err(OpError::invalid("jti", problem).into());
        }
    };
    let expires_at_ms = body.expires_at.map(|Time(at_ms)| at_ms);
    let revocation = revocations::revoke(&caller, &body.issuer, tokens, expires_at_ms).await?;
    Ok(Json(revocation.into()))
}
