//! The store: is it there, can it be opened and written, is its schema current, who may read it, and what lies in it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use narthex_config::{Config, StoreLocation};
use narthex_directory::{Directory, NewOrganization, SavedKeySet, rehearse_declaration};
use narthex_store::{PostgresDirectory, PostgresOptions, SqliteDirectory};
use narthex_terminal::relative;

use super::{DeclareOrganizations, Finding, State, connections, count, organizations};

/// Findings about the store, and the key sets that it holds.
#[derive(Debug, Default)]
pub(super) struct StoreFindings {
    pub(super) findings: Vec<Finding>,
    /// Findings about the organizations in it.
    pub(super) organizations: Vec<Finding>,
    pub(super) key_sets: Vec<SavedKeySet>,
}

/// Looks without changing anything: a store that would have to be made or migrated is left as it is.
pub(super) async fn look<O>(config: &Config, open: O, declare: DeclareOrganizations, now_ms: i64) -> StoreFindings
where
    O: AsyncFnOnce(&StoreLocation) -> anyhow::Result<Arc<dyn Directory>>,
{
    let (location, declared) = (&config.store, &config.organizations);
    let mut found = StoreFindings::default();
    let (place, current) = match location {
        StoreLocation::Sqlite(path) => (path.display().to_string(), file(path, &mut found.findings)),
        StoreLocation::Postgres(options) => (options.to_string(), database(options, &mut found.findings).await),
    };
    if !current {
        return found;
    }
    let directory = match open(location).await {
        Ok(directory) => directory,
        Err(error) => {
            found.findings.push(said(place, State::Problem, format!("{error:#}")));
            return found;
        }
    };
    if let Err(error) = directory.health().await {
        let message = format!("it cannot be used: {error}");
        found.findings.push(said(place, State::Problem, message));
        return found;
    }
    let new = declare(declared, now_ms);
    match declaration(&*directory, new, now_ms).await {
        Some(refused) => found.organizations.push(refused),
        None => found.organizations = organizations::look(&*directory, declared, &config.issuers).await,
    }

    let held = connections::look(&*directory, config.sealing.as_deref()).await;
    found.findings.extend(held);
    found.findings.push(assertion(&*directory, now_ms).await);
    found.key_sets = directory.key_sets().await.unwrap_or_default();
    found
}

/// Looks at the database. Whether opening it would change nothing.
async fn database(options: &PostgresOptions, findings: &mut Vec<Finding>) -> bool {
    let mut say = |state, message: String| findings.push(said(options.to_string(), state, message));
    match PostgresDirectory::pending(options).await {
        Err(error) => {
            say(State::Problem, error.to_string());
            false
        }
        Ok(pending) if pending.first().is_some_and(|first| first.version == 1) => {
            say(
                State::Absent,
                "it is empty; `narthex serve` creates the tables".to_owned(),
            );
            false
        }
        Ok(pending) if !pending.is_empty() => {
            let pending = count(pending.len(), "migration");
            let advice = "`narthex serve` brings the schema up to date: make a backup first";
            say(State::Warning, format!("{pending} to come; {advice}"));
            false
        }
        Ok(_) => {
            say(State::Good, "it takes writes, and the schema is current".to_owned());
            if PostgresDirectory::finds_pooler(options).await {
                let message = "a connection pooler in transaction mode lies before it: set `[store] pooled = true`, and \
                               `listen_url` to hear of other nodes' changes at once";
                say(State::Warning, message.to_owned());
            }
            if options.trusts_anybody() {
                let message = "any server can pose as the database; `sslmode=verify-full` checks its certificate";
                say(State::Warning, message.to_owned());
            }
            true
        }
    }
}

/// Looks at the file from outside. Whether opening it would change nothing.
fn file(path: &Path, findings: &mut Vec<Finding>) -> bool {
    let mut say = |state, message: String| findings.push(said(path.display().to_string(), state, message));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if let Err(error) = tempfile::tempfile_in(folder) {
        let folder = folder.display();
        let message = format!("nothing can be written in `{folder}`: {error}; the store needs its log beside it");
        say(State::Problem, message);
    }
    if !path.exists() {
        say(
            State::Absent,
            "it does not exist yet; `narthex serve` creates it".to_owned(),
        );
        return false;
    }
    match SqliteDirectory::pending(path) {
        Err(error) => {
            say(State::Problem, error.to_string());
            return false;
        }
        Ok(pending) if !pending.is_empty() => {
            let pending = count(pending.len(), "migration");
            let advice = "`narthex serve` brings the schema up to date: make a copy of the file first";
            say(State::Warning, format!("{pending} to come; {advice}"));
            return false;
        }
        Ok(_) => {}
    }
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let log = if is_wal(path) {
        "write-ahead log"
    } else {
        "no write-ahead log until the next start"
    };
    say(State::Good, format!("the schema is current, {log}, {}", bytes(size)));
    if others_may_read(path) {
        let whom = "every user of this machine can read it, the keys that sign assertions included";
        say(State::Warning, format!("{whom}; `chmod o-rwx {}`", path.display()));
    }
    true
}

fn said(place: String, state: State, message: String) -> Finding {
    Finding::new(AREA, place, state, message)
}

/// Tests whether the store would accept the organizations that the configuration declares: `narthex serve` does not
/// start if it would not.
async fn declaration(
    directory: &dyn Directory,
    declared: anyhow::Result<Vec<NewOrganization>>,
    now_ms: i64,
) -> Option<Finding> {
    let rehearsed = match declared {
        Ok(new) => rehearse_declaration(directory, new, now_ms).await.map_err(Into::into),
        Err(error) => Err(error),
    };
    let error = rehearsed.err()?;
    Some(Finding::new(
        "configuration",
        "[[organization]]",
        State::Problem,
        format!("{error:#}"),
    ))
}

/// The keys that sign the statement for upstreams.
async fn assertion(directory: &dyn Directory, now_ms: i64) -> Finding {
    let (name, state, message) = match directory.assertion_keys().await {
        Err(error) => (String::new(), State::Problem, error.to_string()),
        Ok(keys) => match keys.iter().find(|key| now_ms < key.signs_until_ms) {
            Some(key) => {
                let published = keys.iter().filter(|key| now_ms < key.published_until_ms).count();
                let until = relative(key.signs_until_ms, now_ms);
                (
                    key.kid.clone(),
                    State::Good,
                    format!(
                        "signs now, the next one takes over {until} at the latest; {} published",
                        count(published, "key")
                    ),
                )
            }
            None if keys.is_empty() => (
                "none".to_owned(),
                State::Absent,
                "`narthex serve` creates the first one".to_owned(),
            ),
            None => (
                "none".to_owned(),
                State::Absent,
                "all have expired; `narthex serve` creates a new one".to_owned(),
            ),
        },
    };
    Finding::new("assertion", name, state, message)
}

/// Tests whether the header of the file says that it uses a write-ahead log.
// SPEC: https://www.sqlite.org/fileformat.html, 1.3: bytes 18 and 19 are 2.
fn is_wal(path: &Path) -> bool {
    let mut head = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && matches!(head, [.., 2, 2])
}

#[cfg(unix)]
fn others_may_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

fn bytes(size: u64) -> String {
    match size {
        0..1_048_576 => format!("{} KiB", size.div_ceil(1024)),
        _ => format!("{} MiB", size / 1_048_576),
    }
}

const AREA: &str = "store";
