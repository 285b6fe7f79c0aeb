//! `/revocations`: tokens that an administrator revoked.

use narthex_directory::{Revocation, RevokedTokens};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::time::Time;

mod create;
mod list;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(list::list, create::create))
}

/// Tokens that are refused with `token.revoked`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RevocationBody {
    /// Name of their issuer.
    #[schema(example = "corp")]
    pub issuer: String,
    /// The `jti` of one token; `null` for others.
    #[schema(example = "7f2c9a0e")]
    pub jti: Option<String>,
    /// SHA-256 of the content of one token that has no `jti`: of the bytes that its signature covers; `null` for others.
    pub content_sha256: Option<String>,
    /// Time before which all tokens of the issuer are refused, and those without `iat`; `null` for one token.
    pub issued_before: Option<Time>,
    /// Time until which this is kept: the last of these tokens has expired by then. `null` for ever.
    pub expires_at: Option<Time>,
}

impl From<Revocation> for RevocationBody {
    fn from(revocation: Revocation) -> Self {
        let mut body = Self {
            issuer: revocation.issuer.to_string(),
            jti: None,
            content_sha256: None,
            issued_before: None,
            expires_at: revocation.kept_until_ms.map(Time),
        };
        match revocation.tokens {
            RevokedTokens::Id(id) => body.jti = Some(id),
            RevokedTokens::Content(hash) => body.content_sha256 = Some(hash),
            RevokedTokens::IssuedBefore(before_ms) => body.issued_before = Some(Time(before_ms)),
        }
        body
    }
}
