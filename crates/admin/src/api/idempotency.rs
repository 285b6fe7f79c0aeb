//! `Idempotency-Key`: the retry of a create gets the first response, and creates nothing.
//!
//! Responses are kept in memory for a day, within bounds. After a restart, on another node, or after thousands of other
//! creates, a repeated create is performed, and then usually refused because the name is taken. Only successful creates
//! are remembered: a create that failed changed nothing and may be tried again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Serialize;

use super::AdminState;
use super::error::ApiError;
use super::response::{CreatedRecord, StoredResponse};
use narthex_ops::{Caller, OpError};

/// Time that a response is kept, in milliseconds.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;
/// Maximum number of responses that are kept.
const KEPT_MAX: usize = 4_096;
/// Maximum size of all kept responses together, in bytes.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Maximum length of a key, in characters.
const KEY_LENGTH_MAX: usize = 255;

/// `Idempotency-Key`: the client's key for one attempt to create a record.
pub(crate) struct IdempotencyKey {
    state: Arc<AdminState>,
    path: String,
    key: Option<String>,
}

impl FromRequestParts<Arc<AdminState>> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AdminState>) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let key = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => Some(value.to_str().ok().filter(|key| is_usable(key))),
            (Some(_), Some(_)) => Some(None),
        };
        let malformed = || ApiError::Malformed {
            detail: "`Idempotency-Key` must be one header of 1 to 255 printable ASCII characters".to_owned(),
        };
        let key = key.map(|key| key.ok_or_else(malformed)).transpose()?;
        Ok(Self {
            state: Arc::clone(state),
            path: parts.uri.path().to_owned(),
            key: key.map(str::to_owned),
        })
    }
}

fn is_usable(key: &str) -> bool {
    (1..=KEY_LENGTH_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

impl IdempotencyKey {
    /// Performs a create whose body has this hash, or returns its first response if the caller has made this attempt
    /// before.
    ///
    /// SECURITY: `permitted` checks that the caller may create the record now. An earlier response is shown to no caller
    /// who may not.
    pub(crate) async fn once<T: Serialize>(
        self,
        caller: &Caller,
        digest: [u8; 32],
        permitted: impl Future<Output = Result<(), OpError>>,
        create: impl Future<Output = Result<CreatedRecord<T>, ApiError>>,
    ) -> Result<StoredResponse, ApiError> {
        let create = async { create.await.map(|created| (created.stored(), created.stored())) };
        self.once_showing(caller, digest, permitted, create).await
    }

    /// As [`IdempotencyKey::once`], for a create whose first response shows more than is remembered. `create` returns the
    /// response to show, then the one to remember.
    pub(crate) async fn once_showing(
        self,
        caller: &Caller,
        digest: [u8; 32],
        permitted: impl Future<Output = Result<(), OpError>>,
        create: impl Future<Output = Result<(StoredResponse, StoredResponse), ApiError>>,
    ) -> Result<StoredResponse, ApiError> {
        let Self { state, path, key } = self;
        let Some(key) = key else {
            return create.await.map(|(shown, _)| shown);
        };
        permitted.await?;
        let actor = caller.actor();
        let attempt = Attempt {
            actor: format!("{} {}", actor.kind(), actor.name().unwrap_or_default()),
            path,
            key,
        };
        match state.attempts.begin(attempt, digest, state.operations.now_ms())? {
            Claim::Again(response) => Ok(response),
            Claim::First(ticket) => {
                let (shown, remembered) = create.await?;
                ticket.answered(remembered);
                Ok(shown)
            }
        }
    }
}

/// Identification of one attempt: actor, path and key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    /// The actor.
    pub(crate) actor: String,
    /// The path.
    pub(crate) path: String,
    /// The client's key for it.
    pub(crate) key: String,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    digest: [u8; 32],
    begun_at_ms: i64,
    // `None` while the create is in progress.
    answer: Option<StoredResponse>,
}

#[derive(Debug, Default)]
struct Entries {
    by_attempt: HashMap<Attempt, Entry>,
    by_age: BTreeMap<u64, Attempt>,
    next: u64,
    bytes: usize,
}

/// The attempts of the last day.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<Entries>);

/// Action to take for a request.
#[derive(Debug)]
pub(crate) enum Claim<'a> {
    /// Perform the create.
    First(Ticket<'a>),
    /// Return this response again.
    Again(StoredResponse),
}

/// The right to perform an attempt. If it is dropped without a response, the attempt is forgotten.
#[derive(Debug)]
pub(crate) struct Ticket<'a> {
    attempts: &'a Attempts,
    attempt: Attempt,
    number: u64,
}

