//! POST requests of webhooks: many small ones to few hosts, over kept connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use reqwest::Client;
use reqwest::redirect;
use url::Url;

use super::error::OutboundError;
use super::policy::Policy;
use crate::ssrf_guard::{GuardedNames, Names, SystemNames};

/// Time for which an unused connection is kept.
const IDLE: Duration = Duration::from_secs(30);
/// Number of unused connections that are kept to one host.
const IDLE_PER_HOST: usize = 8;

/// Client that sends POST requests, follows no redirect and reads no body.
#[derive(Debug, Clone)]
pub struct PostClient {
    policy: Policy,
    client: Client,
}

/// Answer to a POST request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostAnswer {
    /// HTTP status.
    pub status: u16,
    /// Value of `Retry-After`, as it was sent.
    pub retry_after: Option<String>,
}

impl PostClient {
    /// Creates a client that resolves names with the operating system. Reads the system's trust store, which takes
    /// milliseconds of file access.
    ///
    /// # Errors
    ///
    /// [`OutboundError::Setup`].
    pub fn new(policy: Policy) -> Result<Self, OutboundError> {
        Self::with_names(policy, Arc::new(SystemNames))
    }

    /// Creates a client with a resolver of its own.
    ///
    /// # Errors
    ///
    /// [`OutboundError::Setup`].
    pub fn with_names(policy: Policy, names: Arc<dyn Names>) -> Result<Self, OutboundError> {
        let names = GuardedNames {
            names,
            guard: Arc::new(policy.guard.clone()),
            proxy_host: None,
        };
        let client = Client::builder()
            .user_agent(concat!("narthex/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(names))
            // SECURITY: a redirect would carry the event to a host that no administrator named.
            .redirect(redirect::Policy::none())
            .connect_timeout(policy.limits.connect)
            .timeout(policy.limits.total)
            .referer(false)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            // SECURITY: a proxy from the environment would resolve names without the SSRF guard.
            .no_proxy()
            .build()
            .map_err(|error| OutboundError::Setup {
                cause: error.to_string(),
            })?;
        Ok(Self { policy, client })
    }

    /// Sends a body. An answer is not an error, whatever its status is; its body is left unread.
    ///
    /// # Errors
    ///
    /// [`OutboundError`].
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Bytes) -> Result<PostAnswer, OutboundError> {
        self.policy.check(url)?;
        let host = url.host_str().unwrap_or_default();
        let sent = self.client.post(url.clone()).headers(headers).body(body).send().await;
        let answer = sent.map_err(|error| {
            if error.is_timeout() {
                OutboundError::TimedOut {
                    host: host.to_owned(),
                    limit_ms: u64::try_from(self.policy.limits.total.as_millis()).unwrap_or(u64::MAX),
                }
            } else {
                OutboundError::of(host, &error)
            }
        })?;
        let retry_after = answer.headers().get(header::RETRY_AFTER);
        Ok(PostAnswer {
            status: answer.status().as_u16(),
            retry_after: retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned),
        })
    }
}
