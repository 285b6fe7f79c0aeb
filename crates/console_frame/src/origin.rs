//! Protection of forms against pages of other sites (CSRF), and of the console against other names of its host.
//!
//! A browser says of each request where it comes from: in `Sec-Fetch-Site` (Fetch Metadata Request Headers, W3C) and, of
//! each request that changes something, in `Origin` (RFC 6454 section 7). A request to change something is accepted only if
//! one of both says that a page of the console sent it. No token in the form is needed.
//!
//! The pages have the referrer policy `no-referrer`, under which browsers send `Origin: null` with their forms (Fetch
//! Standard, "append a request `Origin` header"). Then `Sec-Fetch-Site` alone tells where the form comes from.

use std::net::IpAddr;

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use url::Url;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Origin that browsers reach the console at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleOrigin {
    /// Scheme, host and port, as a browser writes them; `None` for a console on loopback names only.
    configured: Option<String>,
}

/// Reason for which a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginFault {
    /// The request is for a host that is not the console's.
    #[error(
        "the console does not answer under this host name; use the one in `[console] origin`, or a name of this machine"
    )]
    Host,
    /// The request changes something and does not come from a page of the console.
    #[error("this form was not sent by a page of the console; open the page here and send it again")]
    Site,
}

impl ConsoleOrigin {
    /// The origin of this address, such as `https://narthex.example.com`; `None` if the text is no such address, or has a
    /// path, a query or a user in it.
    pub fn new(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_plain = matches!(url.scheme(), "https" | "http")
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        is_plain.then(|| Self {
            configured: Some(url.origin().ascii_serialization()),
        })
    }

    /// The origin of a console that answers on loopback names only.
    pub const fn loopback() -> Self {
        Self { configured: None }
    }

    /// Host and port of the configured origin.
    fn authority(&self) -> Option<&str> {
        let (_, authority) = self.configured.as_deref()?.split_once("://")?;
        Some(authority)
    }

    /// Checks that a request is for the console's host and, if it may change something, that a page of the console sent
    /// it.
    ///
    /// # Errors
    ///
    /// [`OriginFault`].
    pub fn check(&self, request: &Parts) -> Result<(), OriginFault> {
        let host = host(request).ok_or(OriginFault::Host)?;
        // SECURITY: a name that an attacker points at this machine (DNS rebinding) would make the attacker's pages pages
        // of the console's own origin.
        let is_configured = self.authority().is_some_and(|known| known.eq_ignore_ascii_case(host));
        if !is_configured && !is_loopback(host) {
            return Err(OriginFault::Host);
        }
        let is_safe = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if is_safe || self.is_own_page(&request.headers, host, is_configured) {
            Ok(())
        } else {
            Err(OriginFault::Site)
        }
    }

    /// SECURITY: a request that says nothing of where it comes from is refused: every browser that the console works in
    /// says it. An origin that is named must be the console's, whatever the other header says.
    fn is_own_page(&self, headers: &HeaderMap, host: &str, is_configured: bool) -> bool {
        match (single(headers, &SEC_FETCH_SITE), single(headers, &header::ORIGIN)) {
            (Single::Unreadable, _) | (_, Single::Unreadable) | (Single::Absent, Single::Absent) => false,
            (Single::Text(site), _) if site != "same-origin" => false,
            (Single::Text(_), Single::Absent | Single::Text("null")) => true,
            (_, Single::Text(origin)) => self.is_own(origin, host, is_configured),
        }
    }

    /// Tests whether an origin is the one that the request is for.
    fn is_own(&self, origin: &str, host: &str, is_configured: bool) -> bool {
        match self.configured.as_deref() {
            Some(configured) if is_configured => configured.eq_ignore_ascii_case(origin),
            _ => origin
                .split_once("://")
                .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host)),
        }
    }
}

/// A header that a request has once.
enum Single<'h> {
    Absent,
    Text(&'h str),
    /// It is there twice, or is no text.
    Unreadable,
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Single<'h> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => Single::Absent,
        (Some(Ok(text)), None) => Single::Text(text),
        (Some(_), _) => Single::Unreadable,
    }
}

