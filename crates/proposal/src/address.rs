//! Addresses of issuers: which of them can be asked for keys, and which are private.

use std::net::IpAddr;

use url::{Host, Url};

/// The longest address that is proposed, in characters.
const LENGTH_MAX: usize = 512;

/// Top-level names and suffixes of hosts that only a private network has (RFC 6761, RFC 6762, RFC 9476).
const PRIVATE_SUFFIXES: [&str; 7] = [
    "localhost",
    ".localhost",
    ".local",
    ".internal",
    ".svc",
    ".lan",
    ".home.arpa",
];

/// The address of an issuer under which OpenID discovery can be looked for (OpenID Connect Discovery 1.0, section 4.1):
/// https, a host, and neither a user nor a query nor a fragment. `None` for any other text.
pub(crate) fn issuer_url(text: &str) -> Option<Url> {
    if text.chars().count() > LENGTH_MAX || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let is_plain = url.scheme() == "https"
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    is_plain.then_some(url)
}

/// Tests whether a host is on a private network by its name or address. A name that only resolves to a private address is
/// found when keys are fetched.
pub(crate) fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_private_address(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => is_private_address(IpAddr::V6(address)),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            !name.contains('.')
                || PRIVATE_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
                || name.ends_with(".svc.cluster.local")
        }
        None => true,
    }
}

fn is_private_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_broadcast()
                || address.is_multicast()
                // Shared address space (RFC 6598).
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(address) => {
            let [first, ..] = address.segments();
            address.to_ipv4_mapped().is_some_and(|mapped| is_private_address(IpAddr::V4(mapped)))
                || address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                // Unique local (RFC 4193) and link-local addresses (RFC 4291).
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_anything_beside_host_and_path_is_none() {
        assert!(issuer_url("https://id.example.com/realms/a").is_some());
        for text in [
            "http://id.example.com",
            "https://a:b@id.example.com",
            "https://id.example.com?x=1",
            "https://id.example.com#x",
            "https://id.example.com/\n",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "id",
            "",
        ] {
            assert!(issuer_url(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn private_hosts_are_known_by_name_and_address() {
        let private = |text: &str| is_private(&Url::parse(text).unwrap());
        for text in [
            "https://localhost/",
            "https://keycloak/",
            "https://keycloak.internal/",
            "https://kubernetes.default.svc/",
            "https://kubernetes.default.svc.cluster.local/",
            "https://127.0.0.1/",
            "https://10.1.2.3/",
            "https://100.64.0.1/",
            "https://169.254.169.254/",
            "https://[::1]/",
            "https://[fd00::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://0x7f.1/",
        ] {
            assert!(private(text), "{text}");
        }
        for text in [
            "https://id.example.com/",
            "https://8.8.8.8/",
            "https://[2001:4860:4860::8888]/",
        ] {
            assert!(!private(text), "{text}");
        }
    }
}
