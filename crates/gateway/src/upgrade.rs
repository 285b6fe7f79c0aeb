//! Protocol upgrades (RFC 9110 section 7.8): which ones the proxy door passes on.
//!
//! SECURITY: after a 101 the connection is a tunnel, and Narthex decides nothing inside it. A tunnel whose protocol
//! carries requests (`h2c`, `TLS/1.0`) would bypass every route and every identity header. Therefore only upgrades on
//! the list are passed on. Any other one is dropped: the request is then forwarded as a plain one, which RFC 9110
//! section 7.8 permits.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version, header};
use narthex_decision::{Preflight, remove_headers};

use crate::proxy::headers::connection_tokens;
use narthex_engine::http_rules;
use narthex_engine::{UpgradeProtocols, WEBSOCKET};

/// Appended to a client's key before it is hashed (RFC 6455 section 1.3).
const WEBSOCKET_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Prefix of the headers of a WebSocket handshake (RFC 6455 section 11.3).
const WEBSOCKET_HEADERS: &str = "sec-websocket-";

/// An upgrade that a request asks for and that is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upgrade {
    /// Protocol as the client wrote it.
    protocol: HeaderValue,
    /// The `Sec-WebSocket-Accept` that proves that a WebSocket server answers this request (RFC 6455 section 4.1).
    accept: Option<String>,
}

impl Upgrade {
    /// Returns the upgrade that `request` asks for, if it is one that is passed on.
    pub(crate) fn of<B>(request: &Request<B>, preflight: Preflight, allowed: &UpgradeProtocols) -> Option<Self> {
        let headers = request.headers();
        let protocol = single(headers, &header::UPGRADE)?;
        let name = protocol.to_str().ok()?;
        // SECURITY: an upgrade in HTTP/1.0, or one with a body, is how requests are smuggled past proxies. A preflight
        // passes without a token.
        let plain = request.version() == Version::HTTP_11
            && preflight == Preflight::No
            && names_upgrade(headers)
            && !headers.contains_key(header::TRANSFER_ENCODING)
            && headers
                .get_all(header::CONTENT_LENGTH)
                .iter()
                .all(|length| length == "0");
        if !plain || !allowed.contains(name) {
            return None;
        }
        let accept = if name.eq_ignore_ascii_case(WEBSOCKET) {
            Some(websocket_accept(request)?)
        } else {
            None
        };
        Some(Self {
            protocol: protocol.clone(),
            accept,
        })
    }

    /// Asks the upstream for this upgrade.
    pub(crate) fn ask(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, self.protocol.clone());
    }

    /// Tests whether a 101 with these headers agrees to exactly this upgrade.
    ///
    /// SECURITY: a client can make some applications answer with a status of its choice. Such a 101 opens nothing,
    /// because its connection still speaks HTTP.
    pub(crate) fn is_granted(&self, answer: &HeaderMap) -> bool {
        let agrees = single(answer, &header::UPGRADE)
            .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(self.protocol.as_bytes()));
        let proves = self.accept.as_ref().is_none_or(|accept| {
            single(answer, &header::SEC_WEBSOCKET_ACCEPT).is_some_and(|proof| proof.as_bytes() == accept.as_bytes())
        });
        agrees && proves && names_upgrade(answer)
    }
}

/// Removes the rest of a handshake from a request whose upgrade is not passed on.
pub(crate) fn remove_handshake(headers: &mut HeaderMap) {
    remove_headers(headers, |name| name.starts_with(WEBSOCKET_HEADERS));
}

/// Returns the proof that an RFC 6455 server gives for this request; `None` if the request is no WebSocket handshake.
fn websocket_accept<B>(request: &Request<B>) -> Option<String> {
    let headers = request.headers();
    let key = single(headers, &header::SEC_WEBSOCKET_KEY)?;
    single(headers, &header::SEC_WEBSOCKET_VERSION)?;
    if request.method() != Method::GET {
        return None;
    }
    let joined = [key.as_bytes(), WEBSOCKET_GUID.as_bytes()].concat();
    Some(STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &joined)))
}

/// Returns the value of a header that occurs once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    http_rules::single(headers, name).ok().flatten()
}

