//! Search for the one token of a request, and its removal from the forwarded request.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use narthex_decision::{Reason, remove_headers, spelled_like};
use narthex_directory::IssuerName;
use narthex_session::cookie;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::dpop::PROOF_HEADER;
use crate::respond::Refusal;

/// Places where a token may be (`token_from` in the configuration).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPlaces {
    /// `Authorization: Bearer`.
    pub authorization: bool,
    /// `Authorization: DPoP` (RFC 9449 section 7.1).
    pub dpop: bool,
    /// Other headers that carry a token as their whole value, or after `Bearer `.
    pub headers: Vec<HeaderName>,
    /// Cookies that carry a token as their value.
    pub cookies: Vec<String>,
    /// Query parameters that carry a token.
    pub query_parameters: Vec<String>,
    /// Text before the token in a WebSocket subprotocol (RFC 6455 section 1.9).
    pub subprotocol_prefixes: Vec<String>,
}

impl Default for TokenPlaces {
    /// `Authorization: Bearer` alone.
    fn default() -> Self {
        Self {
            authorization: true,
            ..Self::none()
        }
    }
}

impl TokenPlaces {
    /// Returns no place: no token is looked for.
    pub const fn none() -> Self {
        Self {
            authorization: false,
            dpop: false,
            headers: Vec::new(),
            cookies: Vec::new(),
            query_parameters: Vec::new(),
            subprotocol_prefixes: Vec::new(),
        }
    }

    /// Adds the places of another set.
    pub fn add(&mut self, other: &Self) {
        self.authorization |= other.authorization;
        self.dpop |= other.dpop;
        add_missing(&mut self.headers, &other.headers);
        add_missing(&mut self.cookies, &other.cookies);
        add_missing(&mut self.query_parameters, &other.query_parameters);
        add_missing(&mut self.subprotocol_prefixes, &other.subprotocol_prefixes);
    }

    /// Tests whether a token may come in that place.
    pub fn contains(&self, place: &Place) -> bool {
        match place {
            Place::Authorization => self.authorization,
            Place::Dpop => self.dpop,
            Place::Header(name) => self.headers.contains(name),
            Place::Cookie(name) => self.cookies.contains(name),
            Place::QueryParameter(name) => self.query_parameters.contains(name),
            Place::Subprotocol(prefix) => self.subprotocol_prefixes.contains(prefix),
            Place::AdminPort => true,
            // SECURITY: a session is of one issuer, and its cookie is not looked for among tokens.
            Place::Session(_) | Place::Embedded { .. } => false,
        }
    }

    /// Tests whether it has every place of another set.
    pub fn has_all(&self, other: &Self) -> bool {
        let mut both = self.clone();
        both.add(other);
        both == *self
    }

    /// Returns the configured query parameter that an (encoded) name stands for.
    fn parameter(&self, name: &str) -> Option<&String> {
        self.query_parameters
            .iter()
            .find(|parameter| is_parameter(name, parameter))
    }

    /// Returns the longest prefix that a WebSocket subprotocol begins with, and the token behind it.
    fn subprotocol<'r>(&self, entry: &'r [u8]) -> Option<(&String, &'r [u8])> {
        let prefixes = self.subprotocol_prefixes.iter();
        let found = prefixes.filter_map(|prefix| Some((prefix, entry.strip_prefix(prefix.as_bytes())?)));
        found.max_by_key(|(prefix, _)| prefix.len())
    }

    /// Returns the refusal of a request without a token, which says where one is looked for.
    pub(crate) fn missing(&self) -> Refusal {
        let refusal = Refusal::new(Reason::TokenMissing);
        if self.authorization {
            return refusal;
        }
        let headers = self.headers.iter().map(|name| format!("in the header `{name}`"));
        let cookies = self.cookies.iter().map(|name| format!("in the cookie `{name}`"));
        let parameters = self.query_parameters.iter();
        let parameters = parameters.map(|name| format!("in the query parameter `{name}`"));
        let prefixes = self.subprotocol_prefixes.iter();
        let prefixes = prefixes.map(|prefix| format!("in a WebSocket subprotocol behind `{prefix}`"));
        let places: Vec<String> = headers.chain(cookies).chain(parameters).chain(prefixes).collect();
        Refusal {
            remedy: (!places.is_empty()).then(|| format!("send one {}", places.join(" or "))),
            ..refusal
        }
    }
}

