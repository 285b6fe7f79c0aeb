//! A request as all doors see it, and how far its sender is believed.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Method, header};
use ipnet::IpNet;

use crate::rate_limit::client_address;

/// A request to be decided: borrowed, whichever door it came through.
#[derive(Debug, Clone, Copy)]
pub struct Inbound<'r> {
    /// Its method.
    pub method: &'r Method,
    /// Its path as it was received, without the query.
    pub path: &'r [u8],
    /// Its query, if any.
    pub query: Option<&'r str>,
    /// The host it was sent to, with its port if it has one.
    pub host: Option<&'r str>,
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// Through which door it came.
    pub door: Door,
    /// The route it falls under, once that is known.
    pub route: Option<usize>,
    /// Who sent it, for the log; `None` where nobody did.
    pub sender: Option<Sender<'r>>,
}

/// The other end of the connection that a request came by, and the proxies that may speak for others.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'r> {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// The configured proxies.
    pub proxies: &'r TrustedProxies,
}

impl Inbound<'_> {
    /// The trust in the other end of the connection: a configured proxy, or anybody else.
    pub fn trust(&self) -> Trust {
        self.sender
            .map_or(Trust::Untrusted, |sender| sender.proxies.trust(sender.peer))
    }

    /// The address of the client, as the rate limiter counts it.
    pub fn client(&self) -> Option<IpAddr> {
        let sender = self.sender?;
        Some(client_address(sender.peer, self.headers, sender.proxies).address)
    }

    /// The method a CORS preflight announces. A preflight has both `Origin` and `Access-Control-Request-Method`
    /// (Fetch standard, "CORS-preflight fetch"); without both it is an ordinary `OPTIONS` request.
    pub fn preflight_for(&self) -> Option<Method> {
        if self.method != Method::OPTIONS || !self.headers.contains_key(header::ORIGIN) {
            return None;
        }
        Method::from_bytes(self.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
    }
}

/// The doors, for logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The reverse proxy.
    Proxy,
    /// nginx's `auth_request`.
    Nginx,
    /// Traefik's `ForwardAuth`.
    Traefik,
    /// Caddy's `forward_auth`.
    Caddy,
    /// `HAProxy` with a Lua authentication request.
    Haproxy,
    /// `GET /.narthex/me`.
    Me,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 6] = [
        Self::Proxy,
        Self::Nginx,
        Self::Traefik,
        Self::Caddy,
        Self::Haproxy,
        Self::Me,
    ];

    /// The word in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Nginx => "nginx",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Me => "me",
        }
    }
}

/// Who sent a request, for what is passed on.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// Whether that is a configured proxy.
    pub trust: Trust,
    /// The host the request was sent to.
    pub host: Option<String>,
}

/// Whether a peer is one of `listen.trusted_proxies`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It is: its forwarding headers are believed.
    Trusted,
    /// It is not: its forwarding headers are removed.
    Untrusted,
}

/// The configured proxies. Empty by default: nobody is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    /// Whether an address is one of them. IPv4 addresses that arrive in IPv6 form are read as IPv4.
    pub fn trust(&self, address: IpAddr) -> Trust {
        let address = address.to_canonical();
        if self.0.iter().any(|network| network.contains(&address)) {
            Trust::Trusted
        } else {
            Trust::Untrusted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_trusted_by_default_and_mapped_addresses_are_recognised() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(TrustedProxies::default().trust(loopback), Trust::Untrusted);
        let proxies = TrustedProxies(vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        assert_eq!(proxies.trust(loopback), Trust::Trusted);
        assert_eq!(proxies.trust("::ffff:127.0.0.1".parse().unwrap()), Trust::Trusted);
        assert_eq!(proxies.trust("fd12::1".parse().unwrap()), Trust::Trusted);
        assert_eq!(proxies.trust("10.0.0.1".parse().unwrap()), Trust::Untrusted);
    }
}
