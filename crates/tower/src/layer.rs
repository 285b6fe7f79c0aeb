//! Layer and service: requests pass with their caller, or are refused.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, header};
use narthex_token::VerifyError;
use serde_json::json;
use tower_layer::Layer;
use tower_service::Service;

use crate::caller::Caller;
use crate::verifier::{Presented, Verifier};

/// Layer that lets a request pass with a verified [`Caller`] among its extensions.
#[derive(Debug, Clone)]
pub struct VerifyLayer {
    verifier: Verifier,
    need: Need,
}

/// Need for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
}

impl VerifyLayer {
    /// Creates a layer that refuses requests without a token.
    pub const fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            need: Need::Required,
        }
    }

    /// Creates a layer that lets requests without a token pass, without a [`Caller`]. A bad token is refused all the same.
    pub const fn optional(verifier: Verifier) -> Self {
        Self {
            verifier,
            need: Need::Optional,
        }
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = VerifyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        VerifyService {
            inner,
            layer: self.clone(),
        }
    }
}

/// Service of a [`VerifyLayer`].
#[derive(Debug, Clone)]
pub struct VerifyService<S> {
    inner: S,
    layer: VerifyLayer,
}

impl<S, B, R> Service<Request<B>> for VerifyService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: From<String> + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that was asked whether it is ready is the one that is called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let VerifyLayer { verifier, need } = self.layer.clone();
        let presented = verifier.token_in(request.headers());
        Box::pin(async move {
            // SECURITY: what another layer may have left there counts for nothing.
            request.extensions_mut().remove::<Caller>();
            match (presented, need) {
                (Presented::None, Need::Optional) => {}
                (Presented::None, Need::Required) => return Ok(Refusal::MISSING.response()),
                (Presented::Several, _) => return Ok(Refusal::SEVERAL.response()),
                (Presented::One(token), _) => match verifier.verify(&token).await {
                    Ok(verified) => drop(request.extensions_mut().insert(Caller::new(verified))),
                    Err(error) => return Ok(Refusal::of(&error).response()),
                },
            }
            inner.call(request).await
        })
    }
}

/// Refusal of a request (RFC 9457, RFC 6750 section 3).
struct Refusal {
    status: StatusCode,
    reason: &'static str,
    authenticate: &'static str,
    retry_after_seconds: Option<u32>,
}

impl Refusal {
    const MISSING: Self = Self::unauthorized("token.missing", "Bearer");
    const SEVERAL: Self = Self::unauthorized("token.multiple", "Bearer error=\"invalid_token\"");

    const fn unauthorized(reason: &'static str, authenticate: &'static str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            reason,
            authenticate,
            retry_after_seconds: None,
        }
    }

    const fn of(error: &VerifyError) -> Self {
        match error {
            // SECURITY: keys that cannot be fetched are no reason to believe a token, and no fault of the client.
            VerifyError::KeysUnavailable {
                retry_after_seconds, ..
            } => Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                reason: error.reason(),
                authenticate: "",
                retry_after_seconds: Some(*retry_after_seconds),
            },
            _ => Self::unauthorized(error.reason(), "Bearer error=\"invalid_token\""),
        }
    }

    fn response<R: From<String>>(&self) -> Response<R> {
        let problem = json!({
            "type": format!("urn:narthex:reason:{}", self.reason),
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
        });
        let mut response = Response::new(R::from(problem.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !self.authenticate.is_empty() {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(self.authenticate));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
