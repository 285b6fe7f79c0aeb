//! Any JSON as payload, secret and options of `sign`: a token or an error, the same every time, and no panic.
//!
//! An input is `{"payload": …, "secret": …, "options": …}`. The secrets `rsa` and `ec` stand for private keys.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use narthex_fuzz::NOW_MS;
use narthex_mint::{Algorithms, Key, sign};
use narthex_template::Value;
use serde_json::Value as Json;

static KEYS: LazyLock<[Key; 2]> = LazyLock::new(|| {
    let vectors = include_str!("../../../crates/mint/tests/vectors/jwt_sign.json");
    let vectors: Json = serde_json::from_str(vectors).expect("the vectors are JSON");
    ["rsa2048_pkcs1", "ec_p256_sec1"].map(|name| Key::from_value(&Value::from(&vectors["keys"][name])))
});

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(input) = serde_json::from_slice::<Json>(data) else {
        return Corpus::Reject;
    };
    let given;
    let key = match input["secret"].as_str() {
        Some("rsa") => &KEYS[0],
        Some("ec") => &KEYS[1],
        _ => {
            given = Key::from_value(&Value::from(&input["secret"]));
            &given
        }
    };
    let (payload, options) = (Value::from(&input["payload"]), Value::from(&input["options"]));
    for (algorithms, allowed) in [
        (Algorithms::OfTemplates, &["HS256", "HS384", "HS512", "RS256"][..]),
        (Algorithms::OfLibrary, &[]),
    ] {
        let made = sign(&payload, key, &options, algorithms, NOW_MS);
        match &made {
            Ok(token) => {
                assert_eq!(token.split('.').count(), 3);
                assert!(!token.ends_with('.'), "a token without a signature");
                let effective = options_algorithm(&options);
                assert!(allowed.is_empty() || allowed.contains(&&*effective), "{effective}");
                let anew = effective.starts_with("PS") || effective.starts_with("ES");
                assert!(anew || made == sign(&payload, key, &options, algorithms, NOW_MS));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        let _ = key.diagnosis();
    }
    Corpus::Keep
});

/// The algorithm of the header, which wins over the option.
fn options_algorithm(options: &Value) -> String {
    let member = |value: &Value, name: &str| match value {
        Value::Object(members) => members.get(name).cloned(),
        _ => None,
    };
    let header = member(options, "header").and_then(|header| member(&header, "alg"));
    let algorithm = header.or_else(|| member(options, "algorithm"));
    algorithm
        .and_then(|algorithm| algorithm.as_text().map(str::to_owned))
        .unwrap_or("HS256".to_owned())
}
