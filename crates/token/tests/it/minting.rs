//! Signing: byte for byte what other libraries make, and keys that cannot sign say why.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_token::sign::{SigningKey, sign_compact};
use narthex_token::{Algorithm, SignError};
use serde_json::{Value, json};

use crate::support::{
    CERTIFICATE, NOW_MS, RSA_SPKI, check, claims, ec_key, jwk, key_set_policy, mint, reason, rsa_key, secret, set_of,
    stored,
};

fn foreign_tokens() -> Vec<(Algorithm, String)> {
    [
        include_str!("../vectors/pyjwt.json"),
        include_str!("../vectors/node.json"),
    ]
    .into_iter()
    .flat_map(|text| {
        let file: Value = serde_json::from_str(text).unwrap();
        file["vectors"].as_array().unwrap().clone()
    })
    .map(|vector| {
        (
            vector["algorithm"].as_str().unwrap().parse().unwrap(),
            vector["token"].as_str().unwrap().to_owned(),
        )
    })
    .collect()
}

#[test]
fn deterministic_tokens_are_byte_identical_to_foreign_ones() {
    let mut compared = 0;
    for (algorithm, token) in foreign_tokens() {
        let keys = match algorithm {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                vec![SigningKey::from_secret(algorithm, &secret()).unwrap()]
            }
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => vec![
                SigningKey::from_pem(algorithm, &stored("rsa")).unwrap(),
                SigningKey::from_pem(algorithm, &stored("rsa_pkcs1")).unwrap(),
            ],
            _ => continue,
        };
        let segments: Vec<Vec<u8>> = token
            .split('.')
            .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap())
            .collect();
        for key in keys {
            assert_eq!(sign_compact(&segments[0], &segments[1], &key).unwrap(), token);
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn es256_tokens_verify_with_the_published_half() {
    for name in ["p256", "p256_sec1"] {
        let key = SigningKey::from_pem(Algorithm::Es256, &stored(name)).unwrap();
        let mut public = Value::Object(key.public_jwk().unwrap());
        assert_eq!((&public["x"], &public["y"]), (&jwk("p256")["x"], &jwk("p256")["y"]));
        let kid = key.thumbprint().unwrap();
        public["kid"] = kid.clone().into();
        let token = mint(&json!({ "alg": "ES256", "kid": kid }), &claims(), &key);
        let mut policy = key_set_policy();
        policy.algorithms = vec![Algorithm::Es256];
        assert_eq!(reason(&check(&token, policy, set_of(&[public]), NOW_MS)), "ok");
    }
}

/// PS and ES sign anew each time; the one verifier says whether it holds.
#[test]
fn every_algorithm_signs_what_the_verifier_takes() {
    for (algorithm, name) in [
        (Algorithm::Rs384, "rsa"),
        (Algorithm::Rs512, "rsa_pkcs1"),
        (Algorithm::Ps256, "rsa"),
        (Algorithm::Ps384, "rsa_pkcs1"),
        (Algorithm::Ps512, "rsa"),
        (Algorithm::Es384, "p384"),
        (Algorithm::Es512, "p521"),
    ] {
        let key = SigningKey::from_pem(algorithm, &stored(name)).unwrap();
        let mut public = Value::Object(key.public_jwk().unwrap());
        public["kid"] = "k".into();
        let token = mint(&json!({ "alg": algorithm.name(), "kid": "k" }), &claims(), &key);
        let mut policy = key_set_policy();
        policy.algorithms = vec![algorithm];
        assert_eq!(
            reason(&check(&token, policy, set_of(&[public]), NOW_MS)),
            "ok",
            "{algorithm}"
        );
    }
}

#[test]
fn rsa_keys_publish_their_numbers() {
    let public = rsa_key().public_jwk().unwrap();
    assert_eq!((&public["n"], &public["e"]), (&jwk("rsa")["n"], &jwk("rsa")["e"]));
    assert_eq!(public["alg"], "RS256");
    assert!(
        SigningKey::from_secret(Algorithm::Hs256, b"x")
            .unwrap()
            .public_jwk()
            .is_none()
    );
}

#[test]
fn thumbprints_are_those_of_rfc_7638() {
    // The members in lexicographic order and nothing else, hashed; computed here from the published half.
    use aws_lc_rs::digest::{SHA256, digest};
    let own = jwk("p256");
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, own["x"], own["y"]);
    let expected = URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()).as_ref());
    assert_eq!(ec_key().thumbprint().unwrap(), expected);
}

#[test]
fn a_key_that_cannot_sign_says_why() {
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAQID\n-----END ENCRYPTED PRIVATE KEY-----";
    let old_encrypted =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END RSA PRIVATE KEY-----";
    let glued = stored("rsa").replace('\n', "\\n");
    let cases: [(Algorithm, &str, &str); 13] = [
        (Algorithm::Rs256, "", "no PEM block"),
        (Algorithm::Rs256, "hunter2", "no PEM block"),
        (Algorithm::Rs256, &glued, "line ends"),
        (Algorithm::Rs256, RSA_SPKI, "public"),
        (Algorithm::Rs256, CERTIFICATE, "public"),
        (Algorithm::Rs256, encrypted, "encrypted"),
        (Algorithm::Rs256, old_encrypted, "encrypted"),
        (Algorithm::Rs256, &stored("rsa_1024"), "1024 bits"),
        (Algorithm::Rs256, &stored("p256"), "not RSA"),
        (Algorithm::Es256, &stored("rsa"), "an RSA key"),
        (Algorithm::Es256, &stored("p384"), "not a P-256 key"),
        (Algorithm::Hs256, &stored("rsa"), "HS256 cannot sign with a private key"),
        (Algorithm::EdDsa, &stored("rsa"), "cannot sign with EdDSA"),
    ];
    for (algorithm, pem, expected) in cases {
        let error = SigningKey::from_pem(algorithm, pem).unwrap_err();
        assert!(
            error.to_string().contains(expected),
            "{algorithm}: {error}, not {expected}"
        );
    }
    assert_eq!(
        SigningKey::from_secret(Algorithm::Hs256, b"").unwrap_err(),
        SignError::SecretEmpty
    );
    assert!(matches!(
        SigningKey::from_secret(Algorithm::Rs256, b"x").unwrap_err(),
        SignError::KeyMismatch { .. }
    ));
}

#[test]
fn a_signing_key_does_not_print_itself() {
    let key = SigningKey::from_secret(Algorithm::Hs256, b"n33dle").unwrap();
    assert_eq!(format!("{key:?}"), "SigningKey { algorithm: Hs256, .. }");
}
