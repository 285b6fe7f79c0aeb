//! Files for auditors: one JSON object a line, each in its one text.
//!
//! ```text
//! {"filter":null,"format":"narthex-audit","keys":[…],"version":1}
//! {"event":{…},"hash":"…","previous_hash":"…","sequence":1}
//! {"checkpoint":{"at_ms":…,"hash":"…","kid":"…","sequence":1,"signature":"…"}}
//! {"end":{"at_ms":…,"count":1,"first":1,"kid":"…","last":1,"lines_sha256":"…","signature":"…"}}
//! ```

use aws_lc_rs::digest::{Context, SHA256};
use narthex_directory::{ChainHash, Checkpoint, RecordedEvent};
use serde_json::{Map, Value};

use crate::canonical::canonical_object;
use crate::chain::finish;
use crate::checkpoint::{CheckpointKey, Purpose, checkpoint_members};
use crate::record::event_object;

/// Name of the format, in the first line of a file.
pub const FORMAT: &str = "narthex-audit";
/// Version of the format.
pub const FORMAT_VERSION: u64 = 1;

/// Writer of a file: it turns events and checkpoints into lines, each with its line end.
pub struct ExportWriter {
    /// Hash of all lines so far.
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
        members.insert("version".to_owned(), Value::from(FORMAT_VERSION));
        let line = writer.line(&members);
        (writer, line)
    }

    /// Returns the line of an event, given the hash of the event before it and its own, as the store keeps them.
    ///
    /// SECURITY: the hash is not computed anew, so that an event that was changed in the store does not fit its hash.
    pub fn event(&mut self, previous: ChainHash, hash: ChainHash, recorded: &RecordedEvent) -> String {
        let mut members = Map::new();
        members.insert("event".to_owned(), Value::Object(event_object(&recorded.event)));
        members.insert("hash".to_owned(), Value::String(hash.to_string()));
        members.insert("previous_hash".to_owned(), Value::String(previous.to_string()));
        members.insert("sequence".to_owned(), Value::from(recorded.sequence));
        self.count += 1;
        self.first = self.first.or(Some(recorded.sequence));
        self.last = Some(recorded.sequence);
        self.line(&members)
    }

    /// Returns the line of a checkpoint. It stands directly after the event that it signs.
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) -> String {
        let mut signed = checkpoint_members(checkpoint);
        signed.insert("signature".to_owned(), Value::String(checkpoint.signature.clone()));
        let mut members = Map::new();
        members.insert("checkpoint".to_owned(), Value::Object(signed));
        self.line(&members)
    }

    /// Ends the file with a signed line: the first and the last number, the count, and the hash of every line before.
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
