//! The audit trail as evidence.
//!
//! **What comes in:** events with their numbers, and signing keys. **What goes out:** the links of a hash chain, signed
//! checkpoints, files for auditors, and a [`Report`] of what such a file proves.
//!
//! ```text
//! RecordedEvent --link--> ChainLink --CheckpointKey::checkpoint--> Checkpoint
//!        \-------- ExportWriter --> lines --Verifier--> Report
//!
//! Trail --ChainKeeper--> Trail with links      Trail --TrailExport--> lines      Trail --Retention--> Trail cut at a checkpoint
//! ```
//!
//! Each event has a hash over itself, its number and the hash of the event before it, so that an event that is changed,
//! removed or moved does not fit its neighbours. A checkpoint is a signature over one of these hashes, and with it over
//! every event up to there. An export ends with a signed line that covers all its bytes.
//!
//! A personal value of an event about a user is hashed only as its *seal*, an HMAC by a random key of that user. An erasure
//! deletes values and key; the chain stays as it is.
//!
//! This crate reads no clock, draws no randomness (Ed25519 needs none, RFC 8032 5.1.6) and does no I/O: a file goes through
//! it line by line.
//!
//! Invariants:
//! * One event has one text: members in order, no blanks ([`canonical`]). A hash is over that text.
//! * A signature says for what it was made, so that one of a checkpoint is none of an export.
//! * A file that differs from one that was exported does not verify, unless all that it lacks are personal values.
//! * An event that is deleted because of its age leaves its link, or a checkpoint at the cut. What follows verifies as before.

mod as_of;
mod canonical;
mod chain;
mod checkpoint;
mod csv;
mod export;
mod keeper;
mod ocsf;
mod reader;
mod record;
mod retention;
mod seal;
mod verify;

pub use as_of::{HeldGrant, HeldRole, ROLES_CSV_HEADER, held_roles, origin, roles_csv};
pub use canonical::canonical;
pub use chain::link;
pub use checkpoint::{CheckpointKey, KeyError, VerificationKeys};
pub use csv::{CSV_HEADER, csv_event, csv_row};
pub use export::{ExportWriter, FORMAT, FORMAT_VERSION};
pub use keeper::{CHECKPOINT_AFTER_MS, CHECKPOINT_EVENTS, ChainKeeper, KeeperError};
pub use ocsf::{OCSF_VERSION, ocsf_event};
pub use reader::{ExportFormat, TrailExport};
pub use record::{event_object, time_text};
pub use retention::Retention;
pub use verify::{PROBLEMS_MAX, Problem, Report, Verifier};