fn add_missing<T: Clone + PartialEq>(to: &mut Vec<T>, from: &[T]) {
    for item in from {
        if !to.contains(item) {
            to.push(item.clone());
        }
    }
}

/// Tests whether an (encoded) name of a query parameter is this one.
fn is_parameter(name: &str, parameter: &str) -> bool {
    percent_decode_str(name).decode_utf8_lossy() == parameter
}

/// Place where a token was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `Authorization: Bearer`.
    Authorization,
    /// `Authorization: DPoP`, for tokens that are bound to a key.
    Dpop,
    /// Another header.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
    /// A query parameter, by its configured name.
    QueryParameter(String),
    /// A WebSocket subprotocol, by the text before the token.
    Subprotocol(String),
    /// `Authorization` of the admin port, where tokens of every issuer may be.
    AdminPort,
    /// A session, with the issuer of its token.
    Session(IssuerName),
    /// A session in a frame.
    Embedded {
        /// Issuer of its token.
        issuer: IssuerName,
        /// Body of its login, for the templates that read it.
        body: Option<Value>,
    },
}

/// Places where the one token of a request was found: nearly always one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAt {
    first: Place,
    others: Vec<Place>,
}

impl From<Place> for FoundAt {
    fn from(first: Place) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }
}

impl FoundAt {
    /// Iterates over the places.
    pub fn iter(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Returns the issuer of the session that the token is of, if it is of one.
    pub(crate) const fn session_issuer(&self) -> Option<&IssuerName> {
        match &self.first {
            Place::Session(issuer) | Place::Embedded { issuer, .. } => Some(issuer),
            _ => None,
        }
    }

    /// Tests whether the token is of a session, so that its cookie brought it.
    pub(crate) const fn is_session(&self) -> bool {
        self.session_issuer().is_some()
    }

    /// Tests whether the token is of a session in a frame.
    pub(crate) const fn is_embedded(&self) -> bool {
        matches!(&self.first, Place::Embedded { .. })
    }

    /// Returns the body of the embedded login that the token came by.
    pub(crate) const fn login_body(&self) -> Option<&Value> {
        match &self.first {
            Place::Embedded { body, .. } => body.as_ref(),
            _ => None,
        }
    }
}

/// Value presented as a token. Its characters are checked only on a cache miss: a cached token equals, byte for byte,
/// one that was good before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'r>(&'r [u8]);

impl<'r> From<&'r str> for Token<'r> {
    fn from(text: &'r str) -> Self {
        Self(text.as_bytes())
    }
}

impl<'r> Token<'r> {
    /// Returns its bytes, unchecked.
    pub const fn bytes(self) -> &'r [u8] {
        self.0
    }

    /// Returns the token as text.
    ///
    /// # Errors
    ///
    /// `token.malformed` if it is not one word: visible ASCII without a comma, after which another token could stand.
    pub fn word(self) -> Result<&'r str, Refusal> {
        // One pass without an early exit, so that it processes many bytes at a time.
        let odd = self.0.iter().fold(0, |odd: u8, byte| {
            odd | u8::from(!(0x21..0x7f).contains(byte)) | u8::from(*byte == b',')
        });
        match std::str::from_utf8(self.0) {
            Ok(word) if odd == 0 => Ok(word),
            _ => Err(no_token()),
        }
    }
}

/// Result of the search: nothing, one token, or something that is refused. Only "nothing" may pass as anonymous.
#[derive(Debug, PartialEq, Eq)]
pub enum Presented<'r> {
    /// No token in any place.
    Nothing,
    /// Exactly one token, in one place or in several.
    One(Token<'r>, FoundAt),
    /// Two different tokens, or more than one in one place.
    ///
    /// SECURITY: to choose one of two tokens is a guess, and two programs guess differently.
    Several,
    /// The header is present but is not `Bearer` and a token.
    Unreadable,
}

