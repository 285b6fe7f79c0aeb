//! Cookies of sessions and of sign-ins under way: their names, their secrets, and their removal from what is forwarded.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use narthex_clock::{NoEntropy, random_bytes};
use narthex_directory::SecretHash;
use zeroize::Zeroizing;

/// Cookie of a session at the doors.
pub const DOOR: &str = "__Host-narthex";
/// Beginning of the name of a session's cookie in frames; the name of its issuer follows.
pub const EMBEDDED: &str = "__Host-narthex-";
/// Cookie of a session at the console.
pub const CONSOLE: &str = "__Host-narthex-console";
/// Beginning of the names of cookies that keep a sign-in under way in its browser.
pub const SIGN_IN: &str = "__Host-narthex.sign-in";

/// Bytes of a secret: 256 random bits, as a key has.
const SECRET_BYTES: usize = 32;
/// Characters of a secret in base64url.
const SECRET_CHARS: usize = 43;

/// Secret of a cookie or of a one-time value. Printing it says nothing.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    /// Draws a secret.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`], as [`random_bytes`].
    pub fn draw() -> Result<Self, NoEntropy> {
        let bytes = Zeroizing::new(random_bytes::<SECRET_BYTES>()?);
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// Parses a secret as a client sends it back; `None` for what cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == SECRET_CHARS
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        fits.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// Returns its text: letters, digits, `-` and `_`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the hash under which the directory knows it.
    pub fn hash(&self) -> SecretHash {
        hash_of(self.0.as_bytes())
    }
}

/// Returns the SHA-256 of bytes, as the directory stores secrets.
pub fn hash_of(bytes: &[u8]) -> SecretHash {
    let mut hash = [0; 32];
    let digest = digest(&SHA256, bytes);
    hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    SecretHash(hash)
}

/// Returns the name and value pairs of all `Cookie` headers (RFC 6265 section 4.2), byte for byte: the values of an
/// application's own cookies need not be text.
pub fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at_checked(equals)?;
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        Some((name.trim_ascii(), without_quotes(value)))
    })
}

const fn without_quotes(mut bytes: &[u8]) -> &[u8] {
    while let [b'"', rest @ ..] | [rest @ .., b'"'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Tests whether a cookie is of Narthex's sessions: of any kind, with any ending.
///
/// SECURITY: browsers protect the prefix `__Host-` in any case (RFC 6265bis section 5.7), and an application may read names in any.
pub fn is_session_cookie(name: &[u8]) -> bool {
    let begin = name.get(..DOOR.len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(DOOR.as_bytes()))
}

/// Returns the secret in a cookie of this name; `None` if there is none, or several.
///
/// SECURITY: a browser has one cookie with the prefix `__Host-` and this name. Of two, one is forged, and to choose is a guess.
pub fn secret(headers: &HeaderMap, name: &str) -> Option<Secret> {
    Secret::parse(value(headers, name)?)
}

/// Returns the value of the one cookie of this name, as text; `None` if there is none, or several.
pub fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut found = pairs(headers).filter(|(own, _)| *own == name.as_bytes());
    match (found.next(), found.next()) {
        (Some((_, value)), None) => std::str::from_utf8(value).ok(),
        _ => None,
    }
}

/// Tests whether a request has a cookie of a session.
pub fn is_there(headers: &HeaderMap) -> bool {
    pairs(headers).any(|(name, _)| is_session_cookie(name))
}

/// Removes the cookies of sessions from a request that is forwarded.
///
/// SECURITY: an application that gets them could act as its users at every other application of the host.
pub fn remove(headers: &mut HeaderMap) {
    if is_there(headers) {
        let kept = others(headers);
        headers.remove(header::COOKIE);
        if !kept.is_empty() {
            headers.insert(header::COOKIE, kept);
        }
    }
}

/// Removes cookies of sessions from an application's answer.
///
/// SECURITY: an application must not sign a browser in as a user of its choice, or out.
pub fn remove_set(headers: &mut HeaderMap) {
    let is_ours = |value: &HeaderValue| is_session_cookie(value.as_bytes().trim_ascii_start());
    if !headers.get_all(header::SET_COOKIE).iter().any(is_ours) {
        return;
    }
    let all: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    headers.remove(header::SET_COOKIE);
    for value in all.into_iter().filter(|value| !is_ours(value)) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// Returns the `Cookie` of a request without the cookies of sessions; empty if nothing is left.
pub fn others(headers: &HeaderMap) -> HeaderValue {
    HeaderValue::from_bytes(&without(headers)).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn without(headers: &HeaderMap) -> Vec<u8> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii);
    let is_other = |pair: &&[u8]| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        !pair.is_empty() && !is_session_cookie(name.trim_ascii())
    };
    pairs.filter(is_other).collect::<Vec<_>>().join(&b"; "[..])
}

/// Returns the `Set-Cookie` of a secret. Without a lifetime in seconds, the cookie ends with the browser.
///
/// SPEC: RFC 6265bis section 4.1.3.2: with the prefix, `Secure`, `Path=/` and no `Domain`, so that no other host can set it.
pub fn set(name: &str, secret: &Secret, lifetime_seconds: Option<u32>) -> Option<HeaderValue> {
    set_value(name, secret.as_str(), lifetime_seconds)
}

