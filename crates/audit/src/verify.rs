//! Verification of an export, line by line, without the store that it is from.

mod line;

use aws_lc_rs::digest::{Context, SHA256};
use narthex_directory::{ChainHash, ChainLink, Seal, seal_at};
use serde_json::{Map, Value, json};

use self::line::{EndLine, EventLine, ExpiredLine, HeaderLine, Line, PersonalValues, SignedLine};
use crate::chain::{finish, link_hash};
use crate::checkpoint::{Purpose, VerificationKeys};
use crate::seal::seal;

/// Maximum number of problems that a report names. The lines after that are examined too, and counted.
pub const PROBLEMS_MAX: usize = 100;

/// Problem of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, from 1.
    pub line: u64,
    /// Number of the event in that line, where it can be read.
    pub sequence: Option<u64>,
    /// The problem, in words. It quotes nothing of the file.
    pub message: String,
}

/// Result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The problems, in the order of the lines, at most [`PROBLEMS_MAX`]. The file is as it was exported if there are none.
    pub problems: Vec<Problem>,
    /// Number of problems beyond those.
    pub more_problems: u64,
    /// Number of events.
    pub events: u64,
    /// Number of the first event.
    pub first: Option<u64>,
    /// Number of the last event.
    pub last: Option<u64>,
    /// Number of checkpoints whose signature is right.
    pub checkpoints: u64,
    /// Number of personal values beside their events that are those of their seals.
    pub personal_values: u64,
    /// Number of seals without their value: it was erased, or left out of the file.
    pub sealed_only: u64,
    /// Key that signed the last line.
    pub kid: Option<String>,
    /// Number of the event after which the trail was cut because of its age; `None` where it begins with its first event.
    pub cut: Option<u64>,
    /// Number of events after the cut that were deleted because of their age.
    pub expired: u64,
    /// Number of events that no signature covers: those of a stream after its last checkpoint.
    pub unsigned: u64,
    /// True for a file that grows. It proves what stands before its last checkpoint, and not that nothing followed.
    pub is_stream: bool,
    /// True if the file holds the events of a filter only. Then it proves each event and not that all are there.
    pub filtered: bool,
    /// True if the keys were given. Otherwise they are from the file itself, and it proves no origin.
    pub origin_proved: bool,
}

impl Report {
    /// Tests whether the file is as it was exported.
    pub fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }

    /// Returns the report as JSON, for programs.
    pub fn to_json(&self) -> Value {
        let problems: Vec<Value> = self
            .problems
            .iter()
            .map(|problem| json!({ "line": problem.line, "sequence": problem.sequence, "message": problem.message }))
            .collect();
        json!({
            "valid": self.is_valid(),
            "origin_proved": self.is_valid() && self.origin_proved,
            "complete": self.is_valid() && !self.filtered && !self.is_stream,
            "events": self.events,
            "first": self.first,
            "last": self.last,
            "checkpoints": self.checkpoints,
            "personal_values": self.personal_values,
            "sealed_only": self.sealed_only,
            "cut": self.cut,
            "expired": self.expired,
            "unsigned": self.unsigned,
            "stream": self.is_stream,
            "kid": self.kid,
            "problems": problems,
            "more_problems": self.more_problems,
        })
    }

    fn note(&mut self, line: u64, sequence: Option<u64>, message: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem {
                line,
                sequence,
                message,
            });
        } else {
            self.more_problems += 1;
        }
    }
}

/// Verifier of one file.
pub struct Verifier {
    report: Report,
    /// Keys that signatures must be of: those given, or those of the first line.
    keys: VerificationKeys,
    lines: Context,
    number: u64,
    /// The event before; unknown at the beginning, and after a line that could not be read.
    before: Option<ChainLink>,
    ended: bool,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("number", &self.number)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// Begins a file. With keys, its signatures must be of one of them; without, of the keys in its first line.
    pub fn new(keys: Option<VerificationKeys>) -> Self {
        Self {
            report: Report {
                origin_proved: keys.is_some(),
                ..Report::default()
            },
            keys: keys.unwrap_or_default(),
            lines: Context::new(&SHA256),
            number: 0,
            before: None,
            ended: false,
        }
    }

