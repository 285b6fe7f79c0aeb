//! Sign-in as configured, and the offer of it to a browser whose request is refused.

use http::{HeaderName, Method, StatusCode};
use narthex_decision::Reason;
use narthex_directory::IssuerName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::credentials::{self, Presented, TokenPlaces};
use crate::http_rules;
use crate::inbound::Inbound;
use crate::origin::{WebOrigin, is_web_socket, own_origins};
use crate::respond::{Format, Refusal, status};
use crate::runtime::Runtime;
use narthex_session::cookie;

/// Path of the embedded login.
pub const LOGIN_PATH: &str = "/.narthex/login";
/// Path of the sign-in.
pub const SIGN_IN_PATH: &str = "/.narthex/sign-in";
/// Longest path, with its query, that a user is sent back to, in bytes.
pub const RETURN_BYTES_MAX: usize = 2_000;
/// Characters that an address in a query keeps as they are.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Place where users sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInTarget {
    /// An issuer's own sign-in, by its configured name.
    Issuer(IssuerName),
    /// A page of the operator's, by its URL.
    Url(String),
}

/// Sign-in and sessions, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInSettings {
    /// Place where users sign in; `None` if no browser is sent there.
    pub target: Option<SignInTarget>,
    /// Origins that sign-in serves.
    pub origins: Vec<WebOrigin>,
    /// Longest time between two uses of a session, in milliseconds.
    pub session_idle_ms: i64,
    /// Longest life of a session, in milliseconds.
    pub session_max_ms: i64,
}

impl Default for SignInSettings {
    /// No sign-in.
    fn default() -> Self {
        Self {
            target: None,
            origins: Vec::new(),
            session_idle_ms: 60 * 60 * 1000,
            session_max_ms: 12 * 60 * 60 * 1000,
        }
    }
}

impl SignInSettings {
    /// Returns the origin that a request was sent to, as the browser knows it, if sign-in serves it.
    pub fn served<'s>(&'s self, inbound: &Inbound<'_>) -> Option<&'s WebOrigin> {
        let own = own_origins(inbound);
        own.iter()
            .find_map(|own| self.origins.iter().find(|served| *served == own))
    }

    /// Returns an origin that sign-in serves on the host of a request, but not by the scheme or the port that it came by.
    pub fn served_otherwise<'s>(&'s self, inbound: &Inbound<'_>) -> Option<&'s WebOrigin> {
        let own = own_origins(inbound);
        let mut served = self.origins.iter();
        served.find(|served| own.iter().any(|own| own.has_host_of(served)))
    }
}

/// Use of sign-in for the refused requests of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginUse {
    /// Navigations are sent to it, and pages offer it.
    Offered,
    /// None (`login = false`).
    Off,
}

/// The sign-in that a refused request is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInOffer {
    /// Its address, with the way back.
    pub location: String,
    /// Effect of the offer.
    pub kind: OfferKind,
}

/// Effect of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferKind {
    /// The browser is sent there.
    Redirect,
    /// A page has a button for it.
    Button,
    /// A page has a button to sign in as another user.
    AnotherUser,
}

impl SignInOffer {
    /// Returns the offer for a request that is refused on a route; `None` if sign-in would not help, or does not serve it.
    pub(crate) fn of(runtime: &Runtime, route: usize, inbound: &Inbound<'_>, refusal: &Refusal) -> Option<Self> {
        match runtime.login_use(route) {
            LoginUse::Offered => Self::at(runtime, runtime.places_on(route), inbound, refusal),
            LoginUse::Off => None,
        }
    }

    /// Returns the offer for a page of Narthex's own, which belongs to no route.
    pub fn of_own_page(runtime: &Runtime, inbound: &Inbound<'_>, refusal: &Refusal) -> Option<Self> {
        Self::at(runtime, &runtime.places, inbound, refusal)
    }

    /// Returns the offer for a request whose token may be in these places.
    fn at(runtime: &Runtime, places: &TokenPlaces, inbound: &Inbound<'_>, refusal: &Refusal) -> Option<Self> {
        let settings = &runtime.sign_in;
        let target = settings.target.as_ref()?;
        let told = refusal.told.unwrap_or(refusal.reason);
        let kind = match status(told) {
            StatusCode::UNAUTHORIZED
                if is_navigation(inbound) && !is_stuck(places, inbound) && !is_embedded(inbound) =>
            {
                OfferKind::Redirect
            }
            StatusCode::UNAUTHORIZED => OfferKind::Button,
            StatusCode::FORBIDDEN if is_about_the_user(told) => OfferKind::AnotherUser,
            _ => return None,
        };
        let origin = settings.served(inbound)?;
        Some(Self {
            location: location(target, origin, &way_back(inbound), kind),
            kind,
        })
    }
}

