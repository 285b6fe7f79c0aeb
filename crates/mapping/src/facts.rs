//! Facts of a token, and of the request that carries it, that a mapping sees.

use narthex_token::{UnverifiedClaims, VerifiedClaims};
use serde_json::{Map, Value};

/// Parts of the request that templates may see. Everything is borrowed; a part that is `None` is undefined in
/// templates.
///
/// SECURITY: these come from the client that sent the request, and no signature covers them. A mapping that takes an id
/// from them trusts every caller; a mapping that takes nothing from them says so by
/// [`IssuerMapping::token_only`](crate::IssuerMapping::token_only).
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestFacts<'a> {
    /// Header names and values. Names are looked up without regard to case.
    pub headers: Option<&'a Map<String, Value>>,
    /// Query parameters.
    pub query: Option<&'a Map<String, Value>>,
    /// The parsed body, at the login endpoint.
    pub body: Option<&'a Value>,
}

/// Header and claims of a token, whether or not anything about it is proved. Enough for a
/// [`Preview`](crate::Preview), never for an [`Identity`](crate::Identity).
#[derive(Debug, Clone, Copy)]
pub struct TokenFacts<'a> {
    /// The token's header.
    pub header: &'a Map<String, Value>,
    /// The claims.
    pub claims: &'a Map<String, Value>,
    /// The claim `iat`, in milliseconds.
    pub issued_at_ms: Option<i64>,
}

impl<'a> TokenFacts<'a> {
    /// Header and claims from anywhere. `iat` is read if it is a number in the range of dates.
    pub fn new(header: &'a Map<String, Value>, claims: &'a Map<String, Value>) -> Self {
        Self {
            header,
            claims,
            issued_at_ms: claims.get("iat").and_then(milliseconds),
        }
    }
}

impl<'a> From<&'a VerifiedClaims> for TokenFacts<'a> {
    fn from(claims: &'a VerifiedClaims) -> Self {
        Self {
            header: claims.header(),
            claims: claims.claims(),
            issued_at_ms: claims.issued_at_ms(),
        }
    }
}

impl<'a> From<&'a UnverifiedClaims> for TokenFacts<'a> {
    fn from(claims: &'a UnverifiedClaims) -> Self {
        Self::new(claims.header(), claims.claims())
    }
}

fn milliseconds(seconds: &Value) -> Option<i64> {
    if let Some(whole) = seconds.as_i64() {
        return whole.checked_mul(1_000);
    }
    let ms = seconds.as_f64()? * 1_000.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "inside the range that doubles hold exactly"
    )]
    (ms.abs() < MS_MAX).then_some(ms as i64)
}

/// 2^53.
const MS_MAX: f64 = 9_007_199_254_740_992.0;
