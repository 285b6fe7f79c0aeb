//! The identity headers Narthex owns: their names, how they are removed, how they are set.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Prefix of every header that Narthex owns, in lower case.
const PREFIX: &str = "x-narthex-";

/// Printable ASCII stays; everything else, and the percent sign itself so that decoding gives the value back exactly,
/// is written as percent-encoded UTF-8. So are blanks at the ends.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The same in a list whose entries are between commas.
const ENCODED_IN_LISTS: &AsciiSet = &ENCODED.add(b',');

/// The identity headers that are the same for every configuration.
static NAMES: [HeaderName; 9] = [
    HeaderName::from_static("x-narthex-decision"),
    HeaderName::from_static("x-narthex-user"),
    HeaderName::from_static("x-narthex-external-id"),
    HeaderName::from_static("x-narthex-username"),
    HeaderName::from_static("x-narthex-email"),
    HeaderName::from_static("x-narthex-platform-role"),
    HeaderName::from_static("x-narthex-organization"),
    HeaderName::from_static("x-narthex-organization-role"),
    HeaderName::from_static("x-narthex-assertion"),
];

/// Header names that applications and other gateways use for a signed-in user, in lower case.
///
/// SECURITY: an application that trusts one of them trusts the client, where nothing in front of it removes the header.
const USUAL: [&str; 6] = [
    "remote-user",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-webauth-user",
];

/// Prefix of the headers of oauth2-proxy, in lower case.
const USUAL_PREFIX: &str = "x-auth-request-";

/// Headers of a request that only Narthex may set: its own, those that some route sets (`headers` in the configuration), and
/// the usual ones of other gateways.
#[derive(Debug, Clone, Default)]
pub struct OwnedHeaders {
    set: Vec<HeaderName>,
    read: Vec<HeaderName>,
}

impl OwnedHeaders {
    /// Creates the set of a configuration whose routes `set` these headers, and `read` the organization from those.
    pub fn new(set: Vec<HeaderName>, read: Vec<HeaderName>) -> Self {
        Self { set, read }
    }

    /// Tests whether no route sets or reads a header of its own.
    pub const fn is_plain(&self) -> bool {
        self.set.is_empty() && self.read.is_empty()
    }

    /// Returns a header that some server takes for one of these and that is none of them: what a door refuses that cannot
    /// remove it.
    pub fn other_spelling<'h>(&self, headers: &'h HeaderMap) -> Option<&'h HeaderName> {
        if self.is_plain() {
            return None;
        }
        let known = || self.set.iter().chain(&self.read);
        headers.keys().find(|name| {
            known().all(|known| known != *name) && known().any(|known| spelled_like(name.as_str(), known.as_str()))
        })
    }

    /// Removes these headers from a client's request, in every spelling.
    pub fn remove(&self, headers: &mut HeaderMap) {
        remove_headers(headers, |name| self.owns(name));
    }

    /// Removes them from trailers, and with them the headers that routes read: those are decided by what came in the head.
    pub fn remove_from_trailers(&self, trailers: &mut HeaderMap) {
        remove_headers(trailers, |name| self.owns(name) || is_one_of(&self.read, name));
    }

    fn owns(&self, name: &str) -> bool {
        is_identity_header(name) || is_usual_identity_header(name) || is_one_of(&self.set, name)
    }
}

fn is_one_of(names: &[HeaderName], name: &str) -> bool {
    names.iter().any(|known| spelled_like(name, known.as_str()))
}

/// Tests whether other gateways put a user's identity into a header of this name, in any spelling.
pub fn is_usual_identity_header(name: &str) -> bool {
    // All of them begin so, and few other headers do.
    let may_be = name.bytes().next().is_some_and(|first| b"rRxX".contains(&first));
    may_be && (begins_like(name, USUAL_PREFIX) || USUAL.iter().any(|known| spelled_like(name, known)))
}

/// A change to the headers of a request: everything Narthex owns is removed, then what it means is set.
///
/// SECURITY: there is no way to set without removing first, so no path exists on which a client's own
/// `X-Narthex-User` survives (the hole Caddy's `copy_headers` had).
#[derive(Debug, Clone, Default)]
pub struct HeaderPatch {
    /// In the order of [`NAMES`]. Values without their names, side by side: a cached decision is rarely in the
    /// processor's caches, and a whole header map is three times as much to fetch.
    named: [Option<HeaderValue>; NAMES.len()],
    /// Context properties, and headers whose names the route chooses.
    others: Vec<(HeaderName, HeaderValue)>,
}

