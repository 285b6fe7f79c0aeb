//! `multipart/form-data`.
// SPEC: RFC 7578, and the WHATWG HTML standard for names with quotes and line breaks.

use narthex_template::{Object, Random, Value};

use super::scalar;
use crate::error::RunError;
use crate::evaluate::text;

/// A line that no part can hold: 128 random bits.
pub(super) fn boundary(random: &Random) -> String {
    let mut bytes = [0; 16];
    random(&mut bytes);
    format!("narthex-{:032x}", u128::from_be_bytes(bytes))
}

/// A `Content-Type` of the document's own, with the boundary that the receiver has to know.
pub(super) fn complete(pointer: &str, content_type: &mut String, boundary: &str) -> Result<(), RunError> {
    let mut parts = content_type.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|media| media.to_ascii_lowercase().starts_with("multipart/"))
    {
        return Ok(());
    }
    if parts.any(|part| part.to_ascii_lowercase().starts_with("boundary")) {
        let problem =
            "the boundary is chosen anew for every request; remove `boundary` from `content-type`, or all of it";
        return Err(RunError::request(pointer, problem));
    }
    let bare = content_type.trim_end_matches([' ', '\t', ';']).len();
    content_type.truncate(bare);
    content_type.push_str("; boundary=");
    content_type.push_str(boundary);
    Ok(())
}

/// Each member is a part; a list is a part for each item; `{value, options: {filename, contentType}}` is a file.
pub(super) fn write(pointer: &str, members: &Object, boundary: &str) -> Result<Vec<u8>, RunError> {
    let mut body = Vec::new();
    for (name, value) in members {
        let one = std::slice::from_ref(value);
        let values = match value {
            Value::Array(items) => items.as_slice(),
            _ => one,
        };
        for value in values {
            let Some(part) = part(pointer, name, value)? else {
                continue;
            };
            let mut head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
                quoted(name)
            );
            if let Some(file) = &part.file_name {
                head.push_str(&format!("; filename=\"{}\"", quoted(file)));
            }
            if let Some(content_type) = &part.content_type {
                head.push_str(&format!("\r\nContent-Type: {content_type}"));
            }
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(b"\r\n\r\n");
            body.extend_from_slice(&part.bytes);
            body.extend_from_slice(b"\r\n");
        }
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(body)
}

struct Part {
    bytes: Vec<u8>,
    file_name: Option<String>,
    content_type: Option<String>,
}

fn part(pointer: &str, name: &str, value: &Value) -> Result<Option<Part>, RunError> {
    let Value::Object(members) = value else {
        let bytes = match value {
            Value::Binary(bytes) => Some(bytes.clone()),
            other => scalar(pointer, name, other)?.map(String::into_bytes),
        };
        return Ok(bytes.map(|bytes| Part {
            bytes,
            file_name: None,
            content_type: None,
        }));
    };
    let fail = |problem: &str| RunError::request(pointer, format!("the part `{}` {problem}", name.escape_debug()));
    if let Some(other) = members.keys().find(|key| *key != "value" && *key != "options") {
        let problem = format!(
            "has the member `{}`; a file has `value` and `options` with `filename` and `contentType`",
            other.escape_debug()
        );
        return Err(fail(&problem));
    }
    let bytes = match members.get("value") {
        Some(Value::Binary(bytes)) => bytes.clone(),
        Some(value) => scalar(pointer, name, value)?.unwrap_or_default().into_bytes(),
        None => return Err(fail("has no `value`")),
    };
    let option = |key: &str| match members.get("options") {
        Some(Value::Object(options)) => options.get(key).and_then(text),
        _ => None,
    };
    let content_type = option("contentType").unwrap_or_else(|| "application/octet-stream".to_owned());
    // SECURITY: a line break here would begin a header of its own.
    if content_type.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err(fail("has a `contentType` with a character that none has"));
    }
    Ok(Some(Part {
        bytes,
        file_name: Some(option("filename").unwrap_or_else(|| "file".to_owned())),
        content_type: Some(content_type),
    }))
}

/// A name between quotes. SECURITY: quotes and line breaks in it would end it.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(json: serde_json::Value) -> Result<String, String> {
        let Value::Object(members) = Value::from(json) else {
            panic!()
        };
        write("/body", &members, "b")
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn fields_and_files_are_parts() {
        let body = json!({ "a": 1, "n": null, "l": ["x", "y"],
            "f": { "value": "text", "options": { "filename": "a.txt", "contentType": "text/plain" } } });
        assert_eq!(
            written(body).unwrap(),
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
             --b\r\nContent-Disposition: form-data; name=\"l\"\r\n\r\nx\r\n\
             --b\r\nContent-Disposition: form-data; name=\"l\"\r\n\r\ny\r\n\
             --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\ntext\r\n\
             --b--\r\n"
        );
    }

    #[test]
    fn a_content_type_of_ones_own_gets_the_boundary() {
        for (own, sent) in [
            ("multipart/form-data", "multipart/form-data; boundary=b"),
            (
                "Multipart/Form-Data; charset=utf-8 ; ",
                "Multipart/Form-Data; charset=utf-8; boundary=b",
            ),
            ("text/plain", "text/plain"),
        ] {
            let mut content_type = own.to_owned();
            complete("/headers", &mut content_type, "b").unwrap();
            assert_eq!(content_type, sent);
        }
        assert!(complete("/headers", &mut "multipart/form-data;Boundary=x".to_owned(), "b").is_err());
    }

    #[test]
    fn sec_header_injection_in_a_part_is_an_error() {
        let name = written(json!({ "a\"\r\nx: y": 1 })).unwrap();
        assert!(name.contains("name=\"a%22%0D%0Ax: y\"\r\n\r\n1"), "{name}");
        let injected = json!({ "f": { "value": "", "options": { "contentType": "text/plain\r\nX: y" } } });
        assert!(written(injected).is_err());
        assert!(written(json!({ "f": { "valeu": "" } })).is_err());
        assert!(written(json!({ "f": [["x"]] })).is_err());
    }
}
