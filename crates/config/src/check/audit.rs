//! `[audit]`.

use std::time::Duration;

use narthex_settings_reader::{Defaulted, Problem, parse_duration};

use super::Check;
use crate::Audit;
use crate::file::AuditSection;

/// Word for events that are never deleted.
const FOREVER: &str = "forever";
/// Shortest time for which events stay: who reads them should be able to sleep.
const LEAST: Duration = Duration::from_hours(24);

impl Check<'_> {
    pub(crate) fn audit(&mut self, written: &AuditSection) -> Audit {
        let file = written.file.value().map(|path| self.environment.path(path));
        if let Some(path) = &file
            && self.environment.is_directory(path)
        {
            let span = written.file.span().unwrap_or(0..0);
            let problem = Problem::error(span, "the sink of the audit trail is a file, and this is a directory");
            self.problems
                .push(problem.help("name a file in it; Narthex creates the file if it is missing"));
        }
        Audit {
            retention: self.kept("retention", &written.retention),
            refusals: self.kept("refusals", &written.refusals),
            file,
        }
    }

    /// Reads how long events stay; `None` for ever.
    fn kept(&mut self, key: &str, written: &Defaulted<String>) -> Option<Duration> {
        let text = written.value();
        if text == FOREVER {
            return None;
        }
        let kept = parse_duration(text).filter(|kept| *kept >= LEAST);
        if kept.is_none() {
            let problem = Problem::error(
                written.span(),
                format!("`{key}` is neither `\"{FOREVER}\"` nor a duration of a day or more"),
            );
            self.problems
                .push(problem.help("write a number of days, such as `\"365d\"`, or `\"forever\"`"));
        }
        kept
    }
}
