//! URL and query.

use narthex_template::Value;
use serde_json::Value as Json;
use url::Url;

use super::flat;
use crate::document::Request as Document;
use crate::encode::{self, Reader};
use crate::error::RunError;
use crate::evaluate::{Evaluator, text};
use crate::limits::Limits;

/// A URL, and its redacted form.
pub(super) struct BuiltUrl {
    /// The URL that is sent.
    pub(super) sent: String,
    /// The URL without its secrets.
    pub(super) redacted: String,
    /// The query of `qs` without its secrets.
    pub(super) redacted_qs: Option<Json>,
}

/// Builds the URL of a request.
pub(super) fn url(document: &Document, evaluator: &Evaluator<'_>, limits: &Limits) -> Result<BuiltUrl, RunError> {
    let pointer = format!("{}/url", document.pointer);
    let written = evaluator.template(&pointer, &document.url)?;
    let (mut url, mut redacted) = (
        text(&written.value).unwrap_or_default(),
        text(&written.shown).unwrap_or_default(),
    );
    // A fragment is never sent.
    cut(&mut url, '#');
    cut(&mut redacted, '#');
    let reader = if document.encode_url {
        Reader::Service
    } else {
        Reader::ServiceAsWritten
    };
    let mut redacted_qs = None;
    if let Some(qs) = &document.qs {
        let qs_pointer = format!("{}/qs", document.pointer);
        let masked = evaluator.document(&qs_pointer, qs)?;
        if let Value::Object(members) = &masked.value {
            // `qs` replaces a query in the URL, even if it is empty.
            cut(&mut url, '?');
            cut(&mut redacted, '?');
            let query = flat(&qs_pointer, members, reader)?;
            // SECURITY: what follows it would not be sent, and another request would be made than is written.
            if query.contains('#') {
                let problem =
                    "a `#` in `qs` would end the URL, since `encodeUrl` is false; write encodeURL(…) around the value";
                return Err(RunError::request(qs_pointer, problem));
            }
            if !query.is_empty() {
                url.push('?');
                url.push_str(&query);
            }
        }
        redacted_qs = masked.shown.into_json();
    }
    if document.encode_url {
        url = encode::url(&url);
        redacted = encode::url(&redacted);
    }
    check(&pointer, &url, &redacted, limits)?;
    Ok(BuiltUrl {
        sent: url,
        redacted,
        redacted_qs,
    })
}

fn cut(url: &mut String, from: char) {
    if let Some(at) = url.find(from) {
        url.truncate(at);
    }
}

/// SECURITY: what is checked here is what is sent; a URL that two programs could read differently is refused.
fn check(pointer: &str, url: &str, redacted: &str, limits: &Limits) -> Result<(), RunError> {
    let fail = |problem: String| Err(RunError::request(pointer, problem));
    let redacted = redacted.escape_debug();
    if url.len() > limits.url_bytes {
        return fail(format!("the URL has more than {} bytes", limits.url_bytes));
    }
    if url.is_empty() {
        return fail("the URL is empty; a template in it gave nothing".to_owned());
    }
    if url.starts_with('/') {
        return fail(format!(
            "`{redacted}` is not absolute; there is no base URL here, so write it from `https://` on"
        ));
    }
    if let Some(character) = url
        .chars()
        .find(|c| *c == '\\' || c.is_control() || !c.is_ascii() || *c == ' ')
    {
        return fail(format!(
            "the URL has the character {character:?}, which must be encoded; encodeURL(…) does so"
        ));
    }
    let Ok(parsed) = Url::parse(url) else {
        return fail(format!(
            "`{redacted}` is not an absolute URL such as `https://api.example.com/path`"
        ));
    };
    if !matches!(parsed.scheme(), "http" | "https") {
        return fail(format!("`{redacted}` is neither http nor https"));
    }
    if parsed.host_str().is_none_or(str::is_empty) {
        return fail(format!("`{redacted}` names no host"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return fail(
            "a URL with a user name or a password is not sent; write the header \
             `\"authorization\": \"Basic {{base64(parameters.user + ':' + parameters.password)}}\"`"
                .to_owned(),
        );
    }
    Ok(())
}
