//! Tokens made by `PyJWT`, `jose` and `jsonwebtoken` verify, whatever way they name their key.

use narthex_token::{Algorithm, Family, KeySet, VerifiedClaims, VerifyError};
use serde_json::Value;

use crate::support::{
    CERTIFICATE, NOW_MS, RSA_PKCS1, RSA_SPKI, check, jwk, jwks, key_set_policy, secret_policy, secret_set, set_of,
};

struct Vector {
    case: String,
    algorithm: Algorithm,
    key: String,
    token: String,
}

fn vectors() -> (Value, Vec<Vector>) {
    let mut all = Vec::new();
    let mut claims = Value::Null;
    for text in [
        include_str!("../vectors/pyjwt.json"),
        include_str!("../vectors/node.json"),
    ] {
        let file: Value = serde_json::from_str(text).unwrap();
        claims = file["claims"].clone();
        for vector in file["vectors"].as_array().unwrap() {
            let text = |member: &str| vector[member].as_str().unwrap().to_owned();
            all.push(Vector {
                case: format!("{} {} {}", file["generator"], text("case"), text("algorithm")),
                algorithm: text("algorithm").parse().unwrap(),
                key: text("key"),
                token: text("token"),
            });
        }
    }
    (claims, all)
}

fn verify(vector: &Vector, keys: KeySet) -> Result<VerifiedClaims, VerifyError> {
    let mut policy = if vector.key == "secret" {
        secret_policy()
    } else {
        key_set_policy()
    };
    policy.algorithms = vec![vector.algorithm];
    check(&vector.token, policy, keys, NOW_MS)
}

/// The whole set where the token names its key, else a set of that one key.
fn keys_for(vector: &Vector) -> KeySet {
    match vector.key.as_str() {
        "secret" => secret_set(),
        key if vector.case.contains("no_kid") => set_of(&[jwk(key)]),
        _ => jwks(),
    }
}

#[test]
fn every_foreign_token_verifies() {
    let (claims, vectors) = vectors();
    for vector in &vectors {
        let verified = verify(vector, keys_for(vector)).unwrap_or_else(|error| panic!("{}: {error}", vector.case));
        assert_eq!(Value::Object(verified.claims().clone()), claims, "{}", vector.case);
        let expected = match () {
            () if vector.key == "secret" => "secret",
            () if vector.case.contains("x5t#S256") || vector.case.contains("both thumbprints") => "x5t#S256",
            () if vector.case.contains("x5t") => "x5t",
            () if vector.case.contains("no_kid") => "only_key",
            () => "kid",
        };
        assert_eq!(verified.key().matched_by().name(), expected, "{}", vector.case);
    }
    // The vectors of ML-DSA have a file of their own: neither library has it.
    for algorithm in Algorithm::ALL
        .into_iter()
        .filter(|algorithm| algorithm.family() != Family::MlDsa)
    {
        let count = vectors.iter().filter(|vector| vector.algorithm == algorithm).count();
        assert!(count >= 5, "{algorithm} has {count} vectors");
    }
}

#[test]
fn no_foreign_token_verifies_with_another_key() {
    let (_, vectors) = vectors();
    for vector in vectors.iter().filter(|vector| vector.key == "rsa") {
        let mut other = jwk("rsa_other");
        other["kid"] = "rsa".into();
        other["x5c"] = jwk("rsa")["x5c"].clone();
        let error = verify(vector, set_of(&[other])).unwrap_err();
        assert_eq!(error.reason(), "token.signature", "{}", vector.case);
    }
}

#[test]
fn a_single_public_key_verifies_in_every_wrapping() {
    let (_, vectors) = vectors();
    for vector in vectors
        .iter()
        .filter(|vector| vector.key == "rsa" && vector.case.contains("no_kid"))
    {
        for text in [RSA_SPKI, RSA_PKCS1, CERTIFICATE] {
            let verified = verify(vector, KeySet::from_public_key_pem(text).unwrap()).unwrap();
            assert_eq!(verified.key().matched_by().name(), "only_key");
        }
    }
    let by_thumbprint: Vec<&Vector> = vectors.iter().filter(|vector| vector.case.contains("x5t")).collect();
    assert!(by_thumbprint.len() >= 12);
    for vector in by_thumbprint {
        assert!(
            verify(vector, KeySet::from_public_key_pem(CERTIFICATE).unwrap()).is_ok(),
            "{}",
            vector.case
        );
    }
}

#[test]
fn thumbprints_match_the_keys_own_member_in_any_spelling() {
    let (_, vectors) = vectors();
    let headers: Vec<(&Vector, Value)> = vectors
        .iter()
        .filter(|vector| vector.case.contains(" x5t") && vector.case.contains("PyJWT"))
        .map(|vector| (vector, header_of(&vector.token)))
        .collect();
    for member in ["x5t", "x5t#S256"] {
        let spellings: Vec<&(&Vector, Value)> = headers
            .iter()
            .filter(|(_, header)| header.get(member).is_some())
            .collect();
        assert_eq!(spellings.len(), 5);
        // Every spelling in the key against every spelling in the token.
        for (_, own) in &spellings {
            let mut key = jwk("rsa");
            key.as_object_mut().unwrap().shift_remove("x5c");
            key[member] = own[member].clone();
            for (vector, _) in &spellings {
                let verified = verify(vector, set_of(&[jwk("rsa_other"), key.clone()])).unwrap();
                assert_eq!(verified.key().matched_by().name(), member, "{}", vector.case);
            }
        }
    }
}

fn header_of(token: &str) -> Value {
    use base64::Engine as _;
    let segment = token.split('.').next().unwrap();
    serde_json::from_slice(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(segment)
            .unwrap(),
    )
    .unwrap()
}
