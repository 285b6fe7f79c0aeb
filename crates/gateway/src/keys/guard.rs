//! Which addresses a key set may be fetched from.
//!
//! An issuer's key URL may be typed by a tenant, and a discovery document is written by somebody
//! else altogether: without a guard either of them could send this server to its own admin port or
//! to a cloud's metadata service. Names are therefore resolved by us, every address a name resolves
//! to is judged, and the connection goes to the addresses that were judged and to no others.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Origin, Url};

/// A URL that keys may be asked from: `https`, or `http` on the loopback interface, without user
/// information. Whether its *address* may be reached is [`Guard`]'s question.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyUrl(Url);

/// Why a text is no [`KeyUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlProblem {
    /// Not an absolute URL at all.
    #[error("not an absolute URL; write it as `https://host/path`")]
    NotAUrl,
    /// `file:`, `data:`, `ftp:` and everything else that is not HTTP.
    #[error("the scheme `{scheme}` is not supported; key sets are fetched with `https`")]
    Scheme {
        /// The scheme that was given.
        scheme: String,
    },
    /// Plain `http` to something that is not this machine.
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
    /// A fragment is never sent and therefore always a mistake.
    #[error("the URL ends in a fragment (`#…`), which is never sent; remove it")]
    Fragment,
}

impl KeyUrl {
    /// Reads and checks a URL.
    ///
    /// # Errors
    ///
    /// [`UrlProblem`] names the rule that is broken.
    pub fn parse(text: &str) -> Result<Self, UrlProblem> {
        Self::check(Url::parse(text).map_err(|_| UrlProblem::NotAUrl)?)
    }

    /// Checks a URL that was already read, such as the target of a redirect.
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

    /// The host in lower case, without brackets and without a trailing dot.
    pub fn host(&self) -> String {
        match self.0.host() {
            Some(Host::Domain(name)) => plain_name(name),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        }
    }

    /// The address, when the host is written as one.
    pub fn literal_address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
        }
    }

    /// Whether the host is `localhost`, 127.0.0.0/8 or `::1`, as written.
    pub fn is_loopback(&self) -> bool {
        self.literal_address()
            .map_or_else(|| self.host() == LOCALHOST, |address| address.is_loopback())
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> Origin {
        self.0.origin()
    }

    /// The URL itself.
    pub const fn url(&self) -> &Url {
        &self.0
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

/// What kind of place an address is, as far as fetching keys goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressKind {
    /// Reachable from the internet.
    Public,
    /// This machine: 127.0.0.0/8 and `::1`.
    Loopback,
    /// A network of one's own: RFC 1918, RFC 4193 (`fc00::/7`), and the retired `fec0::/10`.
    Private,
    /// 100.64.0.0/10, between a provider and its customers (RFC 6598).
    SharedProvider,
    /// 169.254.0.0/16 and `fe80::/10`; cloud metadata services live here.
    LinkLocal,
    /// Unspecified, multicast, broadcast, documentation, benchmarks, Teredo: nobody's key server.
    Special,
}

impl AddressKind {
    /// The kind of an address. An IPv6 form that carries an IPv4 address (mapped, compatible,
    /// NAT64, 6to4) is what the IPv4 address is.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    // SPEC: the IANA IPv4 special-purpose address registry (RFC 6890).
    const fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            [127, ..] => Self::Loopback,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Self::Private,
            [100, 64..=127, ..] => Self::SharedProvider,
            [169, 254, ..] => Self::LinkLocal,
            [0 | 224..=255, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _] => Self::Special,
            _ => Self::Public,
        }
    }

    // SPEC: the IANA IPv6 special-purpose address registry, RFC 4291, RFC 6052, RFC 8215.
    const fn of_v6(address: Ipv6Addr) -> Self {
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            // Compatible ::a.b.c.d, mapped ::ffff:a.b.c.d, translated ::ffff:0:a.b.c.d, and NAT64's
            // well-known prefix 64:ff9b::a.b.c.d. The unspecified address is 0.0.0.0's equal.
            [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
            | [0, 0, 0, 0, 0xffff, 0, high, low]
            | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
            // 6to4: 2002:a.b.c.d::/48.
            | [0x2002, high, low, ..] => Self::of_v4(embedded(high, low)),
            // NAT64 with a prefix of one's own, unique-local, and the retired site-local.
            [0x64, 0xff9b, 1, ..] | [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Self::Private,
            [0xfe80..=0xfebf, ..] => Self::LinkLocal,
            // Teredo, ORCHID and their like, and documentation, cut out of 2000::/3.
            [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Self::Special,
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Special,
        }
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::SharedProvider => "carrier-grade NAT",
            Self::LinkLocal => "link-local",
            Self::Special => "reserved",
        })
    }
}

/// An address that must not be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{host}` is at {address}, a {kind} address{advice}", advice = advice(*.kind))]
pub struct Refused {
    /// The host as the URL has it.
    pub host: String,
    /// What it is, or what it resolved to.
    pub address: IpAddr,
    /// Why that address is refused.
    pub kind: AddressKind,
}

/// Whether a key source may be on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// The configured URL names the loopback interface itself.
    Permitted,
    /// It does not; a discovery document or a name that points here is an attack or a mistake.
    Refused,
}

/// Judges the addresses of one issuer's key source.
#[derive(Debug, Clone)]
pub struct Guard {
    allow_private_hosts: BTreeSet<String>,
    loopback: Loopback,
}