impl HeaderPatch {
    /// Removes every owned header, in every spelling, then sets this patch's.
    pub fn apply(&self, headers: &mut HeaderMap, owned: &OwnedHeaders) {
        owned.remove(headers);
        for (name, value) in self.iter() {
            headers.insert(name, value.clone());
        }
    }

    /// Iterates over the headers that this patch sets.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let named = NAMES.iter().zip(&self.named);
        let named = named.filter_map(|(name, value)| Some((name, value.as_ref()?)));
        named.chain(self.others.iter().map(|(name, value)| (name, value)))
    }
}

/// Headers of an allowed answer of a forward-auth door: every identity header, those without a value too, because a
/// proxy that copies headers must overwrite whatever the client sent.
#[derive(Debug, Clone)]
pub struct AnswerHeaders {
    blank: HeaderMap,
    /// Kind of each value, in the order in which the map visits its values.
    places: Vec<Place>,
}

/// Kind of value that one place of an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The value of this number in [`NAMES`].
    Named(usize),
    /// The number of the request.
    RequestId,
    /// A context property or a header of a route, which is put in by its name.
    Other,
}

/// The number under which the log knows a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-narthex-request-id");

impl AnswerHeaders {
    /// The headers of a configuration that maps these context properties, and whose routes set these headers.
    pub fn new<'a>(context: impl IntoIterator<Item = &'a str>, owned: &OwnedHeaders) -> Self {
        let context = context.into_iter().filter_map(context_name);
        let mut blank = HeaderMap::new();
        // A name that comes twice, because two issuers map the same property, is one header all the same.
        for name in NAMES
            .iter()
            .cloned()
            .chain([REQUEST_ID])
            .chain(context)
            .chain(owned.set.clone())
        {
            blank.insert(name, HeaderValue::from_static(""));
        }
        let place = |name: &HeaderName| match NAMES.iter().position(|named| named == name) {
            Some(number) => Place::Named(number),
            None if *name == REQUEST_ID => Place::RequestId,
            None => Place::Other,
        };
        let places = blank.keys().map(place).collect();
        Self { blank, places }
    }

    /// Returns the headers of the answer to one request. A clone of a map visits its values in the order of the
    /// original.
    pub fn filled(&self, patch: &HeaderPatch, request_id: Option<HeaderValue>) -> HeaderMap {
        let mut headers = self.blank.clone();
        let mut request_id = request_id;
        for (place, blank) in self.places.iter().zip(headers.values_mut()) {
            let value = match place {
                Place::Named(number) => patch.named.get(*number).cloned().flatten(),
                Place::RequestId => request_id.take(),
                Place::Other => None,
            };
            if let Some(value) = value {
                *blank = value;
            }
        }
        for (name, value) in &patch.others {
            headers.insert(name, value.clone());
        }
        headers
    }
}

/// `X-Narthex-Context-NAME` of a mapped context property.
fn context_name(property: &str) -> Option<HeaderName> {
    HeaderName::try_from(format!("{PREFIX}context-{property}")).ok()
}

/// Removes every identity header in every spelling a later program could take for ours.
pub fn remove_identity_headers(headers: &mut HeaderMap) {
    remove_headers(headers, is_identity_header);
}

/// Removes the headers whose names are meant. Nearly every request has none, and then nothing is allocated.
pub fn remove_headers(headers: &mut HeaderMap, is_meant: impl Fn(&str) -> bool) {
    while let Some(name) = headers.keys().find(|name| is_meant(name.as_str())).cloned() {
        headers.remove(name);
    }
}

/// Tests whether a header name is one of ours in any spelling.
///
/// SECURITY: CGI-like servers turn `X-Narthex-User`, `X_Narthex_User` and `X~Narthex~User` into the same variable.
pub fn is_identity_header(name: &str) -> bool {
    begins_like(name, PREFIX)
}

/// Tests whether a header tells a server where a request "really" came from or went to. Such a header is believed only
/// from trusted proxies, and otherwise removed before a request is passed on.
pub fn is_forwarding_header(name: &str) -> bool {
    ["x-forwarded-", "x-original-", "x-envoy-"]
        .iter()
        .any(|prefix| begins_like(name, prefix))
        || ["forwarded", "x-rewrite-url", "x-real-ip"]
            .iter()
            .any(|whole| spelled_like(name, whole))
}

/// Tests whether a header asks the application to carry out another method than the request's.
pub fn is_method_override(name: &str) -> bool {
    ["x-http-method-override", "x-http-method", "x-method-override"]
        .iter()
        .any(|whole| spelled_like(name, whole))
}

