//! `[audit]`: how long events stay, and a file that gets them too.

use std::path::PathBuf;

use narthex_settings_reader::{Defaulted, Optional, section};

section! {
    /// Audit trail: how long its events stay in the store, and a file that gets them too.
    ///
    /// Events are numbered and hash-chained. Where the beginning of the trail was deleted, a signed checkpoint is left, and
    /// `narthex audit verify` says so.
    AuditSection {
        /// Time for which events stay, at least `"1d"`, or `"forever"`. Older ones are deleted once a day, from the beginning
        /// of the trail on. A webhook that has not sent them by then never does.
        retention: Defaulted<String> = "\"forever\"", eg "\"365d\"";
        /// Time for which refused requests stay in the trail, at least `"1d"`, or `"forever"`. They are a sample: five of each
        /// reason in a minute, and the number of the others.
        refusals: Defaulted<String> = "\"30d\"";
        /// File that every event is appended to, as an export has it, with its checkpoints. It is created for its owner alone.
        /// It can be renamed while Narthex runs (`logrotate`): the next events go into a new file. `narthex audit verify` proves
        /// what stands before the last checkpoint in it. An erasure does not reach it, and says so.
        file: Optional<PathBuf>, eg "\"audit.ndjson\"";
    }
}
