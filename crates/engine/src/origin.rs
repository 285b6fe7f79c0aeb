//! Check of the page that a request comes from, if its token came in a cookie: a browser sends cookies for any page
//! that asks it to.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use narthex_decision::{HostName, Reason, RequestHost};

use crate::http_rules;
use crate::inbound::{Door, Inbound, Trust};
use crate::respond::Refusal;
use crate::runtime::Runtime;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The origin of a web page: scheme, host and port (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: Scheme,
    host: HostName,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// Parses the scheme that a proxy states, which may be that of a WebSocket.
    fn said(text: &str) -> Option<Self> {
        match text {
            "http" | "ws" => Some(Self::Http),
            "https" | "wss" => Some(Self::Https),
            _ => None,
        }
    }
}

impl WebOrigin {
    /// Parses an origin as a browser writes it, such as `https://app.example.com`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        Self::at(scheme, authority)
    }

    /// Tests whether browsers treat it as secure: https, or a name or address of this machine (Secure Contexts section 3.1).
    pub fn is_secure_context(&self) -> bool {
        let is_own = match &self.host {
            HostName::V6(address) => address.is_loopback(),
            HostName::Name(name) => {
                let address = name.parse::<std::net::Ipv4Addr>();
                name == "localhost"
                    || name.ends_with(".localhost")
                    || address.is_ok_and(|address| address.is_loopback())
            }
        };
        self.scheme == Scheme::Https || is_own
    }

    /// Tests whether it has the host of another origin.
    pub(crate) fn has_host_of(&self, other: &Self) -> bool {
        self.host == other.host
    }

    fn at(scheme: Scheme, authority: &str) -> Option<Self> {
        // It checks the port too, so that the rest behind the host is empty, a colon, or a colon and a port.
        RequestHost::parse(authority).ok()?;
        let begin = authority.rfind(']').map_or(0, |end| end + 1);
        let colon = authority.get(begin..)?.find(':').map(|colon| begin + colon);
        let (host, port) = authority.split_at(colon.unwrap_or(authority.len()));
        let port = match port.strip_prefix(':') {
            None | Some("") => scheme.port(),
            Some(port) => port.parse().ok()?,
        };
        Some(Self {
            scheme,
            host: HostName::parse(host)?,
            port,
        })
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == self.scheme.port() {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

/// Permission for scripts of other origins to read an answer of Narthex's own (Fetch standard, "CORS protocol").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadableBy {
    /// Origin of the request, if the route lists it.
    origin: Option<HeaderValue>,
}

/// Headers of a refusal that a script may read besides the usual ones.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("x-narthex-reason, x-narthex-request-id, www-authenticate, retry-after, dpop-nonce");

impl ReadableBy {
    /// Returns the permission for the origin of a request; `None` for a route that lists no origins.
    pub fn of(runtime: &Runtime, route: usize, headers: &HeaderMap) -> Option<Self> {
        let allows = runtime.cors_origins(route);
        if allows.is_empty() {
            return None;
        }
        let origin = http_rules::single(headers, &header::ORIGIN).ok().flatten();
        let listed = |origin: &&HeaderValue| {
            let named = origin.to_str().ok().and_then(WebOrigin::parse);
            named.is_some_and(|named| allows.contains(&named))
        };
        Some(Self {
            origin: origin.filter(listed).cloned(),
        })
    }

    /// Writes the permission into an answer.
    ///
    /// SECURITY: only into answers that Narthex makes itself. Those of the application say themselves who may read them.
    pub fn write<B>(&self, answer: &mut Response<B>) {
        let headers = answer.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = &self.origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

/// Tests whether a request with this method and these headers may change something, or open a two-way stream: a page of
/// another origin must not make the browser send it with the user's cookie. Reading needs no check, because a page of
/// another origin is not shown the answer.
fn needs_origin(method: &Method, headers: &HeaderMap) -> bool {
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    changes || is_web_socket(headers) || http_rules::overriding_methods(headers, method).next().is_some()
}

/// Tests whether a request opens a WebSocket, at any door. Proxies do not pass on `Upgrade` when they ask, but the
/// other header.
pub(crate) fn is_web_socket(headers: &HeaderMap) -> bool {
    let names = |value: &HeaderValue| {
        let mut protocols = value.as_bytes().split(|byte| *byte == b',');
        protocols.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    };
    headers.contains_key(header::SEC_WEBSOCKET_KEY) || headers.get_all(header::UPGRADE).iter().any(names)
}

/// Tests whether a page of another site had the browser send a request (Fetch Metadata section 2.3). A client that says nothing of
/// that is no browser, or an old one.
///
/// SECURITY: a value that is unknown or there twice counts as another site's.
pub fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_FETCH_SITE)
        && !matches!(
            single(headers, &SEC_FETCH_SITE),
            Some("same-origin" | "same-site" | "none")
        )
}

/// Refuses a request with a token in a cookie, or with a session, if it does not come from a page of its own origin, or of one that the
/// route `allows`.
///
/// SECURITY: this check stands between a signed-in user and every other page that the user visits.
///
/// # Errors
///
/// `request.origin`.
pub fn check(inbound: &Inbound<'_>, allows: &[WebOrigin]) -> Result<(), Refusal> {
    if !needs_origin(inbound.method, inbound.headers) {
        return Ok(());
    }
    let origins = inbound.headers.get_all(header::ORIGIN).iter().count();
    let sites = inbound.headers.get_all(SEC_FETCH_SITE).iter().count();
    if origins == 0 && sites == 0 {
        let why = "the request has neither `Origin` nor `Sec-Fetch-Site`, and its token came in a cookie";
        return Err(Refusal {
            remedy: Some("send it from the application's own pages, or the token in a header".to_owned()),
            ..Refusal::because(Reason::RequestOrigin, why)
        });
    }
    // `none`: the user's own doing, such as a bookmark.
    let same_site = matches!(single(inbound.headers, &SEC_FETCH_SITE), Some("same-origin" | "none"));
    let named = single(inbound.headers, &header::ORIGIN).and_then(WebOrigin::parse);
    let same = || named.is_some_and(|origin| allows.contains(&origin) || is_own(&origin, inbound));
    if same_site || same() {
        Ok(())
    } else {
        Err(Refusal::new(Reason::RequestOrigin))
    }
}

/// Returns the origin that a request was sent to, if a browser keeps the cookies of sessions there.
pub fn secure_origin(inbound: &Inbound<'_>) -> Option<WebOrigin> {
    own_origins(inbound).into_iter().find(WebOrigin::is_secure_context)
}

/// Tests whether this is the origin that the request was sent to, as the browser knows it.
fn is_own(origin: &WebOrigin, inbound: &Inbound<'_>) -> bool {
    own_origins(inbound).contains(origin)
}

/// Returns the origins that the request may have been sent to, as the browser knows them: nearly always one. A trusted
/// proxy states the scheme, and the host if it has changed it. If a proxy states no scheme, it is either of the two.
pub(crate) fn own_origins(inbound: &Inbound<'_>) -> Vec<WebOrigin> {
    let trusted = inbound.trust() == Trust::Trusted;
    let forwarded = |name: HeaderName| single(inbound.headers, &name).filter(|_| trusted);
    let schemes = match forwarded(FORWARDED_PROTO).map(Scheme::said) {
        Some(said) => said.as_slice().to_vec(),
        // https first: an address with a sign-in is chosen from the front.
        None if trusted => vec![Scheme::Https, Scheme::Http],
        None if inbound.sender.is_some_and(|sender| sender.is_encrypted) => vec![Scheme::Https],
        None => vec![Scheme::Http],
    };
    let forwarded_host =
        forwarded(FORWARDED_HOST).filter(|_| matches!(inbound.door, Door::Proxy | Door::Me | Door::SignIn));
    let hosts = inbound.host.into_iter().chain(forwarded_host);
    hosts
        .flat_map(|host| schemes.iter().filter_map(move |scheme| WebOrigin::at(*scheme, host)))
        .collect()
}

/// Returns the one value of a header; `None` also for several.
fn single<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Option<&'r str> {
    http_rules::single(headers, name).ok().flatten()?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbound::{Sender, TrustedProxies};

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        let read = |text: &str| WebOrigin::parse(text).unwrap_or_else(|| panic!("`{text}` is refused"));
        assert_eq!(read("https://app.example"), read("https://APP.example:443"));
        assert_eq!(read("http://app.example"), read("http://app.example:80"));
        assert_eq!(read("http://[::1]:8080"), read("http://[0:0::1]:8080"));
        assert_ne!(read("https://app.example"), read("http://app.example"));
        assert_ne!(read("https://app.example"), read("https://app.example:8443"));
        for text in [
            "",
            "null",
            "*",
            "app.example",
            "//app.example",
            "ftp://app.example",
            "https://",
            "https://*.example",
            "https://app.example/",
            "https://app.example/path",
            "https://user@app.example",
            "https://app.example:port",
            "https://app.example:99999",
            "https://app.example https://evil.example",
            "https://app.example, https://evil.example",
        ] {
            assert_eq!(WebOrigin::parse(text), None, "{text}");
        }
    }

    /// Tests whether a request with these headers about its origin passes.
    fn passes(method: &str, trust: Trust, pairs: &[(&'static str, &'static str)]) -> bool {
        passes_by(false, method, trust, pairs)
    }

    /// The same for a request that came by TLS, or without it.
    fn passes_by(is_encrypted: bool, method: &str, trust: Trust, pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let method = method.parse().unwrap();
        let proxies = match trust {
            Trust::Trusted => TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]),
            Trust::Untrusted => TrustedProxies::default(),
        };
        let inbound = Inbound {
            method: &method,
            path: b"/",
            query: None,
            host: Some("app.example"),
            headers: &headers,
            door: Door::Proxy,
            route: None,
            sender: Some(Sender {
                peer: "10.0.0.1".parse().unwrap(),
                proxies: &proxies,
                is_encrypted,
            }),
            proof: None,
        };
        check(&inbound, &[WebOrigin::parse("https://spa.example").unwrap()]).is_ok()
    }

    /// The port's own TLS makes the origin https, and no header of a client changes that.
    #[test]
    fn sec_origin_of_a_port_with_tls() {
        const HTTPS: (&str, &str) = ("origin", "https://app.example");
        const HTTP: (&str, &str) = ("origin", "http://app.example");
        const FORGED: (&str, &str) = ("x-forwarded-proto", "http");
        for (trust, pairs, expected) in [
            (Trust::Untrusted, &[HTTPS][..], true),
            (Trust::Untrusted, &[HTTP], false),
            (Trust::Untrusted, &[HTTP, FORGED], false),
            (Trust::Trusted, &[HTTPS], true),
            (Trust::Trusted, &[HTTP, FORGED], true),
        ] {
            assert_eq!(passes_by(true, "POST", trust, pairs), expected, "{trust:?} {pairs:?}");
        }
    }

    #[test]
    fn sec_origin_of_cookie_tokens_is_a_table() {
        const OWN: (&str, &str) = ("origin", "http://app.example");
        const OTHER: (&str, &str) = ("origin", "http://evil.example");
        const KEY: (&str, &str) = ("sec-websocket-key", "x");
        for (method, pairs, expected) in [
            ("GET", &[OTHER][..], true),
            ("HEAD", &[], true),
            ("OPTIONS", &[OTHER], true),
            ("POST", &[], false),
            ("DELETE", &[], false),
            ("QUERY", &[], false),
            ("POST", &[OWN], true),
            ("POST", &[("origin", "http://APP.example:80")], true),
            ("POST", &[("origin", "https://app.example")], false),
            ("POST", &[("origin", "http://app.example:8080")], false),
            ("POST", &[("origin", "http://app.example.evil.example")], false),
            ("POST", &[("origin", "null")], false),
            ("POST", &[OTHER], false),
            ("POST", &[OWN, OTHER], false),
            ("POST", &[("origin", "https://spa.example")], true),
            ("POST", &[("sec-fetch-site", "same-origin")], true),
            ("POST", &[("sec-fetch-site", "none")], true),
            ("POST", &[("sec-fetch-site", "same-site")], false),
            ("POST", &[("sec-fetch-site", "cross-site")], false),
            (
                "POST",
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-site", "none")],
                false,
            ),
            ("POST", &[("sec-fetch-site", "cross-site"), OTHER], false),
            ("POST", &[("origin", "null"), ("sec-fetch-site", "same-origin")], true),
            ("GET", &[KEY], false),
            ("GET", &[KEY, OTHER], false),
            ("GET", &[KEY, OWN], true),
            ("GET", &[("upgrade", "WebSocket"), OTHER], false),
            ("GET", &[("upgrade", "h2c, websocket"), OTHER], false),
            ("GET", &[("upgrade", "h2c"), OTHER], true),
            // An untrusted client is not believed about its own origin.
            (
                "POST",
                &[("origin", "https://app.example"), ("x-forwarded-proto", "https")],
                false,
            ),
            ("POST", &[OTHER, ("x-forwarded-host", "evil.example")], false),
        ] {
            assert_eq!(passes(method, Trust::Untrusted, pairs), expected, "{method} {pairs:?}");
        }
        for (pairs, expected) in [
            (
                &[("origin", "https://app.example"), ("x-forwarded-proto", "https")][..],
                true,
            ),
            (
                &[("origin", "http://app.example"), ("x-forwarded-proto", "https")],
                false,
            ),
            (&[("origin", "https://app.example"), ("x-forwarded-proto", "wss")], true),
            (
                &[("origin", "https://app.example"), ("x-forwarded-proto", "gopher")],
                false,
            ),
            (&[("origin", "https://app.example")], true),
            (&[("origin", "http://app.example")], true),
            (
                &[("origin", "https://www.example"), ("x-forwarded-host", "www.example")],
                true,
            ),
            (&[OTHER], false),
        ] {
            assert_eq!(passes("POST", Trust::Trusted, pairs), expected, "{pairs:?}");
        }
    }
}
