//! `POST /api/v1/connections/{connection}/test`

use axum::Json;
use axum::extract::Path;
use narthex_connection::{ShownRequest, ShownResponse};
use narthex_decision::Action;
use serde::Serialize;
use utoipa::ToSchema;

use super::Using;
use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::problems::UseProblems;
use crate::api::time::Time;
use crate::connections::{self, HeldMetadata, Tested};

/// What came of sending a connection's requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestedConnection {
    /// Whether the service, and the document, say yes.
    pub valid: bool,
    /// What they say otherwise, or what stood in the way.
    #[schema(required)]
    pub message: Option<String>,
    /// What kind of error it is: the document's word, or `ConnectionError` where no answer came.
    #[schema(required, example = "InvalidAccessTokenError")]
    pub error_type: Option<String>,
    /// The status of the last answer.
    #[schema(required)]
    pub status: Option<u16>,
    /// Who the connection is at the other side.
    #[schema(required)]
    pub uid: Option<String>,
    /// A label for people.
    #[schema(required)]
    pub metadata: Option<HeldMetadata>,
    /// When what was obtained ends.
    #[schema(required)]
    pub expires_at: Option<Time>,
    /// The names of what was stored for later runs.
    pub data: Vec<String>,
    /// The last request, without its secrets.
    #[schema(required)]
    pub request: Option<ShownMessage>,
    /// The last answer. Headers and body are there only where `log.sanitize` says what to hide in them.
    #[schema(required)]
    pub response: Option<ShownMessage>,
}

/// A request or an answer, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownMessage {
    /// `METHOD URL`, or the status.
    #[schema(example = "GET https://api.example.com/me")]
    pub start: String,
    /// `Name: value`, one by one.
    pub headers: Vec<String>,
    /// The body, where there is one that may be shown.
    #[schema(required)]
    pub body: Option<String>,
}

/// Sends a connection's requests
///
/// And judges the answers as the document says. What a run that is valid gives (`uid`, `metadata`, `expires`, `data`) is kept
/// with the connection. Requests go to the hosts of `[connections] allowed_hosts` only.
#[utoipa::path(
    post, path = "/connections/{connection}/test", tag = "connections", operation_id = "test_connection",
    params(("connection" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "What came of it, valid or not.", body = TestedConnection), UseProblems),
)]
pub(crate) async fn test(admin: Admin, Path(connection): Path<String>) -> Result<Json<TestedConnection>, ApiError> {
    // On a task of its own: a caller who hangs up must not keep what was learned from being kept, nor the trail short.
    let tested = tokio::spawn(async move { tested(&admin, &connection).await });
    let ended = tested.await;
    ended.unwrap_or_else(|_| Err(ApiError::Internal("a test of a connection broke off".to_owned())))
}

async fn tested(admin: &Admin, connection: &str) -> Result<Json<TestedConnection>, ApiError> {
    let (permit, held) = admin.connection(Action::UseConnections, connection).await?;
    let _turn = permit.turns().runs.of(&held).await?;
    let using = Using::new(admin, permit);
    let settings = || using.settings();
    let tested = connections::test(using.context(&settings), &held).await?;
    Ok(Json(tested.into()))
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
            metadata: outcome.metadata.map(|(kind, value)| HeldMetadata {
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

fn shown_request(request: &ShownRequest) -> ShownMessage {
    ShownMessage {
        start: format!("{} {}", request.method, request.url),
        headers: lines(&request.headers),
        body: request.body.clone(),
    }
}

fn shown_response(response: &ShownResponse) -> ShownMessage {
    ShownMessage {
        start: response.status.to_string(),
        headers: lines(&response.headers),
        body: response.body.clone(),
    }
}
