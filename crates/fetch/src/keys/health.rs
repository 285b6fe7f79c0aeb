//! Health of an issuer's keys, as the API and `doctor` show it.

use std::fmt;

use narthex_token::{KeyHealth, KeyRecord, KeyReport, KeySnapshot, RefusedKey};
use serde::{Serialize, Serializer};

use super::source::{KeySource, SourceKind};

/// A moment in milliseconds since the epoch; RFC 3339 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A moment outside the calendar is null.
        jiff::Timestamp::from_millisecond(self.0)
            .ok()
            .map(|moment| moment.to_string())
            .serialize(serializer)
    }
}

/// RFC 3339 in UTC with milliseconds; a moment outside the calendar is shown as the nearest one in it.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        let at = jiff::Timestamp::from_millisecond(self.0).unwrap_or(limit);
        write!(f, "{at:.3}")
    }
}

/// State of one issuer's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuerHealth {
    /// Configured name of the issuer.
    pub issuer: String,
    /// Kind of the source of its keys.
    pub source: SourceKind,
    /// URL or path of its keys; absent for fixed keys.
    pub location: Option<String>,
    /// True if tokens of this issuer can be verified now.
    pub serving: bool,
    /// Keys in use, and those that left recently. Shared secrets are counted, never shown.
    pub keys: Vec<KeyLine>,
    /// Number of usable keys or secrets.
    pub usable_count: usize,
    /// Keys of the set that are not used.
    pub refused: Vec<RefusedLine>,
    /// Time when the set was fetched.
    pub fetched_at: Option<Moment>,
    /// Age of the set, in seconds.
    pub age_seconds: Option<i64>,
    /// Time until which the set is fresh.
    pub fresh_until: Option<Moment>,
    /// Time until which the stale set serves if the issuer cannot be reached.
    pub usable_until: Option<Moment>,
    /// Time of the next fetch; absent for fixed keys.
    pub next_refresh_at: Option<Moment>,
    /// True while a fetch is under way.
    pub fetching: bool,
    /// Number of failed fetches since the last good one.
    pub failures_in_a_row: u32,
    /// The last failure, kept after later successes.
    pub last_error: Option<ErrorLine>,
    /// Number of key names that tokens asked for and that the issuer does not have.
    pub unknown_keys: usize,
    /// Number of times that a key left the set.
    pub epoch: u64,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyLine {
    /// Id of the key, if it has one.
    pub kid: Option<String>,
    /// SHA-256 over everything that defines the key.
    pub identity: String,
    /// Its type and size, such as `RSA 2048`.
    pub kind: String,
    /// Algorithms that it may verify.
    pub algorithms: Vec<String>,
    /// True if it is in the set now.
    pub present: bool,
    /// Time of the first fetch that contained it.
    pub first_seen_at: Option<Moment>,
    /// Time of the last fetch that contained it.
    pub last_seen_at: Option<Moment>,
}

/// One key that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedLine {
    /// Position in the set, from 0.
    pub position: usize,
    /// Id of the key, if it has one.
    pub kid: Option<String>,
    /// Reason why it is not used.
    pub why: String,
}

/// One failed fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorLine {
    /// Time of the failure.
    pub at: Moment,
    /// The error and its remedy.
    pub message: String,
}

impl IssuerHealth {
    pub(super) fn of_fetched(issuer: &str, source: &KeySource, health: KeyHealth, usable_count: usize) -> Self {
        let refused = health.refused.into_iter();
        Self {
            issuer: issuer.to_owned(),
            source: source.kind(),
            location: source.location(),
            serving: health.serving,
            keys: health.keys.into_iter().map(KeyLine::of_record).collect(),
            usable_count,
            refused: refused.map(RefusedLine::from).collect(),
            fetched_at: health.fetched_at_ms.map(Moment),
            age_seconds: health.age_ms.map(|age_ms| age_ms / 1000),
            fresh_until: health.fresh_until_ms.map(Moment),
            usable_until: health.usable_until_ms.map(Moment),
            next_refresh_at: Some(Moment(health.next_refresh_ms)),
            fetching: health.fetching,
            failures_in_a_row: health.failures_in_a_row,
            last_error: health.last_error.map(|error| ErrorLine {
                at: Moment(error.at_ms),
                message: error.why,
            }),
            unknown_keys: health.unknown_keys,
            epoch: health.epoch,
        }
    }