    /// Takes the next line, with its line end.
    pub fn line(&mut self, raw: &[u8]) {
        self.number += 1;
        if self.ended {
            self.note(None, "it stands after the last line of the export");
            return;
        }
        match line::read(raw, self.number == 1) {
            Ok(Line::Header(header)) => self.header(header),
            Ok(Line::Event(mut event)) => {
                let covered = event.covered.take();
                self.event(event);
                self.lines.update(covered.as_ref().map_or(raw, String::as_bytes));
                return;
            }
            Ok(Line::Checkpoint(checkpoint)) => self.checkpoint(&checkpoint),
            Ok(Line::Expired(expired)) => self.expired(&expired),
            Ok(Line::End(end)) => self.end(&end),
            Err(message) => {
                self.note(None, message);
                self.before = None;
            }
        }
        self.lines.update(raw);
    }

    /// Ends the file.
    pub fn finish(mut self) -> Report {
        if self.report.is_stream {
            // SECURITY: a stream that no key signed proves no origin, whatever it says.
            self.report.origin_proved &= self.report.checkpoints > 0;
        } else if !self.ended {
            self.number += 1;
            self.note(None, "the last line of the export is missing: the file was cut short");
        }
        self.report
    }

    fn note(&mut self, sequence: Option<u64>, message: &str) {
        self.report.note(self.number, sequence, message.to_owned());
    }

    fn header(&mut self, header: HeaderLine) {
        self.report.filtered = header.filtered;
        self.report.is_stream = header.is_stream;
        // SECURITY: keys that the caller trusts are never replaced by those that a file brings.
        if !self.report.origin_proved {
            self.keys = header.keys;
        }
    }

    fn event(&mut self, event: EventLine) {
        let EventLine {
            mut event,
            hash,
            previous,
            sequence,
            personal,
            covered: _,
        } = event;
        self.report.events += 1;
        self.report.unsigned += 1;
        self.begins_at(sequence);
        self.report.first = self.report.first.or(Some(sequence));
        self.report.last = Some(sequence);
        self.personal(sequence, &mut event, personal);
        if link_hash(previous, sequence, Value::Object(event)) != hash {
            self.note(
                Some(sequence),
                "its hash is not that of the event: the event, its number or a hash was changed",
            );
        }
        if sequence <= 1 && (sequence == 0 || previous != ChainHash::GENESIS) {
            self.note(
                Some(sequence),
                "it claims to be the first event, and its `previous_hash` is not that of the first",
            );
        }
        self.follows(sequence, previous);
        self.before = Some(ChainLink { sequence, hash });
    }

    /// Checks the personal values beside an event, and counts those that are not there.
    fn personal(&mut self, sequence: u64, event: &mut Members, personal: Option<PersonalValues>) {
        let mut sealed_only = count_seals(event);
        let (key, values) = personal.map_or_else(Default::default, |personal| (personal.key, personal.values));
        for (place, value) in &values {
            if seal_at(event, place) == Some(seal(&key, sequence, place, value)) {
                self.report.personal_values += 1;
                sealed_only = sealed_only.saturating_sub(1);
            } else {
                self.note(
                    Some(sequence),
                    "a personal value beside it is not the one that was sealed: it was changed, moved or added",
                );
            }
        }
        self.report.sealed_only += sealed_only;
    }

    /// Checks that an event follows the one before it.
    fn follows(&mut self, sequence: u64, previous: ChainHash) {
        let Some(before) = self.before else { return };
        let next = before.sequence.checked_add(1);
        if sequence <= before.sequence {
            let message = format!(
                "it stands after number {}: a line was moved or repeated",
                before.sequence
            );
            self.report.note(self.number, Some(sequence), message);
        } else if next == Some(sequence) {
            if previous != before.hash {
                self.note(
                    Some(sequence),
                    "its `previous_hash` is not the hash of the event before it: one of the two was replaced",
                );
            }
        } else if !self.report.filtered {
            let message = format!(
                "it stands after number {}: the events between are missing",
                before.sequence
            );
            self.report.note(self.number, Some(sequence), message);
        }
    }

