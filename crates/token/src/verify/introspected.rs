//! Claims that an issuer gave itself, for an opaque token (RFC 7662): the rules of a signed token's claims.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    check_age, check_audience, check_expiry, check_issued_at, check_issuer, check_not_before, check_required_claim,
    check_status, check_subject,
};
use crate::claims::{KeyMatch, MatchedBy, Times, VerifiedClaims};
use crate::error::VerifyError;
use crate::header::Header;
use crate::issuer::TrustedIssuer;
use crate::parse::ParsedToken;

/// Checks the claims of an active token, as its issuer gave them for it at `now_ms` milliseconds since the epoch.
///
/// `iss` and `exp` may be absent, because the issuer itself was asked, a moment ago; where they are there, they are checked. The
/// audience is not optional: an identity provider knows tokens for many applications.
///
/// # Errors
///
/// The first rule that the claims break.
///
/// SECURITY: `claims` must come from the issuer's introspection endpoint. No signature stands behind them.
pub fn verify_introspected(
    claims: Map<String, Value>,
    issuer: &TrustedIssuer,
    now_ms: i64,
) -> Result<VerifiedClaims, VerifyError> {
    check_status(issuer)?;
    let header = Header::parse(b"{}".to_vec(), 1).map_err(|_| VerifyError::Header {
        member: "alg",
        problem: "cannot be left out".to_owned(),
    })?;
    let token = ParsedToken {
        signing_input: "",
        signature: Vec::new(),
        header,
        claims,
    };
    if token.claims.contains_key("iss") {
        check_issuer(&token, issuer)?;
    }
    let expires_at_ms = match token.claims.get("exp") {
        Some(_) => check_expiry(&token.claims, issuer, now_ms)?,
        None => None,
    };
    let times = Times {
        expires_at_ms,
        not_before_ms: check_not_before(&token.claims, issuer, now_ms)?,
        issued_at_ms: check_issued_at(&token.claims, issuer, now_ms)?,
    };
    check_age(&token.claims, issuer, now_ms)?;
    let bound_to = check_subject(&token.claims, issuer)?.map(Box::from);
    check_audience(&token.claims, issuer)?;
    for required in &issuer.policy.required_claims {
        check_required_claim(&token, required)?;
    }
    Ok(VerifiedClaims {
        header: token.header,
        claims: token.claims,
        issuer: Arc::clone(&issuer.name),
        key: KeyMatch {
            kid: None,
            matched_by: MatchedBy::Introspection,
        },
        times,
        bound_to,
    })
}
