//! Refused requests of the last hour, as nodes keep them for each other.

use serde_json::{Map, Value};

use crate::page::Cursor;

/// Time for which a denial is kept, in milliseconds: an hour.
pub const DENIALS_KEPT_MS: i64 = 60 * 60 * 1_000;

/// A refused request. It holds no token, no secret and no claim's value.
#[derive(Debug, Clone, PartialEq)]
pub struct DenialRecord {
    /// Id of the request, which its client was told.
    pub request_id: String,
    /// Time of the refusal, in milliseconds, to a quarter of a second.
    pub at_ms: i64,
    /// Facts of the request and of the refusal.
    pub facts: Map<String, Value>,
}

/// Returns a time as text in the order of times, for cursors. Times before 1970 count as 1970.
pub fn time_key(at_ms: i64) -> String {
    format!("{:019}", at_ms.max(0))
}

/// Returns the cursor of the list after this denial. For stores.
pub fn denial_cursor(denial: &DenialRecord) -> String {
    Cursor::of_pair(&time_key(denial.at_ms), &denial.request_id)
}
