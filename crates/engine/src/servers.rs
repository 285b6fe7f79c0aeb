//! Servers of an upstream: the order in which a request tries them, and those that have failed lately.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use tokio::time::Instant;

use crate::upstream::UpstreamProtocol;

/// Time for which a server that failed gets no request, as long as another one is left.
const PAUSE: Duration = Duration::from_secs(10);

/// URL of a server, as the configuration has it: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
    /// Protocol: `h2c://` is HTTP/2 without TLS.
    pub protocol: UpstreamProtocol,
    /// As written, without a slash at the end.
    pub text: String,
}

/// Reason why a text is not the URL of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ServerUrlProblem(&'static str);

impl ServerUrl {
    /// Parses a URL.
    ///
    /// # Errors
    ///
    /// [`ServerUrlProblem`], as the end of a sentence about the URL.
    pub fn parse(text: &str) -> Result<Self, ServerUrlProblem> {
        let uri = text.parse::<Uri>().map_err(|_| ServerUrlProblem("is not a URL"))?;
        let (scheme, protocol) = match uri.scheme_str() {
            Some("http") => (Scheme::HTTP, UpstreamProtocol::Negotiated),
            Some("h2c") => (Scheme::HTTP, UpstreamProtocol::Http2),
            Some("https") => (Scheme::HTTPS, UpstreamProtocol::Negotiated),
            _ => return Err(ServerUrlProblem("must begin with `http://`, `https://` or `h2c://`")),
        };
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or(ServerUrlProblem("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(ServerUrlProblem("must not carry a user name or password"));
        }
        let has_port = authority.as_str() != authority.host();
        if has_port && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(ServerUrlProblem("has no port from 1 to 65535"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(ServerUrlProblem(
                "must not have a path or query: what is matched is what is forwarded",
            ));
        }
        Ok(Self {
            scheme,
            authority: authority.clone(),
            protocol,
            text: text.trim_end_matches('/').to_owned(),
        })
    }
}

/// Servers of one upstream, at least one. Clones share the knowledge of failures, so that all routes and threads of a
/// configuration profit from it.
#[derive(Debug, Clone)]
pub struct Servers {
    first: Arc<Server>,
    others: Arc<[Server]>,
    next: Arc<AtomicUsize>,
}

/// One server.
pub struct Server {
    authority: Authority,
    /// Origin of the times of failures.
    created: Instant,
    /// Time until which it gets no request, in milliseconds since then; 0 if it has not failed.
    failed_until_ms: AtomicU64,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.authority).finish()
    }
}

/// Two are equal if they name the same servers.
impl PartialEq for Servers {
    fn eq(&self, other: &Self) -> bool {
        self.authorities().eq(other.authorities())
    }
}

impl Eq for Servers {}

impl Server {
    fn new(authority: Authority) -> Self {
        Self {
            authority,
            created: Instant::now(),
            failed_until_ms: AtomicU64::new(0),
        }
    }

    /// Returns its host and port.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Notes that no answer came from it. It gets no request for ten seconds, as long as another server is left.
    pub fn failed(&self, now: Instant, error: &str) {
        let had_failed = self.has_failed(now);
        self.failed_until_ms
            .store(self.milliseconds(now + PAUSE), Ordering::Relaxed);
        if !had_failed {
            let server = self.authority.as_str();
            tracing::warn!(
                event = "server_failed",
                server,
                error,
                "a server of an upstream does not answer; its requests go to the others for ten seconds"
            );
        }
    }

    fn has_failed(&self, now: Instant) -> bool {
        self.failed_until_ms.load(Ordering::Relaxed) > self.milliseconds(now)
    }

    fn milliseconds(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.created);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Servers {
    /// Creates the list of these servers.
    pub fn new(first: Authority, others: Vec<Authority>) -> Self {
        Self {
            first: Arc::new(Server::new(first)),
            others: others.into_iter().map(Server::new).collect(),
            next: Arc::default(),
        }
    }

    /// Returns the first server.
    pub fn first(&self) -> &Server {
        &self.first
    }

    /// Tests whether there is one server alone.
    pub fn is_one(&self) -> bool {
        self.others.is_empty()
    }

    /// Returns the hosts and ports of all servers, in the order of the configuration.
    pub fn authorities(&self) -> impl Iterator<Item = &Authority> {
        self.all().map(Server::authority)
    }

    /// Returns the servers in the order in which the next request should try them: in turn, and those that have failed
    /// lately after the others.
    pub fn in_turn(&self, now: Instant) -> Vec<&Server> {
        let count = self.others.len() + 1;
        let begin = self.next.fetch_add(1, Ordering::Relaxed) % count;
        let mut order: Vec<&Server> = self.all().skip(begin).chain(self.all().take(begin)).collect();
        // A stable sort: otherwise the order is kept.
        order.sort_by_key(|server| server.has_failed(now));
        order
    }

    fn all(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(&*self.first).chain(self.others.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(names: &[&'static str]) -> Servers {
        let mut names = names.iter().copied().map(Authority::from_static);
        Servers::new(names.next().unwrap(), names.collect())
    }

    fn order(servers: &Servers, now: Instant) -> Vec<String> {
        let order = servers.in_turn(now).into_iter();
        order.map(|server| server.authority().to_string()).collect()
    }

    #[tokio::test]
    async fn requests_go_to_the_servers_in_turn() {
        let servers = servers(&["a", "b", "c"]);
        let now = Instant::now();
        assert_eq!(order(&servers, now), ["a", "b", "c"]);
        assert_eq!(order(&servers.clone(), now), ["b", "c", "a"]);
        assert_eq!(order(&servers, now), ["c", "a", "b"]);
        assert_eq!(order(&servers, now), ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_server_that_failed_is_the_last_one_for_a_while() {
        let servers = servers(&["a", "b"]);
        let now = Instant::now();
        servers.first().failed(now, "refused");
        assert_eq!(order(&servers, now), ["b", "a"]);
        assert_eq!(order(&servers, now), ["b", "a"]);
        let later = now + PAUSE + Duration::from_millis(1);
        assert_eq!(order(&servers, later), ["a", "b"]);
        assert_eq!(order(&servers, later), ["b", "a"]);
    }

    #[tokio::test]
    async fn servers_that_all_failed_are_tried_all_the_same() {
        let servers = servers(&["a", "b"]);
        let now = Instant::now();
        for server in servers.in_turn(now) {
            server.failed(now, "refused");
        }
        assert_eq!(order(&servers, now), ["b", "a"]);
    }
}
