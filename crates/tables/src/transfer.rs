//! Moving a directory from one store to another, through a file of lines.
//!
//! An export is one moment of a store, in an order that does not depend on the database: two stores with the same
//! records give the same lines and the same digest. An import is one transaction into an empty store: it reads, checks
//! every line, writes, reads what it wrote, compares, and only then commits.
//!
//! INVARIANT: the digest that the file promises, that of the lines read, and that of the records the store holds before
//! the commit are one and the same, or nothing was written.

mod between;
mod fields;
pub mod read;
pub mod row;
mod rules;
pub mod schema;
pub mod write;

use std::fmt;
use std::io;
use std::ops::ControlFlow;

use narthex_directory::StoreError;

/// The format that is written, and the only one that is read.
pub const FORMAT: i64 = 1;
/// The longest line, in bytes. The largest records are logos (1 MB) and documents.
pub const LINE_BYTES_MAX: usize = 16 * 1_048_576;
/// Number of records between two reports of progress.
pub const TOLD_EVERY: u64 = 1_000;

/// Content of a file's first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The format of the lines.
    pub format: i64,
    /// The version of the schema that the records are of.
    pub schema: i64,
    /// The version of the program that wrote it.
    pub program: String,
    /// `sqlite` or `postgresql`.
    pub store: String,
    /// Time of the export, in milliseconds.
    pub exported_at_ms: i64,
}

/// Number of records of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts(Vec<(&'static str, u64)>);

impl Counts {
    /// Each kind, in the order of a file.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().copied()
    }

    /// Of all kinds together.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }
}

/// Summary of the records that a transfer moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Number of records of each kind.
    pub counts: Counts,
    /// The SHA-256 of their lines, in hex.
    pub sha256: String,
}

/// Step of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Records go from the store into a file.
    Export,
    /// Records go from a file into the store.
    Import,
    /// The records written are read again and compared.
    Check,
}

/// Progress of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// Number of records that are done.
    pub records: u64,
    /// Number of all records, where it is known.
    pub of: Option<u64>,
    /// Number of bytes of the file that were read, for [`Step::Import`].
    pub bytes: u64,
}

/// Reason why nothing was moved; with [`TransferError::Unconfirmed`] it is not known whether anything was.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The store refuses, or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no store to export.
    #[error("there is no store yet; nothing was exported")]
    Absent,
    /// The store is not at the schema of this program.
    #[error("the store's schema is older than this program's; start `narthex serve` once to bring it up to date")]
    Outdated,
    /// The store to import into holds something.
    #[error(
        "the store is not empty: it holds {found}; import goes into a new store only, so name another file or database in `[store]`"
    )]
    NotEmpty {
        /// The records that it holds, and their number.
        found: String,
    },
    /// A line of the file.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from one.
        line: u64,
        /// The problem with it.
        why: String,
    },
    /// Lines that break a rule together.
    #[error("lines {first} to {last}: {why}")]
    Lines {
        /// The number of the first, from one.
        first: u64,
        /// The number of the last.
        last: u64,
        /// The problem with them.
        why: String,
    },
    /// A rule between records.
    #[error("the file contradicts itself: {count} {why}")]
    Between {
        /// Number of records that break it.
        count: i64,
        /// The problem with them.
        why: &'static str,
    },
    /// A record of the store that no import would take.
    #[error("the store holds a {what} that cannot be exported: {why}")]
    Record {
        /// The record.
        what: String,
        /// The problem with it.
        why: String,
    },
    /// The records written are not the records read.
    #[error(
        "the store does not hold what the file says after writing it (digest {held}, not {promised}); this is a fault of Narthex"
    )]
    Differs {
        /// The digest of the records in the store.
        held: String,
        /// The digest of the file.
        promised: String,
    },
    /// The commit, with everything written, got no clear answer.
    #[error(
        "the store did not confirm the import ({why}), and whether it was written is not known; look with \
         `narthex doctor` or `narthex export`, or import again, which a store that holds it refuses"
    )]
    Unconfirmed {
        /// The cause: an error, or the lack of an answer.
        why: String,
    },
    /// The file could not be read.
    #[error("the file cannot be read: {0}")]
    Read(io::Error),
    /// The file could not be written.
    #[error("the file cannot be written: {0}")]
    Write(io::Error),
    /// The caller stopped the transfer.
    #[error("it was stopped")]
    Stopped,
}

/// Callback of the caller, who follows the progress and may stop the transfer.
pub struct Watch(Box<dyn FnMut(Progress) -> ControlFlow<()> + Send>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    /// A watcher that this function tells.
    pub fn new(tell: impl FnMut(Progress) -> ControlFlow<()> + Send + 'static) -> Self {
        Self(Box::new(tell))
    }

    /// Tells the watcher.
    ///
    /// # Errors
    ///
    /// [`TransferError::Stopped`] if it wants no more.
    pub fn tell(&mut self, step: Step, records: u64, of: Option<u64>, bytes: u64) -> Result<(), TransferError> {
        let progress = Progress {
            step,
            records,
            of,
            bytes,
        };
        match (self.0)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(TransferError::Stopped),
        }
    }
}

/// Error of a thread that gave no answer.
pub fn stopped(error: impl fmt::Display) -> TransferError {
    StoreError::Unavailable(format!("the work ended too early: {error}")).into()
}

/// Refuses a store that is not empty.
pub fn found(counts: &[(&'static str, i64)]) -> Result<(), TransferError> {
    let found = counts.iter().filter(|(_, count)| *count > 0);
    let found: Vec<String> = found.map(|(kind, count)| format!("{kind} ({count})")).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(TransferError::NotEmpty {
        found: found.join(", "),
    })
}

/// Checks that a store holds what the file promised.
pub fn same(held: &Summary, promised: &Summary) -> Result<(), TransferError> {
    if held == promised {
        return Ok(());
    }
    Err(TransferError::Differs {
        held: held.sha256.clone(),
        promised: promised.sha256.clone(),
    })
}
