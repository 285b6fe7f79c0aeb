//! Redacted requests and responses: the parts that people and logs may see.

use std::fmt;

use narthex_template::{Masked, Value};
use serde_json::{Value as Json, json};

use crate::document::{BodyType, Compiled, SanitizePath, Side};
use crate::encode::{self, Reader};
use crate::request::RequestDraft;
use crate::response::Received;
use crate::secrets::Secrets;

/// A request without its secrets. What a template made of a secret is `***`, and so is what `log.sanitize` names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedactedRequest {
    /// The method.
    pub method: String,
    /// The URL with its query.
    pub url: String,
    /// Names as `Title-Case`, and values.
    pub headers: Vec<(String, String)>,
    /// The body as text, if there is one.
    pub body: Option<String>,
}

/// A response without its secrets. Headers and body are there only if the document says what to hide in them
/// (a path of `log.sanitize` that begins with `response.`): a response is where access tokens come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedactedResponse {
    /// The status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: Option<String>,
}

impl fmt::Display for RedactedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.method, self.url)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        match &self.body {
            Some(body) => writeln!(f, "\n{body}"),
            None => Ok(()),
        }
    }
}

impl RedactedRequest {
    pub(crate) fn of(draft: RequestDraft, compiled: &Compiled, secrets: &Secrets) -> Self {
        let mut tree = json!({ "method": draft.method, "url": draft.url, "headers": draft.headers });
        if let Some(members) = tree.as_object_mut() {
            members.extend(draft.qs.map(|qs| ("qs".to_owned(), qs)));
            members.extend(draft.body.map(|body| ("body".to_owned(), body)));
        }
        blank_all(&mut tree, compiled, Side::Request);
        let mut url = text_of(tree.get("url"));
        if let Some(qs) = tree.get("qs") {
            let reader = if draft.encode_url {
                Reader::Person
            } else {
                Reader::ServiceAsWritten
            };
            let query = form(qs, reader);
            if !query.is_empty() {
                url = format!("{url}?{query}");
            }
        }
        let mut headers: Vec<(String, String)> = flat(tree.get("headers"), title_case);
        if let Some(content_type) = draft.content_type {
            headers.push(("Content-Type".to_owned(), content_type));
        }
        let body = tree.get("body").map(|body| match draft.body_type {
            BodyType::Json => body.to_string(),
            BodyType::UrlEncoded => form(body, Reader::Person),
            BodyType::Multipart => flat(Some(body), str::to_owned)
                .into_iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect::<Vec<_>>()
                .join("\n"),
            BodyType::Text | BodyType::Binary => text_of(Some(body)),
        });
        let shown = |text: &str| secrets.mask_within(text, compiled.limits.shown_bytes);
        Self {
            method: text_of(tree.get("method")),
            url: shown(&url),
            headers: headers
                .iter()
                .map(|(name, value)| (shown(name), shown(value)))
                .collect(),
            body: body.as_deref().map(shown),
        }
    }
}

impl RedactedResponse {
    pub(crate) fn of(received: &Received, compiled: &Compiled, secrets: &Secrets) -> Self {
        let mut shown = Self {
            status: received.status,
            ..Self::default()
        };
        // SECURITY: what hides something in a request says nothing about the response.
        if !compiled.sanitize.iter().any(|path| path.side == Side::Response) {
            return shown;
        }
        let mut tree = json!({
            "headers": Value::Object(received.headers.clone()).into_json(),
            "body": received.body.to_json(),
            "statuscode": received.status,
        });
        blank_all(&mut tree, compiled, Side::Response);
        let mask = |text: &str| secrets.mask_within(text, compiled.limits.shown_bytes);
        shown.headers = flat(tree.get("headers"), str::to_owned)
            .iter()
            .map(|(name, value)| (mask(name), mask(value)))
            .collect();
        shown.body = tree.get("body").map(|body| mask(&text_of(Some(body))));
        shown
    }
}

fn blank_all(tree: &mut Json, compiled: &Compiled, side: Side) {
    for SanitizePath { side: own, steps } in &compiled.sanitize {
        if *own == side {
            blank(tree, steps);
        }
    }
}

/// Blanks what a path leads to, whatever the case. A list is passed through to its items.
fn blank(at: &mut Json, steps: &[String]) {
    let Some((step, rest)) = steps.split_first() else {
        *at = Json::from(Masked::MASK);
        return;
    };
    match at {
        Json::Array(items) => items.iter_mut().for_each(|item| blank(item, steps)),
        Json::Object(members) => {
            for (name, value) in members.iter_mut() {
                if name.to_lowercase() == *step {
                    blank(value, rest);
                }
            }
        }
        Json::Null => {}
        // SECURITY: what the path was to hide is in here, in a form that no path leads into.
        Json::Bool(_) | Json::Number(_) | Json::String(_) => *at = Json::from(Masked::MASK),
    }
}

/// Names and values of a flat collection; lists repeat the name, null is left out, as it is when it is sent.
fn flat(tree: Option<&Json>, name_of: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let Some(Json::Object(members)) = tree else {
        // All of it was hidden.
        return tree
            .and_then(Json::as_str)
            .map(|text| (Masked::MASK.to_owned(), text.to_owned()))
            .into_iter()
            .collect();
    };
    let mut pairs = Vec::new();
    for (name, value) in members {
        match value {
            Json::Null => {}
            Json::Array(items) => pairs.extend(items.iter().map(|item| (name_of(name), text_of(Some(item))))),
            other => pairs.push((name_of(name), text_of(Some(other)))),
        }
    }
    pairs
}

fn form(tree: &Json, reader: Reader) -> String {
    match Value::from(tree) {
        Value::Object(members) => encode::pairs(&members, reader).unwrap_or_else(|_| tree.to_string()),
        other => crate::evaluate::text(&other).unwrap_or_default(),
    }
}

fn text_of(tree: Option<&Json>) -> String {
    match tree {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn title_case(name: &str) -> String {
    let mut upper = true;
    name.chars()
        .map(|c| {
            let cased = if upper {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            };
            upper = c == '-';
            cased
        })
        .collect()
}
