//! ML-DSA (RFC 9964): tokens and keys of another implementation verify, and ours verify with its keys.

use narthex_token::sign::{SigningKey, sign_compact};
use narthex_token::{Algorithm, KeyKind, KeySet, MatchedBy, VerifiedClaims, VerifyError};
use serde_json::{Value, json};

use crate::support::{NOW_MS, check, claims, jwk, key_set, key_set_policy, reason, set_of};

struct Vector {
    algorithm: Algorithm,
    jwk: Value,
    token: String,
    private_pem: String,
    public_pem: String,
}

fn vectors() -> (Value, Vec<Vector>) {
    let file: Value = serde_json::from_str(include_str!("../vectors/ml-dsa.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap().iter().map(|vector| {
        let text = |member: &str| vector[member].as_str().unwrap().to_owned();
        Vector {
            algorithm: vector["jwk"]["alg"].as_str().unwrap().parse().unwrap(),
            jwk: vector["jwk"].clone(),
            token: text("token"),
            private_pem: text("private_pem"),
            public_pem: text("public_pem"),
        }
    });
    (file["claims"].clone(), vectors.collect())
}

fn verify(token: &str, algorithms: &[Algorithm], keys: KeySet) -> Result<VerifiedClaims, VerifyError> {
    let mut policy = key_set_policy();
    policy.algorithms = algorithms.to_vec();
    check(token, policy, keys, NOW_MS)
}

#[test]
fn tokens_of_another_implementation_verify_with_its_key_set_and_its_pem() {
    let (claims, vectors) = vectors();
    assert_eq!(vectors.len(), 3);
    let all: Vec<Value> = vectors.iter().map(|vector| vector.jwk.clone()).collect();
    for vector in &vectors {
        let verified = verify(&vector.token, &[vector.algorithm], set_of(&all)).unwrap();
        assert_eq!(Value::Object(verified.claims().clone()), claims);
        assert_eq!(verified.key().matched_by(), MatchedBy::Kid);
        let keys = KeySet::from_public_key_pem(&vector.public_pem).unwrap();
        let verified = verify(&vector.token, &[vector.algorithm], keys).unwrap();
        assert_eq!(verified.key().matched_by(), MatchedBy::OnlyKey);
    }
}

#[test]
fn signed_tokens_verify_with_the_published_half_and_its_thumbprint() {
    for vector in vectors().1 {
        let key = SigningKey::from_pem(vector.algorithm, &vector.private_pem).unwrap();
        let published = key.public_jwk().unwrap();
        for member in ["kty", "alg", "pub"] {
            assert_eq!(published[member], vector.jwk[member], "{member}");
        }
        let thumbprint = key.thumbprint().unwrap();
        assert_eq!(vector.jwk["kid"], thumbprint.as_str());
        let header = json!({ "alg": vector.algorithm.name(), "kid": thumbprint }).to_string();
        let token = sign_compact(header.as_bytes(), claims().to_string().as_bytes(), &key).unwrap();
        assert!(token.len() < 16 * 1024, "{}", token.len());
        verify(&token, &[vector.algorithm], set_of(&[vector.jwk])).unwrap();
    }
}

/// A key of one size never verifies tokens of another, and no other type of key verifies any.
#[test]
fn sec_ml_dsa_algorithms_do_not_mix() {
    let (_, vectors) = vectors();
    for vector in &vectors {
        for other in vectors.iter().filter(|other| other.algorithm != vector.algorithm) {
            let mut mislabelled = other.jwk.clone();
            mislabelled["kid"] = vector.jwk["kid"].clone();
            let keys = set_of(&[mislabelled]);
            assert_eq!(
                reason(&verify(&vector.token, &[vector.algorithm], keys)),
                "token.key_unknown"
            );
            let keys = set_of(std::slice::from_ref(&vector.jwk));
            assert_eq!(
                reason(&verify(&vector.token, &[other.algorithm], keys)),
                "token.algorithm"
            );
        }
        let mut rsa = jwk("rsa");
        rsa["kid"] = vector.jwk["kid"].clone();
        assert_eq!(
            reason(&verify(&vector.token, &[vector.algorithm], set_of(&[rsa]))),
            "token.key_unknown"
        );
        let (input, signature) = vector.token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let damaged = format!("{input}.{first}{}", signature.get(1..).unwrap());
        let keys = set_of(std::slice::from_ref(&vector.jwk));
        assert_eq!(reason(&verify(&damaged, &[vector.algorithm], keys)), "token.signature");
        let error = SigningKey::from_pem(vector.algorithm, &crate::support::stored("rsa")).unwrap_err();
        assert!(error.to_string().contains("an RSA key"), "{error}");
    }
}

#[test]
fn an_akp_key_needs_its_algorithm_and_its_whole_public_half() {
    let good = vectors().1.remove(0).jwk;
    let cases = [
        ("alg", Value::Null, "its `alg` is not text"),
        ("alg", json!("RS256"), "does not fit its type, AKP"),
        ("alg", json!("ML-DSA-65"), "1312 bytes; ML-DSA-65 has 1952"),
        ("alg", json!("SLH-DSA-SHA2-128s"), "not a supported signature algorithm"),
        ("pub", json!("AAAA"), "3 bytes; ML-DSA-44 has 1312"),
        ("pub", json!("="), "not unpadded base64url"),
        ("priv", json!("AAAA"), "it carries its private part (`priv`)"),
        ("use", json!("enc"), "not `sig`"),
    ];
    for (member, value, expected) in cases {
        let mut bad = good.clone();
        bad[member] = value;
        let set = key_set(&json!({ "keys": [bad, good] }));
        assert_eq!(set.usable_count(), 1, "the other key counts");
        assert!(set.refused()[0].why.contains(expected), "{:?}", set.refused());
    }
    for member in ["alg", "pub"] {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().remove(member);
        let why = set_of(&[bad]).refused()[0].why.clone();
        assert!(why.contains(&format!("it has no `{member}`")), "{why}");
    }
    let report = set_of(&[good]).keys().next().unwrap();
    assert_eq!(
        (report.kind, report.algorithms),
        (KeyKind::MlDsa44, vec![Algorithm::MlDsa44])
    );
}
