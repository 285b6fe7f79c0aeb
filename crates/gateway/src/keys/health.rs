//! What the console, the API and `doctor` show of an issuer's keys.

use narthex_token::{KeyHealth, KeyRecord};
use serde::{Serialize, Serializer};

use super::source::{KeySource, SourceKind};

/// The state of one issuer's keys. Times are milliseconds since the epoch here and RFC 3339 in
/// JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IssuerHealth {
    /// The issuer's configured name.
    pub issuer: String,
    /// How its keys are come by.
    pub source: SourceKind,
    /// The URL or path they are read from; absent for fixed keys.
    pub location: Option<String>,
    /// Whether tokens of this issuer can be verified now.
    pub serving: bool,
    /// Keys in use, and those that left lately. Shared secrets are counted, never shown.
    pub keys: Vec<KeyLine>,
    /// How many keys or secrets can be used.
    pub usable_count: usize,
    /// Keys of the set that are not used.
    pub refused: Vec<RefusedLine>,
    /// When the set was fetched.
    #[serde(serialize_with = "optional_time")]
    pub fetched_at: Option<i64>,
    /// How old the set is, in seconds.
    pub age_seconds: Option<i64>,
    /// Until when it is fresh.
    #[serde(serialize_with = "optional_time")]
    pub fresh_until: Option<i64>,
    /// Until when it serves on if the issuer cannot be reached.
    #[serde(serialize_with = "optional_time")]
    pub usable_until: Option<i64>,
    /// When it is fetched next; absent for fixed keys.
    #[serde(serialize_with = "optional_time")]
    pub next_refresh_at: Option<i64>,
    /// Whether a fetch is under way.
    pub fetching: bool,
    /// Fetches that failed since the last good one.
    pub failures_in_a_row: u32,
    /// The last failure, kept after later successes.
    pub last_error: Option<ErrorLine>,
    /// Key names that tokens asked for and the issuer does not have.
    pub unknown_keys: usize,
    /// How often a key left the set.
    pub epoch: u64,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyLine {
    /// Its name, if it has one.
    pub kid: Option<String>,
    /// SHA-256 over everything that makes the key what it is.
    pub identity: String,
    /// Its type and size, such as `RSA 2048`.
    pub kind: String,
    /// The algorithms it may verify.
    pub algorithms: Vec<String>,
    /// Whether it is in the set now.
    pub present: bool,
    /// When a fetch first brought it.
    #[serde(serialize_with = "optional_time")]
    pub first_seen_at: Option<i64>,
    /// When a fetch last brought it.
    #[serde(serialize_with = "optional_time")]
    pub last_seen_at: Option<i64>,
}

/// One key that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefusedLine {
    /// Where it stands in the set, from 0.
    pub position: usize,
    /// Its name, if it has one.
    pub kid: Option<String>,
    /// Why it is not used.
    pub why: String,
}

/// One failed fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErrorLine {
    /// When.
    #[serde(serialize_with = "time")]
    pub at: i64,
    /// What failed and what to do.
    pub message: String,
}
