//! Headers on the way through the proxy door: hop-by-hop headers, forwarding headers, and headers that an HTTP/1.1
//! application reads differently from HTTP/2.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use narthex_decision::{is_forwarding_header, is_method_override, remove_headers};

use narthex_engine::inbound::{Origin, Trust};

/// Sets `X-Forwarded-For`, `-Proto` and `-Host` to the values that Narthex saw; inbound values are believed only from a
/// trusted proxy.
pub(super) fn set_forwarding(headers: &mut HeaderMap, origin: &Origin) {
    const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
    const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
    // SECURITY: applications decide by these headers (addresses, schemes, original paths). A trusted proxy writes them
    // in its own spelling; any other spelling comes from the client.
    let is_forged = |name: &str| is_forwarding_header(name) && (origin.trust == Trust::Untrusted || !is_plain(name));
    remove_headers(headers, is_forged);
    // SPEC: RFC 9110 section 5.3: the lines of a list are one list, in their order. Proxies add a line of their own.
    let mut chain: Vec<u8> = Vec::new();
    for line in headers.get_all(FOR).iter().filter(|line| !line.is_empty()) {
        chain.extend(line.as_bytes());
        chain.extend(b", ");
    }
    chain.extend(origin.peer.ip().to_canonical().to_string().as_bytes());
    if let Ok(chain) = HeaderValue::from_bytes(&chain) {
        headers.insert(FOR, chain);
    }
    if !headers.contains_key(PROTO) {
        let scheme = if origin.is_encrypted { "https" } else { "http" };
        headers.insert(PROTO, HeaderValue::from_static(scheme));
    }
    if let (Some(host), false) = (&origin.host, headers.contains_key(HOST)) {
        insert(headers, HOST, host);
    }
}

pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Tests whether a header's name is spelled as Narthex and its trusted proxies write names.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Returns the names in `Connection`. A line as a whole need not be text.
pub(crate) fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// Removes headers that describe or replace the body and the method of a preflight: it has neither.
pub(super) fn remove_what_a_preflight_has_no_use_for(headers: &mut HeaderMap) {
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::EXPECT,
    ] {
        headers.remove(name);
    }
    remove_headers(headers, is_method_override);
}

