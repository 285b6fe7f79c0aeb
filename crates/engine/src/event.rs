//! Events worth reporting, as one enum: the log and the metrics both read it, and tests can too.

use std::time::Duration;

use narthex_decision::Reason;
use narthex_directory::{IssuerName, OrganizationName, SyncPlan, UserId};
use narthex_template::is_disruptive;
use serde_json::{Map, Value};

use crate::cache::by_token::Caller;
use crate::inbound::Inbound;
use crate::metrics::Metrics;
use crate::passed::Passed;
use crate::respond::{Refusal, status};
use crate::trace;

/// An event worth reporting. It never holds a token, a secret or a claim's value.
#[derive(Debug, Clone, Copy)]
pub enum Event<'e> {
    /// A request was decided.
    Decided {
        /// The request.
        inbound: &'e Inbound<'e>,
        /// Id of the request.
        request_id: &'e str,
        /// The decision.
        outcome: Result<&'e Passed, &'e Refusal>,
        /// Duration of the decision.
        took: Duration,
    },
    /// A request was refused before there was anything to decide.
    Refused {
        /// The request.
        inbound: &'e Inbound<'e>,
        /// Id of the request.
        request_id: &'e str,
        /// The refusal, with its reason.
        refusal: &'e Refusal,
    },
    /// A token changed the directory, or would have (`mode = "observe"`).
    Synced {
        /// Configured name of the issuer.
        issuer: &'e str,
        /// Changes of the directory.
        plan: &'e SyncPlan,
    },
    /// A request that may pass could not be passed on, or its upstream gave no usable answer.
    UpstreamFailed {
        /// Id of the request.
        request_id: &'e str,
        /// The reason that the client is told.
        reason: Reason,
        /// Description of the error.
        error: &'e str,
        /// True if the client's request caused the failure, not the upstream.
        by_client: bool,
    },
    /// A stream was ended, because the grounds on which it was allowed have ended.
    StreamEnded {
        /// Id of the request.
        request_id: &'e str,
        /// User of the request.
        user: UserId,
        /// Reason that a new request would now be refused for.
        reason: Reason,
    },
    /// A new configuration is in use.
    Reloaded {
        /// Number of the configuration.
        generation: u64,
    },
    /// A new configuration was refused; the old one stays.
    ReloadRefused {
        /// Every problem of the new configuration.
        problems: &'e [ReloadProblem],
    },
    /// A background task failed and will be tried again.
    BackgroundFailed {
        /// Description of the task.
        task: &'static str,
        /// Description of the error.
        error: &'e str,
    },
}

/// Place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One problem of a new configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadProblem {
    /// True for an error, false for a warning reported with errors.
    pub is_error: bool,
    /// Place of the problem, if it has one.
    pub place: Option<FilePlace>,
    /// The problem, in words.
    pub problem: String,
    /// The remedy, in words.
    pub help: Option<String>,
}

/// Upper limit of reported problems of one configuration. The command line reports all.
const PROBLEMS_TOLD_MAX: usize = 50;

impl Event<'_> {
    /// Writes the event to the log and counts it.
    pub fn tell(&self, metrics: &Metrics) {
        match *self {
            Event::Decided {
                inbound,
                request_id,
                outcome,
                took,
            } => decided(metrics, inbound, request_id, outcome, took),
            Event::Refused {
                inbound,
                request_id,
                refusal,
            } => {
                metrics.refused(inbound.door, refusal.reason);
                trace::decided(inbound, request_id, Err(refusal));
                denied(metrics, inbound, request_id, refusal, Duration::ZERO);
            }
            Event::Synced { issuer, plan } => {
                metrics.synced(issuer, plan.changes.len());
                if !plan.changes.is_empty() {
                    tracing::info!(
                        event = "synced",
                        issuer,
                        changes = plan.changes.len(),
                        "a token changed the directory"
                    );
                }
                if plan.limited {
                    tracing::warn!(
                        event = "sync_limited",
                        issuer,
                        user = %plan.touch.user,
                        "tokens changed this user as often within a minute as `sync_changes_per_minute` allows; this one gives nothing"
                    );
                }
            }
            Event::UpstreamFailed {
                request_id,
                reason,
                error,
                by_client,
            } => {
                metrics.not_forwarded(reason);
                if by_client {
                    tracing::info!(event = "not_forwarded", request_id, reason = reason.code(), error);
                } else {
                    tracing::warn!(
                        event = "upstream_failed",
                        request_id,
                        reason = reason.code(),
                        error,
                        "an upstream gave no answer"
                    );
                }
            }
            Event::StreamEnded {
                request_id,
                user,
                reason,
            } => {
                tracing::info!(event = "stream_ended", request_id, %user, reason = reason.code(), "a stream was ended");
            }
            Event::Reloaded { generation } => {
                tracing::info!(event = "reloaded", generation, "a new configuration is in use");
            }
            Event::ReloadRefused { problems } => reload_refused(problems),
            Event::BackgroundFailed { task, error } => {
                tracing::warn!(event = "background_failed", task, %error, "it will be tried again");
            }
        }
    }
}

