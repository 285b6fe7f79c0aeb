//! `/explain`: the explanation of a token, and of a request with it.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::time::Time;
use narthex_ops as ops;

mod post;

pub(super) fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(post::explain))
}

/// A token to explain.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// The token, expired or not, or a machine key; it may be pasted from a header, with `Bearer` in front.
    pub token: String,
    /// The request that carries it.
    pub request: Option<RequestToExplain>,
    /// Time as of which the token is explained; by default now.
    pub at: Option<Time>,
}

/// SECURITY: not the token.
impl std::fmt::Debug for ExplainRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExplainRequest")
            .field("request", &self.request)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// A request to explain a token with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestToExplain {
    /// Its method.
    #[schema(example = "POST")]
    pub method: String,
    /// Its path, with its query if it has one.
    #[schema(example = "/v1/algo/acme/echo/1.0")]
    pub path: String,
    /// Its host. A `Host` header may name it instead.
    pub host: Option<String>,
    /// Its other headers, for templates that read `headers`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

impl From<ExplainRequest> for ops::TokenToExplain {
    fn from(body: ExplainRequest) -> Self {
        Self {
            token: body.token,
            request: body.request.map(Into::into),
            at_ms: body.at.map(|Time(at_ms)| at_ms),
        }
    }
}

impl From<RequestToExplain> for ops::RequestToExplain {
    fn from(body: RequestToExplain) -> Self {
        Self {
            method: body.method,
            path: body.path,
            host: body.host,
            headers: body.headers,
        }
    }
}
