//! Rules about claims, as tables.

use narthex_token::{Algorithm, IssuerPolicy, RequiredClaim, VerifyError};
use serde_json::{Value, json};

use crate::support::{
    AUDIENCE, EXPIRES_AT, ISSUED_AT, NOW_MS, b64, check, claims, claims_with, jwk, jwks, key_set_policy, mint, reason,
    rs256, rs256_header, rsa_key, secret_set, set_of, usual,
};

#[test]
fn verified_claims_carry_what_was_proved() {
    let verified = usual(&rs256(&claims_with(&json!({ "nbf": 1_700_000_000.25, "jti": "id" })))).unwrap();
    assert_eq!(verified.issuer(), "corp");
    assert_eq!(verified.header()["typ"], "JWT");
    assert_eq!(verified.claims()["sub"], "somebody");
    assert_eq!(
        (verified.key().kid(), verified.key().matched_by().name()),
        (Some("rsa"), "kid")
    );
    assert_eq!(verified.expires_at_ms(), Some(EXPIRES_AT * 1000));
    assert_eq!(verified.issued_at_ms(), Some(ISSUED_AT * 1000));
    assert_eq!(verified.not_before_ms(), Some(ISSUED_AT * 1000 + 250));
    assert_eq!(verified.token_id(), Some("id"));
}

#[test]
fn the_order_of_members_is_kept() {
    let verified = usual(&rs256(&claims_with(&json!({ "z": 1, "a": 2 })))).unwrap();
    let names: Vec<&String> = verified.claims().keys().collect();
    assert_eq!(names, ["iss", "aud", "sub", "iat", "exp", "z", "a"]);
}

#[test]
fn the_future_is_refused_beyond_the_leeway() {
    let now = NOW_MS / 1000;
    for (claim, refusal) in [("nbf", "token.not_yet_valid"), ("iat", "token.issued_in_future")] {
        for (seconds, expected) in [
            (json!(now), "ok"),
            (json!(now + 60), "ok"),
            (json!(f64::from(i32::try_from(now).unwrap()) + 60.5), refusal),
            (json!(now + 61), refusal),
            (json!(-1_000_000), "ok"),
        ] {
            let token = rs256(&claims_with(&json!({ claim: seconds })));
            assert_eq!(reason(&usual(&token)), expected, "{claim} {seconds}");
        }
    }
}

#[test]
fn a_token_may_be_too_old_before_it_expires() {
    let mut policy = key_set_policy();
    policy.max_token_age_seconds = Some(300);
    let at = |seconds: i64, claims: &Value| {
        reason(&check(
            &rs256(claims),
            policy.clone(),
            jwks(),
            (ISSUED_AT + seconds) * 1000,
        ))
    };
    assert_eq!(at(0, &claims()), "ok");
    assert_eq!(at(360, &claims()), "ok");
    assert_eq!(at(361, &claims()), "token.too_old");
    assert_eq!(at(0, &claims_with(&json!({ "iat": null }))), "token.claim_missing");
}

#[test]
fn audience_claims_are_the_ones_that_are_listed() {
    let mut policy = key_set_policy();
    policy.audience_claims = vec!["client_id".to_owned(), "aud".to_owned()];
    for (changes, expected) in [
        (json!({ "aud": null, "client_id": AUDIENCE }), "ok"),
        (json!({ "aud": "other", "client_id": AUDIENCE }), "ok"),
        (json!({}), "ok"),
        (json!({ "aud": null, "client_id": "other" }), "token.audience"),
        (json!({ "aud": null }), "token.audience"),
        (json!({ "client_id": 5 }), "token.claim_invalid"),
    ] {
        assert_eq!(
            reason(&check(&rs256(&claims_with(&changes)), policy.clone(), jwks(), NOW_MS)),
            expected,
            "{changes}"
        );
    }
    policy.audience_claims = vec!["client_id".to_owned()];
    assert_eq!(
        reason(&check(&rs256(&claims()), policy, jwks(), NOW_MS)),
        "token.audience",
        "aud is not listed"
    );
}

