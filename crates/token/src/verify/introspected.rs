//! Claims that an issuer gave itself, for an opaque token (RFC 7662): the rules of a signed token's claims.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    check_age, check_audience, check_expiry, check_issued_at, check_issuer, check_not_before, check_required_claim,
    check_status, check_subject, invalid,
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
    check_use(&token.claims)?;
    // Which of several tenants a token is of is in `iss` alone.
    if token.claims.contains_key("iss") || issuer.tenancy.is_some() {
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
        too_old_at_ms: check_age(&token.claims, issuer, now_ms)?,
    };
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

/// Refuses what the endpoint answers for beside access tokens.
///
/// SECURITY: many endpoints call a refresh token or an ID token active too (RFC 7662 section 2.1). A refresh token lives for weeks, and
/// that of a confidential client is bound to no key (RFC 9449 section 5).
fn check_use(claims: &Map<String, Value>) -> Result<(), VerifyError> {
    let is_one_of = |claim: &str, words: &[&str]| {
        let text = claims.get(claim).and_then(Value::as_str);
        text.is_some_and(|text| words.iter().any(|word| text.eq_ignore_ascii_case(word)))
    };
    let is_there = |claim: &str| claims.get(claim).is_some_and(|value| !value.is_null());
    for (claim, words) in [
        ("token_use", &["access_token", "access"][..]),
        ("token_type", &["Bearer", "DPoP", "access_token"]),
    ] {
        if is_there(claim) && !is_one_of(claim, words) {
            return Err(invalid(claim, "that of an access token"));
        }
    }
    if is_one_of("typ", &["Refresh", "Offline", "ID", "Logout"]) {
        return Err(invalid("typ", "that of an access token"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sec_a_refresh_token_is_no_access_token() {
        let check = |claims: Value| check_use(claims.as_object().unwrap());
        for access in [
            json!({}),
            json!({"token_use": "access_token", "token_type": "Bearer"}),
            json!({"token_type": "dpop"}),
            json!({"token_type": "bearer", "typ": "Bearer"}),
            json!({"typ": "at+jwt", "token_use": null}),
        ] {
            assert_eq!(check(access.clone()), Ok(()), "{access}");
        }
        for other in [
            json!({"token_use": "refresh_token"}),
            json!({"token_use": "id"}),
            json!({"token_use": ["access_token"]}),
            json!({"token_type": "refresh_token"}),
            json!({"token_type": "Refresh"}),
            json!({"token_type": 1}),
            json!({"token_type": "Bearer", "typ": "Refresh"}),
            json!({"typ": "Offline"}),
            json!({"typ": "ID"}),
        ] {
            assert!(check(other.clone()).is_err(), "{other}");
        }
    }
}
