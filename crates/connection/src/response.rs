//! Response, read in the format that the document names.

use std::fmt;

use narthex_template::{Object, Value};

use crate::document::{ResponseType, TypeRange};
use crate::error::RunError;
use crate::limits::Limits;

mod xml;

/// Response of a service.
#[derive(Clone, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in any case, and values; a name may be there several times.
    pub headers: Vec<(String, String)>,
    /// The body, not compressed.
    pub body: Vec<u8>,
}

// SECURITY: a response is where access tokens come from.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A response as templates see it.
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) status_value: Value,
    pub(crate) headers: Object,
    pub(crate) body: Value,
}

/// Reads a response.
pub(crate) fn read(response: &Response, types: &[TypeRange], limits: &Limits) -> Result<Received, RunError> {
    if response.body.len() > limits.response_bytes {
        let problem = format!("it has more than {} bytes", limits.response_bytes);
        return Err(RunError::Response { problem });
    }
    let headers = headers(response);
    let wanted = types
        .iter()
        .filter(|range| (range.from..=range.to).contains(&response.status))
        .min_by_key(|range| range.to - range.from)
        .map_or(ResponseType::Automatic, |range| range.kind);
    let content_type = match headers.get("content-type") {
        Some(Value::Text(text)) => text.to_ascii_lowercase(),
        _ => String::new(),
    };
    let is_error = response.status >= 400;
    let kind = match wanted {
        ResponseType::Automatic => automatic(&content_type, &response.body),
        kind => kind,
    };
    // SECURITY: a value takes many times the memory of the two bytes it may be written in.
    if values(kind, &response.body) > limits.response_values {
        let problem = format!("it has more than {} values", limits.response_values);
        return Err(RunError::Response { problem });
    }
    let body = match wanted {
        // What says of itself what it is may be wrong; then it is text, and the document judges it.
        ResponseType::Automatic => {
            parse(kind, response, &content_type, limits).unwrap_or_else(|_| text(&response.body, &content_type))
        }
        // The status of an error says more than that its body is no JSON.
        _ => match parse(kind, response, &content_type, limits) {
            Err(_) if is_error => text(&response.body, &content_type),
            result => result.map_err(|problem| RunError::Response { problem })?,
        },
    };
    Ok(Received {
        status: response.status,
        status_value: Value::Number(f64::from(response.status)),
        headers,
        body,
    })
}

/// Upper bound of the number of values in a body, without reading it.
fn values(kind: ResponseType, body: &[u8]) -> usize {
    match kind {
        ResponseType::UrlEncoded => body.split(|byte| *byte == b'&').count(),
        ResponseType::Json => {
            let (mut count, mut is_text, mut is_escaped) = (1, false, false);
            for byte in body {
                match byte {
                    _ if is_escaped => is_escaped = false,
                    b'\\' if is_text => is_escaped = true,
                    b'"' => is_text = !is_text,
                    // An item of a list and a member of an object follow one of these each.
                    b',' | b'[' | b'{' if !is_text => count += 1,
                    _ => {}
                }
            }
            count
        }
        _ => 0,
    }
}

/// Names in lower case. What came several times is a list for `set-cookie`, and joined with commas otherwise.
fn headers(response: &Response) -> Object {
    let mut headers = Object::new();
    for (name, value) in &response.headers {
        let name = name.to_ascii_lowercase();
        match headers.get_mut(&name) {
            Some(Value::Array(values)) => values.push(Value::from(value.as_str())),
            Some(Value::Text(text)) => {
                text.push_str(", ");
                text.push_str(value);
            }
            _ if name == "set-cookie" => {
                headers.insert(name, Value::Array(vec![Value::from(value.as_str())]));
            }
            _ => {
                headers.insert(name, Value::from(value.as_str()));
            }
        }
    }
    headers
}

fn automatic(content_type: &str, body: &[u8]) -> ResponseType {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    match media {
        "application/json" => ResponseType::Json,
        "application/x-www-form-urlencoded" => ResponseType::UrlEncoded,
        "application/xml" | "text/xml" => ResponseType::Xml,
        _ if media.ends_with("+json") => ResponseType::Json,
        _ if media.ends_with("+xml") => ResponseType::Xml,
        _ if media.starts_with("text/") || std::str::from_utf8(body).is_ok() => ResponseType::Text,
        _ => ResponseType::Binary,
    }
}

fn parse(kind: ResponseType, response: &Response, content_type: &str, limits: &Limits) -> Result<Value, String> {
    let body = &response.body;
    let is_empty = body.iter().all(u8::is_ascii_whitespace);
    match kind {
        ResponseType::Json | ResponseType::Xml | ResponseType::UrlEncoded if is_empty => Ok(Value::Undefined),
        ResponseType::Json => serde_json::from_slice::<serde_json::Value>(body)
            .map(Value::from)
            .map_err(|error| format!("it is not JSON: line {}, column {}", error.line(), error.column())),
        ResponseType::Xml => xml::read(&decoded(body, content_type), limits),
        ResponseType::UrlEncoded => Ok(form(body)),
        ResponseType::Binary => Ok(Value::Binary(body.clone())),
        ResponseType::Text | ResponseType::Automatic => Ok(text(body, content_type)),
    }
}

fn form(body: &[u8]) -> Value {
    let mut members = Object::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        let value = Value::Text(value.into_owned());
        match members.get_mut(name.as_ref()) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.clone(), value]),
            None => {
                members.insert(name.into_owned(), value);
            }
        }
    }
    Value::Object(members)
}

fn text(body: &[u8], content_type: &str) -> Value {
    Value::Text(decoded(body, content_type))
}

/// UTF-8, unless it says that it is Latin-1.
fn decoded(body: &[u8], content_type: &str) -> String {
    if content_type.contains("charset=iso-8859-1") && std::str::from_utf8(body).is_err() {
        return body.iter().copied().map(char::from).collect();
    }
    String::from_utf8_lossy(body).trim_start_matches('\u{feff}').to_owned()
}