#[test]
fn required_claims_have_one_of_their_values() {
    let mut policy = key_set_policy();
    let required = |claim: &str, one_of: Vec<Value>| RequiredClaim {
        claim: claim.to_owned(),
        one_of,
    };
    policy.required_claims = vec![
        required("hd", vec![json!("a.example"), json!("b.example")]),
        required("email_verified", vec![json!(true)]),
        required("sub", Vec::new()),
    ];
    for (changes, expected) in [
        (json!({ "hd": "a.example", "email_verified": true }), "ok"),
        (json!({ "hd": "b.example", "email_verified": true }), "ok"),
        (
            json!({ "hd": "c.example", "email_verified": true }),
            "token.claim_invalid",
        ),
        (
            json!({ "hd": "A.example", "email_verified": true }),
            "token.claim_invalid",
        ),
        (
            json!({ "hd": ["a.example"], "email_verified": true }),
            "token.claim_invalid",
        ),
        (
            json!({ "hd": "a.example", "email_verified": "true" }),
            "token.claim_invalid",
        ),
        (json!({ "hd": "a.example" }), "token.claim_missing"),
        (
            json!({ "hd": "a.example", "email_verified": true, "sub": null }),
            "token.claim_missing",
        ),
    ] {
        assert_eq!(
            reason(&check(&rs256(&claims_with(&changes)), policy.clone(), jwks(), NOW_MS)),
            expected,
            "{changes}"
        );
    }
}

#[test]
fn several_keys_of_one_name_are_told_apart() {
    let named = |kid: &str| {
        let mut key = jwk(kid);
        key["kid"] = "shared".into();
        key
    };
    let token = rs256_header(&json!({ "alg": "RS256", "kid": "shared" }));
    let mut policy = key_set_policy();
    policy.algorithms = vec![Algorithm::Rs256, Algorithm::Es256];
    // By type, and, where even the type is the same, by trying.
    for others in [
        vec!["p256", "ed25519"],
        vec!["p256", "rsa_other"],
        vec!["rsa_other", "p384"],
    ] {
        let mut keys: Vec<Value> = others.iter().map(|kid| named(kid)).collect();
        keys.push(named("rsa"));
        let verified = check(&token, policy.clone(), set_of(&keys), NOW_MS).unwrap();
        assert_eq!(verified.key().kid(), Some("shared"));
    }
    // Tried, but not without end.
    for (others, expected) in [(15, "ok"), (16, "token.signature")] {
        // Different keys, by their exponents: the same one would count once.
        let other = |i: u8| {
            let mut key = named("rsa_other");
            key["e"] = b64(&[2 * i + 3]).into();
            key
        };
        let mut keys: Vec<Value> = (0..others).map(other).collect();
        keys.push(named("rsa"));
        assert_eq!(
            reason(&check(&token, policy.clone(), set_of(&keys), NOW_MS)),
            expected,
            "{others} others"
        );
    }
}

/// Who sees the key in the published set has to be told why it is not the one.
#[test]
fn a_key_that_is_there_and_does_not_count_is_told_with_the_reason() {
    let token = rs256_header(&json!({ "alg": "RS256", "kid": "rsa" }));
    let unnamed = rs256_header(&json!({ "alg": "RS256" }));
    let told = |token: &str, keys: &[Value]| {
        let error = check(token, key_set_policy(), set_of(keys), NOW_MS).unwrap_err();
        assert_eq!(error.reason(), "token.key_unknown");
        error.to_string()
    };
    let with = |member: &str, value: Value| {
        let mut key = jwk("rsa");
        key[member] = value;
        key
    };
    let mut short = jwk("rsa_1024");
    short["kid"] = "rsa".into();
    let padded = format!("{}=", jwk("rsa")["n"].as_str().unwrap());
    for (key, says) in [
        (with("use", "enc".into()), "its `use` is `enc`"),
        (with("d", "AQAB".into()), "private part"),
        (with("n", padded.into()), "`n` is not unpadded base64url"),
        (with("alg", "PS256".into()), "it is for `PS256`, not RS256"),
        (short, "2048"),
    ] {
        let message = told(&token, std::slice::from_ref(&key));
        assert!(
            message.contains("the set has such a key, but it is not used: ") && message.contains(says),
            "{message}"
        );
        let message = told(&unnamed, std::slice::from_ref(&key));
        assert_eq!(message.contains(says), !says.contains("PS256"), "{message}");
    }
    // What is not there has no reason.
    let message = told(
        &rs256_header(&json!({ "alg": "RS256", "kid": "x" })),
        &[with("use", "enc".into())],
    );
    assert!(message.ends_with("fits no key of the issuer"), "{message}");
}