/// Returns the `Set-Cookie` of a value, such as a sealed one; as [`set`].
pub fn set_value(name: &str, value: &str, lifetime_seconds: Option<u32>) -> Option<HeaderValue> {
    let lifetime = lifetime_seconds.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
    sensitive(format!(
        "{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{lifetime}"
    ))
}

/// Attributes of a cookie that a browser sends from frames of other sites: one for each site that embeds the application.
///
/// SPEC: CHIPS (draft-cutler-httpbis-partitioned-cookies) section 2.1.
const PARTITIONED: &str = "Path=/; Secure; HttpOnly; SameSite=None; Partitioned";

/// Returns the `Set-Cookie` of a session in frames. The cookie ends with the browser.
///
/// SECURITY: partitioned, so that a page of another site that embeds the application has another cookie, or none.
pub fn set_partitioned(name: &str, secret: &Secret) -> Option<HeaderValue> {
    sensitive(format!("{name}={}; {PARTITIONED}", secret.as_str()))
}

/// Returns the `Set-Cookie` that removes a cookie of [`set_partitioned`].
pub fn removed_partitioned(name: &str) -> Option<HeaderValue> {
    sensitive(format!("{name}=; {PARTITIONED}; Max-Age=0"))
}

/// Returns the names of issuers in the cookies of sessions in frames.
pub fn embedded_issuers(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    pairs(headers).filter_map(|(name, _)| std::str::from_utf8(name).ok()?.strip_prefix(EMBEDDED))
}

/// Returns the `Set-Cookie` that removes a cookie of [`set`] or [`set_value`].
pub fn removed(name: &str) -> Option<HeaderValue> {
    sensitive(format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"))
}

fn sensitive(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Returns the `Set-Cookie` that removes the cookie of a session at the doors.
pub const fn cleared() -> HeaderValue {
    HeaderValue::from_static("__Host-narthex=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

/// Returns the `Set-Cookie` that removes the cookie of a session at the console.
pub const fn console_cleared() -> HeaderValue {
    HeaderValue::from_static("__Host-narthex-console=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn a_drawn_secret_comes_back_from_its_cookie() {
        let secret = Secret::draw().unwrap();
        let set = set(DOOR, &secret, Some(600)).unwrap();
        let set = set.to_str().unwrap();
        assert!(
            set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"),
            "{set}"
        );
        let sent = headers(&[&format!("a=b; {}", set.split(';').next().unwrap())]);
        assert_eq!(super::secret(&sent, DOOR).unwrap().hash(), secret.hash());
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_ne!(Secret::draw().unwrap().hash(), secret.hash());
    }

    #[test]
    fn a_cookie_for_frames_is_partitioned_and_names_its_issuer() {
        let secret = Secret::draw().unwrap();
        let set = set_partitioned("__Host-narthex-corp", &secret).unwrap();
        let set = set.to_str().unwrap();
        assert!(
            set.ends_with("; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"),
            "{set}"
        );
        let sent = headers(&[&format!("__Host-narthex=a; {}; b=c", set.split(';').next().unwrap())]);
        assert!(embedded_issuers(&sent).eq(["corp"]));
        assert!(is_session_cookie(b"__Host-narthex-corp"));
        let removed = removed_partitioned("__Host-narthex-corp").unwrap();
        assert!(removed.to_str().unwrap().ends_with("; Partitioned; Max-Age=0"));
    }

    #[test]
    fn sec_two_session_cookies_are_none() {
        let one = Secret::draw().unwrap();
        let line = format!("__Host-narthex={}", one.as_str());
        assert!(secret(&headers(&[&line]), DOOR).is_some());
        assert!(secret(&headers(&[&line, &line]), DOOR).is_none());
        for bad in ["", "x", "a".repeat(44).as_str(), "=".repeat(43).as_str()] {
            assert!(
                secret(&headers(&[&format!("__Host-narthex={bad}")]), DOOR).is_none(),
                "{bad}"
            );
        }
        assert!(secret(&headers(&[&line.to_lowercase()]), DOOR).is_none());
    }

    /// An application gets no cookie of a session, of whatever kind and in whatever spelling.
    #[test]
    fn sec_session_cookies_are_not_forwarded() {
        for (lines, left) in [
            (&["__Host-narthex=x"][..], None),
            (&["a=1; __Host-narthex=x; b=\"2\""], Some("a=1; b=\"2\"")),
            (&["__host-NARTHEX-console=x", "a=1"], Some("a=1")),
            (&["__Host-narthex-corp=x;__Host-narthex.sign-in=y; c"], Some("c")),
            (&[" __Host-narthex = x ;d=__Host-narthex"], Some("d=__Host-narthex")),
            (&["a=1", "b=2"], Some("a=1")),
        ] {
            let mut sent = headers(lines);
            remove(&mut sent);
            let first = sent.get(header::COOKIE).map(|value| value.to_str().unwrap());
            assert_eq!(first, left, "{lines:?}");
            assert!(!is_there(&sent));
        }
        let mut answer = HeaderMap::new();
        for value in ["a=1", " __host-narthex=x; Path=/", "b=2; Path=/"] {
            answer.append(header::SET_COOKIE, HeaderValue::from_static(value));
        }
        remove_set(&mut answer);
        assert!(answer.get_all(header::SET_COOKIE).iter().eq(["a=1", "b=2; Path=/"]));
        assert_eq!(others(&headers(&["__Host-narthex=x"])), "");
        assert_eq!(others(&headers(&["a=1", "__Host-narthex=x; b=2"])), "a=1; b=2");
    }
}
