//! A run of a connection from beginning to end.

use std::time::Duration;

use narthex_connection::{Facts, Outcome, Run, RunError, Step};
use thiserror::Error;

use super::send::Sender;

/// Why a run of a connection gave nothing.
#[derive(Debug, Clone, Error)]
pub enum ConnectionError {
    /// The document, or the service's answer as the document judges it.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The network, in words without the run's secrets.
    #[error("{message}")]
    Outbound {
        /// What happened.
        message: String,
        /// The same as a short stable word ([`super::OutboundError::kind`]).
        kind: &'static str,
    },
}

/// Sends what a run asks for until it ends. `facts` are asked for at every step, since waiting takes time.
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
                    // SECURITY: a host name may be made of a parameter.
                    message: run.masked(&error.to_string()),
                    kind: error.kind(),
                })?;
                run.answer(&response, &facts())?;
            }
        }
    }
}
