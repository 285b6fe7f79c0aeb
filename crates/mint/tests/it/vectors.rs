//! Every case of `tests/vectors/jwt_sign.json`: outputs of npm `jsonwebtoken` 9.0.3, run under node.

use narthex_mint::{Algorithms, Key, sign};
use narthex_template::Value;
use serde_json::Value as Json;

const VECTORS: &str = include_str!("../vectors/jwt_sign.json");

fn text<'j>(json: &'j Json, name: &str) -> &'j str {
    json[name].as_str().unwrap_or_else(|| panic!("`{name}` of {json}"))
}

fn pem(vectors: &Json, secret: &Json) -> String {
    let pem = text(&vectors["keys"], text(secret, "ref"));
    match secret["transform"].as_str() {
        None => pem.to_owned(),
        Some("crlf") => pem.replace('\n', "\r\n"),
        Some("no_final_newline") => pem.trim_end().to_owned(),
        Some("escaped_newlines") => pem.replace('\n', "\\n"),
        Some("spaces_for_newlines") => pem.replace('\n', " "),
        Some("leading_blank_lines") => format!("\n\n{pem}"),
        Some("leading_text") => format!("some text\n{pem}"),
        Some("leading_spaces") => format!("  {pem}"),
        Some(other) => panic!("unknown transform {other}"),
    }
}

fn key(vectors: &Json, secret: &Json) -> Key {
    let value = match text(secret, "kind") {
        "string" => Value::from(text(secret, "value")),
        "key_pem" => Value::from(pem(vectors, secret)),
        "key_object" => {
            let mut members = serde_json::json!({ "key": pem(vectors, secret) });
            if let Some(passphrase) = secret["passphrase"].as_str() {
                members["passphrase"] = passphrase.into();
            }
            Value::from(members)
        }
        "null" => Value::Null,
        "undefined" => Value::Undefined,
        "number" | "json" => Value::from(&secret["value"]),
        "bytes_hex" => {
            let digits = text(secret, "value");
            Value::Binary(
                (0..digits.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(digits.get(at..at + 2).unwrap(), 16).unwrap())
                    .collect(),
            )
        }
        other => panic!("unknown kind of secret {other}"),
    };
    Key::from_value(&value)
}

/// What we make of a case, and what we must make of it. `not_minted` gathers the algorithms that are refused by our own rule.
fn play(vectors: &Json, case: &Json, algorithms: Algorithms, not_minted: &mut Vec<String>) -> Option<String> {
    let payload = match text(case, "payload_kind") {
        "json" => Value::from(&case["payload"]),
        "undefined" => Value::Undefined,
        "buffer_utf8" => Value::Binary(text(case, "payload").into()),
        other => panic!("unknown kind of payload {other}"),
    };
    let made = sign(
        &payload,
        &key(vectors, &case["secret"]),
        &Value::from(&case["options"]),
        algorithms,
        case["now_ms"].as_i64().unwrap(),
    );
    let mut made = made.map_err(|error| error.to_string());
    let mut expected = if let Some(message) = case["expected_error"]["message"].as_str() {
        Err(message.to_owned())
    } else {
        let header: Json = serde_json::from_str(text(case, "expected_header_json")).unwrap();
        let algorithm = text(&header, "alg");
        let allowed: &[&str] = match algorithms {
            Algorithms::OfTemplates => &["HS256", "HS384", "HS512", "RS256"],
            Algorithms::OfLibrary => &[
                "HS256",
                "HS384",
                "HS512",
                "RS256",
                "RS384",
                "RS512",
                "PS256",
                "PS384",
                "PS512",
                "ES256",
                "ES384",
                "ES512",
                "ML-DSA-44",
                "ML-DSA-65",
                "ML-DSA-87",
            ],
        };
        if allowed.contains(&algorithm) {
            Ok(text(case, "expected_token").to_owned())
        } else {
            // Our own rule: whatever the library would make, these are not minted.
            not_minted.push(algorithm.to_owned());
            Err(format!(
                "\"{algorithm}\" tokens are not minted here; the algorithm must be one of: {}",
                allowed.join(", ")
            ))
        }
    };
    if case["deterministic"] == false {
        // PS and ES sign anew each time; the differential test has the library verify them.
        for token in [&mut made, &mut expected].into_iter().flatten() {
            token.truncate(token.rfind('.').unwrap());
        }
    }
    (made != expected).then(|| format!("{}\n  made     {made:?}\n  expected {expected:?}", text(case, "name")))
}

#[test]
fn every_case_of_the_library_is_reproduced() {
    let vectors: Json = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len() as u64, vectors["count"].as_u64().unwrap());
    for (algorithms, refused) in [
        (Algorithms::OfTemplates, &["ES256", "PS256", "RS384", "none"][..]),
        (Algorithms::OfLibrary, &["none"]),
    ] {
        let mut not_minted = Vec::new();
        let wrong: Vec<String> = cases
            .iter()
            .filter_map(|case| play(&vectors, case, algorithms, &mut not_minted))
            .collect();
        assert!(
            wrong.is_empty(),
            "{algorithms:?}: {} of {} cases differ:\n{}",
            wrong.len(),
            cases.len(),
            wrong.join("\n")
        );
        not_minted.sort();
        not_minted.dedup();
        assert_eq!(not_minted, refused, "{algorithms:?}");
    }
}