impl<'r> Presented<'r> {
    /// Adds what another place has.
    fn and(self, token: Result<&'r [u8], ()>, place: Place) -> Self {
        match (self, token) {
            (Self::Nothing, Ok(token)) => Self::One(Token(token), place.into()),
            (Self::Nothing, Err(())) => Self::Unreadable,
            (Self::One(first, mut at), Ok(token)) if first.0 == token && at.iter().all(|other| *other != place) => {
                at.others.push(place);
                Self::One(first, at)
            }
            _ => Self::Several,
        }
    }

    /// Returns the one token and its places; `None` if nothing was presented.
    ///
    /// # Errors
    ///
    /// `token.multiple` and `token.malformed`.
    pub fn one(self) -> Result<Option<(Token<'r>, FoundAt)>, Refusal> {
        match self {
            Self::Nothing => Ok(None),
            Self::One(token, at) => Ok(Some((token, at))),
            Self::Several => Err(Refusal::new(Reason::TokenMultiple)),
            Self::Unreadable => Err(no_token()),
        }
    }
}

fn no_token() -> Refusal {
    Refusal {
        remedy: Some("send `Authorization: Bearer` and one token".to_owned()),
        ..Refusal::because(Reason::TokenMalformed, "the header is not `Bearer` and one token")
    }
}

/// Searches a request for its token.
pub fn present<'r>(headers: &'r HeaderMap, query: Option<&'r str>, places: &TokenPlaces) -> Presented<'r> {
    let mut found = Presented::Nothing;
    let mut take = |token: Result<&'r [u8], ()>, place: Place| {
        found = std::mem::replace(&mut found, Presented::Nothing).and(token, place);
    };
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(value) = authorizations.next() {
        // SECURITY: of two fields one program reads the first and another the last, whatever their schemes are.
        if authorizations.next().is_some() {
            return Presented::Several;
        }
        let bearer = bearer(value).filter(|_| places.authorization);
        let dpop = || after_scheme(value, b"dpop").filter(|_| places.dpop);
        if let Some(token) = bearer {
            take(token, Place::Authorization);
        } else if let Some(token) = dpop() {
            take(token, Place::Dpop);
        }
    }
    for name in &places.headers {
        for value in headers.get_all(name) {
            take(
                bearer(value).unwrap_or_else(|| Ok(value.as_bytes().trim_ascii())),
                Place::Header(name.clone()),
            );
        }
    }
    if !places.cookies.is_empty() {
        for (name, value) in cookie::pairs(headers) {
            if let Some(known) = places.cookies.iter().find(|known| known.as_bytes() == name) {
                take(Ok(value), Place::Cookie(known.clone()));
            }
        }
    }
    if !places.query_parameters.is_empty() {
        for (name, value) in parameters(query) {
            if let Some(parameter) = places.parameter(name) {
                take(Ok(value.as_bytes()), Place::QueryParameter(parameter.clone()));
            }
        }
    }
    if !places.subprotocol_prefixes.is_empty() {
        for entry in subprotocols(headers) {
            if let Some((prefix, token)) = places.subprotocol(entry) {
                let token = Some(token).filter(|token| !token.is_empty()).ok_or(());
                take(token, Place::Subprotocol(prefix.clone()));
            }
        }
    }
    found
}

/// Returns the token of an `Authorization` value with the scheme `Bearer` in any case (RFC 9110 section 11.1); `None`
/// for another scheme, an error if nothing follows it.
fn bearer(value: &HeaderValue) -> Option<Result<&[u8], ()>> {
    after_scheme(value, b"bearer")
}

/// The same for any scheme.
fn after_scheme<'v>(value: &'v HeaderValue, scheme: &[u8]) -> Option<Result<&'v [u8], ()>> {
    let (own, rest) = value.as_bytes().split_at_checked(scheme.len())?;
    if !own.eq_ignore_ascii_case(scheme) {
        return None;
    }
    match rest.first() {
        Some(b' ') => {}
        // Another scheme with the same beginning.
        Some(byte) if byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte) => return None,
        // SECURITY: a value that some program may read as `Bearer` and a token is not forwarded as if it were nothing.
        _ => return Some(Err(())),
    }
    let token = without_spaces(rest);
    Some(if token.is_empty() { Err(()) } else { Ok(token) })
}

/// Trims the spaces at both ends.
const fn without_spaces(mut bytes: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = bytes {
        bytes = rest;
    }
    bytes
}

