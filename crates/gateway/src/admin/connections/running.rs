//! A run of a held connection, step by step: off the threads that serve requests, and not too many at a time.

use narthex_connection::{Response, Run, RunError, Step};
use narthex_decision::Reason;
use narthex_directory::OrganizationStatus;
use narthex_template::Zone;

use super::turns::{Turn, Turns};
use super::{environment, refused};
use crate::admin::access::{Admin, Permit};
use crate::admin::error::ApiError;
use crate::connections::{self, Held};
use crate::respond::Refusal;

/// A run for the caller, in the organization's time zone.
pub(super) struct Running<'a> {
    permit: Permit<'a>,
    held: &'a Held,
    run: Option<Run>,
    zone: Zone,
    recorded: usize,
    _turn: Turn,
}

impl<'a> Running<'a> {
    /// Takes a turn of those and opens the secrets.
    pub(super) async fn begin(
        admin: &'a Admin,
        permit: Permit<'a>,
        held: &'a Held,
        turns: &Turns,
    ) -> Result<Self, ApiError> {
        let organization = permit.directory().organization(held.organization).await?;
        let organization = organization.ok_or(ApiError::Unknown { what: "organization" })?;
        if organization.status == OrganizationStatus::Suspended {
            return Err(Refusal::new(Reason::OrganizationSuspended).into());
        }
        let turn = turns.take(held.organization).await.ok_or(ApiError::TooOften {
            what: "the organization has too many connections in use at this moment, or all organizations together",
        })?;
        let settings = permit.surroundings().connections();
        let compiled = permit
            .compiled()
            .of(held, &settings)
            .map_err(|problems| refused(&problems))?;
        let secrets = held.secrets(settings.sealing.as_deref())?;
        let zone = organization.details.timezone.as_deref().and_then(Zone::named);
        Ok(Self {
            permit,
            held,
            run: Some(Run::new(
                &compiled,
                connections::inputs(secrets, environment(admin, &organization)),
            )),
            zone: zone.unwrap_or_else(Zone::utc),
            recorded: 0,
            _turn: turn,
        })
    }

    /// What to do next. A token that was minted for it has left its trace by then.
    pub(super) async fn next(&mut self) -> Result<Result<Step, RunError>, ApiError> {
        let (now_ms, zone) = (self.permit.now_ms(), self.zone.clone());
        let step = self
            .apart(move |run| run.next(&connections::facts(now_ms, &zone)))
            .await?;
        self.record().await?;
        Ok(step)
    }

    /// Takes the answer to what was sent.
    pub(super) async fn answer(&mut self, response: Response) -> Result<Result<(), RunError>, ApiError> {
        let (now_ms, zone) = (self.permit.now_ms(), self.zone.clone());
        let taken = self
            .apart(move |run| run.answer(&response, &connections::facts(now_ms, &zone)))
            .await?;
        self.record().await?;
        Ok(taken)
    }

    /// The run, to look at. `None` only after a fault of ours.
    pub(super) fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// Does what may take long (templates, keys, large answers) where it holds up no other request.
    async fn apart<T: Send + 'static>(
        &mut self,
        step: impl FnOnce(&mut Run) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let fault = || ApiError::Internal("a run of a connection broke off".to_owned());
        let mut run = self.run.take().ok_or_else(fault)?;
        let done = tokio::task::spawn_blocking(move || {
            let outcome = step(&mut run);
            (run, outcome)
        });
        let (run, outcome) = done.await.map_err(|_| fault())?;
        self.run = Some(run);
        Ok(outcome)
    }

    /// Writes down which tokens were minted since the last time.
    async fn record(&mut self) -> Result<(), ApiError> {
        let by = self.permit.by();
        let minted = self.run.as_ref().map_or(&[][..], Run::minted);
        for token in minted.get(self.recorded..).unwrap_or_default() {
            let event = connections::minted_event(self.held, token, &by);
            self.permit.directory().record(event).await?;
        }
        self.recorded = minted.len();
        Ok(())
    }
}
