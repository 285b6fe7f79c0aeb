//! Key sets whose address the OpenID configuration of their issuer names.

use std::sync::{Mutex, PoisonError};

use narthex_template::is_disruptive;
use serde::Deserialize;

use super::error::{DiscoveryProblem, FetchError};
use super::fetch::Fetcher;
use super::key_url::KeyUrl;

/// Time for which a discovery document is cached; one that leads nowhere is dropped at once.
const DOCUMENT_MS: i64 = 60 * 60 * 1000;
/// Upper limit of characters of foreign text that a message repeats.
const SHOWN_CHARS: usize = 200;

/// A `jwks_uri`, and the time until which it is used without reading its document again.
#[derive(Debug, Clone)]
pub(super) struct DiscoveredUrl {
    pub(super) url: KeyUrl,
    until_ms: i64,
}

/// Members of an OpenID configuration that are read.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

/// Reads the discovery document of an issuer, and gives the address of its key set.
pub(super) async fn locate(
    fetcher: &Fetcher,
    document: &KeyUrl,
    issuer: &str,
    now_ms: i64,
) -> Result<DiscoveredUrl, FetchError> {
    let answer = fetcher.fetch(document).await?;
    let unusable = |problem| FetchError::Discovery {
        host: document.host(),
        problem,
    };
    // Some programs write a byte order mark before JSON, and RFC 8259 lets it be skipped.
    let body = answer.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&answer.body);
    let found: Document =
        serde_json::from_slice(body).map_err(|error| unusable(DiscoveryProblem::Malformed(shape(body, &error))))?;
    // SECURITY: a document of another issuer must not supply this issuer's keys.
    // SPEC: OpenID Connect Discovery 1.0, 4.3.
    if found.issuer != issuer {
        let found = found
            .issuer
            .chars()
            .filter(|shown| !is_disruptive(*shown))
            .take(SHOWN_CHARS)
            .collect();
        return Err(unusable(DiscoveryProblem::OtherIssuer {
            configured: issuer.to_owned(),
            found,
        }));
    }
    let url = KeyUrl::parse(&found.jwks_uri).map_err(|problem| unusable(problem.into()))?;
    Ok(DiscoveredUrl {
        url,
        until_ms: now_ms.saturating_add(DOCUMENT_MS),
    })
}

/// Describes the problem of a document, without repeating any of it.
fn shape(body: &[u8], error: &serde_json::Error) -> String {
    if body.trim_ascii_start().starts_with(b"<") {
        return "it is HTML or XML, as sign-in and error pages are".to_owned();
    }
    format!("line {}, column {}", error.line(), error.column())
}

/// Returns the address that was found last, while it is used.
pub(super) fn remembered(located: &Mutex<Option<DiscoveredUrl>>, now_ms: i64) -> Option<KeyUrl> {
    let located = located.lock().unwrap_or_else(PoisonError::into_inner);
    located
        .as_ref()
        .filter(|located| now_ms < located.until_ms)
        .map(|located| located.url.clone())
}

/// Keeps an address.
pub(super) fn remember(located: &Mutex<Option<DiscoveredUrl>>, found: Option<DiscoveredUrl>) {
    *located.lock().unwrap_or_else(PoisonError::into_inner) = found;
}

/// Drops the address that was found last.
pub(super) fn forget(located: &Mutex<Option<DiscoveredUrl>>) {
    remember(located, None);
}
