//! `POST /api/v1/connections/{connection}/test`

use axum::Json;
use axum::extract::Path;
use narthex_connection::{RedactedRequest, RedactedResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::ConnectionMetadata;
use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::UseErrors;
use crate::api::time::Time;
use narthex_ops::connections::{self, Tested};

/// Outcome of sending a connection's requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestedConnection {
    /// `true` if the service accepted the requests and the document judged the responses as valid.
    pub valid: bool,
    /// Error message of the service or the document, or the reason why there was no response; `null` if valid.
    #[schema(required)]
    pub message: Option<String>,
    /// Kind of error: the document's word, or `ConnectionError` where no response came.
    #[schema(required, example = "InvalidAccessTokenError")]
    pub error_type: Option<String>,
    /// Status of the last response.
    #[schema(required)]
    pub status: Option<u16>,
    /// Id of the account at the service.
    #[schema(required)]
    pub uid: Option<String>,
    /// Display label of the account.
    #[schema(required)]
    pub metadata: Option<ConnectionMetadata>,
    /// Time at which the obtained credentials expire.
    #[schema(required)]
    pub expires_at: Option<Time>,
    /// Names of the values stored for later runs.
    pub data: Vec<String>,
    /// The last request, without its secrets.
    #[schema(required)]
    pub request: Option<ShownMessage>,
    /// The last response. Headers and body are included only where `log.sanitize` says what to redact in them.
    #[schema(required)]
    pub response: Option<ShownMessage>,
}

/// A request or a response, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownMessage {
    /// `METHOD URL`, or the status of the response.
    #[schema(example = "GET https://api.example.com/me")]
    pub start: String,
    /// Its headers, each as `Name: value`.
    pub headers: Vec<String>,
    /// Its body, where there is one that may be shown.
    #[schema(required)]
    pub body: Option<String>,
}

/// Sends a connection's requests
///
/// Narthex judges the responses as the document says. The results of a valid run (`uid`, `metadata`, `expires`, `data`)
/// are stored with the connection. Requests go only to the hosts of `[connections] allowed_hosts`.
#[utoipa::path(
    post, path = "/connections/{connection}/test", tag = "connections", operation_id = "test_connection",
    params(("connection" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "What came of it, valid or not.", body = TestedConnection), UseErrors),
)]
pub(crate) async fn test(
    RequestCaller(caller): RequestCaller,
    Path(connection): Path<String>,
) -> Result<Json<TestedConnection>, ApiError> {
    Ok(Json(connections::test(&caller, &connection).await?.into()))
}

impl From<Tested> for TestedConnection {
    fn from(tested: Tested) -> Self {
        let Tested {
            outcome,
            failure,
            request,
            response,
        } = tested;
        Self {
            valid: failure.is_none(),
            error_type: failure.as_ref().map(|failure| failure.kind().to_owned()),
            message: failure.map(|failure| failure.to_string()),
            status: response.as_ref().map(|response| response.status),
            uid: outcome.uid,
            metadata: outcome.metadata.map(|(kind, value)| ConnectionMetadata {
                kind: kind.name().to_owned(),
                value,
            }),
            expires_at: outcome.expires_at_ms.map(Time),
            data: outcome.names.into_iter().collect(),
            request: request.as_ref().map(shown_request),
            response: response.as_ref().map(shown_response),
        }
    }
}

fn lines(headers: &[(String, String)]) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

fn shown_request(request: &RedactedRequest) -> ShownMessage {
    ShownMessage {
        start: format!("{} {}", request.method, request.url),
        headers: lines(&request.headers),
        body: request.body.clone(),
    }
}

fn shown_response(response: &RedactedResponse) -> ShownMessage {
    ShownMessage {
        start: response.status.to_string(),
        headers: lines(&response.headers),
        body: response.body.clone(),
    }
}
