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

/// The URL that is sent, and URL and query as they may be shown.
pub(super) fn url(
    document: &Document,
    evaluator: &Evaluator<'_>,
    limits: &Limits,
) -> Result<(String, String, Option<Json>), RunError> {
    let pointer = format!("{}/url", document.pointer);
    let written = evaluator.template(&pointer, &document.url)?;
    let (mut url, mut shown) = (
        text(&written.value).unwrap_or_default(),
        text(&written.shown).unwrap_or_default(),
    );
    // A fragment is never sent.
    cut(&mut url, '#');
    cut(&mut shown, '#');
    let reader = if document.encode_url {
        Reader::Service
    } else {
        Reader::ServiceAsWritten
    };
    let mut shown_qs = None;
    if let Some(qs) = &document.qs {
        let qs_pointer = format!("{}/qs", document.pointer);
        let masked = evaluator.document(&qs_pointer, qs)?;
        if let Value::Object(members) = &masked.value {
            // `qs` replaces a query in the URL, even if it is empty.
            cut(&mut url, '?');
            cut(&mut shown, '?');
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
        shown_qs = masked.shown.into_json();
    }
    if document.encode_url {
        url = encode::url(&url);
        shown = encode::url(&shown);
    }
    check(&pointer, &url, &shown, limits)?;
    Ok((url, shown, shown_qs))
}

fn cut(url: &mut String, from: char) {
    if let Some(at) = url.find(from) {
        url.truncate(at);
    }
}

/// SECURITY: what is checked here is what is sent; a URL that two programs could read differently is refused.
fn check(pointer: &str, url: &str, shown: &str, limits: &Limits) -> Result<(), RunError> {
    let fail = |problem: String| Err(RunError::request(pointer, problem));
    let shown = shown.escape_debug();
    if url.len() > limits.url_bytes {
        return fail(format!("the URL has more than {} bytes", limits.url_bytes));
    }
    if url.is_empty() {
        return fail("the URL is empty; a template in it gave nothing".to_owned());
    }
    if url.starts_with('/') {
        return fail(format!(
            "`{shown}` is not absolute; there is no base URL here, so write it from `https://` on"
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
            "`{shown}` is not an absolute URL such as `https://api.example.com/path`"
        ));
    };
    if !matches!(parsed.scheme(), "http" | "https") {
        return fail(format!("`{shown}` is neither http nor https"));
    }
    if parsed.host_str().is_none_or(str::is_empty) {
        return fail(format!("`{shown}` names no host"));
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