/// Tests whether `Connection` names `upgrade`.
fn names_upgrade(headers: &HeaderMap) -> bool {
    connection_tokens(headers).any(|token| token.eq_ignore_ascii_case(b"upgrade"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use narthex_engine::ProtocolProblem;

    const HANDSHAKE: &[(&str, &str)] = &[
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ];

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().uri("/socket");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    fn asked(request: &Request<()>) -> bool {
        Upgrade::of(request, Preflight::No, &UpgradeProtocols::default()).is_some()
    }

    /// Returns the handshake of RFC 6455 section 1.3 with one header replaced, or left out.
    fn with(name: &str, value: Option<&str>) -> Request<()> {
        let others = HANDSHAKE.iter().copied().filter(|(other, _)| *other != name);
        let headers: Vec<(&str, &str)> = others.chain(value.map(|value| (name, value))).collect();
        request(&headers)
    }

    /// Only a WebSocket handshake is passed on, and no other protocol in any spelling.
    #[test]
    fn sec_upgrade_only_websocket() {
        assert!(asked(&request(HANDSHAKE)));
        for protocol in [
            "h2c",
            "H2C",
            "h2c, websocket",
            "websocket, h2c",
            "websocket,websocket",
            "TLS/1.0",
            "HTTP/2.0",
            "websocket/13",
            "foo",
            "",
        ] {
            assert!(!asked(&with("upgrade", Some(protocol))), "{protocol}");
        }
        for missing in ["connection", "upgrade", "sec-websocket-key", "sec-websocket-version"] {
            assert!(!asked(&with(missing, None)), "{missing}");
        }
        assert!(!asked(&with("connection", Some("close, upgrade-insecure-requests"))));
        let mut twice = request(HANDSHAKE);
        twice
            .headers_mut()
            .append(header::UPGRADE, HeaderValue::from_static("h2c"));
        assert!(!asked(&twice), "two fields");
        for method in [Method::POST, Method::OPTIONS, Method::HEAD, Method::CONNECT] {
            let mut other = request(HANDSHAKE);
            *other.method_mut() = method;
            assert!(!asked(&other), "{}", other.method());
        }
        for version in [Version::HTTP_10, Version::HTTP_2] {
            let mut other = request(HANDSHAKE);
            *other.version_mut() = version;
            assert!(!asked(&other), "{version:?}");
        }
        assert!(asked(&with("content-length", Some("0"))));
        for (name, value) in [("content-length", "3"), ("transfer-encoding", "chunked")] {
            assert!(!asked(&with(name, Some(value))), "{name}");
        }
    }

    #[test]
    fn sec_preflight_never_upgrades() {
        let request = request(HANDSHAKE);
        assert_eq!(
            Upgrade::of(&request, Preflight::Yes, &UpgradeProtocols::default()),
            None
        );
    }

    /// A 101 with one header of RFC 6455 section 1.3 replaced opens nothing.
    #[test]
    fn sec_101_must_agree_to_what_was_asked() {
        let upgrade = Upgrade::of(&request(HANDSHAKE), Preflight::No, &UpgradeProtocols::default()).unwrap();
        let good = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ];
        assert!(upgrade.is_granted(request(&good).headers()));
        for (name, value) in [
            ("connection", "keep-alive"),
            ("upgrade", "h2c"),
            ("upgrade", "websocket, h2c"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOq="),
            ("sec-websocket-accept", ""),
        ] {
            let other = good
                .iter()
                .map(|(good, kept)| if *good == name { (name, value) } else { (*good, *kept) });
            let answer = request(&other.collect::<Vec<_>>());
            assert!(!upgrade.is_granted(answer.headers()), "{name}: {value}");
        }
        assert!(!upgrade.is_granted(&HeaderMap::new()));
    }

    #[test]
    fn a_route_passes_on_what_it_names() {
        let allowed = UpgradeProtocols::new(["SPDY/3.1".to_owned()]).unwrap();
        let spdy = [("connection", "upgrade"), ("upgrade", "spdy/3.1")];
        let mut post = request(&spdy);
        *post.method_mut() = Method::POST;
        let upgrade = Upgrade::of(&post, Preflight::No, &allowed).unwrap();
        assert!(upgrade.is_granted(request(&[("connection", "Upgrade"), ("upgrade", "SPDY/3.1")]).headers()));
        assert!(!upgrade.is_granted(request(&[("connection", "Upgrade"), ("upgrade", "websocket")]).headers()));
        assert_eq!(Upgrade::of(&request(HANDSHAKE), Preflight::No, &allowed), None);
    }

    #[test]
    fn sec_protocols_that_carry_requests_cannot_be_named() {
        for (name, problem) in [
            ("h2c", ProtocolProblem::CarriesRequests),
            ("H2C", ProtocolProblem::CarriesRequests),
            ("HTTP/2.0", ProtocolProblem::CarriesRequests),
            ("TLS/1.3", ProtocolProblem::CarriesRequests),
            ("", ProtocolProblem::Name),
            ("web socket", ProtocolProblem::Name),
            ("websocket,h2c", ProtocolProblem::Name),
            ("a/", ProtocolProblem::Name),
        ] {
            assert_eq!(
                UpgradeProtocols::new([name.to_owned()]),
                Err((name.to_owned(), problem)),
                "{name}"
            );
        }
        assert_eq!(
            UpgradeProtocols::new(["WebSocket".to_owned()]),
            Ok(UpgradeProtocols::default())
        );
    }

    #[test]
    fn what_is_left_of_a_handshake_goes() {
        let mut request = request(HANDSHAKE);
        remove_handshake(request.headers_mut());
        let left: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["connection", "upgrade"]);
    }
}