/// Returns the address of the sign-in, absolute: some proxies read a relative one against their own address for Narthex.
fn location(target: &SignInTarget, origin: &WebOrigin, back: &str, kind: OfferKind) -> String {
    match target {
        SignInTarget::Issuer(_) => {
            let again = if kind == OfferKind::AnotherUser { "&again=1" } else { "" };
            format!("{origin}{SIGN_IN_PATH}?return={}{again}", encoded(back))
        }
        SignInTarget::Url(url) => {
            let joint = if url.contains('?') { '&' } else { '?' };
            format!("{url}{joint}return={}", encoded(&format!("{origin}{back}")))
        }
    }
}

/// Encodes text for the value of a query parameter.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

/// Returns the path and query that a user comes back to: those of the request, if a browser can ask for them again.
fn way_back(inbound: &Inbound<'_>) -> String {
    let path = std::str::from_utf8(inbound.path).unwrap_or("/");
    let back = match inbound.query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let repeatable = matches!(*inbound.method, Method::GET | Method::HEAD) && back.len() <= RETURN_BYTES_MAX;
    if repeatable { back } else { "/".to_owned() }
}

/// Tests whether a request is a navigation: a browser asks for a page to show (Fetch Metadata section 2.2).
fn is_navigation(inbound: &Inbound<'_>) -> bool {
    let mode = http_rules::single(inbound.headers, &SEC_FETCH_MODE);
    let navigates = mode.is_ok_and(|mode| mode.is_none_or(|mode| mode == "navigate"));
    navigates
        && matches!(*inbound.method, Method::GET | Method::HEAD)
        && !is_web_socket(inbound.headers)
        && Format::accepted(inbound.headers, 0) != Format::Problem
}

/// Tests whether signing in would not help, because a token in the request counts before any session.
fn is_stuck(places: &TokenPlaces, inbound: &Inbound<'_>) -> bool {
    cookie::secret(inbound.headers, cookie::DOOR).is_some()
        && credentials::present(inbound.headers, inbound.query, places) != Presented::Nothing
}

/// Tests whether the request is of a frame that had a session: few issuers show their sign-in in a frame, which would stay blank.
fn is_embedded(inbound: &Inbound<'_>) -> bool {
    cookie::embedded_issuers(inbound.headers).any(|name| name != "console")
}

/// Tests whether another user might pass.
const fn is_about_the_user(reason: Reason) -> bool {
    !matches!(reason, Reason::RequestOrigin | Reason::RequestProxyUntrusted)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::inbound::Door;

    fn inbound<'r>(method: &'r Method, query: Option<&'r str>, headers: &'r HeaderMap) -> Inbound<'r> {
        Inbound {
            method,
            path: b"/a/b",
            query,
            host: Some("app.example"),
            headers,
            door: Door::Proxy,
            route: None,
            sender: None,
            proof: None,
        }
    }

    #[test]
    fn a_navigation_is_a_get_for_a_page() {
        for (method, lines, expected) in [
            (Method::GET, &[("accept", "text/html")][..], true),
            (Method::HEAD, &[("accept", "text/html,*/*;q=0.8")], true),
            (
                Method::GET,
                &[("accept", "text/html"), ("sec-fetch-mode", "navigate")],
                true,
            ),
            (
                Method::GET,
                &[("accept", "text/html"), ("sec-fetch-mode", "cors")],
                false,
            ),
            (Method::GET, &[("accept", "*/*")], false),
            (Method::GET, &[], false),
            (Method::POST, &[("accept", "text/html")], false),
            (
                Method::GET,
                &[("accept", "text/html"), ("sec-websocket-key", "x")],
                false,
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(
                is_navigation(&inbound(&method, None, &headers)),
                expected,
                "{method} {lines:?}"
            );
        }
    }

    #[test]
    fn the_way_back_is_the_page_that_was_asked_for() {
        let headers = HeaderMap::new();
        let origin = WebOrigin::parse("https://app.example:8443").unwrap();
        let issuer = SignInTarget::Issuer(IssuerName::new("corp").unwrap());
        let back = way_back(&inbound(&Method::GET, Some("c=d&e=%2f"), &headers));
        assert_eq!(
            location(&issuer, &origin, &back, OfferKind::Redirect),
            "https://app.example:8443/.narthex/sign-in?return=/a/b%3Fc%3Dd%26e%3D%252f"
        );
        assert_eq!(
            location(&issuer, &origin, "/", OfferKind::AnotherUser),
            "https://app.example:8443/.narthex/sign-in?return=/&again=1"
        );
        let own = SignInTarget::Url("https://id.example/in?x=1".to_owned());
        assert_eq!(
            location(&own, &origin, "/a", OfferKind::Button),
            "https://id.example/in?x=1&return=https%3A//app.example%3A8443/a"
        );
        assert_eq!(way_back(&inbound(&Method::POST, None, &headers)), "/");
    }
}
