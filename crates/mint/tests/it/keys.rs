//! Keys that a foreign program made.

use narthex_mint::{Algorithms, Key, sign};
use narthex_template::Value;
use serde_json::{Value as Json, json};

fn pem(name: &str) -> String {
    let vectors: Json = serde_json::from_str(include_str!("../vectors/jwt_sign.json")).unwrap();
    vectors["keys"][name].as_str().unwrap().to_owned()
}

fn signed(secret: &Value) -> Result<String, String> {
    let options = Value::from(json!({ "algorithm": "RS256" }));
    let (payload, key) = (Value::from(json!({ "iat": 1 })), Key::from_value(secret));
    sign(&payload, &key, &options, Algorithms::OfTemplates, 0).map_err(|error| error.to_string())
}

#[test]
fn a_passphrase_opens_a_key_and_the_signature_is_that_of_the_open_key() {
    let open = signed(&Value::from(pem("rsa2048_pkcs8"))).unwrap();
    for name in ["rsa2048_pkcs1_enc_aes128cbc", "rsa2048_pkcs8_enc_aes256cbc"] {
        let with = |passphrase: &str| signed(&Value::from(json!({ "key": pem(name), "passphrase": passphrase })));
        assert_eq!(with("top secret").as_deref(), Ok(open.as_str()), "{name}");
        assert_eq!(
            with("wrong").unwrap_err(),
            "secretOrPrivateKey is not valid key material",
            "{name}"
        );
    }
}

#[test]
fn no_part_of_a_key_file_is_a_private_key() {
    let whole = pem("rsa2048_pkcs8");
    for end in (0..whole.len() - 40).step_by(97) {
        assert!(signed(&Value::from(whole.get(..end).unwrap())).is_err(), "{end}");
    }
}

/// The library says little about a key that is none; the advice beside its message names the fault.
#[test]
fn mint_pem_errors() {
    let open = pem("rsa2048_pkcs8");
    let bare: String = open.lines().filter(|line| !line.starts_with("-----")).collect();
    let certificate = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nAQID\n-----END OPENSSH PRIVATE KEY-----\n";
    for (secret, fault) in [
        (open.replace('\n', "\\n"), "are written as \\n"),
        (open.replace('\n', " "), "line breaks of this PEM text are gone"),
        (format!("  {open}"), "something stands before -----BEGIN"),
        (format!("PRIVATE_KEY={open}"), "something stands before -----BEGIN"),
        (open.replace("-----END PRIVATE KEY-----", ""), "is cut off"),
        (open.replacen('M', "*", 1), "is damaged"),
        (bare, "first and last lines"),
        (pem("rsa2048_public_spki"), "is a public key"),
        (pem("ec_p256_public_spki"), "is a public key"),
        (certificate.to_owned(), "is a certificate"),
        (ssh.to_owned(), "ssh-keygen"),
        (pem("rsa2048_pkcs8_enc_aes256cbc"), "is encrypted"),
        (pem("rsa2048_pkcs1_enc_aes128cbc"), "is encrypted"),
        (r#"{"kty":"RSA","n":"AQAB"}"#.to_owned(), "JWK"),
        ("LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t".to_owned(), "in base64"),
        ("/etc/keys/my-app.pem".to_owned(), "the name of a file"),
        ("key.P8".to_owned(), "the name of a file"),
    ] {
        let secret = Value::from(secret);
        assert_eq!(
            signed(&secret).unwrap_err(),
            "secretOrPrivateKey must be an asymmetric key when using RS256",
            "{fault}"
        );
        let diagnosis = Key::from_value(&secret).diagnosis().unwrap_or_default();
        assert!(diagnosis.contains(fault), "{diagnosis:?} does not say `{fault}`");
    }
    let encrypted = pem("rsa2048_pkcs8_enc_aes256cbc");
    for (secret, fault) in [
        (
            json!({ "key": encrypted, "passphrase": "wrong" }),
            "passphrase does not open",
        ),
        (json!({ "key": encrypted }), "is encrypted"),
        (json!({ "key": pem("rsa2048_public_spki") }), "is a public key"),
        (json!({ "key": "hunter2" }), "no private key in PEM"),
        (json!({ "pem": open }), "member `key`"),
        (json!({ "key": open, "passphrase": 5 }), "are texts"),
        (json!(12345), "a secret is text or bytes"),
    ] {
        let secret = Value::from(secret);
        assert_eq!(
            signed(&secret).unwrap_err(),
            "secretOrPrivateKey is not valid key material",
            "{fault}"
        );
        let diagnosis = Key::from_value(&secret).diagnosis().unwrap_or_default();
        assert!(diagnosis.contains(fault), "{diagnosis:?} does not say `{fault}`");
    }
    for missing in [Value::Undefined, Value::from("")] {
        assert!(
            Key::from_value(&missing)
                .diagnosis()
                .unwrap_or_default()
                .contains("empty")
        );
    }
    for sound in [Value::from("hunter2"), Value::from(open), Value::Binary(vec![0xff; 64])] {
        assert_eq!(Key::from_value(&sound).diagnosis(), None);
    }
}

#[test]
fn keys_are_not_printed() {
    assert_eq!(format!("{:?}", Key::from_bytes(b"hunter2")), "Key(secret)");
    assert_eq!(
        format!("{:?}", Key::from_bytes(pem("rsa2048_pkcs1").as_bytes())),
        "Key(Rsa(2048))"
    );
}

/// Nothing but text and bytes is a secret: a value of another type is refused, and is never turned into text first.
#[test]
fn sec_secret_typed() {
    let payload = Value::from(json!({ "sub": "ann" }));
    let options = Value::from(json!({}));
    let sign = |secret: Json| {
        let key = Key::from_value(&Value::from(secret));
        sign(&payload, &key, &options, Algorithms::OfTemplates, 0)
    };
    assert!(sign(json!("a secret")).is_ok());
    for wrong in [
        json!(12345),
        json!(true),
        json!({ "toString": "x" }),
        json!(["a"]),
        json!({}),
    ] {
        let error = sign(wrong.clone()).unwrap_err().to_string();
        assert_eq!(error, "secretOrPrivateKey is not valid key material", "{wrong}");
    }
    for missing in [json!(null), json!(""), json!(0), json!(false)] {
        let error = sign(missing.clone()).unwrap_err().to_string();
        assert_eq!(error, "secretOrPrivateKey must have a value", "{missing}");
    }
}
