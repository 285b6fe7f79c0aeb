//! A small HTTP client: what is sent is what the test wrote, and every status is an answer, not an error.

use std::{fmt, net::IpAddr, time::Duration};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

/// A client. Connections are reused; redirects are not followed.
#[derive(Clone)]
pub struct Client {
    inner: legacy::Client<HttpConnector, Full<Bytes>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// Response of the server.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Trailers after the body.
    pub trailers: HeaderMap,
}

impl Client {
    /// Speaks HTTP/1.1.
    pub fn new() -> Self {
        Self {
            inner: legacy::Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Speaks HTTP/1.1, from this address of this machine.
    pub fn from_address(address: IpAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_local_address(Some(address));
        Self {
            inner: legacy::Client::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// Speaks HTTP/2 without asking first (no TLS).
    pub fn http2() -> Self {
        Self {
            inner: legacy::Client::builder(TokioExecutor::new())
                .http2_only(true)
                .build_http(),
        }
    }

    /// GET without more ado.
    pub async fn get(&self, url: &str) -> Result<Answer> {
        self.send(Call::get(url)).await
    }

    /// Sends `call` and reads the whole answer, for thirty seconds at the most.
    pub async fn send(&self, call: Call) -> Result<Answer> {
        let line = format!("{} {}", call.method, call.url);
        tokio::time::timeout(Duration::from_secs(30), self.exchange(call))
            .await
            .with_context(|| format!("`{line}` took longer than 30 s"))?
            .with_context(|| format!("`{line}` failed"))
    }

    async fn exchange(&self, call: Call) -> Result<Answer> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.url.parse::<Uri>()?)
            .body(Full::new(call.body))?;
        *request.headers_mut() = call.headers;
        let answer = self.inner.request(request).await?;
        let (parts, body) = answer.into_parts();
        let whole = body.collect().await?;
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            trailers: whole.trailers().cloned().unwrap_or_default(),
            body: whole.to_bytes(),
        })
    }
}

/// A request in the making.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// Any method.
    ///
    /// # Panics
    ///
    /// If `method` is none.
    #[expect(clippy::expect_used, reason = "a test that writes no method should stop")]
    pub fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.parse().expect("a method"),
            url: url.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// GET.
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// POST.
    pub fn post(url: &str) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header; one of the same name stays.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test that writes no header should stop")]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(
            name.parse::<HeaderName>().expect("a header name"),
            HeaderValue::from_bytes(value.as_bytes()).expect("a header value"),
        );
        self
    }

    /// `Authorization: Bearer …`
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// A body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// A JSON body, with its content type.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }
}

impl Answer {
    /// A header as text; the first one of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{} with a body that is no JSON: {}", self.status, self.text()))
    }

    /// The `reason` of a problem document (RFC 9457), if the body is one.
    pub fn reason(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body.get("reason")?.as_str().map(str::to_owned)
    }
}
