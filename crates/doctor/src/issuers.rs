//! Each issuer's keys: can they be had, are they usable, how old are those that a restart would begin with.

use std::sync::Arc;

use narthex_config::{Issuer, Limits};
use narthex_directory::SavedKeySet;
use narthex_fetch::keys::{FetchError, FetchLimits, SourceKind, fetch_once};
use narthex_fetch::ssrf_guard::{Names, SystemNames};
use narthex_terminal::{escape_line, relative};
use narthex_token::KeySet;

use super::{Finding, State, count};

/// Asks every issuer at once.
pub(super) async fn look(issuers: &[Issuer], limits: &Limits, kept: &[SavedKeySet], now_ms: i64) -> Vec<Finding> {
    let bounds = FetchLimits {
        total: limits.fetch_timeout,
        ..FetchLimits::default()
    };
    let names: Arc<dyn Names> = Arc::new(SystemNames);
    let asked: Vec<_> = issuers
        .iter()
        .map(|issuer| {
            let (source, names) = (issuer.keys.clone(), Arc::clone(&names));
            tokio::spawn(async move { fetch_once(&source, &names, bounds, now_ms).await })
        })
        .collect();
    let mut findings = Vec::new();
    for (issuer, asked) in issuers.iter().zip(asked) {
        let name = issuer.name.as_str();
        match asked.await {
            Ok(Err(FetchError::ById)) => {
                let message = "its keys are fetched one by one, when a token names one; none was looked at";
                findings.push(Finding::new(AREA, name, State::Good, message.to_owned()));
            }
            Ok(Ok(keys)) => of_keys(issuer, &keys, &mut findings),
            Ok(Err(error)) => findings.push(Finding::new(AREA, name, State::Problem, error.to_string())),
            Err(error) => findings.push(Finding::new(
                AREA,
                name,
                State::Problem,
                format!("its keys cannot be inspected: {error}"),
            )),
        }
        if let Some(kept) = kept.iter().find(|kept| kept.issuer.as_str() == name) {
            let message = match issuer.keys.location() {
                Some(location) if location == kept.source => (
                    State::Good,
                    format!(
                        "the last good set was kept {}; a restart begins with it",
                        relative(kept.fetched_at_ms, now_ms)
                    ),
                ),
                _ => (
                    State::Absent,
                    "the set that was kept came from another place and will not be used".to_owned(),
                ),
            };
            findings.push(Finding::new(AREA, name, message.0, message.1));
        }
    }
    findings
}

fn of_keys(issuer: &Issuer, keys: &KeySet, findings: &mut Vec<Finding>) {
    let name = issuer.name.as_str();
    let place = issuer
        .keys
        .location()
        .map(|location| format!(" at {}", escape_line(&location)))
        .unwrap_or_default();
    let listed: Vec<String> = keys
        .keys()
        .map(|key| match key.kid {
            Some(kid) => format!("{} `{}`", key.kind, escape_line(&kid)),
            None => format!("{} without `kid`", key.kind),
        })
        .collect();
    let (state, message) = match (issuer.keys.kind(), keys.usable_count(), listed.len()) {
        (_, 0, _) => (
            State::Problem,
            format!("no key{place} can be used, so every token of this issuer is refused"),
        ),
        (SourceKind::Fixed, usable, 0) => (State::Good, count(usable, "shared secret")),
        (_, usable, _) if listed.len() > LISTED_MOST => (State::Good, format!("{}{place}", count(usable, "key"))),
        (_, usable, _) => (
            State::Good,
            format!("{}{place}: {}", count(usable, "key"), listed.join(", ")),
        ),
    };
    findings.push(Finding::new(AREA, name, state, message));
    for refused in keys.refused() {
        findings.push(Finding::new(AREA, name, State::Warning, refused.to_string()));
    }
    let fitting = keys.keys().any(|key| {
        key.algorithms
            .iter()
            .any(|own| issuer.trusted.policy().algorithms.contains(own))
    });
    if !listed.is_empty() && !fitting {
        let algorithms: Vec<String> = issuer
            .trusted
            .policy()
            .algorithms
            .iter()
            .map(ToString::to_string)
            .collect();
        let message = format!(
            "no key fits `algorithms` ({}); every token of this issuer is refused",
            algorithms.join(", ")
        );
        findings.push(Finding::new(AREA, name, State::Problem, message));
    }
}

const AREA: &str = "issuer";
/// Maximum number of keys that are listed by name.
const LISTED_MOST: usize = 6;
