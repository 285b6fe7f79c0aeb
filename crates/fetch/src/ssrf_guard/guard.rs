//! SSRF guard: the addresses that may be reached.
//!
//! A tenant may type an issuer's key URL, a third party writes a discovery document or a redirect, and any editor of a
//! connection chooses its URL. Without a guard, any of them could send this server to its own admin port or to a
//! cloud's metadata service. So we resolve names ourselves, check every address that a name resolves to, and connect
//! only to the checked addresses.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

/// Kind of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// Reachable from the internet.
    Public,
    /// This machine: 127.0.0.0/8 and `::1`.
    Loopback,
    /// A private network: RFC 1918, RFC 4193 (`fc00::/7`), and the retired `fec0::/10`.
    Private,
    /// 100.64.0.0/10, between a provider and its customers (RFC 6598).
    SharedProvider,
    /// 169.254.0.0/16 and `fe80::/10`; cloud metadata services are here.
    LinkLocal,
    /// Unspecified, multicast, broadcast, documentation, benchmarks, Teredo: never a server.
    Special,
}

impl AddressKind {
    /// Returns the kind of an address. An IPv6 form that contains an IPv4 address (mapped, compatible, NAT64, 6to4) has
    /// the kind of the IPv4 address.
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
            // NAT64 with a local prefix, unique-local, and the retired site-local.
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
#[error("`{host}` is at {address}, a {kind} address{advice}", advice = advice(host, *.kind))]
pub struct Refused {
    /// Host as written in the URL.
    pub host: String,
    /// Address of the host, or one that it resolved to.
    pub address: IpAddr,
    /// Kind for which the address is refused.
    pub kind: AddressKind,
}

/// Rule for servers on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// The configured URL names the loopback interface itself.
    Permitted,
    /// Not so; a discovery document or a name that points here is an attack or a mistake.
    Refused,
}

/// Checks the addresses of outbound connections.
#[derive(Debug, Clone)]
pub struct Guard {
    allow_private_hosts: BTreeSet<String>,
    loopback: Loopback,
    everywhere: bool,
}

impl Guard {
    /// Creates a guard that permits private addresses for the listed hosts.
    ///
    /// `allow_private_hosts` are host names or literal addresses, compared whole and without regard to case. A listed
    /// name may be at a private address; on this machine or at a link-local address, only a literal address or
    /// `localhost` may be. `loopback` states whether the configured URL itself is on this machine.
    pub fn new<'a>(allow_private_hosts: impl IntoIterator<Item = &'a str>, loopback: Loopback) -> Self {
        let allow_private_hosts = allow_private_hosts.into_iter().map(plain_host).collect();
        Self {
            allow_private_hosts,
            loopback,
            everywhere: false,
        }
    }

    /// Creates a guard that permits everything: for a user who could as well use curl.
    pub const fn open() -> Self {
        Self {
            allow_private_hosts: BTreeSet::new(),
            loopback: Loopback::Permitted,
            everywhere: true,
        }
    }

    /// Checks a host that is written as an address; names are checked when they are resolved.
    pub fn check_host(&self, host: &Host<&str>) -> Result<(), Refused> {
        let plain = host_name(host);
        match host {
            Host::Ipv4(address) => self.check_address(&plain, IpAddr::V4(*address), self.loopback),
            Host::Ipv6(address) => self.check_address(&plain, IpAddr::V6(*address), self.loopback),
            Host::Domain(_) if plain == LOCALHOST => {
                self.check_address(&plain, IpAddr::V4(Ipv4Addr::LOCALHOST), self.loopback)
            }
            Host::Domain(_) => Ok(()),
        }
    }

    /// Checks the addresses that a name resolved to. One forbidden address refuses the name: an answer that mixes
    /// public and private addresses is how DNS rebinding begins.
    pub fn check_resolved(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Refused> {
        let host = plain_name(host);
        // SECURITY: a name other than `localhost` that points at this machine is DNS rebinding, even for an issuer
        // whose configured URL is on loopback.
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
            _ if self.everywhere => true,
            AddressKind::Public => true,
            AddressKind::Special => false,
            AddressKind::Loopback if loopback == Loopback::Permitted && address.is_loopback() => true,
            AddressKind::Private | AddressKind::SharedProvider => self.allow_private_hosts.contains(host),
            // SECURITY: the owner of a name may move it to this machine or to a cloud's metadata service, so only an
            // address that was written literally is permitted there.
            AddressKind::Loopback | AddressKind::LinkLocal => {
                let is_written = host.parse::<IpAddr>().is_ok() || (host == LOCALHOST && address.is_loopback());
                is_written && self.allow_private_hosts.contains(host)
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

/// The one name that always means this machine (RFC 6761 section 6.3); it is never sent to a resolver.
pub(crate) const LOCALHOST: &str = "localhost";

const fn embedded(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

/// Returns a host in lower case, without brackets and without a trailing dot.
pub(crate) fn host_name(host: &Host<&str>) -> String {
    match host {
        Host::Domain(name) => plain_name(name),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}

fn plain_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Returns a host as an operator may write it, in the form of [`host_name`]: `[FD00::0001]` becomes `fd00::1`.
fn plain_host(written: &str) -> String {
    let written = written.trim();
    let bare = written
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(written);
    bare.parse::<IpAddr>()
        .map_or_else(|_| plain_name(bare), |address| address.to_string())
}

fn advice(host: &str, kind: AddressKind) -> &'static str {
    match kind {
        AddressKind::Special => ", which no server has",
        AddressKind::Loopback | AddressKind::LinkLocal if host != LOCALHOST && host.parse::<IpAddr>().is_err() => {
            ", where no name may lead; if that is meant, write the address itself, and name it in `allow_private_hosts`"
        }
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
    fn sec_ssrf_a_listed_name_is_not_let_to_this_machine_or_to_metadata() {
        let listed = ["erp.internal", "localhost", "127.0.0.1", "169.254.169.254"];
        let guard = Guard::new(listed, Loopback::Refused);
        let at = |host: &str, address: &str| guard.check_resolved(host, &[address.parse().unwrap()]).is_ok();
        for private in ["10.0.0.1", "fd00::1", "100.64.0.1"] {
            assert!(at("erp.internal", private), "{private}");
        }
        for elsewhere in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1"] {
            assert!(!at("erp.internal", elsewhere), "{elsewhere}");
        }
        assert!(at("localhost", "127.0.0.1") && !at("localhost", "169.254.169.254"));
        let literal = |text: &str| guard.check_host(&Host::Ipv4(text.parse().unwrap())).is_ok();
        assert!(literal("127.0.0.1") && literal("169.254.169.254") && !literal("127.0.0.2"));
        let refused = guard.check_resolved("erp.internal", &["127.0.0.1".parse().unwrap()]);
        assert!(refused.unwrap_err().to_string().contains("write the address itself"));
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
}
