//! The changes to a request's headers that Envoy makes for an allowed check: the same that the proxy door makes itself.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use narthex_decision::{Preflight, Reason, is_forwarding_header, is_method_override, remove_headers};
use narthex_engine::credentials::{self, FoundAt, Place};
use narthex_engine::passed::Passed;
use narthex_engine::respond::Refusal;
use narthex_engine::{ForwardToken, Runtime, session_cookie};

use crate::original::Original;

/// Headers that say where a request came from and that Envoy writes itself, or removes, whatever the client sent.
const OF_ENVOY: [&str; 10] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-client-cert",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-attempt-count",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-decorator-operation",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
];

/// Changes to the original request, before Envoy forwards it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderChanges {
    /// Headers that are set, in place of every line of that name.
    pub(crate) set: Vec<(HeaderName, HeaderValue)>,
    /// Headers that are removed.
    pub(crate) removed: Vec<HeaderName>,
    /// Path and query without the token, if it was in the query.
    pub(crate) target: Option<String>,
}

impl HeaderChanges {
    /// Returns the changes for a request that may pass.
    ///
    /// # Errors
    ///
    /// `request.unforwardable` for a change that Envoy cannot make: a body or an upgrade of a preflight, and a remaining cookie
    /// that is no text.
    pub(crate) fn of(runtime: &Runtime, original: &Original, passed: &Passed) -> Result<Self, Refusal> {
        let before = &original.headers;
        let mut after = before.clone();
        if passed.preflight == Preflight::Yes {
            // SECURITY: a preflight passes without a token, and Envoy would forward its body and its upgrade.
            if original.has_body || asks_for_upgrade(before) {
                let problem = "a preflight has neither a body nor an upgrade";
                return Err(Refusal::because(Reason::RequestUnforwardable, problem));
            }
            remove_headers(&mut after, is_method_override);
        }
        let target = remove_token(&mut after, runtime, original, passed);
        session_cookie::remove(&mut after);
        remove_headers(&mut after, |name| {
            is_forwarding_header(name) && !OF_ENVOY.contains(&name)
        });
        while let Some(name) = runtime.owned_headers.other_spelling(&after).cloned() {
            after.remove(name);
        }
        passed.answer.allowed().patch.apply(&mut after, &runtime.owned_headers);
        if let Ok(request_id) = HeaderValue::from_str(&passed.request_id) {
            after.insert("x-narthex-request-id", request_id);
        }
        Ok(Self {
            target,
            ..Self::between(before, &after)?
        })
    }

    /// Returns the changes from one set of headers to another.
    fn between(before: &HeaderMap, after: &HeaderMap) -> Result<Self, Refusal> {
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        let removed: BTreeSet<&str> = gone.map(HeaderName::as_str).collect();
        let removed = removed.into_iter().filter_map(|name| name.parse().ok()).collect();
        let mut set = Vec::new();
        for name in after.keys() {
            let (old, new) = (before.get_all(name), after.get_all(name));
            if old.iter().eq(new.iter()) {
                continue;
            }
            let lines: Vec<&[u8]> = new.iter().map(HeaderValue::as_bytes).collect();
            let value = HeaderValue::from_bytes(&lines.join(&b", "[..]));
            // SECURITY: the protocol has only text. A value that cannot be written would leave the old one in its place.
            let value = value.ok().filter(|value| value.to_str().is_ok());
            let Some(value) = value else {
                let problem = "a header cannot be forwarded without the token in it";
                return Err(Refusal::because(Reason::RequestUnforwardable, problem));
            };
            set.push((name.clone(), value));
        }
        Ok(Self {
            set,
            removed,
            target: None,
        })
    }
}

/// Tests whether a request asks for an upgrade. In the HTTP mode, `Upgrade` belongs to the connection and does not come.
fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE) || headers.contains_key(header::SEC_WEBSOCKET_KEY)
}

/// Removes the token from the headers, if the route does not forward it. Returns path and query without it, if it was in the
/// query.
fn remove_token(headers: &mut HeaderMap, runtime: &Runtime, original: &Original, passed: &Passed) -> Option<String> {
    let route = passed.answer.allowed().route;
    let places = runtime.places_on(route);
    if !places.headers.is_empty() {
        credentials::remove_other_spellings(headers, places);
    }
    let forwards = runtime
        .upstream(route)
        .is_some_and(|(upstream, _)| upstream.forward_token == ForwardToken::Yes);
    if forwards {
        return None;
    }
    credentials::remove_from_referer(headers, places);
    let mut query = original.query.clone();
    for place in passed.token_at.iter().flat_map(FoundAt::iter) {
        credentials::remove(headers, place);
        if let Place::QueryParameter(name) = place {
            query = query.map(|query| credentials::query_without(&query, name));
        }
    }
    if query == original.query {
        return None;
    }
    let query = query.filter(|query| !query.is_empty());
    Some(match query {
        Some(query) => format!("{}?{query}", original.path),
        None => original.path.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn only_what_differs_is_set_or_removed() {
        let before = headers(&[("a", b"1"), ("a", b"2"), ("b", b"1"), ("c", b"1"), ("d", b"1")]);
        let after = headers(&[("a", b"1"), ("a", b"2"), ("b", b"2"), ("e", b"3")]);
        let changes = HeaderChanges::between(&before, &after).unwrap();
        let set: Vec<(&str, &str)> = changes
            .set
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(set, [("b", "2"), ("e", "3")]);
        assert_eq!(changes.removed, ["c", "d"]);
    }

    /// A value that the protocol cannot carry must not leave the one with the token in its place.
    #[test]
    fn sec_a_header_that_cannot_be_written_is_not_left_as_it_was() {
        let before = headers(&[("cookie", b"a=\xff; token=x")]);
        let after = headers(&[("cookie", b"a=\xff")]);
        let refused = HeaderChanges::between(&before, &after).unwrap_err();
        assert_eq!(refused.reason, Reason::RequestUnforwardable);
    }
}
