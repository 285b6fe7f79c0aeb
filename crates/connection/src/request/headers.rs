//! Headers: a flat collection to names and values that may stand in a request.

use narthex_template::Value;

use super::scalar;
use crate::error::RunError;
use crate::limits::Limits;

/// Names as `Title-Case`, and values, in order. A later name replaces an earlier one of the same letters.
pub(super) fn headers(pointer: &str, value: &Value, limits: &Limits) -> Result<Vec<(String, String)>, RunError> {
    let Value::Object(members) = value else {
        return Ok(Vec::new());
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in members {
        let title = title_case(pointer, name)?;
        headers.retain(|(other, _)| *other != title);
        let one = std::slice::from_ref(value);
        let values = match value {
            Value::Array(items) => items.as_slice(),
            _ => one,
        };
        for value in values {
            let Some(text) = scalar(pointer, name, value)? else {
                continue;
            };
            check_value(pointer, name, &text, limits)?;
            headers.push((title.clone(), text));
        }
        if headers.len() > limits.headers {
            let problem = format!("there are more than {} headers", limits.headers);
            return Err(RunError::request(pointer, problem));
        }
    }
    Ok(headers)
}

/// `x-aPI-key` to `X-Api-Key`.
fn title_case(pointer: &str, name: &str) -> Result<String, RunError> {
    let escaped = name.escape_debug();
    // SPEC: RFC 9110 5.6.2: a token.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        let problem = format!("`{escaped}` is no name of a header");
        return Err(RunError::request(pointer, problem));
    }
    let parts: Vec<String> = name
        .split('-')
        .map(|part| {
            let mut characters = part.chars();
            let first = characters.next().map(|first| first.to_ascii_uppercase());
            first
                .into_iter()
                .chain(characters.map(|c| c.to_ascii_lowercase()))
                .collect()
        })
        .collect();
    let title = parts.join("-");
    if SENDERS_OWN.contains(&title.as_str()) {
        let problem = format!("`{escaped}` is set by the sender, from URL and body; remove it");
        return Err(RunError::request(pointer, problem));
    }
    Ok(title)
}

/// SECURITY: CR, LF or NUL from a parameter would end the header and begin another, or another request.
fn check_value(pointer: &str, name: &str, value: &str, limits: &Limits) -> Result<(), RunError> {
    let problem = if value.len() > limits.header_bytes {
        format!("has more than {} bytes", limits.header_bytes)
    } else if value.chars().any(|c| c.is_control() && c != '\t') {
        "has a line break or another control character, which no header can carry".to_owned()
    } else {
        return Ok(());
    };
    Err(RunError::request(
        pointer,
        format!("the value of `{}` {problem}", name.escape_debug()),
    ))
}

/// Headers that frame a request. SECURITY: two lengths, or a length of one's own, smuggle requests; another host
/// reaches what the list of allowed hosts does not allow.
const SENDERS_OWN: [&str; 8] = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Upgrade",
    "Te",
    "Trailer",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made(json: serde_json::Value) -> Result<Vec<(String, String)>, String> {
        headers("/headers", &Value::from(json), &Limits::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_title_case_and_values_are_text() {
        let made =
            made(json!({ "tEsT": 123, "tESt-wiTh-dAsh": 1.5, "b": true, "n": null, "l": ["a", null, 2], "B": "x" }));
        let expected = [
            ("Test", "123"),
            ("Test-With-Dash", "1.5"),
            ("L", "a"),
            ("L", "2"),
            ("B", "x"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(made.unwrap(), expected);
    }

    #[test]
    fn sec_header_injection_is_an_error() {
        for injected in [
            json!({ "x": "a\r\nSet-Cookie: b" }),
            json!({ "x": "a\nb" }),
            json!({ "x": "a\u{0}b" }),
            json!({ "x\r\ny": "a" }),
            json!({ "x y": "a" }),
            json!({ "": "a" }),
            json!({ "x:": "a" }),
            json!({ "x": ["ok", "a\rb"] }),
            json!({ "transfer-encoding": "chunked" }),
            json!({ "CONTENT-LENGTH": 0 }),
            json!({ "host": "internal" }),
            json!({ "x": { "a": 1 } }),
            json!({ "x": [[1]] }),
        ] {
            let error = made(injected.clone()).unwrap_err();
            assert!(!error.contains(['\r', '\n', '\0']), "{injected}: {error}");
        }
    }
}
