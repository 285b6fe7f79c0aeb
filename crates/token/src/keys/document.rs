//! The document of a key set, and the documents that are met in its place.

use serde_json::{Map, Value};

/// The byte order mark in UTF-8, which some programs write before JSON (RFC 8259 8.1 lets it be skipped).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const GZIP: &[u8] = &[0x1f, 0x8b];
const PEM: &str = "-----BEGIN ";

/// The entries of a key set. The error says what the document is instead, as a sentence.
pub(super) fn entries(document: &[u8]) -> Result<Vec<Value>, &'static str> {
    let document = document.strip_prefix(BYTE_ORDER_MARK).unwrap_or(document);
    match serde_json::from_slice(document) {
        Ok(Value::Object(mut object)) => match object.remove("keys") {
            Some(Value::Array(entries)) => Ok(entries),
            Some(_) => Err("`keys` is not an array"),
            None => Err(other_object(&object)),
        },
        Ok(Value::Array(entries)) if !entries.is_empty() && entries.iter().all(is_key) => {
            Err("it is an array of keys; a key set is an object with the array `keys`")
        }
        Ok(_) => Err("it is not an object with an array `keys`"),
        Err(_) => Err(no_json(document.trim_ascii_start())),
    }
}

fn is_key(value: &Value) -> bool {
    value.get("kty").is_some()
}

fn other_object(object: &Map<String, Value>) -> &'static str {
    let is_pem = |value: &Value| value.as_str().is_some_and(|text| text.contains(PEM));
    if object.contains_key("jwks_uri") {
        "it is an OpenID discovery document; set `discovery = true`, or configure the address in its `jwks_uri`"
    } else if object.contains_key("kty") {
        "it is a single key; a key set is an object with the array `keys`"
    } else if object.values().any(is_pem) {
        "it is a list of certificates or PEM keys by their ids; configure the issuer's other address, which gives a JWK set"
    } else {
        "it is not an object with an array `keys`"
    }
}

fn no_json(document: &[u8]) -> &'static str {
    if document.is_empty() {
        "it is empty, not JSON"
    } else if document.starts_with(b"<") {
        "it is HTML or XML, not JSON, as sign-in and error pages are"
    } else if document.starts_with(PEM.as_bytes()) {
        "it is a key or certificate in PEM, not JSON"
    } else if document.starts_with(GZIP) {
        "it is compressed with gzip, not JSON"
    } else {
        "it is not JSON in UTF-8"
    }
}
