//! Name resolution, with a check of every address.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::{Guard, LOCALHOST};

/// Source of the addresses of a name.
#[async_trait]
pub trait Names: fmt::Debug + Send + Sync {
    /// Returns the addresses of a host name, in the order in which to try them.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Resolver of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0))
            .await?
            .map(|address| address.ip())
            .collect())
    }
}

/// Resolver of the HTTP client.
///
/// SECURITY: the client connects to the addresses returned here and asks no other resolver, so the checked addresses
/// are the ones that are used. A name that resolves differently a moment later (DNS rebinding) gains nothing.
#[derive(Debug, Clone)]
pub(crate) struct GuardedNames {
    pub(crate) names: Arc<dyn Names>,
    pub(crate) guard: Arc<Guard>,
    /// Host of the configured HTTP proxy, which the operator chose and which may be anywhere.
    pub(crate) proxy_host: Option<String>,
}

/// Error for a name without an address; carried through the client's error chain.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unresolved(pub(crate) String);

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let addresses = this.addresses(name.as_str()).await?;
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

impl GuardedNames {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let plain = host.strip_suffix('.').unwrap_or(host);
        let addresses = if plain.eq_ignore_ascii_case(LOCALHOST) {
            vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        } else {
            self.names
                .lookup(host)
                .await
                .map_err(|error| Unresolved(error.to_string()))?
        };
        if addresses.is_empty() {
            return Err(Unresolved("the name has no addresses".to_owned()).into());
        }
        let is_proxy = self
            .proxy_host
            .as_deref()
            .is_some_and(|proxy| proxy.eq_ignore_ascii_case(host));
        if !is_proxy {
            self.guard.check_resolved(host, &addresses)?;
        }
        Ok(addresses)
    }
}
