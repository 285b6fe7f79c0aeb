//! Challenges of refusals: `WWW-Authenticate` with the schemes `Bearer` (RFC 6750 section 3) and `DPoP` (RFC 9449 section 7.1),
//! the metadata of the resource (RFC 9728 section 5.1) and the scopes that a token needs there.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use narthex_decision::Reason;

use super::Refusal;
use crate::dpop::DpopUse;
use crate::protected_resource::ProtectedResource;

/// Header of a nonce for proofs (RFC 9449 section 9).
const NONCE_HEADER: HeaderName = HeaderName::from_static("dpop-nonce");

/// Tests whether a refusal for this reason has a challenge.
pub(super) fn is_due(reason: Reason, status: StatusCode) -> bool {
    error(reason, status).is_some()
}

/// Writes the challenges of a refusal.
pub(super) fn write(headers: &mut HeaderMap, refusal: &Refusal, reason: Reason, status: StatusCode) {
    let Some(error) = error(reason, status) else { return };
    let about = refusal.about.as_deref();
    let resource = about.and_then(|about| about.resource.as_ref());
    let nonce = about.and_then(|about| about.dpop_nonce.as_deref());
    let dpop = resource.map_or(DpopUse::Off, |resource| resource.dpop);
    let is_of_proof = reason == Reason::TokenProof || (reason == Reason::TokenBound && dpop != DpopUse::Off);
    let scopes = (status == StatusCode::UNAUTHORIZED || reason == Reason::TokenScope)
        .then(|| resource.map(|resource| resource.scopes.as_slice()).unwrap_or_default());
    if !is_of_proof && dpop != DpopUse::Require {
        append(headers, text("Bearer", error, resource, scopes));
    }
    if is_of_proof || (dpop != DpopUse::Off && (status == StatusCode::UNAUTHORIZED || dpop == DpopUse::Require)) {
        let error = match (reason, nonce) {
            (Reason::TokenProof, Some(_)) => "use_dpop_nonce",
            (Reason::TokenProof, None) => "invalid_dpop_proof",
            _ => error,
        };
        let mut challenge = text("DPoP", error, resource, scopes);
        let names: Vec<&str> = narthex_dpop::ALGORITHMS
            .iter()
            .map(|algorithm| algorithm.name())
            .collect();
        parameter(&mut challenge, "algs", &names.join(" "));
        append(headers, challenge);
    }
    if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::from_str(nonce).ok()) {
        headers.insert(NONCE_HEADER, nonce);
    }
}

/// Returns the error code of a challenge, empty if no token was sent; `None` for a refusal without a challenge.
const fn error(reason: Reason, status: StatusCode) -> Option<&'static str> {
    match (reason, status) {
        (Reason::TokenMissing | Reason::SessionEnded, _) => Some(""),
        (Reason::TokenMultiple, _) => Some("invalid_request"),
        (_, StatusCode::UNAUTHORIZED) => Some("invalid_token"),
        (Reason::OrganizationRole | Reason::PlatformRole | Reason::RouteTag | Reason::TokenScope, _) => {
            Some("insufficient_scope")
        }
        _ => None,
    }
}

fn text(scheme: &str, error: &str, resource: Option<&ProtectedResource>, scopes: Option<&[String]>) -> String {
    let mut text = scheme.to_owned();
    if !error.is_empty() {
        parameter(&mut text, "error", error);
    }
    if let Some(resource) = resource {
        parameter(&mut text, "resource_metadata", &resource.metadata_url);
    }
    if let Some(scopes) = scopes.filter(|scopes| !scopes.is_empty()) {
        parameter(&mut text, "scope", &scopes.join(" "));
    }
    text
}

/// Adds a parameter. Its value has no quotation mark: an address is encoded, and a scope is a word of RFC 6749 section 3.3.
fn parameter(text: &mut String, name: &str, value: &str) {
    let separator = if text.contains(' ') { "," } else { "" };
    // Writing into a text does not fail.
    let _ = write!(text, "{separator} {name}=\"{value}\"");
}

fn append(headers: &mut HeaderMap, challenge: String) {
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        headers.append(header::WWW_AUTHENTICATE, challenge);
    }
}
