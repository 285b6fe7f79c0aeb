//! Logout tokens: what ends a session, and what does not.

use narthex_token::{Limits, TrustedIssuer, VerifyError, parse};
use serde_json::{Value, json};

use crate::support::{EXPIRES_AT, NOW_MS, claims_with, jwks, key_set_policy, mint, rsa_key};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The reason for which a logout token with these changes is refused, or `ok`.
fn outcome(typ: &str, changes: &Value, now_ms: i64) -> &'static str {
    let mut claims = claims_with(&json!({ "events": { EVENT: {} }, "jti": "one", "sid": "s-1" }));
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().shift_remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    let token = mint(
        &json!({ "alg": "RS256", "kid": "rsa", "typ": typ }),
        &claims,
        &rsa_key(),
    );
    let issuer = TrustedIssuer::new(key_set_policy()).unwrap();
    let parsed = parse(&token, &Limits::default()).unwrap();
    let verified = parsed.verify_logout(&issuer, &jwks(), now_ms);
    verified.as_ref().map_or_else(VerifyError::reason, |_| "ok")
}

#[test]
fn a_logout_token_names_a_session_or_a_user() {
    for changes in [json!({}), json!({ "sub": null }), json!({ "sid": null })] {
        for typ in ["logout+jwt", "Application/Logout+JWT", "JWT"] {
            assert_eq!(outcome(typ, &changes, NOW_MS), "ok", "{changes} {typ}");
        }
    }
}

#[test]
fn sec_only_a_whole_logout_token_ends_sessions() {
    for (changes, expected) in [
        (json!({ "events": null }), "token.claim_missing"),
        (json!({ "events": { "other": {} } }), "token.claim_invalid"),
        (json!({ "events": { EVENT: null } }), "token.claim_invalid"),
        (json!({ "events": { EVENT: true } }), "token.claim_invalid"),
        (json!({ "events": [EVENT] }), "token.claim_invalid"),
        // An ID token has it, and a logout token must not.
        (json!({ "nonce": "n" }), "token.claim_invalid"),
        (json!({ "iat": null }), "token.claim_missing"),
        (json!({ "jti": null }), "token.claim_missing"),
        (json!({ "jti": 7 }), "token.claim_invalid"),
        (json!({ "sub": null, "sid": null }), "token.claim_missing"),
        (json!({ "sid": "" }), "token.claim_invalid"),
        (json!({ "sid": "s".repeat(257) }), "token.claim_invalid"),
        (json!({ "aud": "other" }), "token.audience"),
        (json!({ "iss": "https://other.example" }), "token.issuer_unknown"),
    ] {
        assert_eq!(outcome("logout+jwt", &changes, NOW_MS), expected, "{changes}");
    }
    assert_eq!(
        outcome("logout+jwt", &json!({}), EXPIRES_AT * 1000 + 60_000),
        "token.expired"
    );
    assert_eq!(outcome("secevent+jwt", &json!({}), NOW_MS), "token.header");
}
