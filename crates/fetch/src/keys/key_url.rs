//! URLs that keys may be fetched from.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Origin, Url};

use crate::ssrf_guard::{Guard, LOCALHOST, Refused, host_name};

/// A URL that keys may be fetched from: `https`, or `http` on the loopback interface, without user information.
/// [`Guard`] decides whether its *address* may be reached.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyUrl(Url);

/// Error for a text that is not a [`KeyUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// It is not an absolute URL.
    #[error("not an absolute URL; write it as `https://host/path`")]
    NotAUrl,
    /// `file:`, `data:`, `ftp:` and everything else that is not HTTP.
    #[error("the scheme `{scheme}` is not supported; key sets are fetched with `https`")]
    Scheme {
        /// Scheme of the URL.
        scheme: String,
    },
    /// Plain `http` to another machine.
    #[error("plain `http` is only for loopback hosts, and `{host}` is not one; use `https`")]
    PlainHttp {
        /// The host of the URL.
        host: String,
    },
    /// `https://user:password@host/`.
    #[error("a URL for keys must not carry a user name or password; use `bearer_token_file`")]
    UserInformation,
    /// No host, or an empty one.
    #[error("the URL names no host")]
    NoHost,
    /// Not exactly one `{kid}`, or one that chooses the host.
    #[error("it needs exactly one `{{kid}}`, in its path or query, such as `https://keys.example.com/{{kid}}`")]
    Placeholder,
    /// A fragment is never sent and therefore always a mistake.
    #[error("the URL ends in a fragment (`#…`), which is never sent; remove it")]
    Fragment,
}

impl KeyUrl {
    /// Parses and checks a URL.
    ///
    /// # Errors
    ///
    /// [`UrlProblem`], which names the broken rule.
    pub fn parse(text: &str) -> Result<Self, UrlProblem> {
        Self::check(Url::parse(text).map_err(|_| UrlProblem::NotAUrl)?)
    }

    /// Checks a URL that is already parsed, such as the target of a redirect.
    pub(super) fn check(url: Url) -> Result<Self, UrlProblem> {
        // SECURITY: CVE-2026-48522 was a key client that opened `file:` and `data:` URLs.
        if !matches!(url.scheme(), "https" | "http") {
            return Err(UrlProblem::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlProblem::UserInformation);
        }
        if url.fragment().is_some() {
            return Err(UrlProblem::Fragment);
        }
        let this = Self(url);
        let host = this.host();
        if host.is_empty() {
            return Err(UrlProblem::NoHost);
        }
        if this.0.scheme() == "http" && !this.is_loopback() {
            return Err(UrlProblem::PlainHttp { host });
        }
        Ok(this)
    }

    /// Returns the host in lower case, without brackets and without a trailing dot.
    pub fn host(&self) -> String {
        self.0.host().as_ref().map(host_name).unwrap_or_default()
    }

    /// Returns the address, if the host is written as one.
    pub fn literal_address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
        }
    }

    /// Tests whether the host is `localhost`, 127.0.0.0/8 or `::1`, as written.
    pub fn is_loopback(&self) -> bool {
        self.literal_address()
            .map_or_else(|| self.host() == LOCALHOST, |address| address.is_loopback())
    }

    /// Returns scheme, host and port.
    pub fn origin(&self) -> Origin {
        self.0.origin()
    }

    /// Returns the URL itself.
    pub const fn url(&self) -> &Url {
        &self.0
    }
}

/// Addresses of keys by id: a URL with `{kid}` in its path or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyUrlTemplate {
    text: String,
    /// The URL for some id: its origin is that of all.
    sample: KeyUrl,
}

/// The placeholder of a key's id.
const PLACEHOLDER: &str = "{kid}";

impl KeyUrlTemplate {
    /// Parses and checks a URL with exactly one `{kid}`.
    ///
    /// # Errors
    ///
    /// [`UrlProblem`], which names the broken rule.
    pub(super) fn parse(text: &str) -> Result<Self, UrlProblem> {
        if text.matches(PLACEHOLDER).count() != 1 {
            return Err(UrlProblem::Placeholder);
        }
        let [sample, other] = ["a", "b"].map(|id| KeyUrl::parse(&text.replace(PLACEHOLDER, id)));
        let (sample, other) = (sample?, other?);
        // SECURITY: an id comes from a token that nothing is proved about, and must not choose who is asked.
        if sample.origin() != other.origin() {
            return Err(UrlProblem::Placeholder);
        }
        let text = text.to_owned();
        Ok(Self { text, sample })
    }

    /// Returns the URL of the key with this id, which must be one that [`narthex_token::is_key_id`] accepts.
    pub(super) fn url(&self, kid: &str) -> Option<KeyUrl> {
        if !narthex_token::is_key_id(kid) {
            return None;
        }
        KeyUrl::parse(&self.text.replace(PLACEHOLDER, kid)).ok()
    }

    /// Returns the URL for some id, for what all have in common.
    pub(super) const fn sample(&self) -> &KeyUrl {
        &self.sample
    }
}

impl fmt::Display for KeyUrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyUrl({})", self.0)
    }
}

