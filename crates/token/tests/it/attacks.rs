//! Known attacks on verifiers of this kind, and what stops each one here.
#![expect(clippy::string_slice, reason = "every text cut here is ASCII")]

use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use narthex_token::{
    Algorithm, Answer, BoundTokens, CacheSettings, Expiry, FetchOutcome, IssuerPolicy, Issuers, KeyCache, KeyHint,
    KeySet, KeySetError, KeysFault, Limits, PolicyError, RequiredClaim, SecretLength, TrustedIssuer, VerifyError,
    parse,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    AUDIENCE, CERTIFICATE, EXPIRES_AT, ISSUED_AT, ISSUER, NOW_MS, RSA_PKCS1, RSA_SPKI, b64, check, check_among, claims,
    claims_with, ec_key, hmac_forged, hs256, jwk, jwks, jwks_json, key_set_policy, mint, mint_text, reason, rs256,
    rs256_header, rs256_with, rsa_key, secret, secret_policy, secret_set, set_of, usual,
};

/// Everything an issuer with public keys can be made to accept.
fn every_public_algorithm() -> Vec<Algorithm> {
    Algorithm::ALL
        .into_iter()
        .filter(|algorithm| !algorithm.name().starts_with("HS"))
        .collect()
}

/// CVE-2022-23540: no algorithm, in any spelling, with any signature, with or without keys.
#[test]
fn sec_alg_none() {
    let payload = b64(claims().to_string().as_bytes());
    let signature = rs256(&claims()).rsplit('.').next().unwrap().to_owned();
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "None" }),
        json!({ "alg": "nOnE" }),
        json!({ "alg": "NONE", "kid": "rsa" }),
        json!({ "alg": "" }),
        json!({ "alg": null }),
        json!({ "alg": ["RS256"] }),
        json!({ "alg": "rs256" }),
        json!({ "alg": "RS256 " }),
        json!({ "typ": "JWT" }),
        json!({}),
    ] {
        for signature in ["", signature.as_str()] {
            let token = format!("{}.{payload}.{signature}", b64(header.to_string().as_bytes()));
            let mut everything = key_set_policy();
            everything.algorithms = every_public_algorithm();
            for (policy, keys) in [
                (key_set_policy(), jwks()),
                (everything, jwks()),
                (key_set_policy(), set_of(&[])),
                (secret_policy(), secret_set()),
            ] {
                assert_eq!(
                    reason(&check(&token, policy, keys, NOW_MS)),
                    "token.algorithm",
                    "{header}"
                );
            }
        }
    }
    // A good header with nothing behind it.
    let unsigned = rs256(&claims()).rsplit_once('.').unwrap().0.to_owned() + ".";
    assert_eq!(reason(&usual(&unsigned)), "token.signature");
}

/// What an attacker may know of a public key, as bytes to use as a secret.
fn public_key_texts() -> Vec<Vec<u8>> {
    let der = |text: &str| {
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        STANDARD.decode(body).unwrap()
    };
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for pem in [RSA_SPKI, RSA_PKCS1, CERTIFICATE] {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        texts.push(pem.as_bytes().to_vec());
        texts.push(pem.trim_end().as_bytes().to_vec());
        texts.push(format!("  \n{pem}").into_bytes());
        texts.push(pem.replace('\n', "\r\n").into_bytes());
        texts.push(pem.replace('\n', "\\n").into_bytes());
        texts.push(body.into_bytes());
        texts.push(der(pem));
    }
    texts.push(jwk("rsa").to_string().into_bytes());
    texts.push(serde_json::to_string_pretty(&jwk("p256")).unwrap().into_bytes());
    texts.push(jwks_json().to_string().into_bytes());
    texts
}

