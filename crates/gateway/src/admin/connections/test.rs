//! `POST /api/v1/connections/{connection}/test`

use std::time::Duration;

use axum::Json;
use axum::extract::Path;
use narthex_connection::{Outcome, Run, RunError, ShownRequest, ShownResponse, Step};
use narthex_decision::Action;
use narthex_directory::{AuditEvent, DocumentAt, DocumentKind, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use super::running::Running;
use crate::admin::access::{Admin, Permit};
use crate::admin::error::ApiError;
use crate::admin::problems::UseProblems;
use crate::admin::time::Time;
use crate::connections::{self, Held, HeldError, HeldMetadata};
use crate::outbound::Sender;

/// What came of sending a connection's requests.
#[derive(Serialize, ToSchema)]
pub(crate) struct TestedConnection {
    /// Whether the service, and the document, say yes.
    valid: bool,
    /// What they say otherwise, or what stood in the way.
    #[schema(required)]
    message: Option<String>,
    /// What kind of error it is: the document's word, or `ConnectionError` where no answer came.
    #[schema(required, example = "InvalidAccessTokenError")]
    error_type: Option<String>,
    /// The status of the last answer.
    #[schema(required)]
    status: Option<u16>,
    /// Who the connection is at the other side.
    #[schema(required)]
    uid: Option<String>,
    /// A label for people.
    #[schema(required)]
    metadata: Option<HeldMetadata>,
    /// When what was obtained ends.
    #[schema(required)]
    expires_at: Option<Time>,
    /// The names of what was stored for later runs.
    data: Vec<String>,
    /// The last request, without its secrets.
    #[schema(required)]
    request: Option<ShownMessage>,
    /// The last answer. Headers and body are there only where `log.sanitize` says what to hide in them.
    #[schema(required)]
    response: Option<ShownMessage>,
}

/// A request or an answer, without its secrets.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShownMessage {
    /// `METHOD URL`, or the status.
    #[schema(example = "GET https://api.example.com/me")]
    start: String,
    /// `Name: value`, one by one.
    headers: Vec<String>,
    /// The body, where there is one that may be shown.
    #[schema(required)]
    body: Option<String>,
}

/// Why a run gave nothing.
enum Failed {
    /// The document or the service says no; or a template failed.
    Run(RunError),
    /// No answer came, in words without secrets.
    Network(String),
    /// Fault or refusal of ours.
    Ours(ApiError),
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
    let mut running = Running::begin(admin, permit, &held, &permit.turns().runs).await?;
    let settings = permit.surroundings().connections();
    // Twice what one request may take: several requests and waits come to an end too.
    let limit = settings.outbound.limits.total.saturating_mul(2);
    let sender = Sender::new(settings.outbound.clone());
    let ended = tokio::time::timeout(limit, drive(&mut running, &sender)).await;
    let ended = ended.unwrap_or_else(|_| {
        let seconds = limit.as_secs();
        Err(Failed::Network(format!(
            "the requests did not come to an end within {seconds} s"
        )))
    });
    told(permit, &held, ended.is_ok()).await?;
    let outcome = match ended {
        Ok(outcome) => {
            keep(permit, held.clone(), &outcome).await?;
            Ok(outcome)
        }
        Err(Failed::Ours(error)) => return Err(error),
        Err(failed) => Err(failed),
    };
    Ok(Json(answer(running.run(), outcome)))
}

/// Sends what a run asks for until it ends.
async fn drive(running: &mut Running<'_>, sender: &Sender) -> Result<Outcome, Failed> {
    loop {
        match running.next().await.map_err(Failed::Ours)?.map_err(Failed::Run)? {
            Step::Done(outcome) => return Ok(*outcome),
            Step::Wait { delay_ms } => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
            Step::Send(request) => {
                // SECURITY: a host name may be made of a parameter.
                let masked = |text: &str| running.run().map_or_else(String::new, |run| run.masked(text));
                let response = sender.send(&request).await;
                let response = response.map_err(|error| Failed::Network(masked(&error.to_string())))?;
                running
                    .answer(response)
                    .await
                    .map_err(Failed::Ours)?
                    .map_err(Failed::Run)?;
            }
        }
    }
}

/// Keeps what a valid run gave, if it is anything new. Where the connection was changed in between and its document was not,
/// what was learned is added to what is there now: a token that a service has replaced must not be lost.
async fn keep(permit: Permit<'_>, tested: Held, outcome: &Outcome) -> Result<(), ApiError> {
    let document = tested.body.document.clone();
    let mut held = tested;
    for _ in 0..KEEP_TRIES {
        let settings = permit.surroundings().connections();
        let keys = settings.sealing.as_deref();
        let secrets = held.secrets(keys)?;
        let (mut body, mut learned) = (held.body.clone(), secrets.clone());
        connections::learn(&mut body, &mut learned, outcome);
        if learned == secrets && body.is_as_known(&held.body) {
            return Ok(());
        }
        let at = DocumentAt::Version(held.version);
        let whose = (held.id, held.organization);
        match connections::save(permit.directory(), keys, whose, (body, &learned), at, permit.by()).await {
            Ok(_) => return Ok(()),
            Err(HeldError::Store(StoreError::VersionMismatch { .. })) => {}
            Err(error) => return Err(error.into()),
        }
        let now = permit
            .directory()
            .document(DocumentKind::Connection, held.id.to_string());
        match now.await?.map(Held::of).transpose()? {
            Some(now) if now.body.document == document => held = now,
            // What was learned belongs to a document that is no more.
            _ => return Ok(()),
        }
    }
    Err(ApiError::Changed)
}

/// How often it is tried to keep what was learned.
const KEEP_TRIES: usize = 5;

/// Writes down that it was tested.
async fn told(permit: Permit<'_>, held: &Held, valid: bool) -> Result<(), ApiError> {
    let by = permit.by();
    let mut event = AuditEvent::new("connection.tested", by.actor, by.at_ms);
    event.organization = Some(held.organization);
    event.detail.extend([
        ("name".to_owned(), held.id.to_string().into()),
        ("valid".to_owned(), valid.into()),
    ]);
    Ok(permit.directory().record(event).await?)
}

fn answer(run: Option<&Run>, outcome: Result<Outcome, Failed>) -> TestedConnection {
    let (outcome, failed) = match outcome {
        Ok(outcome) => (outcome, None),
        Err(failed) => (Outcome::default(), Some(failed)),
    };
    let error_type = failed.as_ref().map(|failed| match failed {
        Failed::Run(RunError::Judged { kind, .. }) => kind.name().to_owned(),
        Failed::Run(_) => "RuntimeError".to_owned(),
        Failed::Network(_) | Failed::Ours(_) => "ConnectionError".to_owned(),
    });
    let response = run.and_then(Run::shown_response);
    TestedConnection {
        valid: failed.is_none(),
        message: failed.map(|failed| match failed {
            Failed::Run(error) => error.to_string(),
            Failed::Network(message) => message,
            Failed::Ours(error) => error.to_string(),
        }),
        error_type,
        status: response.map(|response| response.status),
        uid: outcome.uid,
        metadata: outcome.metadata.map(|(kind, value)| HeldMetadata {
            kind: kind.name().to_owned(),
            value,
        }),
        expires_at: outcome.expires_at_ms.map(Time),
        data: outcome.names.into_iter().collect(),
        request: run.and_then(Run::shown_request).map(shown_request),
        response: response.map(shown_response),
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