    pub(super) fn of_fixed(issuer: &str, source: &KeySource, snapshot: &KeySnapshot, now_ms: i64) -> Self {
        let keys = snapshot.keys(now_ms).ok();
        Self {
            issuer: issuer.to_owned(),
            source: source.kind(),
            location: source.location(),
            serving: keys.is_some(),
            keys: keys
                .iter()
                .flat_map(|keys| keys.keys())
                .map(|key| KeyLine::of_key(key, None))
                .collect(),
            usable_count: keys.map_or(0, |keys| keys.usable_count()),
            refused: keys
                .iter()
                .flat_map(|keys| keys.refused())
                .cloned()
                .map(RefusedLine::from)
                .collect(),
            fetched_at: None,
            age_seconds: None,
            fresh_until: None,
            usable_until: None,
            next_refresh_at: None,
            fetching: false,
            failures_in_a_row: 0,
            last_error: None,
            unknown_keys: 0,
            epoch: snapshot.epoch(),
        }
    }
}

impl IssuerHealth {
    /// Returns a sentence about keys that are missing, or that the last fetch could not renew; `None` if all is well.
    pub fn trouble(&self, now_ms: i64) -> Option<String> {
        let failure = self.last_error.as_ref().filter(|_| self.failures_in_a_row > 0);
        let state = match (self.serving, self.usable_until) {
            (true, _) if failure.is_none() => return None,
            (true, Some(Moment(until_ms))) => {
                format!(
                    "its keys serve on for {} s and cannot be renewed",
                    seconds(until_ms, now_ms)
                )
            }
            (true, None) => "its keys cannot be renewed".to_owned(),
            (false, _) => "it has no keys, so its tokens are answered with 503".to_owned(),
        };
        let why = failure.map(|failure| format!(": {}", failure.message));
        let next = match (self.fetching, self.next_refresh_at) {
            (true, _) => "; they are being fetched".to_owned(),
            (false, Some(Moment(next_ms))) => format!("; the next attempt is in {} s", seconds(next_ms, now_ms)),
            (false, None) => String::new(),
        };
        Some(format!(
            "issuer `{}`: {state}{}{next}",
            self.issuer,
            why.unwrap_or_default()
        ))
    }
}

/// Returns the seconds until a moment, rounded up.
fn seconds(until_ms: i64, now_ms: i64) -> i64 {
    until_ms.saturating_sub(now_ms).saturating_add(999).max(0) / 1000
}

impl KeyLine {
    fn of_record(record: KeyRecord) -> Self {
        let seen = (record.first_seen_ms, record.last_seen_ms);
        Self {
            present: record.present,
            ..Self::of_key(record.key, Some(seen))
        }
    }

    fn of_key(key: KeyReport, seen_ms: Option<(i64, i64)>) -> Self {
        Self {
            kid: key.kid,
            identity: key.identity,
            kind: key.kind.to_string(),
            algorithms: key.algorithms.iter().map(ToString::to_string).collect(),
            present: true,
            first_seen_at: seen_ms.map(|(first_ms, _)| Moment(first_ms)),
            last_seen_at: seen_ms.map(|(_, last_ms)| Moment(last_ms)),
        }
    }
}

impl From<RefusedKey> for RefusedLine {
    fn from(key: RefusedKey) -> Self {
        Self {
            position: key.position,
            kid: key.kid,
            why: key.why,
        }
    }
}