/// Returns the name and value pairs of a query, still encoded.
fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Returns the subprotocols that a WebSocket handshake offers (RFC 6455 section 11.3.4).
fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let entries = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    entries.map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty())
}

/// Replaces a header by the part of it that stays, or removes it if nothing stays.
fn keep(headers: &mut HeaderMap, name: HeaderName, part: &[u8]) {
    let kept = HeaderValue::from_bytes(part);
    headers.remove(&name);
    if let Some(kept) = kept.ok().filter(|kept| !kept.is_empty()) {
        headers.insert(name, kept);
    }
}

/// Removes the token from a request's headers before the request is forwarded.
pub fn remove(headers: &mut HeaderMap, place: &Place) {
    match place {
        Place::Authorization => {
            headers.remove(header::AUTHORIZATION);
        }
        Place::Dpop => {
            headers.remove(header::AUTHORIZATION);
            // The proof is for this request, and says nothing to the application.
            headers.remove(PROOF_HEADER);
        }
        Place::Header(name) => {
            headers.remove(name);
        }
        Place::Cookie(removed) => {
            // Byte for byte, because the other pairs belong to the application: quotes, no value, bytes that are not
            // text.
            let is_it = |pair: &[u8]| {
                let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
                name.trim_ascii() == removed.as_bytes()
            };
            let kept: Vec<&[u8]> = headers
                .get_all(header::COOKIE)
                .iter()
                .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
                .map(<[u8]>::trim_ascii)
                .filter(|pair| !is_it(pair))
                .collect();
            let kept = kept.join(&b"; "[..]);
            keep(headers, header::COOKIE, &kept);
        }
        Place::Subprotocol(prefix) => {
            // The other subprotocols are the application's.
            let others = subprotocols(headers).filter(|entry| !entry.starts_with(prefix.as_bytes()));
            let kept = others.collect::<Vec<&[u8]>>().join(&b", "[..]);
            keep(headers, header::SEC_WEBSOCKET_PROTOCOL, &kept);
        }
        // The cookies of sessions are removed on every route, whether they count or not.
        Place::QueryParameter(_) | Place::AdminPort | Place::Session(_) | Place::Embedded { .. } => {}
    }
}

/// Removes headers that some servers take for a header that carries tokens.
///
/// SECURITY: such a server would read a token there that was never verified.
pub fn remove_other_spellings(headers: &mut HeaderMap, places: &TokenPlaces) {
    remove_headers(headers, |name| {
        let mut known = places.headers.iter().map(HeaderName::as_str);
        known.any(|known| spelled_like(name, known)) && places.headers.iter().all(|known| known != name)
    });
}

/// Removes tokens from the query of the `Referer`: a page that was requested with a token in its URL sends that URL
/// with each of its own requests.
pub fn remove_from_referer(headers: &mut HeaderMap, places: &TokenPlaces) {
    let mut named = headers.get_all(header::REFERER).iter();
    let (Some(referer), false) = (named.next(), places.query_parameters.is_empty()) else {
        return;
    };
    let (Ok(referer), None) = (referer.to_str(), named.next()) else {
        // Two of them, or one that is no URL, cannot be cleaned with certainty.
        headers.remove(header::REFERER);
        return;
    };
    let Some((page, query)) = referer.split_once('?') else {
        return;
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            places
                .parameter(pair.split_once('=').map_or(*pair, |(name, _)| name))
                .is_none()
        })
        .collect();
    let cleaned = if kept.is_empty() {
        page.to_owned()
    } else {
        format!("{page}?{}", kept.join("&"))
    };
    match HeaderValue::try_from(cleaned) {
        Ok(cleaned) => headers.insert(header::REFERER, cleaned),
        Err(_) => headers.remove(header::REFERER),
    };
}

