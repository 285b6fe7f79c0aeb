//! The mark that detects a request that comes back: `Via` with a name of this process (RFC 9110 section 7.6.3).

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, Version, header};

use narthex_clock::{NoEntropy, random_bytes};

/// Name of this process in `Via`.
#[derive(Debug)]
pub struct Via {
    received_by: String,
    /// Header value to add to a request, by HTTP version.
    http10: HeaderValue,
    http11: HeaderValue,
    http2: HeaderValue,
}

impl Via {
    /// Makes a name that no other process has.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`], as [`random_bytes`].
    pub(crate) fn new() -> Result<Self, NoEntropy> {
        let mut received_by = String::from("narthex-");
        for byte in random_bytes::<8>()? {
            // Writing to a string cannot fail.
            let _ = write!(received_by, "{byte:02x}");
        }
        Ok(Self::named(received_by))
    }

    fn named(received_by: String) -> Self {
        // A name in hex is valid text for a header.
        let value = |version: &str| HeaderValue::try_from(format!("{version} {received_by}"));
        let value = |version| value(version).unwrap_or(HeaderValue::from_static("1.1 narthex"));
        Self {
            http10: value("1.0"),
            http11: value("1.1"),
            http2: value("2"),
            received_by,
        }
    }

    /// Makes a copy with header values of its own: each thread has its own, because a header value that all threads
    /// share has one reference count, whose cache line would move between processors.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::named(self.received_by.clone())
    }

    /// Adds this process to the `Via` of a request that came in this version.
    pub fn add(&self, headers: &mut HeaderMap, version: Version) {
        let value = match version {
            Version::HTTP_2 => &self.http2,
            Version::HTTP_10 => &self.http10,
            _ => &self.http11,
        };
        headers.append(header::VIA, value.clone());
    }

    /// Tests whether a request has passed this process before.
    ///
    /// SECURITY: with a route that leads back to this process, one request would take every file descriptor.
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        let lines = headers.get_all(header::VIA).iter().map(HeaderValue::as_bytes);
        let mut entries = lines.flat_map(|line| line.split(|byte| *byte == b','));
        entries.any(|entry| {
            // The protocol, the recipient, and perhaps a comment.
            let words = entry.split(u8::is_ascii_whitespace);
            let received_by = words.filter(|word| !word.is_empty()).nth(1);
            received_by.is_some_and(|name| name.eq_ignore_ascii_case(self.received_by.as_bytes()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_again_among_whatever_others_say() {
        let via = Via::new().unwrap();
        let name = via.received_by.clone();
        let other = Via::new().unwrap();
        let mut headers = HeaderMap::new();
        headers.append(header::VIA, HeaderValue::from_static("1.1 squid (a, b), 1.0 fred"));
        assert!(!via.is_in(&headers));
        other.add(&mut headers, Version::HTTP_2);
        assert!(!via.is_in(&headers) && other.is_in(&headers));
        via.add(&mut headers, Version::HTTP_10);
        assert!(via.is_in(&headers) && via.again().is_in(&headers));
        let all: Vec<_> = headers.get_all(header::VIA).iter().collect();
        assert_eq!(all[0], "1.1 squid (a, b), 1.0 fred");
        assert_eq!(all[2], &format!("1.0 {name}"));
        // Proxies on the way may join the lines.
        let mut joined = HeaderMap::new();
        let line = format!("1.1 squid,2 {} (again) , 1.1 last", name.to_uppercase());
        joined.append(header::VIA, HeaderValue::from_str(&line).unwrap());
        assert!(via.is_in(&joined));
    }
}
