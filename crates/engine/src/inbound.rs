//! A request as all doors see it, and the trust in its sender.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Method, header};
use ipnet::IpNet;

use crate::dpop::ProofUse;
use crate::engine::Engine;
use crate::rate_limit::client_address;
use crate::respond::Format;

/// A request to be decided: borrowed, from any door.
#[derive(Debug, Clone, Copy)]
pub struct Inbound<'r> {
    /// Method of the request.
    pub method: &'r Method,
    /// Path as received, without the query.
    pub path: &'r [u8],
    /// Query, if there is one.
    pub query: Option<&'r str>,
    /// Host that it was sent to, with its port if it has one.
    pub host: Option<&'r str>,
    /// Headers of the request.
    pub headers: &'r HeaderMap,
    /// Door that it came through.
    pub door: Door,
    /// Route that takes it, once that is known.
    pub route: Option<usize>,
    /// Sender, for the log; `None` if there is none.
    pub sender: Option<Sender<'r>>,
    /// Use of the request's proof of possession; `None` where no proof is taken, and so no token that needs one.
    pub proof: Option<&'r ProofUse>,
}

/// The peer of the connection that a request came by, and the proxies that may speak for others.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'r> {
    /// Address of the other end of the connection.
    pub peer: IpAddr,
    /// The configured proxies.
    pub proxies: &'r TrustedProxies,
    /// `true` if the connection is encrypted (TLS of the port).
    pub is_encrypted: bool,
}

/// Connection of a client to the admin port, as far as pages there depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientConnection {
    /// Address of the client, as the rate limiter counts it.
    pub address: Option<IpAddr>,
    /// `true` if the request was taken by TLS: at the port, or at a trusted proxy.
    pub is_encrypted: bool,
}

impl Inbound<'_> {
    /// Returns the trust in the peer: whether it is a configured proxy.
    pub fn trust(&self) -> Trust {
        self.sender
            .map_or(Trust::Untrusted, |sender| sender.proxies.trust(sender.peer))
    }

    /// Returns the address of the client, as the rate limiter counts it.
    pub fn client(&self) -> Option<IpAddr> {
        let sender = self.sender?;
        Some(client_address(sender.peer, self.headers, sender.proxies).address)
    }

    /// Returns the form in which the client is told of a refusal.
    pub fn format(&self, engine: &Engine) -> Format {
        Format::accepted(self.headers, engine.clock.now_ms())
    }

    /// Returns the method that a CORS preflight announces. A preflight has both `Origin` and
    /// `Access-Control-Request-Method` (Fetch standard, "CORS-preflight fetch"); without both it is an ordinary
    /// `OPTIONS` request.
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
    /// Sign-in and sign-out.
    SignIn,
    /// Envoy's external authorization, by gRPC and by HTTP.
    ExtAuthz,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 8] = [
        Self::Proxy,
        Self::Nginx,
        Self::Traefik,
        Self::Caddy,
        Self::Haproxy,
        Self::Me,
        Self::SignIn,
        Self::ExtAuthz,
    ];

    /// Returns the word in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Nginx => "nginx",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Me => "me",
            Self::SignIn => "sign_in",
            Self::ExtAuthz => "ext_authz",
        }
    }
}

/// Sender of a request, for the forwarded headers.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// Trust in the peer.
    pub trust: Trust,
    /// Host that the request was sent to.
    pub host: Option<String>,
    /// `true` if the connection is encrypted (TLS of the port).
    pub is_encrypted: bool,
}

/// Trust in a peer: one of `listen.trusted_proxies`, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// A configured proxy: its forwarding headers are believed.
    Trusted,
    /// Any other peer: its forwarding headers are removed.
    Untrusted,
}

/// Configured proxies. Empty by default: no peer is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    /// Returns the trust in an address. IPv4 addresses in IPv6 form are read as IPv4.
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
