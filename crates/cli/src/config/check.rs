//! From [`ConfigFile`] to [`Config`]: resolves defaults, reads the files and variables that are named, compiles what can be
//! compiled, and holds each key against the others. Never stops early: whatever can still be checked is checked.

mod settings;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::ConfigFile;
use super::problem::{Problem, Problems, Span};
use super::read::Defaulted;
use super::surroundings::Surroundings;
use super::{Config, Log};

/// The state of one check.
pub(super) struct Check<'c> {
    /// The text of the file.
    pub(super) source: &'c str,
    /// Where other files and variables come from.
    pub(super) surroundings: &'c Surroundings,
    /// What was found so far.
    pub(super) problems: Problems,
    /// The files that were read, to be watched.
    pub(super) watched: Vec<PathBuf>,
}

impl Check<'_> {
    /// The whole of the file. `None` only where a problem has been added.
    pub(super) fn config(&mut self, file: &ConfigFile) -> Option<Config> {
        let listen = self.listen(file.listen.value());
        let store = self.store(file.store.value());
        let cache = self.cache(file.cache.value());
        let limits = self.limits(file.limits.value());
        let assertion = self.assertion(file.assertion.value());
        let log = file.log.value();
        Some(Config {
            listen,
            store,
            cache,
            limits,
            assertion,
            log: Log { level: *log.level.value(), format: *log.format.value() },
            watched: std::mem::take(&mut self.watched),
        })
    }

    /// Adds an error.
    pub(super) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(Problem::error(span, message));
    }

    /// A duration, refused outside of `allowed`.
    pub(super) fn within(&mut self, key: &str, written: &Defaulted<Duration>, allowed: RangeInclusive<Duration>) -> Duration {
        let value = *written.value();
        if !allowed.contains(&value) {
            let message = format!("`{key}` must be between {} and {}", spoken(*allowed.start()), spoken(*allowed.end()));
            self.error(written.span(), message);
        }
        value
    }

    /// A file that the configuration names.
    pub(super) fn read(&mut self, key: &str, written: &Path, span: &Span, most: u64) -> Option<Vec<u8>> {
        self.watched.push(self.surroundings.path(written));
        match self.surroundings.read(written, most) {
            Ok(bytes) => Some(bytes),
            Err(cause) => {
                let path = self.surroundings.path(written);
                let message = format!("`{key}` cannot be read: {cause}");
                let problem = Problem::error(span.clone(), message);
                self.problems.push(problem.help(format!("looked for `{}`", path.display())));
                None
            }
        }
    }
}

/// A duration in the largest unit that fits, as the file would say it.
fn spoken(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "`\"0s\"`".to_owned();
    }
    let (unit, factor) = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        .into_iter()
        .find(|(_, factor)| millis % factor == 0)
        .unwrap_or(("ms", 1));
    format!("`\"{}{unit}\"`", millis / factor)
}
