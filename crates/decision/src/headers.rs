//! The identity headers Narthex owns: which they are, how they are removed, how they are set.

use std::ops::Range;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What every header that Narthex owns begins with, in lower case.
const PREFIX: &str = "x-narthex-";

/// Printable ASCII stays; everything else, and the percent sign itself so that decoding gives the value back exactly,
/// is written as percent-encoded UTF-8.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// A change to the headers of a request: everything Narthex owns is removed, then what it means is set.
///
/// SECURITY: there is no way to set without removing first, so no path exists on which a client's own
/// `X-Narthex-User` survives (the hole Caddy's `copy_headers` had).
#[derive(Debug, Clone, Default)]
pub struct HeaderPatch {
    set: HeaderMap,
}

impl HeaderPatch {
    /// Removes every owned header, in every spelling, then sets this patch's.
    pub fn apply(&self, headers: &mut HeaderMap) {
        strip(headers);
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
    }

    /// What will be set.
    pub const fn headers(&self) -> &HeaderMap {
        &self.set
    }
}

/// Removes every identity header in every spelling a later program could take for ours.
fn strip(headers: &mut HeaderMap) {
    // Nearly every request carries none, and then nothing is allocated.
    while let Some(name) = headers.keys().find(|name| is_identity_header(name.as_str())).cloned() {
        headers.remove(name);
    }
}

/// Whether a header name is one of ours in any spelling: case, `_` or `.` for `-`.
///
/// SECURITY: CGI-like servers turn both `X-Narthex-User` and `X_Narthex_User` into the same variable.
pub fn is_identity_header(name: &str) -> bool {
    spelled_like(name, PREFIX)
}

/// Whether a header tells a server where a request "really" came from or went to: believed only from trusted proxies,
/// and otherwise removed before a request is passed on.
pub fn is_forwarding_header(name: &str) -> bool {
    ["x-forwarded-", "x-original-", "x-envoy-"]
        .iter()
        .any(|prefix| spelled_like(name, prefix))
        || ["forwarded", "x-rewrite-url", "x-real-ip"]
            .iter()
            .any(|whole| name.len() == whole.len() && spelled_like(name, whole))
}

/// Whether `name` begins with `prefix` when case is ignored and `_` and `.` count as `-`.
fn spelled_like(name: &str, prefix: &str) -> bool {
    name.len() >= prefix.len()
        && name.bytes().zip(prefix.bytes()).all(|(byte, expected)| match byte {
            b'_' | b'.' => expected == b'-',
            other => other.to_ascii_lowercase() == expected,
        })
}

/// Collects the identity headers of one allowed request.
#[derive(Debug, Clone, Default)]
pub struct IdentityHeaders {
    set: Vec<(HeaderName, Range<usize>)>,
    /// All values, one after the other: a decision that is used again is then in one piece of memory, and has one
    /// counter of who uses it, not one for each header.
    values: BytesMut,
}

impl IdentityHeaders {
    /// Nothing but `X-Narthex-Decision: allow`, which an allowed request always carries.
    pub fn new() -> Self {
        let mut headers = Self::default();
        headers.set(HeaderName::from_static("x-narthex-decision"), "allow");
        headers
    }

    /// Sets one of the headers that carry who somebody is. An empty value sets nothing: "not given" and "empty" are the
    /// same to an application.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        debug_assert!(is_identity_header(name), "`{name}` is not one of ours");
        self.set(HeaderName::from_static(name), value);
        self
    }

    /// Sets `X-Narthex-Context-NAME` for a mapped context property.
    #[must_use]
    pub fn with_context(mut self, property: &str, value: &str) -> Self {
        if let Ok(name) = HeaderName::try_from(format!("{PREFIX}context-{property}")) {
            self.set(name, value);
        }
        self
    }

    /// The patch that removes all our headers and sets these.
    pub fn into_patch(self) -> HeaderPatch {
        let values = self.values.freeze();
        let mut set = HeaderMap::with_capacity(self.set.len());
        for (name, range) in self.set {
            // What is encoded is printable ASCII, which every header value may be.
            if let Ok(value) = HeaderValue::from_maybe_shared(values.slice(range)) {
                set.insert(name, value);
            }
        }
        HeaderPatch { set }
    }

    fn set(&mut self, name: HeaderName, value: &str) {
        if value.is_empty() {
            return;
        }
        let start = self.values.len();
        for part in utf8_percent_encode(value, ENCODED) {
            self.values.extend_from_slice(part.as_bytes());
        }
        self.set.push((name, start..self.values.len()));
    }
}

/// A value as a header carries it: printable ASCII as it is, anything else (and `%`) as percent-encoded UTF-8.
pub fn encode_value(value: &str) -> std::borrow::Cow<'_, str> {
    utf8_percent_encode(value, ENCODED).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every spelling that some server folds into ours.
    #[test]
    fn sec_header_alias() {
        for name in [
            "x-narthex-user",
            "X-Narthex-User",
            "x_narthex_user",
            "X.Narthex.User",
            "x-narthex_user",
            "X_NARTHEX-CONTEXT.a",
            "x-narthex-",
            "x-narthex-anything",
        ] {
            assert!(is_identity_header(name), "{name}");
        }
        for name in ["x-narthe", "x-narthexuser", "authorization", "my-x-narthex-user"] {
            assert!(!is_identity_header(name), "{name}");
        }
        let mut headers = HeaderMap::new();
        for name in [
            "x-narthex-user",
            "x_narthex_user",
            "x.narthex.role",
            "x-narthex-unknown",
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("root"));
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("root2"));
        }
        headers.insert("x-other", HeaderValue::from_static("kept"));
        IdentityHeaders::new()
            .with("x-narthex-user", "01abc")
            .into_patch()
            .apply(&mut headers);
        assert_eq!(headers.get_all("x-narthex-user").iter().collect::<Vec<_>>(), ["01abc"]);
        assert_eq!(headers.len(), 3, "{headers:?}");
        assert!(headers.contains_key("x-other"));
    }

    /// A header that has no value now must not keep the client's.
    #[test]
    fn sec_header_absent() {
        let mut headers = HeaderMap::new();
        headers.insert("x-narthex-email", HeaderValue::from_static("root@example.com"));
        IdentityHeaders::new()
            .with("x-narthex-email", "")
            .into_patch()
            .apply(&mut headers);
        assert!(!headers.contains_key("x-narthex-email"));
    }

    #[test]
    fn forwarding_headers_are_known_in_every_spelling() {
        for name in [
            "x-forwarded-for",
            "X_Forwarded_Uri",
            "x-original-url",
            "x-rewrite-url",
            "X-Envoy-Original-Path",
            "forwarded",
            "x.forwarded.proto",
            "x-real-ip",
        ] {
            assert!(is_forwarding_header(name), "{name}");
        }
        for name in ["forwarded-by", "x-rewrite-urls", "host"] {
            assert!(!is_forwarding_header(name), "{name}");
        }
    }

    #[test]
    fn values_are_percent_encoded_utf8_outside_printable_ascii() {
        assert_eq!(encode_value("José Ñ"), "Jos%C3%A9 %C3%91");
        assert_eq!(encode_value("a\r\nb"), "a%0D%0Ab");
        assert_eq!(encode_value("100%"), "100%25");
        assert_eq!(encode_value("plain, text \"x\""), "plain, text \"x\"");
    }
}
