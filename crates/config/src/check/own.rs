//! Upstreams that are Narthex itself: one request would go round until the process has no file descriptor left.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use narthex_settings_reader::{List, Problem};
use toml::Spanned;
use url::{Host, Url};

use super::Check;
use crate::Listen;
use crate::environment::Environment;
use crate::file::RouteSection;

impl Check<'_> {
    /// Refuses upstreams that lead to one of this process's own ports. Other names for this machine, and other ways back,
    /// are found out when a request comes back (508).
    pub(crate) fn own_upstreams(&mut self, written: &List<RouteSection>, listen: &Listen) {
        for url in written
            .iter()
            .filter_map(|section| section.get_ref().upstream.value())
            .flat_map(|urls| &urls.0)
        {
            let ports = [("public", listen.public), ("admin", listen.admin)];
            let own = ports
                .into_iter()
                .chain(listen.ext_authz.map(|address| ("`ext_authz`", address)))
                .find(|(_, address)| leads_to(&url.get_ref().0, *address, self.environment));
            if let Some((port, address)) = own {
                let problem = Problem::error(
                    Spanned::span(url),
                    format!("`upstream` is Narthex itself: its {port} port listens on {address}"),
                );
                self.problems
                    .push(problem.help("name the address of the application; a request would loop for ever"));
            }
        }
    }
}

/// Tests whether a URL leads to a port that this process listens on, at an address of this machine.
fn leads_to(url: &str, listening: SocketAddr, environment: &Environment) -> bool {
    // Of `h2c` the standard for URLs knows neither the port nor that its hosts may be addresses.
    let url = match url.strip_prefix("h2c://") {
        Some(rest) => Url::parse(&format!("http://{rest}")),
        None => Url::parse(url),
    };
    let Ok(url) = url else { return false };
    if url.port_or_known_default() != Some(listening.port()) {
        return false;
    }
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let hosts = match url.host() {
        Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
        Some(Host::Ipv6(address)) => vec![IpAddr::V6(address).to_canonical()],
        Some(Host::Domain(name)) if is_localhost(name) => loopback.to_vec(),
        // Where other names lead is not known here.
        Some(Host::Domain(_)) | None => Vec::new(),
    };
    hosts.into_iter().any(|host| {
        // A connection to "any address" is one to this machine.
        let host = match host {
            IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            other => other,
        };
        match listening.ip().to_canonical() {
            IpAddr::V4(any) if any.is_unspecified() => host.is_ipv4() && environment.is_own_address(host),
            // Linux takes IPv4 connections there too.
            IpAddr::V6(any) if any.is_unspecified() => environment.is_own_address(host),
            one => one == host,
        }
    })
}

/// `localhost` and what is below it (RFC 6761 section 6.3), with or without a dot at its end.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_way_to_write_an_own_address_is_known() {
        let environment = Environment::fixed(Path::new(""), |_| None);
        for (listening, own, other) in [
            (
                "127.0.0.1:8080",
                &[
                    "http://127.0.0.1:8080",
                    "http://localhost:8080",
                    "http://LOCALHOST.:8080",
                    "http://[::ffff:127.0.0.1]:8080",
                    "http://0.0.0.0:8080",
                    "http://127.1:8080",
                    "http://2130706433:8080",
                    "h2c://127.0.0.1:8080",
                    "h2c://127.1:8080",
                    "https://127.0.0.1:8080",
                ][..],
                &[
                    "http://127.0.0.1:8081",
                    "http://127.0.0.2:8080",
                    "http://[::1]:8080",
                    "http://app.internal:8080",
                    "http://notlocalhost:8080",
                    "http://192.0.2.7:8080",
                ][..],
            ),
            (
                "127.0.0.1:80",
                &["http://127.0.0.1", "h2c://localhost"],
                &["https://127.0.0.1"],
            ),
            ("127.0.0.1:443", &["https://127.0.0.1"], &["http://127.0.0.1"]),
            (
                "0.0.0.0:8080",
                &["http://127.0.0.9:8080", "http://localhost:8080"],
                &["http://192.0.2.7:8080"],
            ),
            (
                "[::]:8080",
                &[
                    "http://127.0.0.1:8080",
                    "http://[::1]:8080",
                    "http://[::]:8080",
                    "http://0.0.0.0:8080",
                ],
                &["http://192.0.2.7:8080", "http://[2001:db8::7]:8080"],
            ),
            (
                "[::1]:8080",
                &["http://[::1]:8080", "http://localhost:8080"],
                &["http://127.0.0.1:8080"],
            ),
            (
                "[::ffff:127.0.0.1]:8080",
                &["http://127.0.0.1:8080"],
                &["http://[::1]:8080"],
            ),
        ] {
            let leads = |url: &&&str| leads_to(url, listening.parse().unwrap(), &environment);
            assert_eq!(
                own.iter().filter(|url| !leads(url)).collect::<Vec<_>>(),
                [""; 0].iter().collect::<Vec<_>>(),
                "{listening}"
            );
            assert_eq!(
                other.iter().filter(leads).collect::<Vec<_>>(),
                [""; 0].iter().collect::<Vec<_>>(),
                "{listening}"
            );
        }
    }
}