/// Tests whether some server takes the header `name` for the header `known` (in lower case). Case does not count, and
/// all bytes that are neither letters nor digits count as one.
pub fn spelled_like(name: &str, known: &str) -> bool {
    name.len() == known.len() && begins_like(name, known)
}

/// Tests whether `name` begins like `prefix` (in lower case) for some server.
fn begins_like(name: &str, prefix: &str) -> bool {
    name.len() >= prefix.len()
        && name.bytes().zip(prefix.bytes()).all(|(byte, expected)| {
            if byte.is_ascii_alphanumeric() {
                byte.to_ascii_lowercase() == expected
            } else {
                !expected.is_ascii_alphanumeric()
            }
        })
}

/// Collects the identity headers of one allowed request.
#[derive(Debug, Clone, Default)]
pub struct IdentityHeaders {
    patch: HeaderPatch,
    set: Vec<(HeaderName, Range<usize>)>,
    /// All values, one after the other: a cached decision then has one piece of memory and one reference count, not one
    /// for each header.
    values: Vec<u8>,
}

impl IdentityHeaders {
    /// Nothing but `X-Narthex-Decision: allow`, which an allowed request always carries.
    pub fn new() -> Self {
        Self::default().with_word("x-narthex-decision", "allow")
    }

    /// Sets one of the identity headers. An empty value sets nothing: "not given" and "empty" are the same to an
    /// application.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        debug_assert!(is_identity_header(name), "`{name}` is not one of ours");
        self.set(HeaderName::from_static(name), value);
        self
    }

    /// Sets one of the headers to one of our own words: visible ASCII.
    #[must_use]
    pub fn with_word(mut self, name: &'static str, word: &'static str) -> Self {
        self.patch
            .set(HeaderName::from_static(name), HeaderValue::from_static(word));
        self
    }

    /// Sets `X-Narthex-Context-NAME` for a mapped context property.
    #[must_use]
    pub fn with_context(mut self, property: &str, value: &str) -> Self {
        if let Some(name) = context_name(property) {
            self.set(name, value);
        }
        self
    }

    /// Sets a header whose name the route chooses.
    #[must_use]
    pub fn with_chosen(mut self, name: HeaderName, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a header whose name the route chooses to a list, with commas between its entries. Commas inside an entry are
    /// percent-encoded.
    #[must_use]
    pub fn with_chosen_list<'e>(mut self, name: HeaderName, entries: impl IntoIterator<Item = &'e str>) -> Self {
        let start = self.values.len();
        for entry in entries {
            if self.values.len() > start {
                self.values.push(b',');
            }
            self.push_encoded(entry, ENCODED_IN_LISTS);
        }
        if self.values.len() > start {
            self.set.push((name, start..self.values.len()));
        }
        self
    }

    /// The patch that removes all our headers and sets these.
    pub fn into_patch(self) -> HeaderPatch {
        let Self { mut patch, set, values } = self;
        let values = in_one_piece(&values);
        for (name, range) in set {
            // The encoded text is printable ASCII, which every header value may be.
            if let Ok(value) = HeaderValue::from_maybe_shared(values.slice(range)) {
                patch.set(name, value);
            }
        }
        patch
    }

    fn set(&mut self, name: HeaderName, value: &str) {
        if value.is_empty() {
            return;
        }
        let start = self.values.len();
        self.push_encoded(value, ENCODED);
        self.set.push((name, start..self.values.len()));
    }

    /// SECURITY: blanks at the ends of a value are percent-encoded. Programs remove them, and ` admin` would become `admin`.
    fn push_encoded(&mut self, value: &str, set: &'static AsciiSet) {
        let inner = value.trim_matches(' ');
        let before = value.len() - value.trim_start_matches(' ').len();
        let after = value.len() - before - inner.len();
        self.values.extend(b"%20".repeat(before));
        for part in utf8_percent_encode(inner, set) {
            self.values.extend_from_slice(part.as_bytes());
        }
        self.values.extend(b"%20".repeat(after));
    }
}

/// Returns shared bytes with their reference count beside them: elsewhere in memory it would be one more thing to
/// fetch.
fn in_one_piece(bytes: &[u8]) -> Bytes {
    match bytes.len() {
        ..=240 => Piece::<240>::shared(bytes),
        241..=496 => Piece::<496>::shared(bytes),
        497..=752 => Piece::<752>::shared(bytes),
        753..=1008 => Piece::<1008>::shared(bytes),
        1009..=1520 => Piece::<1520>::shared(bytes),
        _ => Bytes::copy_from_slice(bytes),
    }
}

