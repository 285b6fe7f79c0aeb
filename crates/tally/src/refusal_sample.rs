//! Sample of refused requests for the audit trail.

use std::collections::BTreeMap;

use narthex_directory::{Actor, AuditEvent, DenialRecord};
use serde_json::Value;

/// Largest number of events of one reason in a minute.
pub const EVENTS_PER_MINUTE: u32 = 5;

/// Largest number of events of one turn, whatever their reasons: a turn is a quarter of a second.
const EVENTS_PER_TURN: usize = 5;

/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;

/// Sample: the first refusals of each reason in a minute, and the number of the others.
///
/// SECURITY: a flood of refusals writes no more events than that. Reasons are words of ours, so there are not many.
#[derive(Debug, Default)]
pub struct RefusalSample {
    minute: i64,
    reasons: BTreeMap<String, Recorded>,
}

#[derive(Debug, Default)]
struct Recorded {
    /// Events in this minute.
    events: u32,
    /// Refusals that got none since the last event.
    left_out: u64,
}

impl RefusalSample {
    /// Returns the events of these refusals, in their order.
    pub fn take(&mut self, denials: &[DenialRecord], now_ms: i64) -> Vec<AuditEvent> {
        let minute = now_ms.div_euclid(MINUTE_MS);
        if minute != self.minute {
            self.minute = minute;
            self.reasons.values_mut().for_each(|recorded| recorded.events = 0);
        }
        let mut events = Vec::new();
        for denial in denials {
            let reason = denial.facts.get("reason").and_then(|reason| reason.as_str());
            let recorded = self.reasons.entry(reason.unwrap_or_default().to_owned()).or_default();
            if recorded.events < EVENTS_PER_MINUTE && events.len() < EVENTS_PER_TURN {
                recorded.events += 1;
                events.push(refusal_event(denial, std::mem::take(&mut recorded.left_out)));
            } else {
                recorded.left_out = recorded.left_out.saturating_add(1);
            }
        }
        events
    }
}

/// Facts of a refusal that its event has. All are words of ours and names of the configuration or the directory: no address, no
/// path, no text that a client chose.
const FACTS: [&str; 7] = ["door", "method", "status", "reason", "told", "issuer", "organization"];

/// Returns the event of a refused request, given the number of others of its reason that got none.
fn refusal_event(denial: &DenialRecord, left_out: u64) -> AuditEvent {
    let mut event = AuditEvent::new("request.refused", Actor::System, denial.at_ms);
    let user = denial.facts.get("user_id").and_then(Value::as_str);
    event.user = user.and_then(|id| id.parse().ok());
    let facts = FACTS.iter().filter_map(|name| {
        let value = denial.facts.get(*name)?;
        Some(((*name).to_owned(), value.clone()))
    });
    event.detail.extend(facts);
    event
        .detail
        .insert("request_id".to_owned(), denial.request_id.clone().into());
    if left_out > 0 {
        event.detail.insert("left_out".to_owned(), left_out.into());
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denials(reason: &str, count: usize, at_ms: i64) -> Vec<DenialRecord> {
        let denial = |number: usize| DenialRecord {
            request_id: format!("{reason}-{number}"),
            at_ms,
            facts: [("reason".to_owned(), Value::from(reason))].into_iter().collect(),
        };
        (0..count).map(denial).collect()
    }

    #[test]
    fn sec_a_flood_of_refusals_writes_few_events_and_is_counted() {
        let mut sample = RefusalSample::default();
        let mut events = 0;
        for turn in 0..200 {
            events += sample.take(&denials("token.expired", 50, turn * 250), turn * 250).len();
        }
        assert_eq!(events, usize::try_from(EVENTS_PER_MINUTE).unwrap());
        let next = sample.take(&denials("token.expired", 1, MINUTE_MS), MINUTE_MS);
        assert_eq!(next[0].detail["left_out"], 200 * 50 - u64::from(EVENTS_PER_MINUTE));
        let other = sample.take(&denials("token.audience", 7, MINUTE_MS), MINUTE_MS);
        assert_eq!(other.len(), EVENTS_PER_TURN);
        assert!(!other[0].detail.contains_key("left_out"));
    }
}