/// Writes one line for each problem, before the line that states the consequence: a report of several lines would
/// become one line with escaped line breaks.
fn reload_refused(problems: &[ReloadProblem]) {
    for told in problems.iter().take(PROBLEMS_TOLD_MAX) {
        let place = told.place.as_ref();
        let file = place.map(|place| place.file.as_str());
        let (line, column) = (place.map(|place| place.line), place.map(|place| place.column));
        let (problem, help) = (told.problem.as_str(), told.help.as_deref());
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(
                    event = "reload_problem",
                    file,
                    line,
                    column,
                    problem,
                    help,
                    "a problem of the new configuration"
                )
            };
        }
        if told.is_error { tell!(error) } else { tell!(warn) }
    }
    tracing::error!(
        event = "reload_refused",
        problems = problems.len(),
        "the new configuration is refused; the old one stays; `narthex config check` shows everything that is wrong with it"
    );
}

fn decided(
    metrics: &Metrics,
    inbound: &Inbound<'_>,
    request_id: &str,
    outcome: Result<&Passed, &Refusal>,
    took: Duration,
) {
    metrics.decided(inbound.door, outcome.err().map(|refusal| refusal.reason), took);
    trace::decided(inbound, request_id, outcome);
    match outcome {
        Ok(passed) => tracing::debug!(
            event = "allowed", door = inbound.door.as_str(), request_id, method = %inbound.method, path = %shown(inbound.path),
            user = passed.answer.allowed().user.map(tracing::field::display),
            issuer = passed.answer.caller().and_then(Caller::issuer_name).map(IssuerName::as_str),
            rule = %passed.answer.allowed().rule, took_us = micros(took),
        ),
        Err(refusal) => denied(metrics, inbound, request_id, refusal, took),
    }
}

fn denied(metrics: &Metrics, inbound: &Inbound<'_>, request_id: &str, refusal: &Refusal, took: Duration) {
    metrics
        .denials
        .note(request_id, || denial_facts(inbound, refusal, took));
    let about = refusal.about.as_deref();
    tracing::info!(
        event = "denied", door = inbound.door.as_str(), request_id, client = inbound.client().map(tracing::field::display),
        method = %inbound.method, path = %shown(inbound.path), status = status(refusal.reason).as_u16(),
        reason = refusal.reason.code(), told = refusal.told.map(Reason::code), detail = refusal.private(),
        issuer = about.and_then(|about| about.issuer.as_ref()).map(IssuerName::as_str),
        user = about.and_then(|about| about.user).map(tracing::field::display),
        organization = about.and_then(|about| about.organization.as_ref()).map(OrganizationName::as_str),
        took_us = micros(took),
    );
}

/// Returns the facts of a denial that are kept for an hour: those of its line in the log, and the words for its client.
fn denial_facts(inbound: &Inbound<'_>, refusal: &Refusal, took: Duration) -> Map<String, Value> {
    let about = refusal.about.as_deref();
    let facts: [(&str, Option<Value>); 14] = [
        ("door", Some(inbound.door.as_str().into())),
        ("client", inbound.client().map(|client| client.to_string().into())),
        ("method", Some(inbound.method.as_str().into())),
        ("path", Some(shown(inbound.path).into())),
        ("status", Some(status(refusal.reason).as_u16().into())),
        ("reason", Some(refusal.reason.code().into())),
        ("told", refusal.told.map(|told| told.code().into())),
        ("message", Some(refusal.text().into())),
        ("advice", Some(refusal.reason.advice().into())),
        ("detail", refusal.private().map(Value::from)),
        (
            "issuer",
            about
                .and_then(|about| about.issuer.as_ref())
                .map(|issuer| issuer.as_str().into()),
        ),
        (
            "user_id",
            about.and_then(|about| about.user).map(|user| user.to_string().into()),
        ),
        (
            "organization",
            about
                .and_then(|about| about.organization.as_ref())
                .map(|name| name.as_str().into()),
        ),
        ("took_us", Some(micros(took).into())),
    ];
    let known = facts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.collect()
}

/// Returns a duration as a log shows it: a number of microseconds, which a JSON line keeps as a number.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Returns a path as a log shows it: bounded, without characters that change how the line is read.
pub fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path.get(..path.len().min(200)).unwrap_or_default())
        .chars()
        .map(|c| if is_disruptive(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Quotes a piece of a client's text in a sentence: on one line, with at most 60 characters, and with the code points
/// of characters that change how a line is read.
pub fn quoted(text: &str) -> String {
    let mut characters = text.chars();
    let mut piece = String::new();
    for character in characters.by_ref().take(QUOTED_CHARS_MAX) {
        if is_disruptive(character) {
            piece.extend(character.escape_unicode());
        } else {
            piece.push(character);
        }
    }
    if characters.next().is_some() {
        piece.push('…');
    }
    piece
}

/// Upper limit of characters of a client's text that a sentence repeats.
const QUOTED_CHARS_MAX: usize = 60;
