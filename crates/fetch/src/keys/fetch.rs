//! Fetcher of keys: one GET, bounded in every direction.
//!
//! The HTTP client is made for one fetch and dropped after it. Fetches are minutes apart, so a connection pool would
//! only hold memory and stale connections. A CA bundle, a bearer token or the system's trust store that changed on disk
//! takes effect with the next fetch, without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Proxy, Response};
use url::Origin;

use super::error::FetchError;
use super::key_url::KeyUrl;
use crate::inflate::{Inflate, inflate};
use crate::ssrf_guard::{ConnectError, Guard, GuardedNames, Names, cause_of};

/// Access to an issuer's key server, besides its URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// PEM certificates that replace the system's trust store, for this issuer alone. Nothing else is trusted then, so
    /// a public authority cannot vouch for a private host.
    pub ca_file: Option<PathBuf>,
    /// HTTP proxy for every request of this issuer, unless the key source is on loopback. The proxy resolves the names,
    /// so the proxy and not [`Guard`] decides which addresses a *name* may have; literal addresses are still checked
    /// here.
    pub proxy: Option<ProxyUrl>,
    /// File with a bearer token, read at every fetch and sent only to the configured origin.
    pub bearer_token_file: Option<PathBuf>,
    /// Names of hosts that may be at private addresses.
    pub allow_private_hosts: Vec<String>,
}

/// The URL of an HTTP proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(url::Url);

/// Error for a text that is not a [`ProxyUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proxy is written as `http://host:port` or `https://host:port`")]
pub struct ProxyUrlProblem;

impl ProxyUrl {
    /// Parses and checks the URL of a proxy.
    pub fn parse(text: &str) -> Result<Self, ProxyUrlProblem> {
        let url = url::Url::parse(text).map_err(|_| ProxyUrlProblem)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(ProxyUrlProblem);
        }
        Ok(Self(url))
    }
}

impl std::fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A proxy's URL may carry a password.
        write!(f, "ProxyUrl({})", self.0.host_str().unwrap_or_default())
    }
}

/// Limits of one fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// Time limit from the first byte of the request to the last byte of the answer, discovery included.
    pub total: Duration,
    /// Time limit of the connection and its TLS handshake.
    pub connect: Duration,
    /// Upper limit of the bytes of a body.
    pub body_bytes: usize,
    /// Upper limit of the keys of a set that are read.
    pub keys: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(5),
            connect: Duration::from_secs(3),
            body_bytes: 512 * 1024,
            keys: 100,
        }
    }
}

/// Answer of a key server.
#[derive(Debug, Clone)]
pub(super) struct KeyServerAnswer {
    pub(super) body: Bytes,
    /// `Cache-Control`, its lines joined, for the state machine.
    pub(super) cache_control: Option<String>,
    /// `Age`, its lines joined.
    pub(super) age: Option<String>,
}

/// Fetches for one issuer.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    pub(super) access: Arc<Access>,
    pub(super) guard: Arc<Guard>,
    pub(super) names: Arc<dyn Names>,
    pub(super) limits: FetchLimits,
    /// Origin of the configured URL: the only one that receives the bearer token.
    pub(super) origin: Origin,
}

impl Fetcher {
    /// Fetches `url` once.
    pub(super) async fn fetch(&self, url: &KeyUrl) -> Result<KeyServerAnswer, FetchError> {
        self.guard.check_url(url)?;
        let headers = self.headers(url).await?;
        let client = self.client(url, same_origin_only(url.clone())).await?;
        let answer = client.get(url.url().clone()).headers(headers).send().await;
        let answer = answer.map_err(|error| explain(url, &error))?;
        self.read(url, answer).await
    }

    /// Posts a body once, and returns the status and the body of the answer, whatever the status is. No redirect is
    /// followed.
    // SECURITY: the body holds a code, a refresh token or the client's secret, so only the configured endpoint gets it.
    pub(super) async fn post(
        &self,
        url: &KeyUrl,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), FetchError> {
        self.guard.check_url(url)?;
        let client = self.client(url, Policy::none()).await?;
        let answer = client.post(url.url().clone()).headers(headers).body(body).send().await;
        let mut answer = answer.map_err(|error| explain(url, &error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = self.body(url, &mut answer).await?;
        Ok((status, headers, body))
    }

    async fn headers(&self, url: &KeyUrl) -> Result<HeaderMap, FetchError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ACCEPT,
            HeaderValue::from_static("application/jwk-set+json, application/json;q=0.9"),
        );
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        // SECURITY: a discovery document may point to another host; the token is only for the configured one.
        if let Some(path) = &self.access.bearer_token_file
            && url.origin() == self.origin
        {
            headers.insert(header::AUTHORIZATION, bearer(path).await?);
        }
        Ok(headers)
    }

