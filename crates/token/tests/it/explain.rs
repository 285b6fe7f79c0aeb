//! The inspection shows every rule, goes on after a refusal, and keeps proved and unproved claims apart.

use std::sync::Arc;

use narthex_token::{
    InspectedClaims, Inspection, Issuers, KeySet, Limits, Outcome, RequiredClaim, TrustedIssuer, VerifyError, inspect,
};
use serde_json::json;

use crate::support::{NOW_MS, claims, claims_with, jwks, key_set_policy, rs256, rs256_header};

fn explain(token: &str, keys: Result<KeySet, VerifyError>) -> Inspection {
    let mut policy = key_set_policy();
    policy.max_token_age_seconds = Some(7200);
    policy.required_claims = vec![RequiredClaim {
        claim: "hd".to_owned(),
        one_of: vec![json!("ours")],
    }];
    let issuers = Issuers::new(vec![Arc::new(TrustedIssuer::new(policy).unwrap())]).unwrap();
    let keys = keys.map(Arc::new);
    inspect(token, &issuers, |_| keys.clone(), &Limits::default(), NOW_MS)
}

/// One line per rule: the rule, and `ok`, the reason, or `-`.
fn outcomes(inspection: &Inspection) -> Vec<(String, &'static str)> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Passed(_) => "ok",
        Outcome::Failed(error) => error.reason(),
        Outcome::NotTried => "-",
    };
    inspection
        .steps
        .iter()
        .map(|step| (step.rule.to_string(), word(&step.outcome)))
        .collect()
}

fn expect(inspection: &Inspection, expected: [&str; 12]) {
    let rules = [
        "form",
        "algorithm",
        "header",
        "issuer",
        "key",
        "signature",
        "expiry",
        "not_before",
        "issued_at",
        "age",
        "audience",
        "required_claim `hd`",
    ];
    let expected: Vec<(String, &str)> = rules.iter().map(|rule| (*rule).to_owned()).zip(expected).collect();
    assert_eq!(outcomes(inspection), expected);
}

#[test]
fn a_good_token_passes_every_rule() {
    let inspection = explain(&rs256(&claims_with(&json!({ "hd": "ours" }))), Ok(jwks()));
    expect(&inspection, ["ok"; 12]);
    assert!(matches!(inspection.claims, InspectedClaims::Verified(_)));
    assert_eq!(inspection.error(), None);
    assert_eq!(inspection.key.unwrap().kid(), Some("rsa"));
    let key = &inspection.steps[4];
    assert_eq!(key.found, "its `kid` `rsa`");
    assert_eq!(
        key.expected,
        "`rsa` (RSA 2048), `rsa_other` (RSA 3072), `p256` (EC P-256), `p384` (EC P-384), `p521` (EC P-521), `ed25519` (Ed25519)"
    );
    assert_eq!(key.outcome, Outcome::Passed("`rsa`, matched by kid".to_owned()));
    assert_eq!(inspection.steps[6].outcome, Outcome::Passed("in 3500 s".to_owned()));
}

#[test]
fn it_goes_on_after_failed_claims() {
    let token = rs256(&claims_with(&json!({ "exp": 5, "nbf": "x", "aud": "other" })));
    let inspection = explain(&token, Ok(jwks()));
    expect(
        &inspection,
        [
            "ok",
            "ok",
            "ok",
            "ok",
            "ok",
            "ok",
            "token.expired",
            "token.claim_invalid",
            "ok",
            "ok",
            "token.audience",
            "token.claim_missing",
        ],
    );
    assert_eq!(inspection.error(), Some(&VerifyError::Expired));
    // The signature held, and still the claims are not verified.
    let InspectedClaims::Refused(claims) = &inspection.claims else {
        panic!("{:?}", inspection.claims)
    };
    assert_eq!(claims.claims()["sub"], "somebody");
}

#[test]
fn it_says_what_could_not_be_tried() {
    let good = rs256(&claims());
    let unknown = explain(&rs256_header(&json!({ "alg": "RS256", "kid": "nobody" })), Ok(jwks()));
    expect(
        &unknown,
        [
            "ok",
            "ok",
            "ok",
            "ok",
            "token.key_unknown",
            "-",
            "ok",
            "ok",
            "ok",
            "ok",
            "ok",
            "token.claim_missing",
        ],
    );
    assert!(matches!(unknown.claims, InspectedClaims::Unproved(_)));

    let unreachable = explain(
        &good,
        Err(VerifyError::KeysUnavailable {
            retry_after_seconds: 7,
            fault: None,
        }),
    );
    assert_eq!(unreachable.error().unwrap().reason(), "keys.unavailable");
    assert!(matches!(unreachable.claims, InspectedClaims::Unproved(_)));

    let other = rs256(&claims_with(&json!({ "sub": "else" })));
    let forged = format!(
        "{}.{}",
        good.rsplit_once('.').unwrap().0,
        other.rsplit_once('.').unwrap().1
    );
    let forged = explain(&forged, Ok(jwks()));
    assert_eq!(forged.error().unwrap().reason(), "token.signature");
    assert!(matches!(forged.claims, InspectedClaims::Unproved(_)));

    let stranger = explain(&rs256(&claims_with(&json!({ "iss": "nobody" }))), Ok(jwks()));
    let expected = [
        ("form", "ok"),
        ("algorithm", "ok"),
        ("header", "ok"),
        ("issuer", "token.issuer_unknown"),
        ("key", "-"),
        ("signature", "-"),
    ];
    assert_eq!(
        outcomes(&stranger),
        expected.map(|(rule, word)| (rule.to_owned(), word))
    );

    let unreadable = explain("nonsense", Ok(jwks()));
    assert_eq!(outcomes(&unreadable), [("form".to_owned(), "token.malformed")]);
    assert!(matches!(unreadable.claims, InspectedClaims::Unreadable));
}