/// Returns the host and port that the request names.
pub fn host(request: &Parts) -> Option<&str> {
    if let Some(authority) = request.uri.authority() {
        return Some(authority.as_str());
    }
    match single(&request.headers, &header::HOST) {
        Single::Text(host) => Some(host),
        Single::Absent | Single::Unreadable => None,
    }
}

/// Tests whether a request is for a name of this machine, so that it does not leave the machine.
pub fn is_local(request: &Parts) -> bool {
    host(request).is_some_and(is_loopback)
}

/// Tests whether a host and port name this machine itself.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_local = |name: &str| name == "localhost" || name.ends_with(".localhost");
    is_local(&name.to_ascii_lowercase()) || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check(origin: &ConsoleOrigin, method: &str, headers: &[(&str, &str)]) -> Result<(), OriginFault> {
        let mut request = Request::builder().method(method).uri("/users");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        origin.check(&request.body(()).unwrap().into_parts().0)
    }

    fn configured() -> ConsoleOrigin {
        ConsoleOrigin::new("https://narthex.example.com").unwrap()
    }

    const HOST: (&str, &str) = ("host", "narthex.example.com");

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        for text in [
            "https://narthex.example.com",
            "https://narthex.example.com/",
            "http://localhost:9000",
        ] {
            assert!(ConsoleOrigin::new(text).is_some(), "{text}");
        }
        for text in [
            "narthex.example.com",
            "https://narthex.example.com/console",
            "https://narthex.example.com?a",
            "https://ada@narthex.example.com",
            "ftp://narthex.example.com",
        ] {
            assert!(ConsoleOrigin::new(text).is_none(), "{text}");
        }
    }

    #[test]
    fn sec_the_console_answers_under_its_own_names_only() {
        for host in [
            "narthex.example.com",
            "NARTHEX.example.com",
            "localhost:9001",
            "127.0.0.1",
            "[::1]:9001",
        ] {
            assert_eq!(check(&configured(), "GET", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "narthex.example.com.evil.example",
            "narthex.example.com:444",
            "10.0.0.1",
            "",
        ] {
            assert_eq!(
                check(&configured(), "GET", &[("host", host)]),
                Err(OriginFault::Host),
                "{host}"
            );
        }
        assert_eq!(check(&configured(), "GET", &[]), Err(OriginFault::Host));
        assert_eq!(check(&configured(), "GET", &[HOST, HOST]), Err(OriginFault::Host));
    }

    #[test]
    fn sec_a_form_of_another_site_changes_nothing() {
        for headers in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://narthex.example.com")],
            &[("origin", "null")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://narthex.example.com"),
            ],
            &[("sec-fetch-site", "cross-site"), ("origin", "null")],
            &[
                ("origin", "https://narthex.example.com"),
                ("origin", "https://evil.example"),
            ],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")],
            &[],
        ] {
            let all: Vec<_> = [&[HOST][..], headers].concat();
            assert_eq!(
                check(&configured(), "POST", &all),
                Err(OriginFault::Site),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn a_form_of_the_console_is_accepted() {
        for headers in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[("origin", "https://narthex.example.com")],
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://narthex.example.com"),
            ],
        ] {
            let all: Vec<_> = [&[HOST][..], headers].concat();
            assert_eq!(check(&configured(), "POST", &all), Ok(()), "{headers:?}");
        }
        let local = [("host", "localhost:9001"), ("origin", "http://localhost:9001")];
        assert_eq!(check(&ConsoleOrigin::loopback(), "POST", &local), Ok(()));
        let other_port = [("host", "localhost:9001"), ("origin", "http://localhost:3000")];
        assert_eq!(
            check(&ConsoleOrigin::loopback(), "POST", &other_port),
            Err(OriginFault::Site)
        );
    }

    #[test]
    fn a_page_may_be_opened_from_anywhere() {
        let from_elsewhere = [HOST, ("sec-fetch-site", "cross-site")];
        assert_eq!(check(&configured(), "GET", &from_elsewhere), Ok(()));
    }
}
