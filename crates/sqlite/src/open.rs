//! Opening a database: pragmas, migrations, and the refusal of what a newer program wrote.

use std::path::{Path, PathBuf};

use narthex_directory::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::time::Instant;

use super::SqliteDirectory;
use super::error::unavailable;
use narthex_tables::PendingMigration;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Options for opening a database. The defaults keep within some 50 MB of page cache.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file; its `-wal` and `-shm` lie beside it.
    pub path: PathBuf,
    /// Number of threads that read: enough that two long searches of administrators leave one for sign-ins.
    pub readers: usize,
    /// The writer's page cache, in KiB.
    pub writer_cache_kib: u32,
    /// Each reader's page cache, in KiB.
    pub reader_cache_kib: u32,
    /// Number of pages after which the log is checkpointed into the database. More is faster under load; fewer makes
    /// the start after a crash quicker.
    pub checkpoint_pages: u32,
    /// True for a server: it is the only one on the file, and a second one is refused. Commands work beside it.
    pub serves: bool,
}

impl Options {
    /// The defaults, for a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: 3,
            writer_cache_kib: 32 * 1_024,
            reader_cache_kib: 8 * 1_024,
            checkpoint_pages: 8_000,
            serves: false,
        }
    }

    /// The same, for the one server that works on the file.
    #[must_use]
    pub fn to_serve(self) -> Self {
        Self { serves: true, ..self }
    }
}

/// Other processes (the command line beside the server) may hold the write lock for a moment.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
/// Pause before another try where SQLite does not wait itself.
const BUSY_AGAIN: std::time::Duration = std::time::Duration::from_millis(10);
const STATEMENTS: usize = 128;

/// The connection that writes, on a database with the newest schema.
pub(super) fn open_writer(options: &Options) -> Result<Connection, StoreError> {
    let path = &options.path;
    let mut connection = Connection::open(path).map_err(|error| cannot_open(path, &error))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(unavailable)?;
    // Before anything is written, be it only the kind of log.
    check_age(&connection, path)?;
    // No mmap: its pages would count as the process's memory, and a failing disk would kill it by a signal.
    let pragmas = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA secure_delete = FAST; \
         PRAGMA cache_size = -{}; PRAGMA wal_autocheckpoint = {}; PRAGMA journal_size_limit = 67108864; \
         PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
        options.writer_cache_kib, options.checkpoint_pages
    );
    set_up(&connection, &pragmas).map_err(|error| cannot_open(&options.path, &error))?;
    prepare_once(&connection)?;
    migrate(&mut connection, path)?;
    tell_statements(&mut connection, &options.path)?;
    Ok(connection)
}

/// SQLite waits for no lock when it changes the kind of log: of several programs that make a file, all but one get at
/// once the error that it is busy. Here they wait as long as for any other lock.
fn set_up(connection: &Connection, pragmas: &str) -> rusqlite::Result<()> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connection.execute_batch(pragmas) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => {
                std::thread::sleep(BUSY_AGAIN);
            }
            done => return done,
        }
    }
}

/// Statements are prepared once per connection. Without the planner's stability guarantee, a statement on a table
/// with a partial index is planned anew whenever a parameter is bound to it, which costs more than running it.
fn prepare_once(connection: &Connection) -> Result<(), StoreError> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(unavailable)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// SECURITY: the file holds the private keys of assertions and the hashes of API keys. A new one is made for its
/// owner alone (the log takes over the file's permissions); an old one is left as its owner set it.
#[cfg(unix)]
pub(super) fn keep_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt;
    // Where this fails the opening right after says why.
    let _ = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
}

#[cfg(not(unix))]
pub(super) fn keep_private(_path: &Path) {}

/// A connection that reads.
pub(super) fn open_reader(options: &Options) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(&options.path, flags).map_err(|error| cannot_open(&options.path, &error))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(unavailable)?;
    let pragmas = format!(
        "PRAGMA cache_size = -{}; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
        options.reader_cache_kib
    );
    connection.execute_batch(&pragmas).map_err(unavailable)?;
    prepare_once(&connection)?;
    tell_statements(&mut connection, &options.path)?;
    Ok(connection)
}