/// Up to `N` bytes in place.
struct Piece<const N: usize> {
    len: usize,
    bytes: [u8; N],
}

impl<const N: usize> Piece<N> {
    fn shared(bytes: &[u8]) -> Bytes {
        let mut piece = Self {
            len: bytes.len(),
            bytes: [0; N],
        };
        let Some(place) = piece.bytes.get_mut(..bytes.len()) else {
            return Bytes::copy_from_slice(bytes);
        };
        place.copy_from_slice(bytes);
        Bytes::from_owner(piece)
    }
}

impl<const N: usize> AsRef<[u8]> for Piece<N> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl HeaderPatch {
    /// Sets one header; what was set before under the same name is replaced.
    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        let named = NAMES.iter().zip(&mut self.named).find(|(named, _)| **named == name);
        if let Some((_, place)) = named {
            *place = Some(value);
        } else if let Some((_, earlier)) = self.others.iter_mut().find(|(earlier, _)| *earlier == name) {
            *earlier = value;
        } else {
            self.others.push((name, value));
        }
    }
}

/// A value as a header carries it: printable ASCII as it is, anything else (and `%`) as percent-encoded UTF-8.
pub fn encode_value(value: &str) -> std::borrow::Cow<'_, str> {
    utf8_percent_encode(value, ENCODED).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of a client under a name that some application trusts does not arrive, in any spelling, nor in a trailer.
    #[test]
    fn sec_names_in_use_are_removed() {
        let chosen = HeaderName::from_static("x-app-role");
        let owned = OwnedHeaders::new(vec![chosen.clone()], vec![HeaderName::from_static("x-scope-orgid")]);
        let forged = [
            "remote-user",
            "remote_user",
            "x-forwarded-user",
            "x-forwarded-email",
            "x_forwarded.groups",
            "x-forwarded-preferred-username",
            "x-auth-request-user",
            "x_auth_request_access_token",
            "x-webauth-user",
            "x-app-role",
            "x~app_role",
            "x-narthex-user",
        ];
        let kept = [
            "x-forwarded-for",
            "remote-users",
            "x-auth",
            "x-app-roles",
            "x-scope-orgid",
            "accept",
        ];
        let mut headers = HeaderMap::new();
        for name in forged.into_iter().chain(kept) {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("root"));
        }
        let mut trailers = headers.clone();
        let patch = IdentityHeaders::new().with_chosen(chosen, "member").into_patch();
        patch.apply(&mut headers, &owned);
        assert_eq!(headers.get_all("x-app-role").iter().collect::<Vec<_>>(), ["member"]);
        for name in forged.into_iter().filter(|name| *name != "x-app-role") {
            assert!(!headers.contains_key(name), "{name}");
        }
        assert!(kept.into_iter().all(|name| headers.contains_key(name)), "{headers:?}");
        owned.remove_from_trailers(&mut trailers);
        let mut left: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(
            left,
            ["accept", "remote-users", "x-app-roles", "x-auth", "x-forwarded-for"]
        );
    }

    /// A comma in a tag makes no further entry.
    #[test]
    fn sec_lists_keep_their_entries() {
        let name = HeaderName::from_static("remote-groups");
        let list = |entries: &[&str]| {
            let patch = IdentityHeaders::new()
                .with_chosen_list(name.clone(), entries.iter().copied())
                .into_patch();
            let mut values = patch.iter().filter(|(set, _)| **set == name);
            values.next().map(|(_, value)| value.to_str().unwrap().to_owned())
        };
        assert_eq!(list(&["a", "b c"]).as_deref(), Some("a,b c"));
        assert_eq!(
            list(&["cn=ops,dc=corp", "admins"]).as_deref(),
            Some("cn=ops%2Cdc=corp,admins")
        );
        assert_eq!(list(&["caf\u{e9}", "50%"]).as_deref(), Some("caf%C3%A9,50%25"));
        assert_eq!(list(&[]), None);
        // A program that removes blanks at the ends must not find another tag.
        assert_eq!(list(&[" admin", "b ", "  "]).as_deref(), Some("%20admin,b%20,%20%20"));
    }

    /// A door that cannot remove a header refuses what a server may take for one of them.
    #[test]
    fn sec_another_spelling_of_an_owned_header_is_found() {
        let name = HeaderName::from_static;
        let owned = OwnedHeaders::new(vec![name("x-app-user")], vec![name("x-scope-orgid")]);
        for (sent, found) in [
            ("x-app-user", false),
            ("x_app_user", true),
            ("x-scope.orgid", true),
            ("x-other", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name(sent), HeaderValue::from_static("a"));
            assert_eq!(owned.other_spelling(&headers).is_some(), found, "{sent}");
        }
    }

    /// A forward-auth door names every header in use, so that its proxy overwrites what a client sent.
    #[test]
    fn sec_answers_name_every_header_in_use() {
        let name = HeaderName::from_static("remote-user");
        let owned = OwnedHeaders::new(vec![name.clone()], Vec::new());
        let answer = AnswerHeaders::new([], &owned);
        let nobody = answer.filled(&IdentityHeaders::new().into_patch(), None);
        assert_eq!(nobody.get(&name).unwrap(), "");
        let ann = IdentityHeaders::new().with_chosen(name.clone(), "ann").into_patch();
        assert_eq!(answer.filled(&ann, None).get(&name).unwrap(), "ann");
    }

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
        // Every character of a header's name that is neither a letter nor a digit (RFC 9110 section 5.6.2).
        for separator in "!#$%&'*+-.^_`|~".chars() {
            for known in [
                "x-narthex-organization-role",
                "x-forwarded-for",
                "x-real-ip",
                "x-http-method-override",
            ] {
                let name = HeaderName::try_from(known.replace('-', &separator.to_string())).unwrap();
                let taken = is_identity_header(name.as_str())
                    || is_forwarding_header(name.as_str())
                    || is_method_override(name.as_str());
                assert!(taken, "{name}");
            }
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
            .apply(&mut headers, &OwnedHeaders::default());
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
            .apply(&mut headers, &OwnedHeaders::default());
        assert!(!headers.contains_key("x-narthex-email"));
    }

    #[test]
    fn values_of_every_length_are_kept() {
        for len in [1, 240, 241, 496, 497, 752, 753, 1008, 1009, 1520, 1521, 5000] {
            let value = "v".repeat(len);
            let patch = IdentityHeaders::new().with("x-narthex-email", &value).into_patch();
            let kept: Vec<&HeaderValue> = patch.iter().map(|(_, value)| value).collect();
            assert_eq!(kept, ["allow", &value], "{len}");
        }
    }

    /// A proxy that copies an answer overwrites every header of ours that a client could have sent.
    #[test]
    fn sec_an_answer_has_every_header_of_ours_and_blanks_for_those_without_a_value() {
        let answer = AnswerHeaders::new(["plan", "tier"], &OwnedHeaders::default());
        let full = IdentityHeaders::new()
            .with("x-narthex-user", "01abc")
            .with("x-narthex-assertion", "a.b.c")
            .with_word("x-narthex-platform-role", "admin")
            .with_context("tier", "gold")
            .into_patch();
        let shown = |headers: &HeaderMap| -> Vec<String> {
            let mut lines: Vec<String> = headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            lines.sort();
            lines
        };
        let expected = |user: &str, role: &str, assertion: &str, tier: &str, id: &str| -> Vec<String> {
            let mut lines = vec![
                "x-narthex-decision: allow".to_owned(),
                format!("x-narthex-user: {user}"),
                "x-narthex-external-id: ".to_owned(),
                "x-narthex-username: ".to_owned(),
                "x-narthex-email: ".to_owned(),
                format!("x-narthex-platform-role: {role}"),
                "x-narthex-organization: ".to_owned(),
                "x-narthex-organization-role: ".to_owned(),
                format!("x-narthex-assertion: {assertion}"),
                "x-narthex-context-plan: ".to_owned(),
                format!("x-narthex-context-tier: {tier}"),
                format!("x-narthex-request-id: {id}"),
            ];
            lines.sort();
            lines
        };
        let id = Some(HeaderValue::from_static("r-1"));
        assert_eq!(
            shown(&answer.filled(&full, id)),
            expected("01abc", "admin", "a.b.c", "gold", "r-1")
        );
        // Nothing of one answer is left in the next.
        let nobody = IdentityHeaders::new().into_patch();
        assert_eq!(shown(&answer.filled(&nobody, None)), expected("", "", "", "", ""));
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

    /// Two issuers that map the same property have one header for it.
    #[test]
    fn a_property_of_two_issuers_is_one_header() {
        let answer = AnswerHeaders::new(["plan", "plan", "Plan"], &OwnedHeaders::default());
        let patch = IdentityHeaders::new().with_context("plan", "gold").into_patch();
        for (patch, value) in [(patch, "gold"), (IdentityHeaders::new().into_patch(), "")] {
            let headers = answer.filled(&patch, None);
            let values: Vec<_> = headers.get_all("x-narthex-context-plan").iter().collect();
            assert_eq!(values, [value]);
        }
    }
}