#[test]
fn a_token_that_names_no_key_takes_the_only_one_that_fits() {
    let token = rs256_header(&json!({ "alg": "RS256" }));
    let with = |keys: &[Value]| check(&token, key_set_policy(), set_of(keys), NOW_MS);
    let mut for_encryption = jwk("rsa_other");
    for_encryption["use"] = "enc".into();
    let verified = with(&[jwk("p256"), for_encryption, jwk("rsa"), jwk("ed25519")]).unwrap();
    assert_eq!(
        (verified.key().kid(), verified.key().matched_by().name()),
        (Some("rsa"), "only_key")
    );
    let error = with(&[jwk("rsa"), jwk("rsa_other")]).unwrap_err();
    assert!(matches!(error, VerifyError::KeyUnknown { usable: 2, .. }));
    assert!(error.to_string().contains("more than one key"), "{error}");
    assert!(matches!(
        with(&[jwk("p256")]).unwrap_err(),
        VerifyError::KeyUnknown { usable: 0, .. }
    ));
}

#[test]
fn shared_secrets_need_no_name_and_can_be_rotated() {
    use narthex_token::{KeySet, SecretLength};
    let old = [1_u8; 32];
    let new = [2_u8; 32];
    let set = |secrets: &[&[u8]]| KeySet::from_secrets(secrets, &[Algorithm::Hs256], SecretLength::Standard).unwrap();
    let key = narthex_token::sign::SigningKey::from_secret(Algorithm::Hs256, &old).unwrap();
    let policy = IssuerPolicy::shared_secret("corp", claims()["iss"].as_str().map(str::to_owned));
    for header in [
        json!({ "alg": "HS256" }),
        json!({ "alg": "HS256", "kid": "whatever", "x5t": "zz" }),
    ] {
        let token = mint(&header, &claims(), &key);
        let answer = |set| check(&token, policy.clone(), set, NOW_MS);
        let verified = answer(set(&[&new, &old])).unwrap();
        assert_eq!(
            (verified.key().kid(), verified.key().matched_by().name()),
            (None, "secret")
        );
        assert_eq!(reason(&answer(set(&[&old]))), "ok");
        assert_eq!(reason(&answer(set(&[&new]))), "token.signature");
    }
}

#[test]
fn messages_say_what_to_do() {
    let text = |answer: Result<_, VerifyError>| answer.err().unwrap().to_string();
    let shown = |token: &str, policy: IssuerPolicy| text(check(token, policy, jwks(), NOW_MS).map(drop));
    let mut choosy = key_set_policy();
    choosy.required_claims = vec![RequiredClaim {
        claim: "hd".to_owned(),
        one_of: vec![json!("ours")],
    }];
    let table = [
        (
            shown(
                &mint(&json!({ "alg": "ES256\u{1b}[31m" }), &claims(), &rsa_key()),
                key_set_policy(),
            ),
            "algorithm `ES256?[31m` is not allowed; this issuer signs with `RS256`",
        ),
        (
            shown(
                &rs256_header(&json!({ "alg": "RS256", "typ": "evil" })),
                key_set_policy(),
            ),
            "header member `typ` is `evil`, which is not accepted; list it in `token_types` if it should be",
        ),
        (
            shown(
                &rs256_header(&json!({ "alg": "RS256", "kid": "nobody" })),
                key_set_policy(),
            ),
            "no key for this token: its `kid` `nobody` fits no key of the issuer",
        ),
        (
            shown(&rs256_header(&json!({ "alg": "RS256" })), key_set_policy()),
            "no key for this token: it names no key and fits more than one key; let the issuer set `kid`",
        ),
        (
            shown(&rs256(&claims_with(&json!({ "aud": "x" }))), key_set_policy()),
            "the token is for another audience: `aud` must name one of `https://api.example`",
        ),
        (
            shown(&rs256(&claims_with(&json!({ "exp": null }))), key_set_policy()),
            "claim `exp` is missing; the token carries `iss`, `aud`, `sub`, `iat`",
        ),
        (
            shown(&rs256(&claims_with(&json!({ "exp": "1" }))), key_set_policy()),
            "claim `exp` must be a number of seconds since 1970 (not milliseconds) before the year 10000",
        ),
        (
            shown(&rs256(&claims_with(&json!({ "hd": "theirs" }))), choosy),
            "claim `hd` must be `\"ours\"`",
        ),
    ];
    for (found, expected) in table {
        assert_eq!(found, expected);
    }
    assert_eq!(
        text(check("a.b", key_set_policy(), secret_set(), NOW_MS).map(drop)),
        "the token is malformed: a signed token has three parts separated by full stops, this has 2"
    );
}
