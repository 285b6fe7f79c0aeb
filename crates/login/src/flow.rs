//! Sign-ins under way: each is in a cookie of its browser, sealed to its state.
//!
//! Nothing is written before a sign-in is complete, so that a flood of beginnings costs the directory nothing and stops no
//! other sign-in. A browser that signs in in several tabs has several of these cookies, within limits.

use std::cmp::Reverse;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use narthex_directory::{SecretBytes, SecretHash};
use narthex_session::cookie::{self, Secret};
use narthex_session::{Owner, SealingKeys};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::sign_in::SignInPlace;

/// Time within which a user signs in at the issuer, in seconds.
pub(crate) const FLOW_SECONDS: u32 = 600;
/// Upper limit of sign-ins under way in one browser.
const FLOWS_MAX: usize = 8;
/// Upper limit of the bytes of their cookies together: many servers take no line of a header above 8 KiB.
const FLOWS_BYTES_MAX: usize = 6 * 1024;
/// Characters of a state's hash that the name of its cookie has.
const NAME_CHARS: usize = 12;

/// Sign-in under way.
#[derive(Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    pub(crate) issuer: String,
    pub(crate) origin: String,
    pub(crate) place: SignInPlace,
    pub(crate) back: String,
    /// Time at which it is over, in milliseconds.
    pub(crate) ends_at_ms: i64,
}

impl Flow {
    /// Returns the `Set-Cookie` headers that keep this sign-in, and that remove the oldest ones of the browser above the
    /// limits; `None` if it cannot be sealed.
    pub(crate) fn set(&self, keys: &SealingKeys, state: &Secret, headers: &HeaderMap) -> Option<Vec<HeaderValue>> {
        let hash = state.hash();
        let plain = Zeroizing::new(serde_json::to_vec(self).ok()?);
        let SecretBytes(sealed) = keys.seal(&plain, owner(&text_of(&hash))).ok()?;
        let name = name_of(&hash);
        let value = format!("{}.{}", self.ends_at_ms, BASE64_URL_SAFE_NO_PAD.encode(sealed));
        let own = cookie::set_value(&name, &value, Some(FLOW_SECONDS))?;
        let (mut count, mut bytes) = (1, name.len().saturating_add(value.len()));
        let mut others: Vec<FlowCookie<'_>> = under_way(headers).filter(|other| other.name != name).collect();
        others.sort_unstable_by_key(|other| Reverse(other.ends_at_ms));
        let surplus = others.into_iter().filter(|other| {
            count = usize::saturating_add(count, 1);
            bytes = usize::saturating_add(bytes, other.bytes);
            count > FLOWS_MAX || bytes > FLOWS_BYTES_MAX
        });
        let removed: Vec<HeaderValue> = surplus.filter_map(|other| cookie::removed(other.name)).collect();
        Some(std::iter::once(own).chain(removed).collect())
    }

    /// Returns the sign-in of a state, if this browser began it and it is not over.
    ///
    /// SECURITY: no other browser has the cookie, no page can write one with the prefix `__Host-`, and it opens for its own
    /// state only. So a state that another browser began completes nothing here (login CSRF, RFC 6749 section 10.12).
    pub(crate) fn of_browser(keys: &SealingKeys, headers: &HeaderMap, state: &Secret, now_ms: i64) -> Option<Self> {
        let hash = state.hash();
        let (_, sealed) = cookie::value(headers, &name_of(&hash))?.split_once('.')?;
        let sealed = SecretBytes(BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?);
        let opened = keys.open(&sealed, owner(&text_of(&hash))).ok()?;
        let flow: Self = serde_json::from_slice(&opened.plain).ok()?;
        (now_ms < flow.ends_at_ms).then_some(flow)
    }
}

/// Returns the `Set-Cookie` that removes the sign-in of a state.
pub(crate) fn removed(state: &Secret) -> Option<HeaderValue> {
    cookie::removed(&name_of(&state.hash()))
}

/// Cookie of a sign-in under way.
struct FlowCookie<'h> {
    name: &'h str,
    /// Time at which it is over, as the browser sends it: nothing but the choice of the oldest rests on it.
    ends_at_ms: i64,
    bytes: usize,
}