/// CVE-2015-9235 and its many children: an HMAC made with the text of the public key.
#[test]
fn sec_alg_confusion() {
    for text in public_key_texts() {
        for algorithm in ["HS256", "HS384", "HS512"] {
            for header in [json!({}), json!({ "kid": "rsa" })] {
                let token = hmac_forged(algorithm, &header, &claims(), &text);
                let mut everything = key_set_policy();
                everything.algorithms = every_public_algorithm();
                assert_eq!(reason(&usual(&token)), "token.algorithm");
                assert_eq!(reason(&check(&token, everything, jwks(), NOW_MS)), "token.algorithm");
                // A shared-secret issuer holds another secret.
                let mut hmac = secret_policy();
                hmac.algorithms = vec![Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
                assert_eq!(reason(&check(&token, hmac, secret_set(), NOW_MS)), "token.signature");
                // Even if the two are mixed up behind the configuration's back, no public key takes part in an HMAC.
                let mut hmac = secret_policy();
                hmac.algorithms = vec![Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
                assert_eq!(reason(&check(&token, hmac, jwks(), NOW_MS)), "token.key_unknown");
            }
        }
    }
}

/// The other half of the confusion: an operator who configures the public key as the secret.
#[test]
fn a_public_key_is_no_secret() {
    for text in public_key_texts() {
        let error = KeySet::from_secrets(&[&text], &[Algorithm::Hs256], SecretLength::DangerShort).unwrap_err();
        assert!(
            matches!(error, KeySetError::SecretIsKey { position: 1, .. }),
            "{}",
            String::from_utf8_lossy(&text)
        );
    }
    for secret in [
        &b"{\"hello\": \"this is an ordinary secret in braces\"}"[..],
        &[0x30; 40],
        &[0xff; 64],
    ] {
        assert!(KeySet::from_secrets(&[secret], &[Algorithm::Hs256], SecretLength::Standard).is_ok());
    }
}

proptest! {
    /// Whatever the header says, a signature counts only for the family of the key that made it.
    #[test]
    fn the_type_of_the_key_decides_the_family(
        claimed in proptest::sample::select(Algorithm::ALL.to_vec()),
        kid in proptest::sample::select(vec!["rsa", "rsa_other", "p256", "p384", "p521", "ed25519", "unknown"]),
        signer in 0_usize..3,
    ) {
        let header = json!({ "alg": claimed.name(), "kid": kid });
        let (token, made_by, own) = match signer {
            0 => (mint(&header, &claims(), &rsa_key()), "rsa", Algorithm::Rs256),
            1 => (mint(&header, &claims(), &ec_key()), "p256", Algorithm::Es256),
            _ => (hmac_forged(claimed.name(), &header, &claims(), RSA_SPKI.as_bytes()), "", Algorithm::Hs256),
        };
        let mut policy = key_set_policy();
        policy.algorithms = every_public_algorithm();
        let answer = check(&token, policy, jwks(), NOW_MS);
        prop_assert_eq!(answer.is_ok(), kid == made_by && claimed == own);
    }

    /// Truncated tokens (CVE-2026-27840) and tokens with one character changed.
    #[test]
    fn no_changed_character_goes_unnoticed(position in 0_usize..1000, replacement in "[A-Za-z0-9_.=+/ -]") {
        let token = rs256(&claims());
        let position = position % token.len();
        let changed = format!("{}{replacement}{}", &token[..position], &token[position + 1..]);
        prop_assert_eq!(usual(&changed).is_ok(), changed == token);
    }

    /// Times at the edges of every number type: no wrap-around, no panic, and only a future `exp` is good.
    #[test]
    fn no_time_wraps_around(seconds in prop_oneof![
        any::<i64>().prop_map(|n| json!(n)),
        any::<u64>().prop_map(|n| json!(n)),
        any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()).prop_map(|n| json!(n)),
        proptest::sample::select(vec![json!(i64::MIN), json!(i64::MAX), json!(u64::MAX), json!(f64::MAX), json!(f64::MIN),
            json!(253_402_300_799_i64), json!(253_402_300_800_i64), json!(-1), json!(-0.0), json!(1e-300)]),
    ]) {
        let now = f64::from(i32::try_from(NOW_MS / 1000).unwrap());
        let year_10000 = 253_402_300_800.0;
        let future = seconds.as_f64().is_some_and(|n| n + 60.0 > now && n < year_10000);
        let answer = usual(&rs256(&claims_with(&json!({ "exp": seconds }))));
        prop_assert_eq!(answer.is_ok(), future, "{:?}", answer);
        let past = seconds.as_f64().is_some_and(|n| (-62_135_596_800.0..=now + 60.0).contains(&n));
        for claim in ["iat", "nbf"] {
            let answer = usual(&rs256(&claims_with(&json!({ claim: seconds }))));
            prop_assert_eq!(answer.is_ok(), past, "{:?}", answer);
        }
    }

    /// Nothing an attacker sends makes the parser panic.
    #[test]
    fn any_text_is_answered(text in "\\PC*", header in "\\PC{0,40}", payload in "\\PC{0,40}") {
        prop_assert!(usual(&text).is_err());
        let token = format!("{}.{}.{}", b64(header.as_bytes()), b64(payload.as_bytes()), b64(text.as_bytes()));
        prop_assert!(usual(&token).is_err());
    }
}

/// CVE-2022-23539: keys of the wrong type for an algorithm, and keys too weak for any.
#[test]
fn sec_key_type_match() {
    let mut ec = jwk("p256");
    ec["alg"] = "RS256".into();
    let mut rsa = jwk("rsa");
    rsa["alg"] = "ES256".into();
    let mut even = jwk("rsa");
    even["e"] = b64(&[0x01, 0x00, 0x00]).into();
    let mut one = jwk("rsa");
    one["e"] = b64(&[1]).into();
    let mut off_curve = jwk("p256");
    off_curve["y"] = off_curve["x"].clone();
    let oct = json!({ "kty": "oct", "kid": "rsa", "k": b64(&secret()) });
    let dsa = json!({ "kty": "DSA", "kid": "rsa" });
    let keys = [
        (ec, "`alg` RS256 does not fit"),
        (rsa, "`alg` ES256 does not fit"),
        (even, "exponent"),
        (one, "exponent"),
        (off_curve, "not a valid key"),
        (oct, "shared secret"),
        (dsa, "is not RSA, EC, OKP or AKP"),
        (jwk("rsa_1024"), "1024 bits"),
    ];
    let set = set_of(&keys.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>());
    assert_eq!(set.usable_count(), 0);
    for (refused, (_, why)) in set.refused().iter().zip(&keys) {
        assert!(refused.why.contains(why), "{} should say {why}", refused.why);
    }
    // A sound key of one family never serves the other, whatever the token says.
    let mut policy = key_set_policy();
    policy.algorithms = every_public_algorithm();
    let as_ec = mint(&json!({ "alg": "ES256", "kid": "rsa" }), &claims(), &rsa_key());
    assert_eq!(
        reason(&check(&as_ec, policy.clone(), jwks(), NOW_MS)),
        "token.key_unknown"
    );
    let as_rsa = mint(&json!({ "alg": "RS256", "kid": "p256" }), &claims(), &ec_key());
    assert_eq!(reason(&check(&as_rsa, policy, jwks(), NOW_MS)), "token.key_unknown");
}

/// CVE-2026-32597: critical extensions nobody understands, and unencoded payloads (RFC 7797).
#[test]
fn sec_crit() {
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!(["http://example.com/x"])),
        ("crit", json!([])),
        ("crit", json!(null)),
        ("crit", json!("b64")),
        ("b64", json!(false)),
        ("b64", json!("false")),
        ("b64", json!(0)),
        ("b64", json!(null)),
    ] {
        let token = rs256_header(&json!({ "alg": "RS256", "kid": "rsa", member: value }));
        assert_eq!(reason(&usual(&token)), "token.header", "{member} {value}");
    }
    assert_eq!(
        reason(&usual(&rs256_header(
            &json!({ "alg": "RS256", "kid": "rsa", "b64": true })
        ))),
        "ok"
    );
}