    /// Checks that a complete file begins with the first event, or after a cut.
    fn begins_at(&mut self, sequence: u64) {
        let is_open = self.report.filtered || self.report.is_stream || self.before.is_some();
        if !is_open && self.report.events <= 1 && sequence > 1 && self.report.problems.is_empty() {
            self.note(
                Some(sequence),
                "the events before it are missing, and no checkpoint says that they were deleted",
            );
        }
    }

    /// Takes events that were deleted because of their age. The hashes of the events around them hold them in their place.
    fn expired(&mut self, expired: &ExpiredLine) {
        let ExpiredLine {
            first,
            last,
            previous,
            hash,
        } = *expired;
        if self.report.filtered {
            self.note(Some(first), "a filtered file has no line for deleted events");
        }
        if first == 1 && previous != ChainHash::GENESIS {
            self.note(
                Some(first),
                "it claims to be the first event, and its `previous_hash` is not that of the first",
            );
        }
        if self.report.events == 0 && self.report.expired == 0 {
            self.begins_at(first);
        }
        self.follows(first, previous);
        self.report.expired = self.report.expired.saturating_add(last - first + 1);
        self.before = Some(ChainLink { sequence: last, hash });
    }

    /// Tests whether a checkpoint stands for the beginning of the trail, which was deleted: nothing stands before it.
    fn is_cut(&self) -> bool {
        self.before.is_none() && self.report.events == 0 && self.report.expired == 0 && self.report.cut.is_none()
    }

    fn checkpoint(&mut self, checkpoint: &SignedLine) {
        let link = checkpoint.link();
        let sequence = link.map(|link| link.sequence);
        if self.is_cut() && !self.report.filtered {
            self.report.cut = sequence;
            self.before = link;
        }
        if link.is_none() || link != self.before {
            self.note(sequence, "the checkpoint is not of the event before it");
        }
        if self.is_signed(Purpose::Checkpoint, checkpoint, sequence) {
            self.report.checkpoints += 1;
            self.report.unsigned = 0;
        }
    }

    fn end(&mut self, end: &EndLine) {
        self.ended = true;
        let lines = std::mem::replace(&mut self.lines, Context::new(&SHA256));
        if finish(lines) != end.lines {
            self.note(None, "the lines above are not those that were signed");
        }
        let counted = (self.report.events, self.report.first, self.report.last);
        if counted != (end.count, end.first, end.last) {
            self.note(
                None,
                "the events above are not as many, or not from the first to the last, that were signed",
            );
        }
        if self.is_signed(Purpose::End, &end.signed, None) {
            self.report.unsigned = 0;
            self.report.kid = Some(end.signed.kid.clone());
        }
    }

    /// Checks a signature.
    fn is_signed(&mut self, purpose: Purpose, line: &SignedLine, sequence: Option<u64>) -> bool {
        if !self.keys.has(&line.kid) {
            self.note(
                sequence,
                if self.report.origin_proved {
                    "it is signed with another key than those given: the file is of another installation, or forged; \
                     or `--key` needs the whole key set of `/api/v1/audit/keys`"
                } else {
                    "it is signed with a key that the first line does not name"
                },
            );
            return false;
        }
        let is_right = self.keys.verify(&line.kid, purpose, &line.members, &line.signature);
        if !is_right {
            self.note(sequence, "its signature is wrong");
        }
        is_right
    }
}

/// Number of seals in an event.
fn count_seals(event: &Members) -> u64 {
    let detail = event.get("detail").and_then(Value::as_object);
    let token = event
        .get("actor")
        .and_then(|actor| actor.get("token"))
        .and_then(|token| token.get("jti"));
    let values = detail.into_iter().flat_map(Members::values).chain(token);
    values.fold(0, |count, value| count + u64::from(Seal::of(value).is_some()))
}

/// Members of a line's object.
type Members = Map<String, Value>;
