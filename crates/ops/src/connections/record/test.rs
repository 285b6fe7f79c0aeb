//! A test of a held connection: sends its requests and stores the results.

use std::time::Duration;

use narthex_connection::{ErrorType, Outcome, RedactedRequest, RedactedResponse, Run, RunError, Step};
use narthex_directory::{AuditEvent, DocumentAt, DocumentKind, StoreError};

use super::running::{RunContext, Running};
use super::{Held, HeldError, learn, save};
use narthex_fetch::outbound::Sender;

/// The outcome of a test, without secrets.
#[derive(Debug)]
pub struct Tested {
    /// Outcome of the run; empty if it failed.
    pub outcome: Outcome,
    /// The reason for which it failed. `None` if the service and the document accept it.
    pub failure: Option<TestFailure>,
    /// The last request.
    pub request: Option<RedactedRequest>,
    /// The last response. Headers and body are included only where `log.sanitize` says what to redact in them.
    pub response: Option<RedactedResponse>,
}

/// The reason for which a test gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum TestFailure {
    /// The document or the service refuses, or a template failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No response came. The text holds no secret.
    #[error("{0}")]
    Network(String),
}

impl TestFailure {
    /// Returns the kind of error: the document's word, or `ConnectionError` where no response came.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Run(RunError::Judged { kind, .. }) => kind.name(),
            Self::Run(_) => ErrorType::Runtime.name(),
            Self::Network(_) => ErrorType::Connection.name(),
        }
    }
}

/// The reason for which a run ended early.
enum Ended {
    Failed(TestFailure),
    Ours(HeldError),
}

/// Sends a connection's requests, judges the responses as its document says, and stores the results of a valid run.
///
/// # Errors
///
/// When the run could not be started or its results could not be stored. A refusal by the service is in
/// [`Tested::failure`].
pub async fn test(context: RunContext<'_>, held: &Held) -> Result<Tested, HeldError> {
    let mut running = Running::begin(context.clone(), held).await?;
    let settings = (context.settings)();
    // Twice the limit of one request: several requests and waits come to an end too.
    let limit = settings.outbound.limits.total.saturating_mul(2);
    let sender = Sender::new(settings.outbound.clone());
    let ended = tokio::time::timeout(limit, drive(&mut running, &sender)).await;
    let ended = ended.unwrap_or_else(|_| {
        let seconds = limit.as_secs();
        let text = format!("the requests did not come to an end within {seconds} s");
        Err(Ended::Failed(TestFailure::Network(text)))
    });
    record(&context, held, ended.is_ok()).await?;
    let (outcome, failure) = match ended {
        Ok(outcome) => {
            keep(&context, held.clone(), &outcome).await?;
            (outcome, None)
        }
        Err(Ended::Failed(failure)) => (Outcome::default(), Some(failure)),
        Err(Ended::Ours(error)) => return Err(error),
    };
    let run = running.run();
    Ok(Tested {
        outcome,
        failure,
        request: run.and_then(Run::redacted_request).cloned(),
        response: run.and_then(Run::redacted_response).cloned(),
    })
}

/// Sends the requests of a run until it ends.
async fn drive(running: &mut Running<'_>, sender: &Sender) -> Result<Outcome, Ended> {
    let failed = |error: RunError| Ended::Failed(error.into());
    loop {
        match running.next().await.map_err(Ended::Ours)?.map_err(failed)? {
            Step::Done(outcome) => return Ok(*outcome),
            Step::Wait { delay_ms } => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
            Step::Send(request) => {
                let response = sender.send(&request).await.map_err(|error| {
                    // SECURITY: a host name may contain a parameter.
                    let masked = running
                        .run()
                        .map_or_else(String::new, |run| run.masked(&error.to_string()));
                    Ended::Failed(TestFailure::Network(masked))
                })?;
                running.answer(response).await.map_err(Ended::Ours)?.map_err(failed)?;
            }
        }
    }
}

/// Stores the results of a valid run, if they are new. Where the connection was changed in between and its document was
/// not, the results are merged into the current state: a token that a service has replaced must not be lost.
async fn keep(context: &RunContext<'_>, tested: Held, outcome: &Outcome) -> Result<(), HeldError> {
    let document = tested.body.document.clone();
    let mut held = tested;
    for _ in 0..KEEP_TRIES {
        let settings = (context.settings)();
        let keys = settings.sealing.as_deref();
        let secrets = held.secrets(keys)?;
        let (mut body, mut learned) = (held.body.clone(), secrets.clone());
        learn(&mut body, &mut learned, outcome);
        if learned == secrets && body.is_as_known(&held.body) {
            return Ok(());
        }
        let at = DocumentAt::Version(held.version);
        let whose = (held.id, held.organization);
        match save(context.directory, keys, whose, (body, &learned), at, context.by()).await {
            Ok(_) => return Ok(()),
            Err(HeldError::Store(StoreError::VersionMismatch { .. })) => {}
            Err(error) => return Err(error),
        }
        let now = context
            .directory
            .document(DocumentKind::Connection, held.id.to_string());
        match now.await?.map(Held::of).transpose()? {
            Some(now) if now.body.document == document => held = now,
            // The results belong to a document that no longer exists.
            _ => return Ok(()),
        }
    }
    Err(HeldError::Changed)
}

/// Maximum number of attempts to store the results.
const KEEP_TRIES: usize = 5;

/// Writes the test to the audit trail.
async fn record(context: &RunContext<'_>, held: &Held, valid: bool) -> Result<(), HeldError> {
    let by = context.by();
    let mut event = AuditEvent::new("connection.tested", by.actor, by.at_ms);
    event.organization = Some(held.organization);
    event.detail.extend([
        ("name".to_owned(), held.id.to_string().into()),
        ("valid".to_owned(), valid.into()),
    ]);
    Ok(context.directory.record(event).await?)
}
