//! Messages: the id and the bytes of an event, which are the same whenever it is sent.

use narthex_directory::{Actor, AuditEvent, RecordedEvent};
use serde_json::{Map, Value, json};

/// Message of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Value of `webhook-id`: receivers know a message that comes twice by it.
    pub id: String,
    /// Body: JSON with `type`, `timestamp` and `data`.
    pub body: Vec<u8>,
}

impl Message {
    /// Creates the message of an event.
    ///
    /// INVARIANT: it depends on the event alone. The order of its members is that of the code and of the stored event.
    pub fn of(recorded: &RecordedEvent) -> Self {
        let RecordedEvent { sequence, event, .. } = recorded;
        let body = json!({
            "type": event.action,
            "timestamp": timestamp(event.at_ms),
            "data": {
                "sequence": sequence,
                "actor": actor(&event.actor),
                "user_id": event.user.map(|id| id.to_string()),
                "organization_id": event.organization.map(|id| id.to_string()),
                "team_id": event.team.map(|id| id.to_string()),
                "detail": event.detail,
            },
        });
        Self {
            id: id(*sequence, event.at_ms),
            body: body.to_string().into_bytes(),
        }
    }
}

/// Returns the id of an event's message. The time tells events apart that have the same number in two stores.
fn id(sequence: u64, at_ms: i64) -> String {
    format!("evt_{at_ms:x}_{sequence}")
}

/// Returns the object of an event: the user, team or organization that it is about, or the kind of its action. Events of
/// one object are delivered in their order.
pub fn object(event: &AuditEvent) -> String {
    if let Some(user) = event.user {
        return format!("user:{user}");
    }
    if let Some(team) = event.team {
        return format!("team:{team}");
    }
    if let Some(organization) = event.organization {
        return format!("organization:{organization}");
    }
    let kind = event.action.split('.').next().unwrap_or_default();
    kind.to_owned()
}

/// Returns a time in RFC 3339, in UTC with milliseconds.
fn timestamp(at_ms: i64) -> String {
    let limit = if at_ms < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    };
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(limit);
    format!("{at:.3}")
}

fn actor(actor: &Actor) -> Value {
    let mut value = Map::new();
    value.insert("kind".to_owned(), actor.kind().into());
    value.insert("name".to_owned(), actor.name().into());
    Value::Object(value)
}

#[cfg(test)]
mod tests {
    use narthex_directory::{CountingIds, OrganizationId, Seals, TeamId, UserId};

    use super::*;

    fn event() -> RecordedEvent {
        let mut event = AuditEvent::new("grant.opened", Actor::System, 1_800_000_000_123);
        event.user = Some(UserId::new(1, &mut CountingIds(0)));
        event.detail.insert("role".to_owned(), "member".into());
        event.detail.insert("source".to_owned(), "tag".into());
        RecordedEvent {
            sequence: 42,
            event,
            seals: Seals::default(),
        }
    }

    #[test]
    fn a_message_has_the_members_of_standard_webhooks() {
        let message = Message::of(&event());
        assert_eq!(message.id, "evt_1a3185c507b_42");
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(body["type"], "grant.opened");
        assert_eq!(body["timestamp"], "2027-01-15T08:00:00.123Z");
        assert_eq!(body["data"]["sequence"], 42);
        assert_eq!(body["data"]["actor"], json!({ "kind": "system", "name": null }));
        assert_eq!(body["data"]["detail"], json!({ "role": "member", "source": "tag" }));
    }

    #[test]
    fn an_event_has_the_same_bytes_each_time() {
        assert_eq!(Message::of(&event()), Message::of(&event()));
    }

    #[test]
    fn the_object_is_the_nearest_thing_that_an_event_is_about() {
        let mut ids = CountingIds(0);
        let mut about = AuditEvent::new("api_key.created", Actor::System, 0);
        assert_eq!(object(&about), "api_key");
        about.organization = Some(OrganizationId::new(1, &mut ids));
        assert!(object(&about).starts_with("organization:"));
        about.team = Some(TeamId::new(1, &mut ids));
        assert!(object(&about).starts_with("team:"));
        about.user = Some(UserId::new(1, &mut ids));
        assert!(object(&about).starts_with("user:"));
    }
}
