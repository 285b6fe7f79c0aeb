//! Rows of the audit trail: each event as a sentence, with its code, its time and its actor.

use narthex_directory::{ACTIONS, Actor, RecordedEvent};

use crate::visit::Visit;
use crate::wording::time::Moment;

/// A row for an event.
#[derive(Debug)]
pub(crate) struct EventRow {
    /// The event, as a sentence.
    pub(crate) what: String,
    pub(crate) code: String,
    pub(crate) at: Moment,
    /// The actor, in words.
    pub(crate) by: String,
    /// The reason that an administrator gave.
    pub(crate) why: Option<String>,
}

impl EventRow {
    /// Builds the row of an event.
    pub(crate) fn new(visit: &Visit, RecordedEvent { event, .. }: RecordedEvent) -> Self {
        let meaning = ACTIONS.iter().find(|(name, _)| *name == event.action);
        // The sentence ends where the reference lists the fields.
        let what = meaning.map_or("", |(_, meaning)| meaning.split([':', ';']).next().unwrap_or_default());
        Self {
            what: what.trim_end_matches('.').to_owned(),
            at: visit.moment(event.at_ms),
            by: actor(&event.actor),
            why: event.detail.get("why").and_then(|why| why.as_str()).map(str::to_owned),
            code: event.action,
        }
    }
}

fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Token { issuer, .. } => format!("a token of {issuer}"),
        Actor::User(id) => format!("the user {id}"),
        Actor::ApiKey(id) => format!("the API key {id}"),
        Actor::CommandLine(Some(user)) => format!("{user} at the command line"),
        Actor::CommandLine(None) => "the command line".to_owned(),
        Actor::Configuration => "the configuration".to_owned(),
        Actor::System => "Narthex itself".to_owned(),
    }
}