impl Guard {
    /// A guard that lets the listed hosts be at private addresses.
    ///
    /// `allow_private_hosts` are host names or literal addresses, compared whole and without regard
    /// to case. `loopback` says whether the configured URL itself is on this machine.
    pub fn new<'a>(allow_private_hosts: impl IntoIterator<Item = &'a str>, loopback: Loopback) -> Self {
        let allow_private_hosts = allow_private_hosts.into_iter().map(plain_host).collect();
        Self {
            allow_private_hosts,
            loopback,
        }
    }

    /// Judges a URL whose host is written as an address; names are judged when they are resolved.
    pub fn check_url(&self, url: &KeyUrl) -> Result<(), Refused> {
        let host = url.host();
        match url.literal_address() {
            Some(address) => self.check_address(&host, address, self.loopback),
            None if host == LOCALHOST => self.check_address(&host, IpAddr::V4(Ipv4Addr::LOCALHOST), self.loopback),
            None => Ok(()),
        }
    }

    /// Judges what a name resolved to. One address that may not be reached refuses the name: a
    /// resolver that mixes public and private answers is how rebinding begins.
    pub fn check_resolved(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Refused> {
        let host = plain_name(host);
        // SECURITY: a name other than `localhost` that points at this machine is rebinding, even
        // for an issuer whose configured URL is on loopback.
        let loopback = if host == LOCALHOST {
            self.loopback
        } else {
            Loopback::Refused
        };
        addresses
            .iter()
            .try_for_each(|address| self.check_address(&host, *address, loopback))
    }

    fn check_address(&self, host: &str, address: IpAddr, loopback: Loopback) -> Result<(), Refused> {
        let kind = AddressKind::of(address);
        let permitted = match kind {
            AddressKind::Public => true,
            AddressKind::Special => false,
            AddressKind::Loopback if loopback == Loopback::Permitted && address.is_loopback() => true,
            AddressKind::Loopback | AddressKind::Private | AddressKind::SharedProvider | AddressKind::LinkLocal => {
                self.allow_private_hosts.contains(host)
            }
        };
        if permitted {
            Ok(())
        } else {
            Err(Refused {
                host: host.to_owned(),
                address,
                kind,
            })
        }
    }
}

/// The one name that always means this machine (RFC 6761 6.3); it is never sent to a resolver.
pub(super) const LOCALHOST: &str = "localhost";

const fn embedded(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

fn plain_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// A host as an operator may write it, in the form [`KeyUrl::host`] gives: `[FD00::0001]` becomes
/// `fd00::1`.
fn plain_host(written: &str) -> String {
    let written = written.trim();
    let bare = written
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(written);
    bare.parse::<IpAddr>()
        .map_or_else(|_| plain_name(bare), |address| address.to_string())
}

const fn advice(kind: AddressKind) -> &'static str {
    match kind {
        AddressKind::Special => ", which is never a key server",
        _ => "; if that is meant, name the host in `allow_private_hosts`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(address: &str) -> AddressKind {
        AddressKind::of(address.parse().unwrap())
    }

    #[test]
    fn knows_every_private_form_of_an_address() {
        let public = "1.1.1.1 8.8.8.8 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 2606:4700::1111 ::ffff:1.1.1.1 \
            64:ff9b::101:101 2002:101:101::";
        let loopback = "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::127.0.0.1 2002:7f00:1:: \
            ::ffff:0:127.0.0.1";
        let private = "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fd12:3456::1 fec0::1 ::ffff:10.0.0.1 \
            ::10.1.2.3 64:ff9b::192.168.0.1 64:ff9b:1::1 2002:c0a8:1::1";
        let shared = "100.64.0.1 100.127.255.255 ::ffff:100.100.100.200";
        let link_local = "169.254.169.254 fe80::1 febf::1 ::ffff:169.254.169.254 64:ff9b::169.254.169.254";
        let special = "0.0.0.0 0.1.2.3 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 192.0.2.1 198.18.0.1 \
            198.51.100.1 203.0.113.1 192.0.0.8 :: ff02::1 2001:db8::1 2001::1 100::1 ::ffff:0.0.0.0 \
            ::ffff:255.255.255.255 ::2:0:0:1 4000::1";
        for (expected, addresses) in [
            (AddressKind::Public, public),
            (AddressKind::Loopback, loopback),
            (AddressKind::Private, private),
            (AddressKind::SharedProvider, shared),
            (AddressKind::LinkLocal, link_local),
            (AddressKind::Special, special),
        ] {
            for address in addresses.split_whitespace() {
                assert_eq!(kind(address), expected, "{address}");
            }
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
        assert!(at("keycloak.internal.", "127.0.0.1"));
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
    fn one_forbidden_address_among_many_refuses_the_name() {
        let guard = Guard::new([], Loopback::Refused);
        let addresses = ["1.1.1.1".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        let refused = guard.check_resolved("idp.example", &addresses).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`idp.example` is at 10.0.0.1, a private address; if that is meant, name the host in `allow_private_hosts`"
        );
    }

    #[test]
    fn loopback_is_for_those_whose_configured_url_is_there() {
        let local = KeyUrl::parse("http://127.0.0.1:9/jwks").unwrap();
        let localhost = KeyUrl::parse("http://localhost:9/jwks").unwrap();
        let permitted = Guard::new([], Loopback::Permitted);
        permitted.check_url(&local).unwrap();
        permitted.check_url(&localhost).unwrap();
        // Another name that resolves to this machine is not what the operator wrote.
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
