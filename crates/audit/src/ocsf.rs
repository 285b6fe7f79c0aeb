//! Events for security tools: the Open Cybersecurity Schema Framework (<https://schema.ocsf.io>), category "Identity &
//! Access Management". One JSON object a line.

use narthex_directory::{ChainHash, RecordedEvent};
use serde_json::{Map, Value, json};

use crate::record::event_object;

/// Version of the schema.
pub const OCSF_VERSION: &str = "1.3.0";

/// `category_uid` of Identity & Access Management.
const CATEGORY: u64 = 3;
/// `activity_id` of an activity that the class has no number for.
const OTHER: u64 = 99;

/// Classes of the category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Account Change: a user.
    Account,
    /// Authentication: a session of a user.
    Authentication,
    /// Entity Management: everything else.
    Entity,
    /// User Access Management: a grant of a user.
    Access,
}

impl Class {
    const fn uid(self) -> u64 {
        match self {
            Self::Account => 3001,
            Self::Authentication => 3002,
            Self::Entity => 3004,
            Self::Access => 3005,
        }
    }

    /// Class and activity of an action: the object, and its verb. A class that is about a user is not used where the event
    /// names none, for the schema requires one.
    fn of(action: &str, has_user: bool) -> (Self, u64) {
        let (object, verb) = action.split_once('.').unwrap_or((action, ""));
        match (object, verb) {
            ("user", "created") if has_user => (Self::Account, 1),
            ("user", _) if has_user => (Self::Account, OTHER),
            ("grant", "opened") if has_user => (Self::Access, 1),
            ("grant", "closed") if has_user => (Self::Access, 2),
            ("session", "created") if has_user => (Self::Authentication, 1),
            ("session", "ended") if has_user => (Self::Authentication, 2),
            (_, "created") => (Self::Entity, 1),
            (_, "updated") => (Self::Entity, 3),
            (_, "deleted" | "revoked") => (Self::Entity, 4),
            _ => (Self::Entity, OTHER),
        }
    }
}

/// Returns the line of an event, with its line end. The event as Narthex has it, and its hashes, are in `unmapped`.
pub fn ocsf_event(previous: ChainHash, hash: ChainHash, recorded: &RecordedEvent) -> String {
    let RecordedEvent { sequence, event, .. } = recorded;
    let user = event.user.map(|id| id.to_string());
    let (class, activity) = Class::of(&event.action, user.is_some());
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("activity_id", Value::from(activity));
    put("category_uid", Value::from(CATEGORY));
    put("class_uid", Value::from(class.uid()));
    put("type_uid", Value::from(class.uid() * 100 + activity));
    put("time", Value::from(event.at_ms));
    put("severity_id", Value::from(1));
    put("status_id", Value::from(1));
    put("message", Value::String(event.action.clone()));
    put(
        "metadata",
        json!({
            "version": OCSF_VERSION, "uid": sequence.to_string(), "sequence": sequence, "event_code": event.action,
            "product": { "name": "Narthex", "vendor_name": "Narthex" },
        }),
    );
    let actor = event.actor.name().unwrap_or_else(|| event.actor.kind().to_owned());
    put(
        "actor",
        json!({ "user": { "name": actor, "type": event.actor.kind(), "type_id": OTHER } }),
    );
    match (class, &user) {
        (Class::Entity, _) | (_, None) => {
            let (object, _) = event.action.split_once('.').unwrap_or((event.action.as_str(), ""));
            let organization = event.organization.map(|id| id.to_string());
            let team = event.team.map(|id| id.to_string());
            put(
                "entity",
                json!({ "type": object, "uid": team.or(organization).or_else(|| user.clone()) }),
            );
        }
        (_, Some(id)) => {
            put("user", json!({ "uid": id, "type_id": 1 }));
        }
    }
    if class == Class::Access {
        let role = event.detail.get("role").and_then(Value::as_str).unwrap_or_default();
        put("privileges", json!([role]));
    }
    put(
        "unmapped",
        json!({
            "event": event_object(event), "hash": hash.to_string(), "previous_hash": previous.to_string(),
        }),
    );
    let mut line = Value::Object(members).to_string();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use narthex_directory::{ACTIONS, Actor, AuditEvent, CountingIds, Seals, UserId};

    use super::*;

    fn read(event: AuditEvent) -> Value {
        let recorded = RecordedEvent {
            sequence: 4,
            event,
            seals: Seals::default(),
        };
        serde_json::from_str(&ocsf_event(ChainHash::GENESIS, ChainHash([1; 32]), &recorded)).unwrap()
    }

    #[test]
    fn every_action_has_the_members_that_its_class_requires() {
        for (action, _) in ACTIONS {
            for user in [None, Some(UserId::new(0, &mut CountingIds(0)))] {
                let mut event = AuditEvent::new(action, Actor::System, 7);
                event.user = user;
                let line = read(event);
                let class = line["class_uid"].as_u64().unwrap();
                assert_eq!(line["type_uid"], class * 100 + line["activity_id"].as_u64().unwrap());
                assert_eq!(line.get("user").is_some(), class != 3004, "{action}");
                assert_eq!(line.get("entity").is_some(), class == 3004, "{action}");
                assert_eq!(line.get("privileges").is_some(), class == 3005, "{action}");
                assert_eq!((&line["time"], &line["metadata"]["sequence"]), (&json!(7), &json!(4)));
            }
        }
    }
}