    async fn client(&self, url: &KeyUrl, redirects: Policy) -> Result<Client, FetchError> {
        let proxy = self.access.proxy.as_ref().filter(|_| !url.is_loopback());
        let names = GuardedNames {
            names: Arc::clone(&self.names),
            guard: Arc::clone(&self.guard),
            proxy_host: proxy.and_then(|proxy| proxy.0.host_str()).map(str::to_owned),
        };
        let mut builder = Client::builder()
            .user_agent(concat!("narthex/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(names))
            .redirect(redirects)
            .connect_timeout(self.limits.connect)
            .referer(false)
            .http1_only()
            .pool_max_idle_per_host(0)
            // SECURITY: a proxy from the environment would resolve names without the SSRF guard.
            .no_proxy();
        if let Some(proxy) = proxy {
            builder = builder.proxy(Proxy::all(proxy.0.clone()).map_err(|error| setup(&error))?);
        }
        if let Some(path) = &self.access.ca_file {
            let pem = read_file("ca_file", path, CA_BYTES).await?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| FetchError::File {
                what: "ca_file",
                path: path.clone(),
                cause: "it is not a bundle of PEM certificates".to_owned(),
            })?;
            if certificates.is_empty() {
                let cause = "it holds no PEM certificate".to_owned();
                return Err(FetchError::File {
                    what: "ca_file",
                    path: path.clone(),
                    cause,
                });
            }
            builder = builder.tls_certs_only(certificates);
        }
        // Reading the system's trust store takes milliseconds of file access.
        let built = tokio::task::spawn_blocking(move || builder.build()).await;
        built.map_err(|error| setup(&error))?.map_err(|error| setup(&error))
    }

    async fn read(&self, url: &KeyUrl, mut answer: Response) -> Result<KeyServerAnswer, FetchError> {
        if let Some(target) = unfollowed(url, &answer) {
            return Err(FetchError::Redirect {
                host: url.host(),
                target,
            });
        }
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status {
                host: url.host(),
                status: answer.status().as_u16(),
            });
        }
        let cache_control = joined(answer.headers(), &header::CACHE_CONTROL);
        let age = joined(answer.headers(), &header::AGE);
        let body = self.body(url, &mut answer).await?;
        Ok(KeyServerAnswer {
            body,
            cache_control,
            age,
        })
    }

    /// Reads the body of an answer, and decompresses it.
    async fn body(&self, url: &KeyUrl, answer: &mut Response) -> Result<Bytes, FetchError> {
        let limit = self.limits.body_bytes;
        let too_large = || FetchError::TooLarge {
            source_of_keys: quoted(&url.host()),
            limit_bytes: limit,
        };
        if answer
            .content_length()
            .is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit))
        {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| explain(url, &error))? {
            if body.len().saturating_add(chunk.len()) > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        match joined(answer.headers(), &header::CONTENT_ENCODING) {
            None => Ok(body.freeze()),
            Some(coding) => decoded(url, &coding, body.freeze(), limit),
        }
    }
}

/// Returns a body without its content coding. Some servers compress even if the client does not accept it.
fn decoded(url: &KeyUrl, coding: &str, body: Bytes, limit: usize) -> Result<Bytes, FetchError> {
    let coding = coding.trim();
    if coding.is_empty() || coding.eq_ignore_ascii_case("identity") {
        return Ok(body);
    }
    let compressed = |cause: &str| FetchError::Compressed {
        host: url.host(),
        cause: cause.to_owned(),
    };
    if !["gzip", "x-gzip"].iter().any(|gzip| gzip.eq_ignore_ascii_case(coding)) {
        return Err(compressed("only plain and gzip bodies are read"));
    }
    inflate(&body, limit).map(Bytes::from).map_err(|problem| match problem {
        Inflate::TooLarge => FetchError::TooLarge {
            source_of_keys: quoted(&url.host()),
            limit_bytes: limit,
        },
        Inflate::Broken => compressed("it is not gzip, although it says so"),
    })
}

