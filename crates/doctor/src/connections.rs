//! The held connections: do their secrets open with the secret key that is configured.

use narthex_directory::Directory;
use narthex_engine::SealingKeys;
use narthex_ops::connections::record::readability;

use super::organizations::some_of;
use super::{Finding, State, count};

/// Opens every secret, and keeps nothing of it.
pub(super) async fn look(directory: &dyn Directory, keys: Option<&SealingKeys>) -> Vec<Finding> {
    let found = match readability(directory, keys).await {
        Ok(found) => found,
        Err(error) => return vec![said(State::Problem, error.to_string())],
    };
    let named = |ids: &[String]| {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        format!("{} ({})", count(ids.len(), "connection"), some_of(&ids))
    };
    let mut findings = Vec::new();
    if found.readable > 0 {
        let message = format!("{} can be used", count(found.readable, "connection"));
        findings.push(said(State::Good, message));
    }
    if !found.stale.is_empty() {
        let message = format!(
            "the secrets of {} are encrypted with the previous secret key; `narthex connection reencrypt` gives them the current one",
            named(&found.stale)
        );
        findings.push(said(State::Warning, message));
    }
    if !found.other_key.is_empty() {
        let which = if keys.is_some() {
            "another secret key than the configured one; give that key as `[secrets] previous_key_file`"
        } else {
            "a secret key, and none is configured; set `NARTHEX_SECRET_KEY` or `[secrets] key_file`"
        };
        let message = format!("the secrets of {} are encrypted with {which}", named(&found.other_key));
        findings.push(said(State::Problem, message));
    }
    if !found.damaged.is_empty() {
        let message = format!(
            "the records of {} are damaged; write their parameters again, or remove them",
            named(&found.damaged)
        );
        findings.push(said(State::Problem, message));
    }
    findings
}

fn said(state: State, message: String) -> Finding {
    Finding::new("connection", "held connections", state, message)
}
