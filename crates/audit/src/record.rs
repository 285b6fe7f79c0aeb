//! An event as JSON, with its personal values and as the hash covers it.

use narthex_directory::{Actor, AuditEvent, RecordedEvent, TokenFingerprint};
use serde_json::{Map, Value, json};

/// Returns the event as a JSON object. Every member is always there; `null` stands for none.
pub fn event_object(event: &AuditEvent) -> Map<String, Value> {
    let token = match &event.actor {
        Actor::Token { token, .. } => token_value(token),
        _ => Value::Null,
    };
    let id = |text: Option<String>| text.map_or(Value::Null, Value::String);
    let mut members = Map::new();
    members.insert("action".to_owned(), Value::String(event.action.clone()));
    members.insert(
        "actor".to_owned(),
        json!({ "kind": event.actor.kind(), "name": event.actor.name(), "token": token }),
    );
    members.insert("at_ms".to_owned(), Value::from(event.at_ms));
    members.insert("detail".to_owned(), Value::Object(event.detail.clone()));
    members.insert(
        "organization_id".to_owned(),
        id(event.organization.map(|id| id.to_string())),
    );
    members.insert("team_id".to_owned(), id(event.team.map(|id| id.to_string())));
    members.insert("user_id".to_owned(), id(event.user.map(|id| id.to_string())));
    members
}

/// Returns the event as the hash covers it: with a seal in the place of each personal value.
pub(crate) fn sealed_object(recorded: &RecordedEvent) -> Map<String, Value> {
    let mut members = event_object(&recorded.event);
    recorded.put_seals(&mut members);
    members
}

fn token_value(token: &TokenFingerprint) -> Value {
    json!({ "jti": token.jti, "sha256_prefix": token.sha256_prefix })
}

/// Returns a time in milliseconds since the epoch as RFC 3339 in UTC. A time outside the years -9999 to 9999 is shown as the
/// nearest valid one.
pub fn time_text(at_ms: i64) -> String {
    let limit = if at_ms < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    };
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(limit);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_every_member_whatever_it_is_about() {
        let event = AuditEvent::new("user.created", Actor::CommandLine(Some("alice (uid 1000)".into())), 5);
        let object = event_object(&event);
        assert_eq!(
            crate::canonical(&Value::Object(object)),
            "{\"action\":\"user.created\",\"actor\":{\"kind\":\"command_line\",\"name\":\"alice (uid 1000)\",\"token\":null},\
             \"at_ms\":5,\"detail\":{},\"organization_id\":null,\"team_id\":null,\"user_id\":null}"
        );
        assert_eq!(time_text(1_700_000_000_120), "2023-11-14T22:13:20.120Z");
    }
}
