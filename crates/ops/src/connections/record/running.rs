//! A run of a held connection, step by step, off the threads that serve requests.

use std::sync::Arc;

use narthex_connection::{Response, Run, RunError, Step};
use narthex_directory::{Actor, By, Directory, Organization, OrganizationStatus};
use narthex_template::Zone;
use serde_json::{Map, Value};

use super::{Compiled, ConnectionSettings, Held, HeldError, facts, inputs, minted_event};
use narthex_clock::Clock;

/// The caller of a run, and what the run uses.
#[derive(Clone)]
pub struct RunContext<'a> {
    /// The directory that stores connections.
    pub directory: &'a dyn Directory,
    /// Returns the current settings. A reload may change them during a run.
    pub settings: &'a (dyn Fn() -> Arc<ConnectionSettings> + Send + Sync),
    /// Documents that are compiled already.
    pub compiled: &'a Compiled,
    /// The clock of runs.
    pub clock: &'a Clock,
    /// The caller, for the audit trail.
    pub actor: &'a Actor,
    /// The caller's mapped context, which templates read as `environment.context` (S1's custom contexts).
    pub context: &'a Map<String, Value>,
}

impl std::fmt::Debug for RunContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunContext")
            .field("actor", self.actor)
            .finish_non_exhaustive()
    }
}

impl RunContext<'_> {
    pub(super) fn by(&self) -> By {
        By {
            actor: self.actor.clone(),
            at_ms: self.clock.now_ms(),
        }
    }

    /// The value that templates read as `environment`.
    fn environment(&self, organization: &Organization) -> Value {
        let about = [
            ("id".to_owned(), organization.id.to_string().into()),
            ("name".to_owned(), organization.name.as_str().into()),
        ];
        let environment = [
            ("context".to_owned(), Value::Object(self.context.clone())),
            ("organization".to_owned(), Value::Object(about.into_iter().collect())),
        ];
        Value::Object(environment.into_iter().collect())
    }
}

/// A run for a caller, in the organization's time zone.
pub(crate) struct Running<'a> {
    context: RunContext<'a>,
    held: &'a Held,
    run: Option<Run>,
    zone: Zone,
    recorded: usize,
}

impl<'a> Running<'a> {
    /// Compiles the document and opens the secrets.
    pub(crate) async fn begin(context: RunContext<'a>, held: &'a Held) -> Result<Self, HeldError> {
        let organization = context.directory.organization(held.organization).await?;
        let organization = organization.ok_or(HeldError::NoOrganization)?;
        if organization.status == OrganizationStatus::Suspended {
            return Err(HeldError::Suspended);
        }
        let settings = (context.settings)();
        let compiled = context.compiled.of(held, &settings).map_err(HeldError::Document)?;
        let secrets = held.secrets(settings.sealing.as_deref())?;
        let zone = organization.details.timezone.as_deref().and_then(Zone::named);
        let inputs = inputs(secrets, context.environment(&organization));
        Ok(Self {
            context,
            held,
            run: Some(Run::new(&compiled, inputs)),
            zone: zone.unwrap_or_else(Zone::utc),
            recorded: 0,
        })
    }

    /// Returns the next step. A token that was minted for it is in the audit trail by then.
    pub(crate) async fn next(&mut self) -> Result<Result<Step, RunError>, HeldError> {
        let (now_ms, zone) = (self.context.clock.now_ms(), self.zone.clone());
        let step = self.apart(move |run| run.next(&facts(now_ms, &zone))).await?;
        self.record().await?;
        Ok(step)
    }

    /// Takes the answer to the request of the last step.
    pub(crate) async fn answer(&mut self, response: Response) -> Result<Result<(), RunError>, HeldError> {
        let (now_ms, zone) = (self.context.clock.now_ms(), self.zone.clone());
        let taken = self
            .apart(move |run| run.answer(&response, &facts(now_ms, &zone)))
            .await?;
        self.record().await?;
        Ok(taken)
    }

    /// The run, to inspect. `None` only after an internal error.
    pub(crate) fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// Runs work that may take long (templates, keys, large responses) where it blocks no other request.
    async fn apart<T: Send + 'static>(
        &mut self,
        step: impl FnOnce(&mut Run) -> T + Send + 'static,
    ) -> Result<T, HeldError> {
        let mut run = self.run.take().ok_or(HeldError::BrokeOff)?;
        let done = tokio::task::spawn_blocking(move || {
            let outcome = step(&mut run);
            (run, outcome)
        });
        let (run, outcome) = done.await.map_err(|_| HeldError::BrokeOff)?;
        self.run = Some(run);
        Ok(outcome)
    }

    /// Writes the tokens that were minted since the last call to the audit trail.
    async fn record(&mut self) -> Result<(), HeldError> {
        let by = self.context.by();
        let minted = self.run.as_ref().map_or(&[][..], Run::minted);
        for token in minted.get(self.recorded..).unwrap_or_default() {
            let event = minted_event(self.held, token, &by);
            self.context.directory.record(event).await?;
        }
        self.recorded = minted.len();
        Ok(())
    }
}