/// Logs every statement as it begins, if the log's filter has this name (`narthex_store::statements=trace`).
/// SECURITY: as it was prepared, without its values.
fn tell_statements(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    if !tracing::enabled!(target: "narthex_store::statements", tracing::Level::TRACE) {
        return Ok(());
    }
    let path = path.display().to_string();
    let tell = move |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(_, sql) = event {
            tracing::trace!(target: "narthex_store::statements", path, "{sql}");
        }
    };
    connection
        .trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(tell))
        .map_err(unavailable)
}

impl SqliteDirectory {
    /// The migrations that the database at this path lacks; all of them where there is no such file.
    pub fn pending(path: &Path) -> Result<Vec<PendingMigration>, StoreError> {
        let applied = if path.exists() {
            let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
                .map_err(|error| cannot_open(path, &error))?;
            connection.busy_timeout(BUSY_TIMEOUT).map_err(unavailable)?;
            check_age(&connection, path)?
        } else {
            0
        };
        let all = embedded::migrations::runner();
        let pending = all
            .get_migrations()
            .iter()
            .filter(|migration| i64::from(migration.version()) > applied);
        let mut pending: Vec<PendingMigration> = pending
            .map(|migration| PendingMigration {
                version: migration.version().into(),
                name: migration.name().to_owned(),
                sql: migration.sql().unwrap_or_default().to_owned(),
            })
            .collect();
        pending.sort_by_key(|migration| migration.version);
        Ok(pending)
    }
}

/// The newest schema that this program knows.
pub fn known_version() -> i64 {
    let all = embedded::migrations::runner();
    all.get_migrations()
        .iter()
        .map(|migration| i64::from(migration.version()))
        .max()
        .unwrap_or(0)
}

/// The schema's version; refuses one that is newer than this program, and a database that is another program's.
fn check_age(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let (has_history, tables): (bool, i64) = connection
        .query_row(
            "SELECT coalesce(max(name = 'refinery_schema_history'), 0), count(*) FROM sqlite_schema WHERE type = 'table'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(|error| cannot_open(path, &error))?;
    if !has_history && tables > 0 {
        return Err(unavailable(format!(
            "`{}` is the SQLite database of another program; name a file of its own for Narthex, which is made if it is \
             missing",
            path.display()
        )));
    }
    if !has_history {
        return Ok(0);
    }
    let found: i64 = connection
        .query_row(
            "SELECT coalesce(max(version), 0) FROM refinery_schema_history",
            [],
            |row| row.get(0),
        )
        .map_err(unavailable)?;
    let known = known_version();
    if found > known {
        Err(StoreError::SchemaNewer { found, known })
    } else {
        Ok(found)
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = check_age(connection, path)?;
    if found == known_version() {
        return Ok(());
    }
    // All in one transaction: otherwise refinery commits what a migration makes before it notes that it was made, and a
    // process that ends between the two leaves a database that no process can open any more.
    let done = embedded::migrations::runner()
        .set_abort_divergent(true)
        .set_abort_missing(true)
        .set_grouped(true)
        .run(connection);
    match done {
        Ok(_) => Ok(()),
        // Another process may have been a moment earlier with the same migrations.
        Err(error) => match check_age(connection, path)? {
            now if now == known_version() => Ok(()),
            _ => Err(unavailable(format!(
                "the schema could not be brought up to date: {error}"
            ))),
        },
    }
}

fn cannot_open(path: &Path, error: &rusqlite::Error) -> StoreError {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let why = match folder {
        Some(folder) if !folder.exists() => format!("there is no folder `{}`; make it first", folder.display()),
        _ if path.is_dir() => "it is a directory; name a file in it".to_owned(),
        _ => error.to_string(),
    };
    unavailable(format!("cannot open `{}`: {why}", path.display()))
}