/// Keys inside the token are never used, and never a reason to refuse a good one.
#[test]
fn keys_in_the_header_are_not_looked_at() {
    let own = jwk("rsa");
    for extra in [
        json!({ "jwk": own }),
        json!({ "jku": "https://attacker.example/jwks.json" }),
        json!({ "x5u": "file:///etc/passwd" }),
        json!({ "x5c": own["x5c"] }),
        json!({ "jwk": 17, "x5c": {} }),
    ] {
        let mut header = json!({ "alg": "RS256" });
        header
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        // Signed by the key in its own header, which the issuer does not have.
        let token = rs256_header(&header);
        let answer = check(&token, key_set_policy(), set_of(&[jwk("rsa_other")]), NOW_MS);
        assert_eq!(reason(&answer), "token.signature", "{extra}");
        // The same header over a key the issuer has.
        header["kid"] = "rsa".into();
        assert_eq!(reason(&usual(&rs256_header(&header))), "ok", "{extra}");
    }
}

/// CVE-2026-48523: the key's own `alg`, `use` and `key_ops` bind it.
#[test]
fn sec_jwk_alg() {
    let token = rs256(&claims());
    for (member, value, expected) in [
        ("alg", json!("RS512"), "token.key_unknown"),
        ("alg", json!("PS256"), "token.key_unknown"),
        ("alg", json!("RSA-OAEP"), "token.key_unknown"),
        ("alg", json!(256), "token.key_unknown"),
        ("alg", json!("RS256"), "ok"),
        ("use", json!("enc"), "token.key_unknown"),
        ("use", json!(["sig"]), "token.key_unknown"),
        ("use", json!("sig"), "ok"),
        ("key_ops", json!(["sign"]), "token.key_unknown"),
        ("key_ops", json!("verify"), "token.key_unknown"),
        ("key_ops", json!([]), "token.key_unknown"),
        ("key_ops", json!(["verify"]), "ok"),
        ("key_ops", json!(["sign", "verify"]), "ok"),
    ] {
        let mut key = jwk("rsa");
        key[member] = value.clone();
        let mut policy = key_set_policy();
        policy.algorithms = vec![Algorithm::Rs256, Algorithm::Rs512, Algorithm::Ps256];
        let answer = check(&token, policy, set_of(&[key]), NOW_MS);
        assert_eq!(reason(&answer), expected, "{member} {value}");
    }
}