/// Returns a query without the parameters of this name, however it is encoded; the rest stays byte for byte.
pub fn query_without(query: &str, removed: &str) -> String {
    query
        .split('&')
        .filter(|pair| !is_parameter(pair.split_once('=').map_or(*pair, |(name, _)| name), removed))
        .collect::<Vec<_>>()
        .join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn places() -> TokenPlaces {
        TokenPlaces {
            headers: vec![HeaderName::from_static("x-token")],
            cookies: vec!["session".to_owned()],
            query_parameters: vec!["access_token".to_owned()],
            ..TokenPlaces::default()
        }
    }

    fn at(place: Place) -> FoundAt {
        place.into()
    }

    #[test]
    fn the_scheme_is_case_insensitive_and_other_schemes_are_no_token() {
        for value in ["Bearer abc", "bearer abc", "BEARER  abc ", "bEaReR abc"] {
            let headers = headers(&[("authorization", value)]);
            assert_eq!(
                present(&headers, None, &TokenPlaces::default()),
                Presented::One(Token(b"abc"), at(Place::Authorization)),
                "{value}"
            );
        }
        for value in ["Basic YTpi", "Bearerabc", "Negotiate x", ""] {
            assert_eq!(
                present(&headers(&[("authorization", value)]), None, &TokenPlaces::default()),
                Presented::Nothing,
                "{value}"
            );
        }
        for value in [
            "Bearer a b",
            "Bearer a, Bearer b",
            "Bearer a,b",
            "Bearer a\tb",
            "Bearer \u{e9}",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", HeaderValue::from_bytes(value.as_bytes()).unwrap());
            let Presented::One(token, _) = present(&headers, None, &TokenPlaces::default()) else {
                panic!("{value} presents one");
            };
            assert!(token.word().is_err(), "{value}");
        }
        for value in ["Bearer", "Bearer "] {
            assert_eq!(
                present(&headers(&[("authorization", value)]), None, &TokenPlaces::default()),
                Presented::Unreadable,
                "{value}"
            );
        }
    }

    #[test]
    fn other_places_count_only_where_configured() {
        let all = headers(&[("x-token", "one"), ("cookie", "a=b; session=two")]);
        assert_eq!(
            present(&all, Some("access_token=three"), &TokenPlaces::default()),
            Presented::Nothing
        );
        let header = headers(&[("x-token", "Bearer one")]);
        assert_eq!(
            present(&header, None, &places()),
            Presented::One(Token(b"one"), at(Place::Header(HeaderName::from_static("x-token"))))
        );
        let cookie = headers(&[("cookie", "a=b; session=two; c=d")]);
        assert_eq!(
            present(&cookie, None, &places()),
            Presented::One(Token(b"two"), at(Place::Cookie("session".to_owned())))
        );
        assert_eq!(
            present(&HeaderMap::new(), Some("x=1&access_token=three"), &places()),
            Presented::One(Token(b"three"), at(Place::QueryParameter("access_token".to_owned())))
        );
    }

    /// Two tokens in any two places, or one twice in one place, are refused, whether they are valid or not.
    #[test]
    fn sec_two_tokens() {
        let schemes = headers(&[("authorization", "Bearer a"), ("authorization", "Basic YTpi")]);
        assert_eq!(present(&schemes, None, &TokenPlaces::default()), Presented::Several);
        let none = headers(&[("authorization", "Basic YTpi"), ("authorization", "Basic YTpi")]);
        assert_eq!(present(&none, None, &TokenPlaces::default()), Presented::Several);
        let twice = headers(&[("authorization", "Bearer a"), ("authorization", "Bearer a")]);
        assert_eq!(present(&twice, None, &TokenPlaces::default()), Presented::Several);
        let header = headers(&[("authorization", "Bearer a")]);
        assert_eq!(present(&header, Some("access_token=b"), &places()), Presented::Several);
        assert_eq!(
            present(&header, Some("access%5Ftoken=b"), &places()),
            Presented::Several
        );
        let broken_and_good = headers(&[("authorization", "Bearer"), ("authorization", "Bearer a")]);
        assert_eq!(present(&broken_and_good, None, &places()), Presented::Several);
        let cookies = headers(&[("cookie", "session=a"), ("cookie", "session=b")]);
        assert_eq!(present(&cookies, None, &places()), Presented::Several);
        assert_eq!(
            present(&HeaderMap::new(), Some("access_token=a&access_token=a"), &places()),
            Presented::Several
        );
    }

    /// The same token in two places is one token, and is removed from both.
    #[test]
    fn sec_one_token_in_two_places() {
        let mut all = headers(&[
            ("authorization", "Bearer a"),
            ("cookie", "session=a; b=c"),
            ("x-token", "a"),
        ]);
        let Presented::One(token, found) = present(&all, Some("access_token=a"), &places()) else {
            panic!("it is one token");
        };
        assert_eq!((token.bytes(), found.iter().count()), (&b"a"[..], 4));
        found.iter().for_each(|place| remove(&mut all, place));
        assert_eq!(all, headers(&[("cookie", "b=c")]));
        let other = headers(&[
            ("authorization", "Bearer a"),
            ("cookie", "session=a; b=c"),
            ("x-token", "b"),
        ]);
        assert_eq!(present(&other, None, &places()), Presented::Several);
    }

    /// The list replaces `Authorization`, which is then the application's. Two such fields are refused all the same.
    #[test]
    fn sec_authorization_counts_only_where_it_is_listed() {
        let only = TokenPlaces {
            authorization: false,
            ..places()
        };
        let both = headers(&[("authorization", "Bearer theirs"), ("x-token", "ours")]);
        assert_eq!(
            present(&both, None, &only),
            Presented::One(Token(b"ours"), at(Place::Header(HeaderName::from_static("x-token"))))
        );
        let theirs = headers(&[("authorization", "Bearer theirs")]);
        assert_eq!(present(&theirs, None, &only), Presented::Nothing);
        let twice = headers(&[("authorization", "Basic a"), ("authorization", "Basic b")]);
        assert_eq!(present(&twice, None, &only), Presented::Several);
        assert_eq!(present(&twice, None, &TokenPlaces::none()), Presented::Several);
    }

    #[test]
    fn a_subprotocol_carries_the_token_and_the_others_go_on() {
        let places = TokenPlaces {
            subprotocol_prefixes: vec!["bearer.".to_owned(), "bearer.jwt.".to_owned()],
            ..TokenPlaces::none()
        };
        let mut offered = headers(&[
            ("sec-websocket-protocol", "v1.app, bearer.jwt.abc"),
            ("sec-websocket-protocol", "chat"),
        ]);
        let prefix = "bearer.jwt.".to_owned();
        assert_eq!(
            present(&offered, None, &places),
            Presented::One(Token(b"abc"), at(Place::Subprotocol(prefix.clone())))
        );
        remove(&mut offered, &Place::Subprotocol(prefix.clone()));
        assert_eq!(offered, headers(&[("sec-websocket-protocol", "v1.app, chat")]));
        let mut alone = headers(&[("sec-websocket-protocol", "bearer.jwt.abc")]);
        remove(&mut alone, &Place::Subprotocol(prefix));
        assert!(alone.is_empty());
        for (value, presented) in [
            ("bearer.a, bearer.b", Presented::Several),
            ("bearer.a, bearer.a", Presented::Several),
            ("bearer.", Presented::Unreadable),
            ("Bearer.a, chat", Presented::Nothing),
        ] {
            let offered = headers(&[("sec-websocket-protocol", value)]);
            assert_eq!(present(&offered, None, &places), presented, "{value}");
        }
    }

    /// A header that a server takes for the token's header never reaches it.
    #[test]
    fn sec_token_header_alias() {
        let mut all = headers(&[
            ("x-token", "good"),
            ("x_token", "a"),
            ("x~token", "b"),
            ("x-token-2", "kept"),
        ]);
        remove_other_spellings(&mut all, &places());
        assert_eq!(all, headers(&[("x-token", "good"), ("x-token-2", "kept")]));
    }

    /// The token is not forwarded; everything else is.
    #[test]
    fn sec_token_strip() {
        let mut cookie = headers(&[("cookie", "a=b; session=two; c=d")]);
        remove(&mut cookie, &Place::Cookie("session".to_owned()));
        assert_eq!(cookie.get("cookie").unwrap(), "a=b; c=d");
        let mut only = headers(&[("cookie", "session=two")]);
        remove(&mut only, &Place::Cookie("session".to_owned()));
        assert!(only.is_empty());
        assert_eq!(
            query_without("a=1&access_token=x&b=%20&access%5Ftoken=y", "access_token"),
            "a=1&b=%20"
        );
        let mut bearer = headers(&[("authorization", "Bearer a"), ("accept", "x")]);
        remove(&mut bearer, &Place::Authorization);
        assert_eq!(bearer.len(), 1);
    }
}
