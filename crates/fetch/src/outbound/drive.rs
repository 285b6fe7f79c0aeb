//! A run of a connection from beginning to end.

use std::time::Duration;

use narthex_connection::{Facts, Outcome, Run, RunError, Step};
use thiserror::Error;

use super::send::Sender;

/// Error for a run of a connection without a result.
#[derive(Debug, Clone, Error)]
pub enum ConnectionError {
    /// The document failed, or the service's answer as the document judges it.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The network failed; the message contains none of the run's secrets.
    #[error("{message}")]
    Outbound {
        /// Description of the error.
        message: String,
        /// The error as a short stable word ([`super::OutboundError::kind`]).
        kind: &'static str,
    },
}

/// Sends the requests of a run until it ends. `facts` is called at every step, because waiting takes time.
pub async fn drive<'f>(
    run: &mut Run,
    sender: &Sender,
    facts: impl Fn() -> Facts<'f>,
) -> Result<Outcome, ConnectionError> {
    loop {
        match run.next(&facts())? {
            Step::Done(outcome) => return Ok(*outcome),
            Step::Wait { delay_ms } => tokio::time::sleep(Duration::from_millis(delay_ms)).await,
            Step::Send(request) => {
                let response = sender.send(&request).await.map_err(|error| ConnectionError::Outbound {
                    // SECURITY: a host name may be made from a parameter.
                    message: run.masked(&error.to_string()),
                    kind: error.kind(),
                })?;
                run.answer(&response, &facts())?;
            }
        }
    }
}