impl Guard {
    /// Checks a URL whose host is written as an address; names are checked when they are resolved.
    pub fn check_url(&self, url: &KeyUrl) -> Result<(), Refused> {
        url.0.host().map_or(Ok(()), |host| self.check_host(&host))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::ssrf_guard::Loopback;

    #[test]
    fn sec_a_key_id_never_chooses_the_host() {
        let template = KeyUrlTemplate::parse("https://keys.example/by-id/{kid}?v=1").unwrap();
        assert_eq!(
            template.url("a-1_B").unwrap().to_string(),
            "https://keys.example/by-id/a-1_B?v=1"
        );
        for kid in ["..", "../x", "a/b", "a?b", "a#b", "", "@evil.example"] {
            assert_eq!(template.url(kid), None, "{kid}");
        }
        for text in [
            "https://keys.example/",
            "https://{kid}.example/",
            "https://keys.example:8{kid}/",
            "https://keys.example/{kid}/{kid}",
            "https://keys.example/x#{kid}",
            "https://keys.example{kid}/x",
            "http://keys.example/{kid}",
        ] {
            assert!(KeyUrlTemplate::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sec_jwks_scheme_refuses_everything_but_https_and_http_on_loopback() {
        let scheme = |name: &str| UrlProblem::Scheme {
            scheme: name.to_owned(),
        };
        for (text, problem) in [
            ("file:///etc/passwd", scheme("file")),
            ("FILE:///etc/passwd", scheme("file")),
            ("data:application/json,{}", scheme("data")),
            ("gopher://idp.example/x", scheme("gopher")),
            ("ftp://idp.example/jwks", scheme("ftp")),
            ("jar:https://idp.example!/x", scheme("jar")),
            ("unix:/run/idp.sock", scheme("unix")),
            ("https://user:pw@idp.example/jwks", UrlProblem::UserInformation),
            ("https://user@idp.example/jwks", UrlProblem::UserInformation),
            ("https://:pw@idp.example/jwks", UrlProblem::UserInformation),
            ("http://127.0.0.1@idp.example/jwks", UrlProblem::UserInformation),
            (
                "http://idp.example/jwks",
                UrlProblem::PlainHttp {
                    host: "idp.example".to_owned(),
                },
            ),
            (
                "http://10.0.0.1/jwks",
                UrlProblem::PlainHttp {
                    host: "10.0.0.1".to_owned(),
                },
            ),
            (
                "http://localhost.idp.example/jwks",
                UrlProblem::PlainHttp {
                    host: "localhost.idp.example".to_owned(),
                },
            ),
            (
                "http://[::ffff:127.0.0.1]/jwks",
                UrlProblem::PlainHttp {
                    host: "::ffff:127.0.0.1".to_owned(),
                },
            ),
            ("https://idp.example/jwks#keys", UrlProblem::Fragment),
            ("idp.example/jwks", UrlProblem::NotAUrl),
            ("/jwks", UrlProblem::NotAUrl),
            ("https://", UrlProblem::NotAUrl),
            ("", UrlProblem::NotAUrl),
        ] {
            assert_eq!(KeyUrl::parse(text).unwrap_err(), problem, "{text}");
        }
        for text in [
            "https://idp.example/jwks?a=b",
            "http://127.0.0.1:9000/jwks",
            "http://localhost/jwks",
            "http://LOCALHOST./jwks",
            "http://[::1]:9/jwks",
        ] {
            KeyUrl::parse(text).unwrap();
        }
    }

    #[test]
    fn addresses_in_disguise_are_still_addresses() {
        for text in [
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
        ] {
            let url = KeyUrl::parse(text).unwrap();
            assert_eq!(url.literal_address(), Some("127.0.0.1".parse().unwrap()), "{text}");
            Guard::new([], Loopback::Refused).check_url(&url).unwrap_err();
        }
    }

    #[test]
    fn a_host_on_the_list_may_be_private_but_never_special() {
        let guard = Guard::new(["Keycloak.internal.", "[FD00::0001]", "10.0.0.5"], Loopback::Refused);
        let at = |host: &str, address: &str| guard.check_resolved(host, &[address.parse().unwrap()]).is_ok();
        assert!(at("keycloak.INTERNAL", "10.1.2.3"));
        assert!(!at("keycloak.internal.", "127.0.0.1"));
        assert!(!at("keycloak.internal", "0.0.0.0"));
        assert!(!at("keycloak.internal", "ff02::1"));
        assert!(!at("other.internal", "10.1.2.3"));
        assert!(!at("evil-keycloak.internal", "10.1.2.3"));
        guard
            .check_url(&KeyUrl::parse("https://[fd00::1]/jwks").unwrap())
            .unwrap();
        guard
            .check_url(&KeyUrl::parse("https://10.0.0.5/jwks").unwrap())
            .unwrap();
        guard
            .check_url(&KeyUrl::parse("https://10.0.0.6/jwks").unwrap())
            .unwrap_err();
    }

    #[test]
    fn loopback_is_for_those_whose_configured_url_is_there() {
        let local = KeyUrl::parse("http://127.0.0.1:9/jwks").unwrap();
        let localhost = KeyUrl::parse("http://localhost:9/jwks").unwrap();
        let permitted = Guard::new([], Loopback::Permitted);
        permitted.check_url(&local).unwrap();
        permitted.check_url(&localhost).unwrap();
        // Another name that resolves to this machine is not the one that the operator wrote.
        permitted
            .check_resolved("idp.example", &[IpAddr::V4(Ipv4Addr::LOCALHOST)])
            .unwrap_err();
        permitted
            .check_url(&KeyUrl::parse("https://[::ffff:127.0.0.1]/").unwrap())
            .unwrap_err();
        let refused = Guard::new([], Loopback::Refused);
        refused.check_url(&local).unwrap_err();
        refused.check_url(&localhost).unwrap_err();
    }
}
