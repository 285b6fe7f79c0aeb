//! Key sets: documents, limits, odd but sound keys, secrets.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use narthex_token::{Algorithm, KeyKind, KeySet, KeySetError, KeySetLimits, SecretLength};
use serde_json::{Value, json};

use crate::support::{
    CERTIFICATE, NOW_MS, RSA_PKCS1, RSA_SPKI, b64, check, claims, jwk, jwks, key_set_policy, reason, rs256,
    rs256_header, set_of, stored,
};

#[test]
fn a_document_that_is_no_key_set_is_refused_whole() {
    for (document, expected) in [
        ("", "it is empty, not JSON"),
        ("{", "it is not JSON in UTF-8"),
        ("[]", "it is not an object with an array `keys`"),
        ("17", "it is not an object with an array `keys`"),
        ("{}", "it is not an object with an array `keys`"),
        (r#"{"keys":{}}"#, "`keys` is not an array"),
        (r#"{"keys":null}"#, "`keys` is not an array"),
        ("\n <html>Not Found</html>", "it is HTML or XML, not JSON"),
        ("-----BEGIN PUBLIC KEY-----\n", "it is a key or certificate in PEM"),
        ("\u{1f}\u{8b}", "it is not JSON in UTF-8"),
        (
            r#"{"issuer":"https://a","jwks_uri":"https://a/keys"}"#,
            "set `discovery = true`",
        ),
        (r#"{"kty":"RSA","n":"AA","e":"AQAB"}"#, "it is a single key"),
        (r#"[{"kty":"RSA"},{"kty":"EC"}]"#, "it is an array of keys"),
        (
            r#"{"k1":"-----BEGIN CERTIFICATE-----\nMIIC\n","k2":"-----BEGIN CERTIFICATE-----\n"}"#,
            "certificates or PEM keys by their ids",
        ),
    ] {
        let error = KeySet::from_jwks(document.as_bytes(), &KeySetLimits::default()).unwrap_err();
        assert!(error.to_string().contains(expected), "{document}: {error}");
    }
    assert!(KeySet::from_jwks(b"\xff", &KeySetLimits::default()).is_err());
    let gzip = KeySet::from_jwks(b"\x1f\x8b\x08", &KeySetLimits::default()).unwrap_err();
    assert!(gzip.to_string().contains("gzip"), "{gzip}");
    // Nesting beyond any stack.
    let deep = format!(r#"{{"keys":{}"#, "[".repeat(100_000));
    assert!(KeySet::from_jwks(deep.as_bytes(), &KeySetLimits::default()).is_err());
    // An empty set can be read. The key cache takes it for a failure.
    assert_eq!(set_of(&[]).usable_count(), 0);
}

/// RFC 8259 8.1 lets a byte order mark be skipped, and some servers write one.
#[test]
fn a_byte_order_mark_is_skipped() {
    let document = format!("\u{feff}{}", json!({ "keys": [jwk("rsa")] }));
    let set = KeySet::from_jwks(document.as_bytes(), &KeySetLimits::default()).unwrap();
    assert_eq!(set.usable_count(), 1);
    let twice = format!("\u{feff}{document}");
    assert!(KeySet::from_jwks(twice.as_bytes(), &KeySetLimits::default()).is_err());
    let pem = KeySet::from_public_key_pem(&format!("\u{feff}{CERTIFICATE}")).unwrap();
    assert_eq!(pem.usable_count(), 1);
}

/// The answer for a token with this header, and the rule that found the key.
fn found(header: &Value, keys: &[Value]) -> Result<&'static str, &'static str> {
    let answer = check(&rs256_header(header), key_set_policy(), set_of(keys), NOW_MS);
    answer
        .map(|claims| claims.key().matched_by().name())
        .map_err(|error| error.reason())
}

fn with(key: &str, changes: &Value) -> Value {
    let mut key = jwk(key);
    for (member, value) in changes.as_object().unwrap() {
        if value.is_null() {
            key.as_object_mut().unwrap().shift_remove(member);
        } else {
            key[member] = value.clone();
        }
    }
    key
}

/// RFC 7638: the numbers make a key. An entry that says them again makes no second one.
#[test]
fn one_key_listed_twice_is_one_key() {
    let twice = [with("rsa", &json!({ "kid": "" })), jwk("rsa")];
    let no_kid = json!({ "alg": "RS256" });
    assert_eq!(set_of(&twice).usable_count(), 1);
    assert_eq!(found(&no_kid, &twice), Ok("only_key"));
    for kid in ["", "rsa"] {
        assert_eq!(
            found(&json!({ "alg": "RS256", "kid": kid }), &twice),
            Ok("kid"),
            "{kid:?}"
        );
    }
    // The same name twice, with and without a thumbprint: either name finds it.
    let again = [
        with("rsa", &json!({ "x5c": null })),
        with("rsa", &json!({ "x5c": null, "x5t": "AAECAwQFBgcICQoLDA0ODxAREhM" })),
    ];
    assert_eq!(set_of(&again).keys().count(), 1);
    let by_x5t = json!({ "alg": "RS256", "x5t": "AAECAwQFBgcICQoLDA0ODxAREhM" });
    assert_eq!(found(&by_x5t, &again), Ok("x5t"));
    // Two keys are two.
    let two = [jwk("rsa"), jwk("rsa_other")];
    assert_eq!(set_of(&two).usable_count(), 2);
    assert_eq!(found(&no_kid, &two), Err("token.key_unknown"));
    // A key that the token's algorithm rules out does not count.
    assert_eq!(found(&no_kid, &[jwk("p256"), jwk("rsa")]), Ok("only_key"));
}

/// Of several keys of one name, the one that may verify is used.
#[test]
fn one_name_for_several_keys_means_the_eligible_one() {
    let by_kid = json!({ "alg": "RS256", "kid": "shared" });
    let named = |key: &str, changes: Value| {
        let mut key = with(key, &changes);
        key["kid"] = "shared".into();
        key
    };
    for others in [
        vec![named("p256", json!({}))],
        vec![named("rsa_other", json!({ "use": "enc" }))],
        vec![named("rsa_other", json!({ "alg": "PS256" }))],
        vec![named("rsa_other", json!({ "key_ops": ["encrypt"] }))],
        // Even one that fits as well.
        vec![named("rsa_other", json!({}))],
    ] {
        for first in [true, false] {
            let mut keys = others.clone();
            keys.insert(if first { 0 } else { others.len() }, named("rsa", json!({})));
            assert_eq!(found(&by_kid, &keys), Ok("kid"), "{keys:?}");
        }
    }
}

/// A single key without a name has nothing that the token's name could be compared with.
#[test]
fn the_only_key_needs_no_name() {
    let nameless = with("rsa", &json!({ "kid": null }));
    let by_kid = json!({ "alg": "RS256", "kid": "2026-11", "x5t": "AAECAwQFBgcICQoLDA0ODxAREhM" });
    assert_eq!(found(&by_kid, std::slice::from_ref(&nameless)), Ok("only_key"));
    assert_eq!(found(&by_kid, &[nameless.clone(), nameless.clone()]), Ok("only_key"));
    for pem in [CERTIFICATE, RSA_SPKI, RSA_PKCS1] {
        let set = KeySet::from_public_key_pem(pem).unwrap();
        let verified = check(&rs256_header(&by_kid), key_set_policy(), set, NOW_MS).unwrap();
        assert_eq!(verified.key().matched_by().name(), "only_key");
    }
    // A name that could be compared is.
    assert_eq!(found(&by_kid, &[jwk("rsa")]), Err("token.key_unknown"));
    // With two keys the name is needed; and a key of that name that is not used is the one that is meant.
    let other = with("rsa_other", &json!({ "kid": null }));
    assert_eq!(found(&by_kid, &[nameless.clone(), other]), Err("token.key_unknown"));
    let meant = with("rsa_other", &json!({ "kid": "2026-11", "use": "enc" }));
    assert_eq!(found(&by_kid, &[nameless, meant]), Err("token.key_unknown"));
    // It has to be the right one all the same.
    let wrong = with("rsa_other", &json!({ "kid": null }));
    assert_eq!(found(&by_kid, &[wrong]), Err("token.signature"));
}

/// ADFS names a key by `x5t` in its tokens and by `kid`, which is that thumbprint, in its key set.
#[test]
fn a_kid_may_be_the_thumbprint_that_the_token_has() {
    let der = STANDARD.decode(jwk("rsa")["x5c"][0].as_str().unwrap()).unwrap();
    let digit = |digit: u8| char::from_digit(digit.into(), 16).unwrap().to_ascii_uppercase();
    let hex = |bytes: &[u8]| -> String {
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.map(digit).collect()
    };
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, &der);
    let sha256 = digest(&SHA256, &der);
    for (member, hash) in [("x5t", sha1.as_ref()), ("x5t#S256", sha256.as_ref())] {
        let spellings = [
            b64(hash),
            hex(hash),
            hex(hash).to_lowercase(),
            b64(hex(hash).as_bytes()),
        ];
        for in_token in &spellings {
            for kid in &spellings {
                let header = json!({ "alg": "RS256", member: in_token });
                let keys = [jwk("rsa_other"), with("rsa", &json!({ "x5c": null, "kid": kid }))];
                assert_eq!(found(&header, &keys), Ok(member), "{in_token} {kid}");
            }
            // By the certificate, too.
            let header = json!({ "alg": "RS256", member: in_token });
            assert_eq!(
                found(&header, &[jwk("rsa_other"), jwk("rsa")]),
                Ok(member),
                "{in_token}"
            );
        }
    }
    // The first name decides: one that leads nowhere is not made good by the next.
    let both = json!({ "alg": "RS256", "x5t#S256": b64(&[7; 32]), "x5t": b64(sha1.as_ref()) });
    assert_eq!(found(&both, &[jwk("rsa"), jwk("rsa_other")]), Err("token.key_unknown"));
    let keys = [
        with("rsa_other", &json!({ "x5t": b64(sha1.as_ref()), "x5c": null })),
        jwk("rsa"),
    ];
    let both = json!({ "alg": "RS256", "x5t#S256": b64(sha256.as_ref()), "x5t": b64(sha1.as_ref()) });
    assert_eq!(found(&both, &keys), Ok("x5t#S256"));
}

/// The report names the key, whatever is wrong with it, and tells of the private part before anything else.
#[test]
fn sec_a_published_private_key_is_reported_by_name() {
    for (changes, kid, why) in [
        (
            json!({ "d": "AAAA", "use": "enc" }),
            "rsa",
            "it carries its private part (`d`)",
        ),
        (
            json!({ "dp": "AAAA", "kid": 17 }),
            "17",
            "it carries its private part (`dp`)",
        ),
        (
            json!({ "oth": [], "alg": "none" }),
            "rsa",
            "it carries its private part (`oth`)",
        ),
        (json!({ "kid": ["a", "b"] }), "[\"a\",\"b\"]", "its `kid` is not text"),
        (json!({ "use": 7 }), "rsa", "its `use` is not text"),
        (json!({ "key_ops": "verify" }), "rsa", "its `key_ops` is not an array"),
        (json!({ "alg": "RSA-OAEP" }), "rsa", "its `alg` is `RSA-OAEP`"),
    ] {
        let set = set_of(&[with("rsa", &changes)]);
        let refused = &set.refused()[0];
        assert_eq!(refused.kid.as_deref(), Some(kid), "{changes}");
        assert!(refused.why.starts_with(why), "{}", refused.why);
        // A token that means it, by name or for want of one, is told of it.
        for header in [json!({ "alg": "RS256", "kid": kid }), json!({ "alg": "RS256" })] {
            let error = check(
                &rs256_header(&header),
                key_set_policy(),
                set_of(&[with("rsa", &changes)]),
                NOW_MS,
            )
            .unwrap_err();
            assert_eq!(error.reason(), "token.key_unknown");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}

#[test]
fn sets_are_bounded() {
    let limits = KeySetLimits::default();
    let hundred = json!({ "keys": vec![jwk("p256"); 100] }).to_string();
    // They are all the same one.
    assert_eq!(
        KeySet::from_jwks(hundred.as_bytes(), &limits).unwrap().usable_count(),
        1
    );
    let too_many = json!({ "keys": vec![json!({}); 101] }).to_string();
    let error = KeySet::from_jwks(too_many.as_bytes(), &limits).unwrap_err();
    assert_eq!(error, KeySetError::TooManyKeys { count: 101, limit: 100 });
    let padded = |bytes: usize| format!("{{\"keys\":[]}}{}", " ".repeat(bytes - 11));
    assert!(KeySet::from_jwks(padded(512 * 1024).as_bytes(), &limits).is_ok());
    let error = KeySet::from_jwks(padded(512 * 1024 + 1).as_bytes(), &limits).unwrap_err();
    assert_eq!(
        error,
        KeySetError::TooLarge {
            limit_bytes: 512 * 1024
        }
    );
}

#[test]
fn keys_report_what_they_are() {
    let reports: Vec<(Option<String>, KeyKind, usize)> = jwks()
        .keys()
        .map(|key| (key.kid, key.kind, key.algorithms.len()))
        .collect();
    let kid = |kid: &str| Some(kid.to_owned());
    assert_eq!(
        reports,
        [
            (kid("rsa"), KeyKind::Rsa { bits: 2048 }, 6),
            (kid("rsa_other"), KeyKind::Rsa { bits: 3072 }, 6),
            (kid("p256"), KeyKind::P256, 1),
            (kid("p384"), KeyKind::P384, 1),
            (kid("p521"), KeyKind::P521, 1),
            (kid("ed25519"), KeyKind::Ed25519, 1),
        ]
    );
    assert_eq!(
        jwks().refused()[0].why,
        "its modulus has 1024 bits; 2048 to 8192 are accepted"
    );
}

#[test]
fn identity_is_numbers_name_and_use() {
    let identity = |change: &dyn Fn(&mut Value)| {
        let mut key = jwk("rsa");
        change(&mut key);
        set_of(&[key]).keys().next().unwrap().identity
    };
    let plain = identity(&|_| ());
    assert_eq!(plain, identity(&|key| key["use"] = "sig".into()), "says nothing new");
    assert_eq!(
        plain,
        identity(&|key| {
            key.as_object_mut().unwrap().shift_remove("x5c");
        }),
        "only a name"
    );
    for changed in [
        identity(&|key| key["kid"] = "new".into()),
        identity(&|key| key["alg"] = "RS256".into()),
        identity(&|key| key["n"] = jwk("rsa_other")["n"].clone()),
        identity(&|key| key["e"] = "Aw".into()),
    ] {
        assert_ne!(plain, changed);
    }
}

#[test]
fn a_sign_byte_in_the_modulus_does_no_harm() {
    let mut key = jwk("rsa");
    let n = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(key["n"].as_str().unwrap())
        .unwrap();
    key["n"] = b64(&[&[0], n.as_slice()].concat()).into();
    assert_eq!(
        reason(&check(&rs256(&claims()), key_set_policy(), set_of(&[key]), NOW_MS)),
        "ok"
    );
}

#[test]
fn secrets_are_as_long_as_the_hash() {
    let with = |length: usize, algorithms: &[Algorithm], rule| {
        KeySet::from_secrets(&[&vec![b'k'; length]], algorithms, rule).map(|set| set.usable_count())
    };
    for (algorithm, needed_bytes) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
        assert_eq!(with(needed_bytes, &[algorithm], SecretLength::Standard), Ok(1));
        assert_eq!(
            with(needed_bytes - 1, &[algorithm], SecretLength::Standard),
            Err(KeySetError::SecretTooShort {
                position: 1,
                length_bytes: needed_bytes - 1,
                needed_bytes,
                algorithm
            })
        );
        assert_eq!(with(1, &[algorithm], SecretLength::DangerShort), Ok(1));
    }
    // The longest hash of the list counts.
    assert!(with(32, &[Algorithm::Hs256, Algorithm::Hs512], SecretLength::Standard).is_err());
    assert_eq!(
        with(0, &[Algorithm::Hs256], SecretLength::DangerShort),
        Err(KeySetError::SecretEmpty { position: 1 })
    );
    let error = with(64, &[Algorithm::Rs256], SecretLength::Standard).unwrap_err();
    assert_eq!(
        error,
        KeySetError::NotASecretAlgorithm {
            algorithm: Algorithm::Rs256
        }
    );
    let long = [b'k'; 64];
    for secrets in [&[][..], &[&long[..]; 3][..]] {
        let error = KeySet::from_secrets(secrets, &[Algorithm::Hs256], SecretLength::Standard).unwrap_err();
        assert_eq!(error, KeySetError::SecretCount { count: secrets.len() });
    }
}

#[test]
fn a_single_key_says_why_it_cannot_be_used() {
    for (text, expected) in [
        (stored("rsa"), "private key"),
        (stored("rsa_pkcs1"), "private key"),
        ("text".to_owned(), "no PEM block"),
        (
            "-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----".to_owned(),
            "damaged",
        ),
        (
            "-----BEGIN X509 CRL-----\nAQID\n-----END X509 CRL-----".to_owned(),
            "label",
        ),
    ] {
        let error = KeySet::from_public_key_pem(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, not {expected}");
    }
    assert_eq!(KeySet::from_public_key_pem(CERTIFICATE).unwrap().usable_count(), 1);
}

#[test]
fn a_key_set_does_not_print_its_secrets() {
    let secret = b"n33dle n33dle n33dle n33dle n33dle";
    let set = KeySet::from_secrets(&[secret], &[Algorithm::Hs256], SecretLength::Standard).unwrap();
    assert_eq!(format!("{set:?}"), "KeySet { keys: [], secrets: 1, refused: [] }");
}
