//! Progress of webhooks through the audit trail. The webhooks themselves are documents; their outbox is the trail, so a
//! payload is never kept twice.

use crate::error::StoreError;

/// Largest number of attempts that are kept of one webhook.
pub const ATTEMPTS_KEPT: usize = 1_000;
/// Time for which a delivery that was given up is kept, in milliseconds: thirty days.
pub const DEAD_LETTERS_KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// Largest number of bytes of the text of an error that is kept.
pub const DELIVERY_ERROR_BYTES_MAX: usize = 500;

/// Position of a webhook in the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookProgress {
    /// Name of the webhook.
    pub webhook: String,
    /// Number of the last event that was taken up: delivered, left out by the webhook's filter, or waiting.
    pub cursor: u64,
    /// Number of tries that failed since the last success.
    pub failures: u32,
    /// Time of the first of these, in milliseconds.
    pub failing_since_ms: Option<i64>,
    /// Time before which nothing is sent, in milliseconds.
    pub next_try_ms: i64,
    /// Time of the last success, in milliseconds.
    pub last_success_ms: Option<i64>,
    /// Counts every change; starts at 1.
    pub version: u64,
}

impl WebhookProgress {
    /// Begins after an event: nothing before it is sent.
    pub fn after(webhook: &str, cursor: u64) -> Self {
        Self {
            webhook: webhook.to_owned(),
            cursor,
            failures: 0,
            failing_since_ms: None,
            next_try_ms: 0,
            last_success_ms: None,
            version: 1,
        }
    }
}

/// Event that was taken up and is not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingDelivery {
    /// Name of the webhook.
    pub webhook: String,
    /// Number of the event.
    pub sequence: u64,
    /// Object of the event: events of one object are delivered in their order.
    pub object: String,
    /// Number of tries so far.
    pub attempts: u32,
    /// Time when it was taken up, in milliseconds.
    pub taken_up_ms: i64,
    /// Time before which it is not tried, in milliseconds.
    pub next_try_ms: i64,
    /// Time when it was given up, in milliseconds: then it is a dead letter.
    pub dead_at_ms: Option<i64>,
}

/// One try to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// Name of the webhook.
    pub webhook: String,
    /// Number of the event.
    pub sequence: u64,
    /// Number of the try, from 1.
    pub attempt: u32,
    /// Time of its begin, in milliseconds.
    pub at_ms: i64,
    /// Duration, in milliseconds.
    pub took_ms: i64,
    /// HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// Description of the error, if it failed without an answer.
    pub error: Option<String>,
    /// Time of the next try, in milliseconds; `None` if there is none.
    pub next_try_ms: Option<i64>,
}

impl DeliveryAttempt {
    /// Returns the word for its result: `delivered`, `failed` if it will be tried again, or `given_up`.
    pub const fn outcome(&self) -> &'static str {
        match (self.status, self.next_try_ms) {
            (Some(200..=299), _) => "delivered",
            (_, Some(_)) => "failed",
            (_, None) => "given_up",
        }
    }
}

/// Attempt with its number, which grows with time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAttempt {
    /// Its place in the order of all attempts.
    pub number: u64,
    /// The attempt.
    pub attempt: DeliveryAttempt,
}

/// Result of some tries, to be stored as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The progress afterwards; its version is the one that it was read at.
    pub progress: WebhookProgress,
    /// Deliveries that wait, or that were given up: new ones, and those that were there.
    pub waiting: Vec<WaitingDelivery>,
    /// Numbers of events that waited and are delivered.
    pub delivered: Vec<u64>,
    /// The tries.
    pub attempts: Vec<DeliveryAttempt>,
    /// Time of the settlement, in milliseconds.
    pub at_ms: i64,
}

impl Settlement {
    /// Checks the rules of what is stored. For stores.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if a record is of another webhook, or an error is too long.
    pub fn check(&self) -> Result<(), StoreError> {
        let webhook = self.progress.webhook.as_str();
        let waiting = self.waiting.iter().map(|delivery| delivery.webhook.as_str());
        let attempts = self.attempts.iter().map(|attempt| attempt.webhook.as_str());
        let is_long = |attempt: &DeliveryAttempt| {
            let error = attempt.error.as_deref();
            error.is_some_and(|error| error.len() > DELIVERY_ERROR_BYTES_MAX || error.contains('\0'))
        };
        let why = if waiting.chain(attempts).any(|of| of != webhook) {
            "it has a record of another webhook"
        } else if self.attempts.iter().any(is_long) {
            "the text of an error is too long, or has a null character"
        } else {
            return Ok(());
        };
        Err(StoreError::Corrupt {
            what: "settlement",
            why: why.to_owned(),
        })
    }
}

/// Deliveries that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingState {
    /// Those that will be tried again.
    Waiting,
    /// Those that were given up.
    Dead,
}
