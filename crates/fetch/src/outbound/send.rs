//! One request, its redirects, and its answer.

use std::sync::Arc;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use narthex_connection::{Request, Response};
use reqwest::redirect;
use reqwest::{Certificate, Client};
use url::Url;

use super::error::OutboundError;
use super::policy::{OutboundLimits, Policy};
use super::redirect::{Hop, Next};
use crate::inflate::{Inflate, inflate};
use crate::ssrf_guard::{GuardedNames, Names, SystemNames};

/// Sender of connections' requests.
#[derive(Debug, Clone)]
pub struct Sender {
    policy: Policy,
    names: Arc<dyn Names>,
}

impl Sender {
    /// Creates a sender that resolves names with the operating system.
    pub fn new(policy: Policy) -> Self {
        Self::with_names(policy, Arc::new(SystemNames))
    }

    /// Creates a sender with a resolver of its own.
    pub fn with_names(policy: Policy, names: Arc<dyn Names>) -> Self {
        Self { policy, names }
    }

    /// Sends a request, follows its redirects if the request wants that, and reads the answer.
    ///
    /// # Errors
    ///
    /// [`OutboundError`]; an answer is not an error, whatever its status is.
    pub async fn send(&self, request: &Request) -> Result<Response, OutboundError> {
        let hop = first(request)?;
        let host = hop.host();
        let limit = self.policy.limits.total;
        tokio::time::timeout(limit, self.send_unbounded(request, hop))
            .await
            .unwrap_or_else(|_| {
                Err(OutboundError::TimedOut {
                    host,
                    limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
                })
            })
    }

    async fn send_unbounded(&self, request: &Request, mut hop: Hop) -> Result<Response, OutboundError> {
        self.policy.check(&hop.url)?;
        let client = self.client(request.ca.as_deref()).await?;
        let first_host = hop.host();
        let mut left = self.policy.limits.redirects;
        loop {
            let host = hop.host();
            let sent = client
                .request(hop.method.clone(), hop.url.clone())
                .headers(hop.headers.clone())
                .body(hop.body.clone())
                .send()
                .await;
            let answer = sent.map_err(|error| OutboundError::of(&host, &error))?;
            let next = if request.follow_redirects {
                hop.next(answer.status(), answer.headers(), &self.policy)?
            } else {
                Next::Stay
            };
            match next {
                Next::Stay => return read(&host, answer, request.gzip, self.policy.limits).await,
                Next::Go(to) => hop = *to,
            }
            left = left.checked_sub(1).ok_or(OutboundError::TooManyRedirects {
                host: first_host.clone(),
                limit: self.policy.limits.redirects,
            })?;
        }
    }

    async fn client(&self, ca: Option<&str>) -> Result<Client, OutboundError> {
        let names = GuardedNames {
            names: Arc::clone(&self.names),
            guard: Arc::new(self.policy.guard.clone()),
            proxy_host: None,
        };
        let mut builder = Client::builder()
            .user_agent(concat!("narthex/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(names))
            // Redirects are followed by our own code, which checks each target.
            .redirect(redirect::Policy::none())
            .connect_timeout(self.policy.limits.connect)
            .referer(false)
            .http1_only()
            .http1_title_case_headers()
            .pool_max_idle_per_host(0)
            // SECURITY: a proxy from the environment would resolve names without the SSRF guard.
            .no_proxy();
        if let Some(pem) = ca {
            let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| OutboundError::Ca)?;
            if certificates.is_empty() {
                return Err(OutboundError::Ca);
            }
            builder = builder.tls_certs_only(certificates);
        }
        let setup = |cause: String| OutboundError::Setup { cause };
        // Reading the system's trust store takes milliseconds of file access.
        let built = tokio::task::spawn_blocking(move || builder.build()).await;
        built
            .map_err(|error| setup(error.to_string()))?
            .map_err(|error| setup(error.to_string()))
    }
}

fn first(request: &Request) -> Result<Hop, OutboundError> {
    // SECURITY: no part of the request may be in these messages.
    let setup = |cause: &str| OutboundError::Setup {
        cause: cause.to_owned(),
    };
    let url = Url::parse(&request.url).map_err(|_| setup("the URL cannot be read"))?;
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| setup("the method cannot be read"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| setup("a header has a name that none has"))?;
        let mut value =
            HeaderValue::from_bytes(value.as_bytes()).map_err(|_| setup("a header has a value that none has"))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    if request.gzip && !headers.contains_key(header::ACCEPT_ENCODING) {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(GZIP));
    }
    Ok(Hop {
        url,
        method,
        headers,
        body: request.body.clone(),
    })
}

async fn read(
    host: &str,
    mut answer: reqwest::Response,
    gzip: bool,
    limits: OutboundLimits,
) -> Result<Response, OutboundError> {
    let too_large = || OutboundError::TooLarge {
        host: host.to_owned(),
        limit_bytes: limits.response_bytes,
    };
    let status = answer.status().as_u16();
    let headers: Vec<(String, String)> = answer
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let encoding = headers
        .iter()
        .find(|(name, _)| name == header::CONTENT_ENCODING.as_str())
        .map(|(_, value)| value.trim().to_ascii_lowercase())
        .filter(|encoding| !encoding.is_empty() && encoding != "identity");
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| OutboundError::of(host, &error))? {
        if body.len().saturating_add(chunk.len()) > limits.response_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    let compressed = |cause: &str| OutboundError::Compressed {
        host: host.to_owned(),
        cause: cause.to_owned(),
    };
    let body = match encoding.as_deref() {
        // An answer without a body may still be declared compressed.
        None => body.to_vec(),
        Some(_) if body.is_empty() => Vec::new(),
        Some(GZIP | "x-gzip") if gzip => inflate(&body, limits.response_bytes).map_err(|problem| match problem {
            Inflate::TooLarge => too_large(),
            Inflate::Broken => compressed("it is not gzip, although it says so"),
        })?,
        Some(GZIP | "x-gzip") => return Err(compressed("that was not asked for; write `\"gzip\": true`")),
        Some(_) => return Err(compressed("in a way that was not asked for")),
    };
    Ok(Response { status, headers, body })
}

const GZIP: &str = "gzip";