/// GHSA-qwrj-9hmp-gpxh: tokens that do not expire.
#[test]
fn sec_exp_required() {
    let text = |exp: &str| format!(r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":{exp}}}"#);
    let table = [
        ("\"9999999999\"", "token.claim_invalid"),
        ("null", "token.claim_invalid"),
        ("true", "token.claim_invalid"),
        ("[]", "token.claim_invalid"),
        ("{}", "token.claim_invalid"),
        ("\"\"", "token.claim_invalid"),
        ("0", "token.expired"),
        ("-1", "token.expired"),
        ("-0", "token.expired"),
        ("1699999999.5", "token.expired"),
        ("1700003600.5", "ok"),
        ("1.7000036e9", "ok"),
        // Out of range: milliseconds taken for seconds, the edges of the number types, and beyond.
        ("1700003600000", "token.claim_invalid"),
        ("9223372036854775807", "token.claim_invalid"),
        ("9223372036854775808", "token.claim_invalid"),
        ("-9223372036854775808", "token.claim_invalid"),
        ("18446744073709551615", "token.claim_invalid"),
        ("18446744073709551616", "token.claim_invalid"),
        ("1e300", "token.claim_invalid"),
        ("-1e300", "token.claim_invalid"),
        // Not numbers that JSON or a double can hold.
        ("1e400", "token.malformed"),
        ("NaN", "token.malformed"),
        ("Infinity", "token.malformed"),
        ("01700003600", "token.malformed"),
    ];
    for (exp, expected) in table {
        let token = mint_text(r#"{"alg":"RS256","kid":"rsa"}"#, &text(exp), &rsa_key());
        assert_eq!(reason(&usual(&token)), expected, "{exp}");
    }
    assert_eq!(
        reason(&usual(&rs256(&claims_with(&json!({ "exp": null }))))),
        "token.claim_missing"
    );
    // The one way to go without, for shared secrets only; an `exp` that is there still counts, and counts fully.
    let mut policy = secret_policy();
    policy.expiry = Expiry::DangerOptional;
    for (exp, expected) in [
        ("absent", "ok"),
        ("0", "token.expired"),
        ("null", "token.claim_invalid"),
    ] {
        let claims = text(exp).replace(",\"exp\":absent", "");
        let key = narthex_token::sign::SigningKey::from_secret(Algorithm::Hs256, &secret()).unwrap();
        let token = mint_text(r#"{"alg":"HS256"}"#, &claims, &key);
        assert_eq!(
            reason(&check(&token, policy.clone(), secret_set(), NOW_MS)),
            expected,
            "{exp}"
        );
    }
}

/// CVE-2026-25537: times of the wrong JSON type taken for absent.
#[test]
fn sec_time_types() {
    for claim in ["exp", "nbf", "iat"] {
        for value in [
            json!("9999999999"),
            json!("0"),
            json!([1]),
            json!({}),
            json!(false),
            json!(1e20),
        ] {
            let token = rs256(&claims_with(&json!({ claim: value })));
            assert_eq!(reason(&usual(&token)), "token.claim_invalid", "{claim} {value}");
        }
        let text = claims_with(&json!({ claim: "placeholder" }))
            .to_string()
            .replace("\"placeholder\"", "null");
        let token = mint_text(r#"{"alg":"RS256","kid":"rsa"}"#, &text, &rsa_key());
        assert_eq!(reason(&usual(&token)), "token.claim_invalid", "{claim} null");
    }
}

/// CVE-2024-33664 and others: size, depth, segments, duplicate members.
#[test]
fn sec_size() {
    let padded = |bytes: usize| rs256(&claims_with(&json!({ "pad": "x".repeat(bytes) })));
    assert_eq!(reason(&usual(&padded(11_000))), "ok");
    assert_eq!(reason(&usual(&padded(13_000))), "token.too_large");
    assert_eq!(reason(&usual(&"A".repeat(1_000_000))), "token.too_large");
    let header = |bytes: usize| rs256_header(&json!({ "alg": "RS256", "kid": "rsa", "pad": "x".repeat(bytes) }));
    assert_eq!(reason(&usual(&header(11_000))), "ok");
    assert_eq!(reason(&usual(&header(13_000))), "token.too_large");

    let good = rs256(&claims());
    for (token, expected) in [
        (format!("{good}.AAAA.AAAA"), "encrypted"),
        (format!("{good}.AAAA"), "three parts"),
        (good.split_once('.').unwrap().1.to_owned(), "three parts"),
        ("..".to_owned(), "not JSON"),
        (String::new(), "three parts"),
        (format!("{good}."), "three parts"),
        (format!(".{good}"), "three parts"),
        (format!(" {good}"), "base64url"),
        (format!("{good}\n"), "base64url"),
    ] {
        let error = usual(&token).unwrap_err();
        assert_eq!(error.reason(), "token.malformed", "{token:.20}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// The other half of `sec_size`: what stands inside the segments.
#[test]
fn sec_size_of_json() {
    let nested = |levels: usize| {
        let inner = format!("{}1{}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        let mut text = claims().to_string();
        text.insert_str(1, &format!("\"deep\":{inner},"));
        mint_text(r#"{"alg":"RS256","kid":"rsa"}"#, &text, &rsa_key())
    };
    assert_eq!(reason(&usual(&nested(32))), "ok");
    assert_eq!(reason(&usual(&nested(33))), "token.malformed");
    assert_eq!(reason(&usual(&nested(5_000))), "token.malformed");

    // Two parsers, two readings: the second member is a refusal, wherever it stands and however it is written.
    let twice = [
        (
            r#"{"alg":"RS256","kid":"rsa"}"#,
            format!(r#"{{"sub":"a",{}"#, &claims().to_string()[1..]),
        ),
        (r#"{"alg":"RS256","alg":"none","kid":"rsa"}"#, claims().to_string()),
        (r#"{"alg":"RS256","kid":"rsa","\u006bid":"rsa"}"#, claims().to_string()),
        (
            r#"{"alg":"RS256","kid":"rsa"}"#,
            claims().to_string().replace('{', r#"{"x":[{"y":1,"y":1}],"#),
        ),
    ];
    for (header, payload) in twice {
        assert_eq!(
            reason(&usual(&mint_text(header, &payload, &rsa_key()))),
            "token.malformed",
            "{header} {payload}"
        );
    }
    for (header, payload) in [
        ("[]", "{}"),
        ("{}", "\"text\""),
        ("{\"alg\":\"RS256\"}", "{} {}"),
        ("\u{feff}{}", "{}"),
    ] {
        assert_eq!(
            reason(&usual(&mint_text(header, payload, &rsa_key()))),
            "token.malformed",
            "{header} {payload}"
        );
    }
}

/// CVE-2025-30144, CVE-2024-53861: almost the right issuer.
#[test]
fn sec_iss_exact() {
    let mut policy = key_set_policy();
    policy.aliases = vec!["https://alias.example".to_owned()];
    let answer = |iss: Value| {
        check(
            &rs256(&claims_with(&json!({ "iss": iss }))),
            policy.clone(),
            jwks(),
            NOW_MS,
        )
    };
    assert_eq!(reason(&answer(json!(ISSUER))), "ok");
    assert_eq!(reason(&answer(json!("https://alias.example"))), "ok");
    for iss in [
        format!("{ISSUER}/"),
        format!("{ISSUER}.evil"),
        format!(" {ISSUER}"),
        format!("{ISSUER}\u{0}"),
        ISSUER.to_uppercase(),
        ISSUER[..ISSUER.len() - 1].to_owned(),
        ISSUER[1..].to_owned(),
        String::new(),
        format!("{ISSUER},https://alias.example"),
    ] {
        assert_eq!(reason(&answer(json!(iss))), "token.issuer_unknown", "{iss:?}");
    }
    for iss in [json!([ISSUER]), json!({ "iss": ISSUER }), json!(1), json!(true)] {
        assert_eq!(reason(&answer(iss.clone())), "token.claim_invalid", "{iss}");
    }
    assert_eq!(reason(&answer(Value::Null)), "token.issuer_unknown");
}

/// GO-2020-0017 and others: every shape of `aud` against every number of audiences.
#[test]
fn sec_aud_matrix() {
    let other = "https://other.example";
    let long = format!("{AUDIENCE}/");
    let table = [
        (json!(AUDIENCE), "ok"),
        (json!([AUDIENCE]), "ok"),
        (json!([other, AUDIENCE]), "ok"),
        (json!([AUDIENCE, AUDIENCE]), "ok"),
        (json!(other), "token.audience"),
        (json!([other]), "token.audience"),
        (json!([]), "token.audience"),
        (json!(""), "token.audience"),
        (json!([""]), "token.audience"),
        (json!(long), "token.audience"),
        (json!(&AUDIENCE[..AUDIENCE.len() - 1]), "token.audience"),
        (json!(AUDIENCE.to_uppercase()), "token.audience"),
        (json!(format!("{AUDIENCE} {other}")), "token.audience"),
        (Value::Null, "token.audience"),
        (json!(17), "token.claim_invalid"),
        (json!(true), "token.claim_invalid"),
        (json!({ "aud": AUDIENCE }), "token.claim_invalid"),
        (json!([AUDIENCE, 17]), "token.claim_invalid"),
        (json!([[AUDIENCE]]), "token.claim_invalid"),
    ];
    for (aud, expected) in &table {
        let token = rs256(&claims_with(&json!({ "aud": aud })));
        for audiences in [vec![AUDIENCE], vec!["first", AUDIENCE], vec![AUDIENCE, "last"]] {
            let mut policy = key_set_policy();
            policy.audiences = audiences.into_iter().map(str::to_owned).collect();
            assert_eq!(reason(&check(&token, policy, jwks(), NOW_MS)), *expected, "{aud}");
        }
    }
    // `null` is a value of the wrong type, not an absent one.
    let text = claims_with(&json!({ "aud": "placeholder" }))
        .to_string()
        .replace("\"placeholder\"", "null");
    let token = mint_text(r#"{"alg":"RS256","kid":"rsa"}"#, &text, &rsa_key());
    assert_eq!(reason(&usual(&token)), "token.claim_invalid");
    // Without audiences, which only a shared-secret issuer may have, the type still counts.
    let mut policy = secret_policy();
    policy.audiences.clear();
    for (aud, expected) in [
        (json!(other), "ok"),
        (Value::Null, "ok"),
        (json!(17), "token.claim_invalid"),
    ] {
        let token = hs256(&claims_with(&json!({ "aud": aud })));
        assert_eq!(
            reason(&check(&token, policy.clone(), secret_set(), NOW_MS)),
            expected,
            "{aud}"
        );
    }
}

/// CVE-2026-27840: every prefix of a good token.
#[test]
fn sec_truncated() {
    for token in [
        rs256(&claims()),
        mint(&json!({ "alg": "ES256", "kid": "p256" }), &claims(), &ec_key()),
    ] {
        let mut policy = key_set_policy();
        policy.algorithms.push(Algorithm::Es256);
        assert_eq!(reason(&check(&token, policy.clone(), jwks(), NOW_MS)), "ok");
        for length in 0..token.len() {
            assert!(
                check(&token[..length], policy.clone(), jwks(), NOW_MS).is_err(),
                "first {length} characters"
            );
        }
    }
    let token = hs256(&claims());
    for length in 0..token.len() {
        assert!(
            check(&token[..length], secret_policy(), secret_set(), NOW_MS).is_err(),
            "first {length} characters"
        );
    }
}

/// `OWASP/CheatSheetSeries` 2242: one token, many spellings. A second signature is something else: what holds of it, the
/// binary shows.
#[test]
fn sec_revoke_malleable() {
    let token = rs256(&claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let respellings = |segment: &str| {
        let last = segment.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let start = &segment[..segment.len() - 1];
        let mut spellings: Vec<String> = alphabet
            .chars()
            .filter(|c| *c != last)
            .map(|c| format!("{start}{c}"))
            .collect();
        spellings.extend([
            format!("{segment}="),
            format!("{segment}=="),
            format!("{segment}A"),
            format!("{segment}\n"),
        ]);
        spellings.push(segment.replace('-', "+").replace('_', "/"));
        spellings.retain(|spelling| spelling != segment);
        spellings
    };
    for spelling in respellings(signature) {
        assert!(usual(&format!("{message}.{spelling}")).is_err());
    }
    for spelling in respellings(payload) {
        assert!(usual(&format!("{header}.{spelling}.{signature}")).is_err());
    }
    for spelling in respellings(header) {
        assert!(usual(&format!("{spelling}.{payload}.{signature}")).is_err());
    }
    // RSA 2048: 256 bytes, so the last character carries two bits and the other four must be zero.
    let start = &signature[..signature.len() - 1];
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let malformed = alphabet
        .chars()
        .filter(|c| reason(&usual(&format!("{message}.{start}{c}"))) == "token.malformed");
    assert_eq!(malformed.count(), 60, "only four of the 64 are canonical");
}

/// `ALBeast`: the key of one issuer with the name of another; keys shared by strangers.
#[test]
fn sec_issuer_binding() {
    let mut second = key_set_policy();
    second.name = "other".to_owned();
    second.issuer = Some("https://other.example".to_owned());
    let corp = Arc::new(TrustedIssuer::new(key_set_policy()).unwrap());
    let other = Arc::new(TrustedIssuer::new(second).unwrap());
    let issuers = Issuers::new(vec![Arc::clone(&corp), Arc::clone(&other)]).unwrap();
    let token = rs256(&claims_with(&json!({ "iss": "https://other.example" })));

    let parsed = parse(&token, &Limits::default()).unwrap();
    assert_eq!(issuers.select(&parsed).unwrap().name(), "other");
    // Signed by a key of `corp`, which `other` does not have.
    let answer = check_among(&token, &issuers, &Arc::new(set_of(&[jwk("rsa_other")])), NOW_MS);
    assert_eq!(reason(&answer), "token.key_unknown");
    // Even a caller who takes the wrong issuer, and finds the key there, is refused.
    let answer = parsed.verify(&corp, &jwks(), NOW_MS);
    assert_eq!(reason(&answer), "token.issuer_unknown");

    // Keys shared by all customers of a cloud: the `signer` in the header tells them apart.
    let mut policy = key_set_policy();
    policy.required_claims = vec![RequiredClaim {
        claim: "signer".to_owned(),
        one_of: vec![json!("arn:ours")],
    }];
    for (signer, expected) in [
        (json!("arn:ours"), "ok"),
        (json!("arn:theirs"), "token.claim_invalid"),
        (json!(["arn:ours"]), "token.claim_invalid"),
        (Value::Null, "token.claim_missing"),
    ] {
        let mut header = json!({ "alg": "RS256", "kid": "rsa" });
        if !signer.is_null() {
            header["signer"] = signer.clone();
        }
        assert_eq!(
            reason(&check(&rs256_header(&header), policy.clone(), jwks(), NOW_MS)),
            expected,
            "{signer}"
        );
    }
}

/// A load balancer of a stranger signs its own name into the header, and ours into the claims if the stranger's server
/// says so.
#[test]
fn sec_a_claim_that_the_header_repeats_is_right_in_both() {
    let mut policy = key_set_policy();
    policy.required_claims = vec![RequiredClaim {
        claim: "signer".to_owned(),
        one_of: vec![json!("arn:ours")],
    }];
    for (in_claims, in_header, expected) in [
        ("arn:ours", "arn:ours", "ok"),
        ("arn:ours", "arn:theirs", "token.claim_invalid"),
        ("arn:theirs", "arn:ours", "token.claim_invalid"),
    ] {
        let header = json!({ "alg": "RS256", "kid": "rsa", "signer": in_header });
        let token = rs256_with(&header, &claims_with(&json!({ "signer": in_claims })));
        let found = check(&token, policy.clone(), jwks(), NOW_MS);
        assert_eq!(reason(&found), expected, "{in_claims} {in_header}");
    }
    // A parameter of JOSE is no claim: Keycloak's tokens have a `typ` of their own in the claims.
    policy.required_claims = vec![RequiredClaim {
        claim: "typ".to_owned(),
        one_of: vec![json!("Bearer")],
    }];
    let header = json!({ "alg": "RS256", "kid": "rsa", "typ": "JWT" });
    for (typ, expected) in [("Bearer", "ok"), ("ID", "token.claim_invalid")] {
        let token = rs256_with(&header, &claims_with(&json!({ "typ": typ })));
        assert_eq!(
            reason(&check(&token, policy.clone(), jwks(), NOW_MS)),
            expected,
            "{typ}"
        );
    }
}

/// CVE-2026-102274: one malformed key made the whole set unusable.
#[test]
fn sec_jwks_partial() {
    let mut private = jwk("p256");
    private["d"] = "AAAA".into();
    let set = set_of(&[
        json!(null),
        json!("text"),
        json!([]),
        json!({}),
        json!({ "kty": 17 }),
        json!({ "kty": "RSA", "kid": "no numbers" }),
        json!({ "kty": "RSA", "kid": "bad numbers", "n": "!!!", "e": "AQAB" }),
        json!({ "kty": "EC", "kid": "k1", "crv": "secp256k1", "x": "AA", "y": "AA" }),
        json!({ "kty": "OKP", "kid": "x", "crv": "X25519", "x": "AA" }),
        json!({ "kty": "OKP", "kid": "x", "crv": "Ed25519", "x": "AA" }),
        json!({ "kty": "AKP", "kid": "post\nquantum", "alg": "ML-DSA-44", "pub": "AA" }),
        json!({ "kty": "RSA", "kid": ["list"], "n": "AA", "e": "AQAB" }),
        private,
        jwk("rsa_1024"),
        jwk("rsa"),
    ]);
    assert_eq!(set.usable_count(), 1);
    assert_eq!(set.refused().len(), 14);
    assert!(set.refused().iter().all(|refused| !refused.why.is_empty()));
    assert_eq!(set.refused()[10].kid.as_deref(), Some("post?quantum"));
    assert_eq!(reason(&check(&rs256(&claims()), key_set_policy(), set, NOW_MS)), "ok");
}

/// CVE-2026-39999, CVE-2026-49230: an issuer without `iss` or audience cannot be configured.
#[test]
fn sec_config_required() {
    let mut policy = IssuerPolicy::key_set("corp", ISSUER);
    policy.issuer = None;
    policy.expiry = Expiry::DangerOptional;
    let problems = TrustedIssuer::new(policy).unwrap_err();
    let name = || "corp".to_owned();
    assert_eq!(
        problems,
        [
            PolicyError::IssuerMissing { name: name() },
            PolicyError::AudienceMissing { name: name() },
            PolicyError::ExpiryRequired { name: name() },
        ]
    );
    // The loose kind, for a tool, does not get behind a door.
    let loose = narthex_token::danger::loosely_bound_issuer(IssuerPolicy::key_set("tool", ISSUER)).unwrap();
    assert_eq!(
        Issuers::new(vec![Arc::new(loose)]).unwrap_err(),
        [PolicyError::Unbound {
            name: "tool".to_owned()
        }]
    );
}

/// A set as an issuer publishes it.
fn published(kids: &[&str]) -> FetchOutcome {
    FetchOutcome::Keys {
        keys: set_of(&kids.iter().map(|kid| jwk(kid)).collect::<Vec<_>>()),
        cache_control: None,
        age: None,
    }
}

/// Ten thousand random `kid`s in ten seconds: at most one forced fetch per cooldown, whatever the issuer answers. While it
/// has never given a key, the pauses are shorter.
#[test]
fn sec_jwks_flood() {
    type Reply = fn() -> Option<FetchOutcome>;
    let replies: [(&str, Reply); 4] = [
        ("a good set", || Some(published(&["rsa"]))),
        ("an empty set", || Some(published(&[]))),
        ("status 500", || {
            Some(FetchOutcome::Failed(KeysFault {
                told: "its key server answers with an error",
                why: "status 500".into(),
            }))
        }),
        ("no answer", || None),
    ];
    for (what, reply) in replies {
        for first_fetch_works in [true, false] {
            let mut cache = KeyCache::new(CacheSettings::default());
            if first_fetch_works {
                let id = cache.tick(0).fetch.unwrap();
                cache.fetched(id, published(&["rsa"]), 0);
            }
            let mut forced = 0;
            for i in 0..10_000_i64 {
                let now_ms = 1000 + i;
                let error = VerifyError::KeyUnknown {
                    hint: KeyHint::Kid(format!("random {i}")),
                    usable: 0,
                    why_not: None,
                };
                let snapshot = cache.snapshot();
                if let Answer::Fetch(id) = cache.missed(&error, &snapshot, now_ms) {
                    forced += 1;
                    if let Some(outcome) = reply() {
                        cache.fetched(id, outcome, now_ms);
                    }
                }
                // Known keys never notice.
                if first_fetch_works {
                    let keys = Arc::clone(cache.snapshot().keys(now_ms).unwrap());
                    if i % 1000 == 0 {
                        let issuers =
                            Issuers::new(vec![Arc::new(TrustedIssuer::new(key_set_policy()).unwrap())]).unwrap();
                        assert_eq!(reason(&check_among(&rs256(&claims()), &issuers, &keys, NOW_MS)), "ok");
                    }
                }
            }
            // Without a key, after 1, 2 and 4 s more: the issuer may be back.
            let failing = matches!(what, "an empty set" | "status 500");
            let most = if failing && !first_fetch_works { 4 } else { 1 };
            assert_eq!(forced, most, "{what}, first fetch works: {first_fetch_works}");
        }
    }
}

/// Leeway and the exact moments, shared by every other test's "now".
#[test]
fn the_moment_of_expiry_is_already_too_late() {
    let token = rs256(&claims_with(&json!({ "nbf": ISSUED_AT })));
    for (leeway_seconds, now_ms, expected) in [
        (60, (EXPIRES_AT + 60) * 1000 - 1, "ok"),
        (60, (EXPIRES_AT + 60) * 1000, "token.expired"),
        (0, EXPIRES_AT * 1000 - 1, "ok"),
        (0, EXPIRES_AT * 1000, "token.expired"),
        (60, (ISSUED_AT - 60) * 1000, "ok"),
        (60, (ISSUED_AT - 60) * 1000 - 1, "token.not_yet_valid"),
        (0, ISSUED_AT * 1000, "ok"),
        (0, ISSUED_AT * 1000 - 1, "token.not_yet_valid"),
        (60, i64::MAX, "token.expired"),
        (60, i64::MIN, "token.not_yet_valid"),
    ] {
        let mut policy = key_set_policy();
        policy.leeway_seconds = leeway_seconds;
        assert_eq!(
            reason(&check(&token, policy, jwks(), now_ms)),
            expected,
            "{leeway_seconds} {now_ms}"
        );
    }
}

/// The reference to a certificate is only a name: a SHA-1 collision would still need the key.
#[test]
fn a_thumbprint_is_only_a_name() {
    let der = STANDARD.decode(jwk("rsa")["x5c"][0].as_str().unwrap()).unwrap();
    let x5t = b64(digest(&SHA1_FOR_LEGACY_USE_ONLY, &der).as_ref());
    let token = rs256_header(&json!({ "alg": "RS256", "x5t": x5t }));
    assert_eq!(reason(&usual(&token)), "ok");
    let mut impostor = jwk("rsa_other");
    impostor["x5t"] = x5t.clone().into();
    assert_eq!(
        reason(&check(&token, key_set_policy(), set_of(&[impostor]), NOW_MS)),
        "token.signature"
    );
    // With a `kid`, only the `kid` decides.
    let both = rs256_header(&json!({ "alg": "RS256", "kid": "nobody", "x5t": x5t }));
    assert_eq!(reason(&usual(&both)), "token.key_unknown");
    for (member, value) in [
        ("kid", json!(1)),
        ("kid", json!(null)),
        ("x5t", json!([x5t])),
        ("x5t#S256", json!({})),
    ] {
        let token = rs256_header(&json!({ "alg": "RS256", member: value }));
        assert_eq!(reason(&usual(&token)), "token.header", "{member} {value}");
    }
}

/// A token that is bound to a key of its sender is no bearer token: nothing here checks the proof of that key.
#[test]
fn sec_bound_token() {
    for cnf in [
        json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }),
        json!({ "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" }),
        json!({}),
        json!(null),
        json!("text"),
    ] {
        let mut bound = claims();
        bound["cnf"] = cnf.clone();
        let token = rs256(&bound);
        assert_eq!(reason(&usual(&token)), "token.bound", "{cnf}");
        let mut policy = key_set_policy();
        policy.bound_tokens = BoundTokens::DangerAsBearer;
        assert_eq!(reason(&check(&token, policy, jwks(), NOW_MS)), "ok", "{cnf}");
    }
}

/// A logout token is signed, has `sub` and `aud`, and is sent to whoever the provider thinks should hear of it. It is no
/// token of a caller, whatever its `typ`.
#[test]
fn sec_logout_token() {
    let event = "http://schemas.openid.net/event/backchannel-logout";
    for (events, expected) in [
        (json!({ event: {} }), "token.claim_invalid"),
        (json!({ "other": {}, event: null }), "token.claim_invalid"),
        (
            json!({ "https://schemas.openid.net/secevent/risc/event-type/other": {} }),
            "ok",
        ),
        (json!([event]), "ok"),
    ] {
        for typ in ["logout+jwt", "JWT", "at+jwt", "acme+jwt"] {
            let mut policy = key_set_policy();
            policy.token_types = vec!["acme+jwt".to_owned()];
            let header = json!({ "alg": "RS256", "kid": "rsa", "typ": typ });
            let token = mint(&header, &claims_with(&json!({ "events": events })), &rsa_key());
            let expected = if typ == "logout+jwt" { "token.header" } else { expected };
            assert_eq!(
                reason(&check(&token, policy, jwks(), NOW_MS)),
                expected,
                "{events} {typ}"
            );
        }
    }
    // Nor can its type be allowed.
    for typ in ["logout+jwt", "Application/Logout+JWT"] {
        let mut policy = key_set_policy();
        policy.token_types = vec![typ.to_owned()];
        let name = policy.name.clone();
        assert_eq!(
            TrustedIssuer::new(policy).unwrap_err(),
            [PolicyError::LogoutType { name }]
        );
    }
}

/// What identifies a user or a token is text. A number that one program reads as text and the next rounds is refused.
#[test]
fn sec_subject_types() {
    for claim in ["sub", "jti"] {
        for value in [
            json!(7),
            json!(1e300),
            json!(null),
            json!(["ada"]),
            json!({}),
            json!(true),
        ] {
            let mut odd = claims();
            odd[claim] = value.clone();
            let token = rs256(&odd);
            let error = usual(&token).unwrap_err();
            assert_eq!(
                (error.reason(), error.to_string().as_str()),
                ("token.claim_invalid", format!("claim `{claim}` must be text").as_str()),
                "{value}"
            );
        }
        for value in [json!("ada"), json!("")] {
            let token = rs256(&claims_with(&json!({ claim: value })));
            assert_eq!(reason(&usual(&token)), "ok");
        }
    }
    let mut without = claims();
    without.as_object_mut().unwrap().shift_remove("sub");
    assert_eq!(reason(&usual(&rs256(&without))), "ok");
}

/// Entra signs its tokens for Microsoft Graph over a header whose `nonce` is hashed: a new token is no better.
#[test]
fn a_token_for_microsoft_graph_is_told_apart() {
    let signed = mint(
        &json!({ "alg": "RS256", "kid": "rsa", "nonce": "hashed" }),
        &claims(),
        &rsa_key(),
    );
    let (_, rest) = signed.split_once('.').unwrap();
    let presented = b64(json!({ "alg": "RS256", "kid": "rsa", "nonce": "as it came" })
        .to_string()
        .as_bytes());
    let error = usual(&format!("{presented}.{rest}")).unwrap_err();
    assert_eq!(error.reason(), "token.signature");
    assert!(error.to_string().contains("tokens for Microsoft Graph"), "{error}");
    // A nonce by itself is nothing to complain about.
    assert_eq!(reason(&usual(&signed)), "ok");
    let forged = mint(&json!({ "alg": "RS256", "kid": "rsa_other" }), &claims(), &rsa_key());
    assert!(!usual(&forged).unwrap_err().to_string().contains("Graph"));
}

/// RFC 9864 gives `EdDSA` on Ed25519 a name of its own. Listing either allows both, in tokens and in keys.
#[test]
fn ed25519_has_two_names() {
    let mut policy = key_set_policy();
    policy.algorithms = vec!["Ed25519".parse::<Algorithm>().unwrap()];
    assert_eq!(policy.algorithms, ["EdDSA".parse::<Algorithm>().unwrap()]);
    for alg in ["EdDSA", "Ed25519", "ed25519", "Ed448"] {
        let token = TestEd25519::sign(alg, &claims());
        for own in ["EdDSA", "Ed25519"] {
            let mut key = TestEd25519::jwk();
            key["alg"] = own.into();
            let expected = match alg {
                "EdDSA" | "Ed25519" => "ok",
                _ => "token.algorithm",
            };
            assert_eq!(
                reason(&check(&token, policy.clone(), set_of(&[key]), NOW_MS)),
                expected,
                "{alg} {own}"
            );
        }
    }
}

/// A key pair that the crate itself cannot sign with.
struct TestEd25519;

impl TestEd25519 {
    fn pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn jwk() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(Self::pair().public_key().as_ref()) })
    }

    fn sign(alg: &str, claims: &Value) -> String {
        let header = b64(json!({ "alg": alg, "kid": "ed" }).to_string().as_bytes());
        let input = format!("{header}.{}", b64(claims.to_string().as_bytes()));
        let signature = Self::pair().sign(input.as_bytes());
        format!("{input}.{}", b64(signature.as_ref()))
    }
}

/// No claim value, token or secret in any message.
#[test]
fn no_message_repeats_what_a_token_claims() {
    let needle = "n33dle";
    let url = format!("https://{needle}");
    let mut policy = key_set_policy();
    policy.required_claims = vec![RequiredClaim {
        claim: "hd".to_owned(),
        one_of: vec![json!("ours")],
    }];
    let tokens = [
        rs256(&claims_with(&json!({ "iss": url }))),
        rs256(&claims_with(&json!({ "iss": [needle] }))),
        rs256(&claims_with(&json!({ "aud": url }))),
        rs256(&claims_with(&json!({ "aud": { needle: needle } }))),
        rs256(&claims_with(&json!({ "exp": needle }))),
        rs256(&claims_with(&json!({ "nbf": needle }))),
        rs256(&claims_with(&json!({ "hd": needle }))),
        rs256(&claims_with(&json!({ "sub": needle, "hd": null }))),
        format!("{}.{}", rs256(&claims()), needle),
    ];
    for token in tokens {
        let error = check(&token, policy.clone(), jwks(), NOW_MS).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(needle), "{error:?}");
    }
}