/// Joins the cookies of an HTTP/2 request, which may come in several fields (RFC 9113 section 8.2.3). An HTTP/1.1
/// application would join them with commas, or read only the first one.
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let mut fields = headers.get_all(header::COOKIE).iter();
    if fields.next().is_none() || fields.next().is_none() {
        return;
    }
    let fields: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(joined) = HeaderValue::from_bytes(&fields.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Removes hop-by-hop headers (RFC 9110 section 7.6.1).
///
/// SECURITY: this runs before the identity headers are set, so a client's `Connection: X-Narthex-User` cannot remove
/// them.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    const NAMES: [HeaderName; 9] = [
        header::CONNECTION,
        // SECURITY: with `Upgrade: h2c` it opens HTTP/2 at the upstream (RFC 7540 section 3.2.1).
        HeaderName::from_static("http2-settings"),
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let named: Vec<HeaderName> = connection_tokens(headers)
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .collect();
    for name in named {
        // A client must not remove headers that a body or a host needs.
        if name != header::CONTENT_LENGTH && name != header::HOST && name != header::TE {
            headers.remove(name);
        }
    }
    for name in NAMES {
        headers.remove(name);
    }
    // gRPC sends `TE: trailers`; any other transfer coding belongs to the connection.
    let mut codings = headers.get_all(header::TE).iter();
    if codings.next().is_some_and(|coding| coding != "trailers") || codings.next().is_some() {
        let takes_trailers = headers
            .get_all(header::TE)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"));
        headers.remove(header::TE);
        if takes_trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(trust: Trust) -> Origin {
        Origin {
            peer: "127.0.0.1:1".parse().unwrap(),
            trust,
            host: Some("app".to_owned()),
            is_encrypted: false,
        }
    }

    fn appended(lines: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    /// A proxy adds a line of its own after the client's. Both count, in their order, whatever bytes they contain.
    #[test]
    fn sec_forwarded_for_lines() {
        for (lines, chain) in [
            (&[&b"1.2.3.4"[..], b"9.9.9.9"][..], &b"1.2.3.4, 9.9.9.9, 127.0.0.1"[..]),
            (&[b"\xff", b"9.9.9.9"], b"\xff, 9.9.9.9, 127.0.0.1"),
            (&[b"1.2.3.4, 5.6.7.8"], b"1.2.3.4, 5.6.7.8, 127.0.0.1"),
            (&[b""], b"127.0.0.1"),
            (&[], b"127.0.0.1"),
        ] {
            let lines: Vec<(&str, &[u8])> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            let mut headers = appended(&lines);
            set_forwarding(&mut headers, &origin(Trust::Trusted));
            assert_eq!(headers.get("x-forwarded-for").unwrap().as_bytes(), chain, "{lines:?}");
            assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
        }
    }

    /// The scheme of the port, if no trusted proxy states another.
    #[test]
    fn the_forwarded_scheme_is_that_of_the_connection() {
        for (trust, is_encrypted, stated, expected) in [
            (Trust::Untrusted, true, Some("http"), "https"),
            (Trust::Untrusted, false, Some("https"), "http"),
            (Trust::Trusted, true, None, "https"),
            (Trust::Trusted, true, Some("http"), "http"),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(stated.map(|stated| {
                let name = HeaderName::from_static("x-forwarded-proto");
                (name, HeaderValue::from_static(stated))
            }));
            let origin = Origin {
                is_encrypted,
                ..origin(trust)
            };
            set_forwarding(&mut headers, &origin);
            assert_eq!(headers.get("x-forwarded-proto").unwrap(), expected);
        }
    }

    /// A trusted proxy's header has its own spelling; another spelling comes from the client.
    #[test]
    fn sec_forwarding_header_in_another_spelling() {
        for trust in [Trust::Trusted, Trust::Untrusted] {
            let mut headers = appended(&[
                ("x_forwarded_for", b"1.1.1.1"),
                ("x~real~ip", b"1.1.1.1"),
                ("x-other_one", b"kept"),
            ]);
            set_forwarding(&mut headers, &origin(trust));
            assert!(
                headers
                    .keys()
                    .all(|name| is_plain(name.as_str()) || name == "x-other_one"),
                "{headers:?}"
            );
            assert!(headers.contains_key("x-other_one"));
        }
    }

    #[test]
    fn cookies_of_several_fields_become_one() {
        let mut headers = appended(&[
            ("cookie", b"session=abc"),
            ("cookie", b"theme=\xff"),
            ("cookie", b"csrf=1"),
        ]);
        join_cookies(&mut headers);
        let joined: Vec<&[u8]> = headers.get_all("cookie").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(joined, [b"session=abc; theme=\xff; csrf=1"]);
    }

    /// Every line of a list header counts, and so does each of its names.
    #[test]
    fn hop_by_hop_lists_are_read_whole() {
        let mut headers = appended(&[
            ("connection", b"\xff, x-one"),
            ("connection", b"x-two"),
            ("x-one", b"1"),
            ("x-two", b"2"),
            ("te", b"gzip"),
            ("te", b"trailers"),
        ]);
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers, appended(&[("te", b"trailers")]));
    }

    /// A client cannot name our headers, or anything a body needs, in `Connection`.
    #[test]
    fn sec_connection_hop() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONNECTION,
            HeaderValue::from_static("close, X-Narthex-User, content-length, x-mine, host"),
        );
        headers.insert("x-narthex-user", HeaderValue::from_static("forged"));
        headers.insert("x-mine", HeaderValue::from_static("1"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("3"));
        headers.insert(header::HOST, HeaderValue::from_static("a"));
        headers.insert("keep-alive", HeaderValue::from_static("1"));
        headers.insert(header::TE, HeaderValue::from_static("gzip"));
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host"]);
        narthex_decision::IdentityHeaders::new()
            .with("x-narthex-user", "real")
            .into_patch()
            .apply(&mut headers, &narthex_decision::OwnedHeaders::default());
        assert_eq!(headers.get("x-narthex-user").unwrap(), "real");
    }
}
