//! Keys that a foreign program made.

use narthex_mint::{Key, sign};
use narthex_template::Value;
use serde_json::{Value as Json, json};

fn pem(name: &str) -> String {
    let vectors: Json = serde_json::from_str(include_str!("../vectors/jwt_sign.json")).unwrap();
    vectors["keys"][name].as_str().unwrap().to_owned()
}

fn signed(secret: &Value) -> Result<String, String> {
    let options = Value::from(json!({ "algorithm": "RS256" }));
    sign(&Value::from(json!({ "iat": 1 })), &Key::from_value(secret), &options, 0).map_err(|error| error.to_string())
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
    let sign = |secret: serde_json::Value| sign(&payload, &Key::from_value(&Value::from(secret)), &options, 0);
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
