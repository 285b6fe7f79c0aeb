//! State of this installation: its version, its store, and the configuration that the node has in use.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use narthex_decision::Action;
use narthex_engine::ReloadProblem;

use super::caller::Caller;
use super::error::OpError;

/// Facts of a node that the process tells as they change. A process that serves no configuration file tells none.
#[derive(Debug, Default)]
pub struct Installation(Mutex<Facts>);

#[derive(Debug, Clone, Default)]
struct Facts {
    store: Option<StoreFacts>,
    configuration: Option<ConfigurationFacts>,
}

/// Facts of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFacts {
    /// Kind of the store: `sqlite` or `postgresql`.
    pub kind: &'static str,
    /// File of a store that has one, as this node opened it.
    pub file: Option<PathBuf>,
}

/// Facts of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationFacts {
    /// Path of the file, as the command line named it.
    pub file: String,
    /// Time at which what is in use was read, in milliseconds since the epoch.
    pub read_at_ms: i64,
    /// Settings that have changed in the file and take effect at the next start.
    pub waits_for_restart: Vec<String>,
    /// The last change of the file, if it was refused.
    pub refused: Option<RefusedConfiguration>,
}

/// A changed configuration file that was not taken into use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedConfiguration {
    /// Time of the attempt, in milliseconds since the epoch.
    pub at_ms: i64,
    /// Every problem of the file.
    pub problems: Vec<ReloadProblem>,
}

impl Installation {
    /// Notes the store of this node.
    pub fn set_store(&self, store: StoreFacts) {
        self.lock().store = Some(store);
    }

    /// Notes that the content of this file is in use since `at_ms`, and which of its settings wait for a restart. An earlier
    /// refusal is over.
    pub fn set_configuration(&self, file: String, at_ms: i64, waits_for_restart: Vec<String>) {
        self.lock().configuration = Some(ConfigurationFacts {
            file,
            read_at_ms: at_ms,
            waits_for_restart,
            refused: None,
        });
    }

    /// Notes that a change of the file was refused. What was in use stays in use.
    pub fn set_refused(&self, at_ms: i64, problems: Vec<ReloadProblem>) {
        if let Some(configuration) = &mut self.lock().configuration {
            configuration.refused = Some(RefusedConfiguration { at_ms, problems });
        }
    }

    fn facts(&self) -> Facts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// State of an installation, as the node that is asked knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Version of Narthex.
    pub version: &'static str,
    /// Kind of the store, `sqlite` or `postgresql`; `None` if the process does not tell.
    pub store: Option<&'static str>,
    /// Bytes that a store in a file has on the disk, with its log; `None` for a database server.
    pub store_bytes: Option<u64>,
    /// The configuration file; `None` for a process without one.
    pub configuration: Option<ConfigurationFacts>,
}

/// Reads the state of this installation.
///
/// # Errors
///
/// When the caller may not.
pub fn read(caller: &Caller) -> Result<Settings, OpError> {
    let permit = caller.permit(Action::ReadIssuers, None)?;
    let Facts { store, configuration } = permit.installation().facts();
    Ok(Settings {
        version: env!("CARGO_PKG_VERSION"),
        store: store.as_ref().map(|store| store.kind),
        store_bytes: store.and_then(|store| bytes(&store.file?)),
        configuration,
    })
}

/// Bytes of a database file and of the log of its writes (`-wal`).
fn bytes(file: &std::path::Path) -> Option<u64> {
    let length = |path: &std::path::Path| std::fs::metadata(path).ok().map(|found| found.len());
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let log = length(std::path::Path::new(&log)).unwrap_or_default();
    length(file).map(|length| length.saturating_add(log))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> ReloadProblem {
        ReloadProblem {
            is_error: true,
            place: None,
            problem: "there is no key `audience` in an issuer".to_owned(),
            help: None,
        }
    }

    #[test]
    fn a_refused_change_is_told_until_the_file_is_taken_into_use() {
        let installation = Installation::default();
        installation.set_refused(5, vec![problem()]);
        assert!(installation.facts().configuration.is_none());
        installation.set_configuration("narthex.toml".to_owned(), 10, Vec::new());
        installation.set_refused(20, vec![problem()]);
        let configuration = installation.facts().configuration.unwrap();
        assert_eq!(
            (configuration.read_at_ms, configuration.refused.unwrap().at_ms),
            (10, 20)
        );
        installation.set_configuration("narthex.toml".to_owned(), 30, vec!["listen.public".to_owned()]);
        let configuration = installation.facts().configuration.unwrap();
        assert_eq!(configuration.refused, None);
        assert_eq!(configuration.waits_for_restart, ["listen.public"]);
    }

    #[test]
    fn a_file_that_is_not_there_has_no_size() {
        assert_eq!(bytes(std::path::Path::new("/nothing/here.db")), None);
    }
}
