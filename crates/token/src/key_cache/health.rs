//! State of an issuer's keys for operators.

use std::collections::HashSet;

use super::snapshot::KeysFault;
use crate::codec::hex_encode;
use crate::keys::{KeyReport, KeySet, RefusedKey};

/// Largest number of keys that left and are still listed.
const GONE_MAX: usize = 50;

/// The state of an issuer's keys. Times are in milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHealth {
    /// True if tokens can be verified now.
    pub serving: bool,
    /// The keys of the set, and the last fifty that left it.
    pub keys: Vec<KeyRecord>,
    /// Keys of the set that are not used, and why.
    pub refused: Vec<RefusedKey>,
    /// Time of the set's fetch.
    pub fetched_at_ms: Option<i64>,
    /// Time since that fetch.
    pub age_ms: Option<i64>,
    /// End of its freshness.
    pub fresh_until_ms: Option<i64>,
    /// Time until which it may serve, stale, if the issuer cannot be reached.
    pub usable_until_ms: Option<i64>,
    /// Time of the next fetch.
    pub next_refresh_ms: i64,
    /// True while a fetch is under way.
    pub fetching: bool,
    /// Fetches that failed since the last that succeeded.
    pub failures_in_a_row: u32,
    /// The last failure, kept after later successes.
    pub last_error: Option<FetchError>,
    /// Keys remembered as unknown.
    pub unknown_keys: usize,
    /// Number of times that a key left the set.
    pub epoch: u64,
}

/// One failed fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchError {
    /// Time of the failure.
    pub at_ms: i64,
    /// The cause.
    pub why: String,
}

/// One key through time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub key: KeyReport,
    /// Time of the first fetch that brought it.
    pub first_seen_ms: i64,
    /// Time of the last fetch that brought it.
    pub last_seen_ms: i64,
    /// True if it is in the set now.
    pub present: bool,
}

/// Keys through time, and failures.
#[derive(Debug, Default)]
pub(super) struct History {
    records: Vec<KeyRecord>,
    failures_in_a_row: u32,
    last_error: Option<FetchError>,
    /// Of the last fetch, if it failed.
    fault: Option<KeysFault>,
}

impl History {
    /// Compares a new set with the last one. Gives the identities of the keys that arrived and of those that left.
    pub(super) fn note(&mut self, keys: &KeySet, now_ms: i64) -> (Vec<String>, Vec<String>) {
        let present: HashSet<String> = keys.identities().map(|identity| hex_encode(&identity)).collect();
        let mut left = Vec::new();
        for record in &mut self.records {
            if record.present && !present.contains(&record.key.identity) {
                record.present = false;
                left.push(record.key.identity.clone());
            }
        }
        let mut arrived = Vec::new();
        for key in keys.keys() {
            let known = self
                .records
                .iter_mut()
                .find(|record| record.key.identity == key.identity);
            let newly = known.as_ref().is_none_or(|record| !record.present);
            if newly {
                arrived.push(key.identity.clone());
            }
            if let Some(record) = known {
                record.present = true;
                record.last_seen_ms = now_ms;
            } else {
                self.records.push(KeyRecord {
                    key,
                    first_seen_ms: now_ms,
                    last_seen_ms: now_ms,
                    present: true,
                });
            }
        }
        self.forget_oldest_gone();
        (arrived, left)
    }

    fn forget_oldest_gone(&mut self) {
        let gone = self.records.iter().filter(|record| !record.present).count();
        for _ in GONE_MAX..gone {
            let oldest = self
                .records
                .iter()
                .enumerate()
                .filter(|(_, record)| !record.present)
                .min_by_key(|(_, record)| record.last_seen_ms)
                .map(|(position, _)| position);
            if let Some(position) = oldest {
                self.records.remove(position);
            }
        }
    }

    pub(super) fn succeed(&mut self) {
        self.failures_in_a_row = 0;
        self.fault = None;
    }

    pub(super) fn fail(&mut self, fault: KeysFault, now_ms: i64) {
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.last_error = Some(FetchError {
            at_ms: now_ms,
            why: fault.why.to_string(),
        });
        self.fault = Some(fault);
    }

    pub(super) const fn fault(&self) -> Option<&KeysFault> {
        self.fault.as_ref()
    }

    pub(super) fn records(&self) -> Vec<KeyRecord> {
        self.records.clone()
    }

    pub(super) const fn failures_in_a_row(&self) -> u32 {
        self.failures_in_a_row
    }

    pub(super) const fn last_error(&self) -> Option<&FetchError> {
        self.last_error.as_ref()
    }
}
