//! Key sets: documents, limits, odd but sound keys, secrets.

use narthex_token::{Algorithm, KeyKind, KeySet, KeySetError, KeySetLimits, SecretLength};
use serde_json::{Value, json};

use crate::support::{
    CERTIFICATE, NOW_MS, b64, check, claims, jwk, jwks, key_set_policy, reason, rs256, set_of, stored,
};

#[test]
fn a_document_that_is_no_key_set_is_refused_whole() {
    for (document, expected) in [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "array `keys`"),
        ("{}", "array `keys`"),
        (r#"{"keys":{}}"#, "not an array"),
        (r#"{"keys":null}"#, "not an array"),
        ("<html>Not Found</html>", "not JSON"),
    ] {
        let error = KeySet::from_jwks(document.as_bytes(), &KeySetLimits::default()).unwrap_err();
        assert!(error.to_string().contains(expected), "{document}: {error}");
    }
    assert!(KeySet::from_jwks(b"\xff", &KeySetLimits::default()).is_err());
    // Nesting beyond any stack.
    let deep = format!(r#"{{"keys":{}"#, "[".repeat(100_000));
    assert!(KeySet::from_jwks(deep.as_bytes(), &KeySetLimits::default()).is_err());
    // An empty set is a set: the issuer withdrew every key.
    assert_eq!(set_of(&[]).usable_count(), 0);
}

#[test]
fn sets_are_bounded() {
    let limits = KeySetLimits::default();
    let hundred = json!({ "keys": vec![jwk("p256"); 100] }).to_string();
    assert_eq!(
        KeySet::from_jwks(hundred.as_bytes(), &limits).unwrap().usable_count(),
        100
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
    use base64::Engine as _;
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
