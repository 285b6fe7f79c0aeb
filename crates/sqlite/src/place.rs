//! The file in its place: one server at a time works on it, and what is at its path is what was opened.
//!
//! A file that is moved, replaced or deleted can be written on for as long as it is open, and those records are lost.
//! So the store looks at the files at the path after each commit, before it answers any caller, and whenever the
//! directory is asked for changes.
//!
//! One server is the only one by a lock on a file beside the database (`narthex.db-lock`), which holds its process number.
//! The kernel lets the lock go with the process, however that ends; the file stays and means nothing without the lock.
//! The command line takes no lock: it works beside a server.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use narthex_directory::StoreError;

use super::error::unavailable;

/// Number of tries for the lock while its file is exchanged.
const TRIES: usize = 10;
/// Number of looks for the process number, and the pause between them, where the lock has just been taken.
const LOOKS: usize = 10;
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Identity of a file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    number: u64,
}

#[cfg(unix)]
fn identity_of(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    Identity {
        device: metadata.dev(),
        number: metadata.ino(),
    }
}

/// Elsewhere an open file can be neither moved nor deleted.
#[cfg(not(unix))]
fn identity_of(_metadata: &fs::Metadata) -> Identity {
    Identity { device: 0, number: 0 }
}

fn identity(path: &Path) -> io::Result<Identity> {
    fs::metadata(path).map(|metadata| identity_of(&metadata))
}

/// A path with something behind its last name, as SQLite names what lies beside a database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The place of one database.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    files: Vec<(PathBuf, Identity)>,
    lock: Option<Lock>,
    lost: AtomicBool,
}

impl Place {
    /// Remembers which files lie there, of a database that is open by now.
    pub(super) fn of(path: &Path, lock: Option<Lock>) -> Self {
        // SQLite keeps the log beside the file itself, and not beside a link to it.
        let file = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let names = [path.to_owned(), beside(&file, "-wal"), beside(&file, "-shm")];
        let known = |name: PathBuf| identity(&name).ok().map(|identity| (name, identity));
        Self {
            path: path.to_owned(),
            files: names.into_iter().filter_map(known).collect(),
            lock,
            lost: AtomicBool::new(false),
        }
    }

    /// Checks whether the files are still there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Gone`], which the log tells once.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let missing = self
            .files
            .iter()
            .find(|(name, known)| identity(name).ok() != Some(*known))
            .map(|(name, _)| format!("`{}` was moved, replaced or deleted", name.display()));
        let kept = || self.lock.as_ref().and_then(|lock| lock.keep().err());
        let why = missing.or_else(|| kept().map(|error| error.to_string()));
        let was_lost = self.lost.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(why) if !was_lost => {
                tracing::error!(
                    event = "store_file_gone",
                    "{why} while the server works on it; nothing more is written. Put the file back with the \
                     `-wal` and `-shm` that belong to it, or end Narthex, put a copy in its place and start it again"
                );
            }
            None if was_lost => tracing::info!(event = "store_file_back", "the files of the store are back"),
            _ => {}
        }
        self.ensure()
    }

    /// Checks that the files were there at the last look.
    ///
    /// # Errors
    ///
    /// [`StoreError::Gone`].
    pub(super) fn ensure(&self) -> Result<(), StoreError> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(StoreError::Gone(self.path.display().to_string()));
        }
        Ok(())
    }
}

/// The lock of the one server.
#[derive(Debug)]
pub(super) struct Lock {
    /// The database, under its own name.
    database: PathBuf,
    name: PathBuf,
    file: Mutex<File>,
}

impl Lock {
    /// Takes the lock of a database that is there.
    ///
    /// # Errors
    ///
    /// Another server has it.
    pub(super) fn take(database: &Path) -> Result<Self, StoreError> {
        // By whatever links it was found: the lock lies beside the file itself.
        let database = fs::canonicalize(database).map_err(unavailable)?;
        let name = beside(&database, "-lock");
        let file = lock(&database, &name)?;
        Ok(Self {
            database,
            name,
            file: Mutex::new(file),
        })
    }

    /// Takes it again where its file was removed: the next server would make a new one and take that.
    fn keep(&self) -> Result<(), StoreError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let own = file.metadata().map(|metadata| identity_of(&metadata));
        if own.is_ok_and(|own| identity(&self.name).is_ok_and(|there| there == own)) {
            return Ok(());
        }
        *file = lock(&self.database, &self.name)?;
        Ok(())
    }
}

fn lock(database: &Path, name: &Path) -> Result<File, StoreError> {
    let cannot = |error: io::Error| unavailable(format!("cannot lock `{}`: {error}", name.display()));
    for _ in 0..TRIES {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let mut file = options.open(name).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(database, &mut file)),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        // Removed between the opening and the lock, it would keep no other server out.
        let own = file.metadata().map(|metadata| identity_of(&metadata)).map_err(cannot)?;
        if identity(name).is_ok_and(|there| there == own) {
            file.set_len(0).map_err(cannot)?;
            file.write_all(format!("{}\n", std::process::id()).as_bytes())
                .map_err(cannot)?;
            return Ok(file);
        }
    }
    Err(unavailable(format!(
        "`{}` is exchanged again and again",
        name.display()
    )))
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_options: &mut OpenOptions) {}

fn in_use(database: &Path, file: &mut File) -> StoreError {
    let who = holder(file).map_or_else(
        || "another process".to_owned(),
        |process| format!("another server, process {process}"),
    );
    unavailable(format!(
        "{who}, works on `{}`; end it first, or name another file. Several servers share a PostgreSQL database",
        database.display()
    ))
}

/// The process that holds the lock, as it wrote it down.
fn holder(file: &mut File) -> Option<u32> {
    for _ in 0..LOOKS {
        let mut text = String::new();
        file.rewind().ok()?;
        file.read_to_string(&mut text).ok()?;
        if let Some(process) = text.strip_suffix('\n') {
            return process.parse().ok();
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    None
}