/// Follows redirects within scheme, host and port, three at most; any other redirect is an error.
fn same_origin_only(asked: KeyUrl) -> Policy {
    Policy::custom(move |attempt| {
        let target = attempt.url();
        // SECURITY: the guard has checked this origin and no other.
        let same = target.origin() == asked.origin() && KeyUrl::check(target.clone()).is_ok();
        if same && attempt.previous().len() <= REDIRECTS {
            attempt.follow()
        } else {
            let target = if same {
                "one place after another".to_owned()
            } else {
                quoted(&place(target))
            };
            attempt.error(RefusedRedirect(target))
        }
    })
}

/// Returns the target of a redirect that the client did not consider at all, such as a `file:` URL.
fn unfollowed(url: &KeyUrl, answer: &Response) -> Option<String> {
    if !answer.status().is_redirection() {
        return None;
    }
    let target = url.url().join(answer.headers().get(header::LOCATION)?.to_str().ok()?);
    Some(target.map_or_else(
        |_| "something that is no URL".to_owned(),
        |target| quoted(&place(&target)),
    ))
}

/// Error with the target of a refused redirect; carried through the client's error chain.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct RefusedRedirect(String);

/// Returns scheme, host and port only: a path or a query may contain something that must not be in a log.
fn place(url: &url::Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// Describes an error for the operator of a key source.
fn explain(url: &KeyUrl, error: &reqwest::Error) -> FetchError {
    let host = url.host();
    if let Some(RefusedRedirect(target)) = cause_of(error) {
        return FetchError::Redirect {
            host,
            target: target.clone(),
        };
    }
    match ConnectError::of(error) {
        ConnectError::Refused(refused) => FetchError::Refused(refused),
        ConnectError::Unresolved(cause) => FetchError::Unresolved { host, cause },
        ConnectError::Certificate(cause) => FetchError::Certificate { host, cause },
        ConnectError::Connection(cause) => FetchError::Connection { host, cause },
        ConnectError::Setup(cause) => FetchError::Setup { cause },
        ConnectError::Interrupted(cause) => FetchError::Interrupted { host, cause },
    }
}

/// Returns the innermost text of the client's errors: it describes the cause; the outermost says little.
fn setup(error: &(dyn std::error::Error + 'static)) -> FetchError {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    FetchError::Setup {
        cause: innermost.to_string(),
    }
}

pub(super) fn quoted(host: &str) -> String {
    format!("`{host}`")
}

/// Reads a bearer token from its file, checks that it fits into a header, and marks it as sensitive so that nothing
/// prints it.
async fn bearer(path: &Path) -> Result<HeaderValue, FetchError> {
    let bytes = read_file("bearer_token_file", path, TOKEN_BYTES).await?;
    let problem = |cause: &str| FetchError::File {
        what: "bearer_token_file",
        path: path.to_owned(),
        cause: cause.to_owned(),
    };
    let token = std::str::from_utf8(&bytes)
        .map_err(|_| problem("it is not text"))?
        .trim();
    if token.is_empty() {
        return Err(problem("it is empty"));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(problem("it holds more than one token, or characters that no token has"));
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| problem("it is not a token"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns a header as one text, with its lines joined as RFC 9110 section 5.3 permits.
fn joined(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// Reads a whole small file.
pub(super) async fn read_file(what: &'static str, path: &Path, limit_bytes: usize) -> Result<Vec<u8>, FetchError> {
    use tokio::io::AsyncReadExt as _;
    let problem = |cause: String| FetchError::File {
        what,
        path: path.to_owned(),
        cause,
    };
    let file = tokio::fs::File::open(path)
        .await
        .map_err(|error| problem(error.to_string()))?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(limit_bytes).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit)
        .read_to_end(&mut bytes)
        .await
        .map_err(|error| problem(error.to_string()))?;
    if bytes.len() > limit_bytes {
        return Err(problem(format!(
            "it is larger than {limit_bytes} bytes, the most that is read"
        )));
    }
    Ok(bytes)
}

/// Upper limit of redirects, within one origin.
const REDIRECTS: usize = 3;
/// Upper limit of a bundle of authorities, in bytes; the system's own is about 200 KB.
const CA_BYTES: usize = 1024 * 1024;
/// Upper limit of a bearer token, in bytes: the same as for tokens that Narthex accepts.
const TOKEN_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_http_and_keeps_its_password_to_itself() {
        let proxy = ProxyUrl::parse("http://user:hunter2@proxy.internal:3128").unwrap();
        assert_eq!(format!("{proxy:?}"), "ProxyUrl(proxy.internal)");
        for text in ["socks5://proxy:1080", "proxy:3128", "", "file:///x"] {
            ProxyUrl::parse(text).unwrap_err();
        }
    }
}