fn under_way(headers: &HeaderMap) -> impl Iterator<Item = FlowCookie<'_>> {
    cookie::pairs(headers).filter_map(|(name, value)| {
        let name = std::str::from_utf8(name).ok()?;
        let rest = name.strip_prefix(cookie::SIGN_IN)?.strip_prefix('.')?;
        let is_ours = rest.len() == NAME_CHARS
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let ends = std::str::from_utf8(value).ok().and_then(|value| value.split_once('.'));
        is_ours.then(|| FlowCookie {
            name,
            ends_at_ms: ends.and_then(|(ends, _)| ends.parse().ok()).unwrap_or_default(),
            bytes: name.len().saturating_add(value.len()),
        })
    })
}

/// Returns the name of the cookie of a state: a part of its hash, which says nothing about it.
fn name_of(state: &SecretHash) -> String {
    let hash: String = text_of(state).chars().take(NAME_CHARS).collect();
    format!("{}.{hash}", cookie::SIGN_IN)
}

fn text_of(state: &SecretHash) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(state.0)
}

const fn owner(name: &str) -> Owner<'_> {
    Owner {
        kind: "sign_in",
        name,
        organization: None,
        governed_by: "",
    }
}

#[cfg(test)]
mod tests {
    use http::header;
    use narthex_session::SealingKey;

    use super::*;

    fn keys() -> SealingKeys {
        let key = SealingKey::parse(b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        SealingKeys::new(key, None)
    }

    fn flow(back: &str, ends_at_ms: i64) -> Flow {
        Flow {
            nonce: "n".repeat(43),
            verifier: "v".repeat(43),
            issuer: "corp".to_owned(),
            origin: "https://app.example".to_owned(),
            place: SignInPlace::Doors,
            back: back.to_owned(),
            ends_at_ms,
        }
    }

    /// A browser's cookies after an answer.
    fn kept(cookies: &mut Vec<String>, set: &[HeaderValue]) -> HeaderMap {
        for value in set {
            let value = value.to_str().unwrap();
            let (pair, _) = value.split_once(';').unwrap();
            let (name, _) = pair.split_once('=').unwrap();
            cookies.retain(|cookie| !cookie.starts_with(&format!("{name}=")));
            if !value.contains("Max-Age=0") {
                cookies.push(pair.to_owned());
            }
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(&cookies.join("; ")).unwrap());
        headers
    }

    #[test]
    fn sec_a_sign_in_opens_for_its_own_state_only() {
        let keys = keys();
        let (own, other) = (Secret::draw().unwrap(), Secret::draw().unwrap());
        let set = flow("/a", 100).set(&keys, &own, &HeaderMap::new()).unwrap();
        let mut cookies = Vec::new();
        let headers = kept(&mut cookies, &set);
        assert_eq!(Flow::of_browser(&keys, &headers, &own, 99).unwrap().back, "/a");
        assert!(Flow::of_browser(&keys, &headers, &own, 100).is_none(), "it is over");
        assert!(Flow::of_browser(&keys, &headers, &other, 1).is_none());
        // The cookie of one state under the name of another.
        let moved = cookies[0].replace(&name_of(&own.hash()), &name_of(&other.hash()));
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(&moved).unwrap());
        assert!(Flow::of_browser(&keys, &headers, &other, 1).is_none());
    }

    #[test]
    fn several_tabs_sign_in_and_the_oldest_give_way() {
        let keys = keys();
        for (back, least) in [("/a".to_owned(), FLOWS_MAX), (format!("/{}", "a".repeat(1_900)), 1)] {
            let (mut cookies, mut headers, mut states) = (Vec::new(), HeaderMap::new(), Vec::new());
            for number in 0..20 {
                let state = Secret::draw().unwrap();
                let set = flow(&back, 1_000 + number).set(&keys, &state, &headers).unwrap();
                assert!(set[0].len() <= 4_096, "a browser keeps no longer cookie");
                headers = kept(&mut cookies, &set);
                states.push(state);
                let bytes: usize = cookies.iter().map(String::len).sum();
                assert!(cookies.len() <= FLOWS_MAX && bytes <= FLOWS_BYTES_MAX + FLOWS_MAX);
            }
            assert!(cookies.len() >= least, "{}", cookies.len());
            let opens = |state: &Secret| Flow::of_browser(&keys, &headers, state, 1).is_some();
            let open: Vec<bool> = states.iter().map(opens).collect();
            let expected: Vec<bool> = (0..20).map(|number| number >= 20 - cookies.len()).collect();
            assert_eq!(open, expected, "the newest are kept");
        }
    }
}