impl Attempts {
    /// Begins an attempt whose body has this hash.
    pub(crate) fn begin(&self, attempt: Attempt, digest: [u8; 32], now_ms: i64) -> Result<Claim<'_>, ApiError> {
        let mut entries = self.entries();
        entries.forget_before(now_ms.saturating_sub(KEPT_MS));
        if let Some(entry) = entries.by_attempt.get(&attempt) {
            // SECURITY: a key never stands for another body, or the response would be about something else.
            if entry.digest != digest {
                return Err(ApiError::KeyReused);
            }
            return entry.answer.clone().map(Claim::Again).ok_or(ApiError::KeyInUse);
        }
        let number = entries.next;
        entries.next += 1;
        entries.by_age.insert(number, attempt.clone());
        entries.by_attempt.insert(
            attempt.clone(),
            Entry {
                number,
                digest,
                begun_at_ms: now_ms,
                answer: None,
            },
        );
        entries.keep_within_bounds();
        Ok(Claim::First(Ticket {
            attempts: self,
            attempt,
            number,
        }))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// Remembers the response.
    pub(crate) fn answered(self, answer: StoredResponse) {
        let mut entries = self.attempts.entries();
        let weight = answer.weight();
        if let Some(entry) = entries
            .by_attempt
            .get_mut(&self.attempt)
            .filter(|entry| entry.number == self.number)
        {
            entry.answer = Some(answer);
            entries.bytes += weight;
        }
        entries.keep_within_bounds();
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut entries = self.attempts.entries();
        let is_open = entries
            .by_attempt
            .get(&self.attempt)
            .is_some_and(|entry| entry.number == self.number && entry.answer.is_none());
        if is_open {
            entries.forget(self.number);
        }
    }
}

impl Entries {
    fn forget(&mut self, number: u64) {
        let entry = self
            .by_age
            .remove(&number)
            .and_then(|attempt| self.by_attempt.remove(&attempt));
        if let Some(answer) = entry.and_then(|entry| entry.answer) {
            self.bytes = self.bytes.saturating_sub(answer.weight());
        }
    }

    fn oldest(&self) -> Option<(u64, i64)> {
        let (number, attempt) = self.by_age.first_key_value()?;
        Some((*number, self.by_attempt.get(attempt)?.begun_at_ms))
    }

    fn forget_before(&mut self, at_ms: i64) {
        while let Some((number, _)) = self.oldest().filter(|(_, begun_at_ms)| *begun_at_ms < at_ms) {
            self.forget(number);
        }
    }

    fn keep_within_bounds(&mut self) {
        while self.by_attempt.len() > KEPT_MAX || self.bytes > KEPT_BYTES_MAX {
            let Some((number, _)) = self.oldest() else { return };
            self.forget(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(key: &str) -> Attempt {
        Attempt {
            actor: "a".to_owned(),
            path: "/users".to_owned(),
            key: key.to_owned(),
        }
    }

    fn answer(text: &str) -> StoredResponse {
        CreatedRecord {
            location: "/x".to_owned(),
            version: None,
            body: text,
        }
        .stored()
    }

    fn done(attempts: &Attempts, key: &str, now_ms: i64) {
        match attempts.begin(attempt(key), [0; 32], now_ms).unwrap() {
            Claim::First(ticket) => ticket.answered(answer("done")),
            Claim::Again(_) => panic!("it was done before"),
        }
    }

    #[test]
    fn the_same_again_is_answered_and_another_body_refused() {
        let attempts = Attempts::default();
        done(&attempts, "k", 0);
        assert!(matches!(attempts.begin(attempt("k"), [0; 32], 1), Ok(Claim::Again(_))));
        assert!(matches!(
            attempts.begin(attempt("k"), [1; 32], 1),
            Err(ApiError::KeyReused)
        ));
        assert!(matches!(
            attempts.begin(attempt("other"), [1; 32], 1),
            Ok(Claim::First(_))
        ));
        let other_actor = Attempt {
            actor: "b".to_owned(),
            ..attempt("k")
        };
        assert!(matches!(attempts.begin(other_actor, [1; 32], 1), Ok(Claim::First(_))));
    }

    #[test]
    fn two_at_once_are_one_and_a_failure_is_forgotten() {
        let attempts = Attempts::default();
        let first = attempts.begin(attempt("k"), [0; 32], 0).unwrap();
        assert!(matches!(
            attempts.begin(attempt("k"), [0; 32], 0),
            Err(ApiError::KeyInUse)
        ));
        drop(first);
        assert!(matches!(attempts.begin(attempt("k"), [0; 32], 0), Ok(Claim::First(_))));
    }

    #[test]
    fn is_bounded_in_time_number_and_size() {
        let attempts = Attempts::default();
        done(&attempts, "k", 0);
        assert!(matches!(
            attempts.begin(attempt("k"), [0; 32], KEPT_MS),
            Ok(Claim::Again(_))
        ));
        done(&attempts, "k", KEPT_MS + 1);
        for index in 0..KEPT_MAX {
            done(&attempts, &index.to_string(), KEPT_MS + 1);
        }
        assert_eq!(attempts.entries().by_attempt.len(), KEPT_MAX);
        done(&attempts, "k", KEPT_MS + 1);
        for key in 0..4 {
            match attempts
                .begin(attempt(&format!("large {key}")), [0; 32], KEPT_MS + 1)
                .unwrap()
            {
                Claim::First(ticket) => ticket.answered(answer(&"x".repeat(KEPT_BYTES_MAX / 3))),
                Claim::Again(_) => panic!("it was done before"),
            }
        }
        let entries = attempts.entries();
        assert!(entries.bytes <= KEPT_BYTES_MAX && entries.by_attempt.len() <= 2);
        assert_eq!(entries.by_attempt.len(), entries.by_age.len());
    }
}
