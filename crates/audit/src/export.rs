//! Files for auditors: one JSON object a line, each in its one text.
//!
//! ```text
//! {"filter":null,"format":"narthex-audit","keys":[…],"version":1}
//! {"event":{…},"hash":"…","personal":{"key":"…","values":{…}},"previous_hash":"…","sequence":1}
//! {"checkpoint":{"at_ms":…,"hash":"…","kid":"…","sequence":1,"signature":"…"}}
//! {"end":{"at_ms":…,"count":1,"first":1,"kid":"…","last":1,"lines_sha256":"…","signature":"…"}}
//! ```
//!
//! `{"expired":{"first":…,"hash":"…","last":…,"previous_hash":"…"}}` stands for events that were deleted because of their age: the
//! chain goes from the hash before them to that of the last of them. Where the beginning of the trail was deleted, the first
//! line is followed by the checkpoint of the last event that is gone.
//!
//! A *stream* is a file that grows: its first line has `"stream":true`, and it has no last line. It proves what stands before
//! its last checkpoint.
//!
//! `personal` stands beside an event with personal values that were not erased. No hash and no signature covers it, and the
//! file verifies without it; what is in it is checked by the seals in the event.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_directory::{ChainHash, Checkpoint, RecordedEvent, SecretBytes};
use serde_json::{Map, Value};

use crate::canonical::canonical_object;
use crate::chain::finish;
use crate::checkpoint::{CheckpointKey, Purpose, checkpoint_members};
use crate::record::sealed_object;

/// Name of the format, in the first line of a file.
pub const FORMAT: &str = "narthex-audit";
/// Version of the format.
pub const FORMAT_VERSION: u64 = 1;

/// Name of the member that marks a file that grows.
pub(crate) const STREAM: &str = "stream";

/// Name of the member with the personal values of an event.
pub(crate) const PERSONAL: &str = "personal";

fn personal(key: &SecretBytes, values: Map<String, Value>) -> Value {
    let mut members = Map::new();
    members.insert("key".to_owned(), Value::String(URL_SAFE_NO_PAD.encode(&key.0)));
    members.insert("values".to_owned(), Value::Object(values));
    Value::Object(members)
}

/// Writer of a file: it turns events and checkpoints into lines, each with its line end.
pub struct ExportWriter {
    /// Hash of all lines so far, without personal values.
    lines: Context,
    count: u64,
    first: Option<u64>,
    last: Option<u64>,
}

impl std::fmt::Debug for ExportWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportWriter")
            .field("count", &self.count)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl ExportWriter {
    /// Begins a file, and returns its first line. `keys` are the public keys that its signatures are made with, as JSON Web
    /// Keys. With a filter the file need not be complete, and says so.
    pub fn begin(keys: Vec<Value>, filter: Option<Map<String, Value>>) -> (Self, String) {
        Self::open(keys, filter, false)
    }

    /// Begins a file that grows, and returns its first line. It gets no last line.
    pub fn begin_stream(keys: Vec<Value>) -> (Self, String) {
        Self::open(keys, None, true)
    }

    fn open(keys: Vec<Value>, filter: Option<Map<String, Value>>, is_stream: bool) -> (Self, String) {
        let mut writer = Self {
            lines: Context::new(&SHA256),
            count: 0,
            first: None,
            last: None,
        };
        let mut members = Map::new();
        members.insert("filter".to_owned(), filter.map_or(Value::Null, Value::Object));
        members.insert("format".to_owned(), Value::from(FORMAT));
        members.insert("keys".to_owned(), Value::Array(keys));
        if is_stream {
            members.insert(STREAM.to_owned(), Value::Bool(true));
        }
        members.insert("version".to_owned(), Value::from(FORMAT_VERSION));
        let line = writer.line(&members);
        (writer, line)
    }

    /// Returns the line of an event, given the hash of the event before it and its own, as the store keeps them. With the
    /// key of its seals, the personal values stand beside it.
    ///
    /// SECURITY: neither the hash nor the seals are computed anew, so that an event that was changed in the store does not
    /// fit them.
    pub fn event(
        &mut self,
        (previous, hash): (ChainHash, ChainHash),
        recorded: &RecordedEvent,
        key: Option<&SecretBytes>,
    ) -> String {
        let mut members = Map::new();
        members.insert("event".to_owned(), Value::Object(sealed_object(recorded)));
        members.insert("hash".to_owned(), Value::String(hash.to_string()));
        members.insert("previous_hash".to_owned(), Value::String(previous.to_string()));
        members.insert("sequence".to_owned(), Value::from(recorded.sequence));
        self.count += 1;
        self.first = self.first.or(Some(recorded.sequence));
        self.last = Some(recorded.sequence);
        let line = self.line(&members);
        let values = recorded.sealed_values();
        match key {
            Some(key) if !values.is_empty() => {
                members.insert(PERSONAL.to_owned(), personal(key, values));
                canonical_object(&members) + "\n"
            }
            _ => line,
        }
    }

    /// Returns the line of a checkpoint. It stands directly after the event that it signs.
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) -> String {
        let mut signed = checkpoint_members(checkpoint);
        signed.insert("signature".to_owned(), Value::String(checkpoint.signature.clone()));
        let mut members = Map::new();
        members.insert("checkpoint".to_owned(), Value::Object(signed));
        self.line(&members)
    }

    /// Returns the line of events that were deleted because of their age, from the first to the last number, given the hash
    /// of the event before them and that of the last of them.
    pub fn expired(&mut self, (first, last): (u64, u64), (previous, hash): (ChainHash, ChainHash)) -> String {
        let mut expired = Map::new();
        expired.insert("first".to_owned(), Value::from(first));
        expired.insert("hash".to_owned(), Value::String(hash.to_string()));
        expired.insert("last".to_owned(), Value::from(last));
        expired.insert("previous_hash".to_owned(), Value::String(previous.to_string()));
        let mut members = Map::new();
        members.insert("expired".to_owned(), Value::Object(expired));
        self.line(&members)
    }

    /// Ends the file with a signed line: the first and the last number, the count, and the hash of every line before, without personal
    /// values.
    pub fn end(self, key: &CheckpointKey, at_ms: i64) -> String {
        let number = |number: Option<u64>| number.map_or(Value::Null, Value::from);
        let mut end = Map::new();
        end.insert("at_ms".to_owned(), Value::from(at_ms));
        end.insert("count".to_owned(), Value::from(self.count));
        end.insert("first".to_owned(), number(self.first));
        end.insert("kid".to_owned(), Value::from(key.kid()));
        end.insert("last".to_owned(), number(self.last));
        end.insert("lines_sha256".to_owned(), Value::String(finish(self.lines).to_string()));
        let signature = key.sign(Purpose::End, &end);
        end.insert("signature".to_owned(), Value::String(signature));
        let mut members = Map::new();
        members.insert("end".to_owned(), Value::Object(end));
        let mut line = canonical_object(&members);
        line.push('\n');
        line
    }

    fn line(&mut self, members: &Map<String, Value>) -> String {
        let mut line = canonical_object(members);
        line.push('\n');
        self.lines.update(line.as_bytes());
        line
    }
}
