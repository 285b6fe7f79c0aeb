//! The templates of one request to what is sent, and to its redacted form.

use std::fmt;

use narthex_template::{Masked, Object, Random, Value};
use serde_json::Value as Json;

use crate::compile::METHODS;
use crate::document::{BodyType, Request as Document};
use crate::encode::{self, Reader};
use crate::error::RunError;
use crate::evaluate::{Evaluator, text};
use crate::limits::Limits;
use crate::redacted::RedactedRequest;

mod body;
mod headers;
mod multipart;
mod url;

/// A request that is ready to be sent.
#[derive(Clone)]
pub struct Request {
    /// The method, in upper case.
    pub method: String,
    /// An absolute http or https URL without user information and fragment.
    pub url: String,
    /// Names as `Title-Case`, and values; a name may be there several times.
    pub headers: Vec<(String, String)>,
    /// Body that is sent; empty for none.
    pub body: Vec<u8>,
    /// PEM certificates that are trusted in place of the system's.
    pub ca: Option<String>,
    /// `true` if redirects are followed, for this method.
    pub follow_redirects: bool,
    /// `true` if a compressed answer is requested.
    pub gzip: bool,
    pub(crate) redacted: RedactedRequest,
}

impl Request {
    /// Parts of it that may be shown to people and logs.
    pub fn redacted(&self) -> &RedactedRequest {
        &self.redacted
    }
}

// SECURITY: what may be shown, and nothing else.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Request").field(&self.redacted).finish()
    }
}

/// Sketch of a request before `log.sanitize` and the second layer of masking.
pub(crate) struct RequestDraft {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) qs: Option<Json>,
    pub(crate) encode_url: bool,
    pub(crate) headers: Json,
    /// A content type that the document did not write itself.
    pub(crate) content_type: Option<String>,
    pub(crate) body: Option<Json>,
    pub(crate) body_type: BodyType,
}

/// A request whose redacted form is still a draft.
pub(crate) struct BuiltRequest {
    pub(crate) request: Request,
    pub(crate) draft: RequestDraft,
}

/// Evaluates a request: URL and query, method, headers, body.
pub(crate) fn build(
    document: &Document,
    evaluator: &Evaluator<'_>,
    limits: &Limits,
    random: &Random,
) -> Result<BuiltRequest, RunError> {
    let at = |name: &str| format!("{}/{name}", document.pointer);
    let url = url::url(document, evaluator, limits)?;
    let method = method(document, evaluator)?;
    let headers_masked = match &document.headers {
        Some(headers) => evaluator.document(&at("headers"), headers)?,
        None => Masked::plain(Value::Object(Object::new())),
    };
    let mut headers = headers::headers(&at("headers"), &headers_masked.value, limits)?;
    // A GET has no body, whatever the document says; so Make has it.
    let has_body = !matches!(method.as_str(), "GET" | "HEAD");
    let body = match document.body.as_ref().filter(|_| has_body) {
        Some(body) => body::body(
            &at("body"),
            document.body_type,
            &evaluator.document(&at("body"), body)?,
            random,
        )?,
        None => body::Body::default(),
    };
    if body.bytes.len() > limits.request_bytes {
        let problem = format!("the body has more than {} bytes", limits.request_bytes);
        return Err(RunError::request(at("body"), problem));
    }
    let own = headers.iter_mut().filter(|(name, _)| name == "Content-Type");
    let mut is_own = false;
    for (_, value) in own {
        is_own = true;
        if let Some(boundary) = &body.boundary {
            multipart::complete(&at("headers"), value, boundary)?;
        }
    }
    let content_type = body.content_type.filter(|_| !is_own);
    if let Some(content_type) = &content_type {
        headers.push(("Content-Type".to_owned(), content_type.clone()));
    }
    let draft = RequestDraft {
        method: method.clone(),
        url: url.redacted,
        qs: url.redacted_qs,
        encode_url: document.encode_url,
        headers: headers_masked.shown.into_json().unwrap_or_default(),
        content_type,
        body: body.shown,
        body_type: document.body_type,
    };
    let follow_redirects = if has_body {
        document.follow_all_redirects
    } else {
        document.follow_redirects
    };
    let request = Request {
        method,
        url: url.sent,
        headers,
        body: body.bytes,
        ca: ca(document, evaluator)?,
        follow_redirects,
        gzip: document.gzip,
        redacted: RedactedRequest::default(),
    };
    Ok(BuiltRequest { request, draft })
}

fn method(document: &Document, evaluator: &Evaluator<'_>) -> Result<String, RunError> {
    let pointer = format!("{}/method", document.pointer);
    let Some(template) = &document.method else {
        return Ok("GET".to_owned());
    };
    let Some(method) = evaluator.text(&pointer, template)? else {
        return Ok("GET".to_owned());
    };
    let method = method.to_ascii_uppercase();
    if METHODS.contains(&method.as_str()) {
        Ok(method)
    } else {
        let problem = format!("this gives no method; methods are {}", METHODS.join(", "));
        Err(RunError::request(pointer, problem))
    }
}

fn ca(document: &Document, evaluator: &Evaluator<'_>) -> Result<Option<String>, RunError> {
    let Some(template) = &document.ca else { return Ok(None) };
    let pointer = format!("{}/ca", document.pointer);
    let pem = evaluator.text(&pointer, template)?;
    if pem
        .as_ref()
        .is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----"))
    {
        let problem = "this gives no certificate in PEM, which begins with `-----BEGIN CERTIFICATE-----`";
        return Err(RunError::request(pointer, problem));
    }
    Ok(pem)
}

/// Pairs of a flat collection, or the error that says which member is not flat.
fn flat(pointer: &str, members: &Object, reader: Reader) -> Result<String, RunError> {
    encode::pairs(members, reader).map_err(|name| {
        let problem = format!(
            "the value of `{}` is a collection or bytes; values are text, numbers, booleans, or lists of them, and \
             createJSON(…) makes text of the rest",
            name.escape_debug()
        );
        RunError::request(pointer, problem)
    })
}

/// A value as text for a header or a part; an error for what has no text.
fn scalar(pointer: &str, name: &str, value: &Value) -> Result<Option<String>, RunError> {
    match value {
        Value::Undefined | Value::Null => Ok(None),
        Value::Object(_) | Value::Array(_) | Value::Binary(_) => {
            let problem = format!(
                "the value of `{}` is a {}; values are text, numbers, booleans, or lists of them",
                name.escape_debug(),
                value.kind()
            );
            Err(RunError::request(pointer, problem))
        }
        other => Ok(text(other)),
    }
}
