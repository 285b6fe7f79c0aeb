//! Upstreams of routes, as the configuration describes them.

use std::time::Duration;

use http::HeaderName;
use http::uri::Scheme;
use narthex_listener::tls::UpstreamTls;

use crate::servers::Servers;

/// The protocol of RFC 6455: routes pass on this one unless they name others.
pub const WEBSOCKET: &str = "websocket";

/// Destination of a route's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Its servers, all of the same scheme and protocol.
    pub servers: Servers,
    /// TLS with authorities of its own; `None` for those of the system.
    pub tls: Option<UpstreamTls>,
    /// Protocol: HTTP/2 without negotiation (`h2c://` in the configuration) for gRPC servers.
    pub protocol: UpstreamProtocol,
    /// The upstream as configured, by its first server: the `aud` of assertions.
    pub audience: String,
    /// Time to wait for the head of the answer, or for the upstream to take more of the request's body.
    pub timeout: Duration,
    /// Rule for the inbound token: forwarded or removed.
    pub forward_token: ForwardToken,
    /// Protocol upgrades that are passed on.
    pub upgrades: UpgradeProtocols,
    /// Header in which requests name their organization: forwarded as it was decided, and in no other spelling.
    pub organization_header: Option<HeaderName>,
    /// Beginning of each path that is removed before a request is forwarded: whole segments, without a `/` at its end.
    pub strip_prefix: Option<String>,
}

impl Upstream {
    /// Returns the path that is forwarded. Every path of the route begins with the prefix, as the configuration is checked.
    pub fn forwarded<'p>(&self, path: &'p str) -> &'p str {
        let rest = self
            .strip_prefix
            .as_deref()
            .and_then(|prefix| path.strip_prefix(prefix));
        match rest {
            Some("") => "/",
            // SECURITY: a prefix ends where a segment does, or the application would get another path than the one decided.
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }
}

/// Protocol of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1, or what TLS negotiates.
    Negotiated,
    /// HTTP/2 from the first byte.
    Http2,
}

/// Rule for the inbound token on the way to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardToken {
    /// Forwards it (`forward_token = true`).
    Yes,
    /// Removes it.
    No,
}

/// Limits of the streams of one route.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// Idle timeout of a stream.
    pub idle: Duration,
    /// Upper limit of a request body, in bytes.
    pub body_bytes: u64,
    /// Grace period of a body after its token has expired.
    pub body_grace: Duration,
}

/// Protocols that a route passes on, in lower case (`upgrades` in the configuration).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeProtocols(Vec<String>);

/// Reason why a protocol cannot be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolProblem {
    /// It is not a protocol name with an optional version (RFC 9110 section 7.8).
    #[error("is not the name of a protocol")]
    Name,
    /// It carries requests of its own, which no route would decide.
    #[error("carries requests that Narthex could not decide")]
    CarriesRequests,
}

impl Default for UpgradeProtocols {
    fn default() -> Self {
        Self(vec![WEBSOCKET.to_owned()])
    }
}

impl UpgradeProtocols {
    /// Creates the list of these protocols.
    ///
    /// # Errors
    ///
    /// The first name that cannot be used, with the cause.
    pub fn new(names: impl IntoIterator<Item = String>) -> Result<Self, (String, ProtocolProblem)> {
        let mut protocols = Vec::new();
        for name in names {
            if let Some(problem) = problem_of(&name) {
                return Err((name, problem));
            }
            protocols.push(name.to_ascii_lowercase());
        }
        Ok(Self(protocols))
    }

    /// Tests whether a protocol is in the list, in any case.
    pub fn contains(&self, protocol: &str) -> bool {
        self.0.iter().any(|listed| listed.eq_ignore_ascii_case(protocol))
    }
}

fn problem_of(name: &str) -> Option<ProtocolProblem> {
    // A token has the syntax of a header's name (RFC 9110 section 5.6.2).
    let is_token = |text: &str| HeaderName::try_from(text).is_ok();
    let (protocol, version) = name
        .split_once('/')
        .map_or((name, None), |(protocol, version)| (protocol, Some(version)));
    if !is_token(protocol) || version.is_some_and(|version| !is_token(version)) {
        return Some(ProtocolProblem::Name);
    }
    // SECURITY: TLS could carry HTTP again, and Narthex would not see it.
    let carries_requests = ["h2", "h2c", "h3", "http", "https", "tls"]
        .iter()
        .any(|known| protocol.eq_ignore_ascii_case(known));
    carries_requests.then_some(ProtocolProblem::CarriesRequests)
}
