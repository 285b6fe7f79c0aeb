//! Personal values of events, and the seals that stand for them in the hash chain.

use std::collections::BTreeMap;
use std::fmt;

use narthex_names::UserId;
use serde_json::{Map, Value};

use super::{Actor, AuditEvent, ChainHash, RecordedEvent};
use crate::command::SecretBytes;
use crate::erasure::is_personal;

/// Beginning of the place of a member of the actor's token.
const TOKEN: &str = "actor.token.";
/// Place of the `jti` of the actor's token.
const TOKEN_ID: &str = "actor.token.jti";
/// Beginning of the place of a member of the detail; its name follows.
const DETAIL: &str = "detail.";

/// Name of the only member of the object that stands for a sealed value.
const SEALED: &str = "hmac_sha256";

/// HMAC-SHA256 of a personal value, by a random key of its user. Without the key it tells nothing about the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal(pub [u8; 32]);

impl Seal {
    /// Reads a seal from its text: 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        ChainHash::parse(text).map(|hash| Self(hash.0))
    }

    /// Reads a seal from the object that stands for a value.
    pub fn of(value: &Value) -> Option<Self> {
        let members = value.as_object().filter(|members| members.len() == 1)?;
        Self::parse(members.get(SEALED)?.as_str()?)
    }

    /// Returns the object that stands for a value.
    pub fn to_value(self) -> Value {
        Value::Object(Map::from_iter([(SEALED.to_owned(), Value::String(self.to_string()))]))
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ChainHash(self.0).fmt(f)
    }
}

/// Seals of one event, by the places of its personal values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seals(pub BTreeMap<String, Seal>);

impl Seals {
    /// Returns the seals as JSON, for stores.
    pub fn to_json(&self) -> Map<String, Value> {
        let members = self.0.iter();
        members
            .map(|(place, seal)| (place.clone(), Value::String(seal.to_string())))
            .collect()
    }

    /// Reads seals from JSON. `None` if one of them is no seal.
    pub fn from_json(members: &Map<String, Value>) -> Option<Self> {
        let seals = members
            .iter()
            .map(|(place, seal)| Some((place.clone(), Seal::parse(seal.as_str()?)?)));
        seals.collect::<Option<BTreeMap<_, _>>>().map(Self)
    }
}

/// Key of the seals of one user. An erasure deletes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealKey {
    /// The user.
    pub user: UserId,
    /// Thirty-two random bytes.
    pub secret: SecretBytes,
}

/// Event that is to be sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEvent {
    /// Number of the event.
    pub sequence: u64,
    /// The key that the seals are made with.
    pub key: SealKey,
    /// The seals.
    pub seals: Seals,
}

impl AuditEvent {
    /// Returns the personal values of the event, by their places. Only an event about a user has any.
    pub fn personal_values(&self) -> Map<String, Value> {
        if self.user.is_none() {
            return Map::new();
        }
        let detail = self.detail.iter();
        let values = detail.filter(|(name, _)| is_personal(&self.action, name));
        let mut values: Map<String, Value> = values
            .map(|(name, value)| (format!("{DETAIL}{name}"), value.clone()))
            .collect();
        if let Some(jti) = self.value_at(TOKEN_ID) {
            values.insert(TOKEN_ID.to_owned(), jti);
        }
        values
    }

    /// Returns the value at a place, if it is still there.
    fn value_at(&self, place: &str) -> Option<Value> {
        match (place.strip_prefix(DETAIL), &self.actor) {
            (Some(name), _) => self.detail.get(name).cloned(),
            (None, Actor::Token { token, .. }) if place == TOKEN_ID => token.jti.clone().map(Value::String),
            _ => None,
        }
    }
}

impl RecordedEvent {
    /// Tests whether the event has personal values and no seals. Such an event is not linked yet.
    pub fn needs_seals(&self) -> bool {
        self.seals.0.is_empty() && !self.event.personal_values().is_empty()
    }

    /// Returns the sealed values that are still there, by their places.
    pub fn sealed_values(&self) -> Map<String, Value> {
        let values = self
            .seals
            .0
            .keys()
            .filter_map(|place| Some((place.clone(), self.event.value_at(place)?)));
        values.collect()
    }

    /// Puts the seals in the places of the values, in the event's JSON. What comes of it is the same before and after an
    /// erasure: the hash covers it.
    pub fn put_seals(&self, event: &mut Map<String, Value>) {
        for (place, seal) in &self.seals.0 {
            if let Some((members, name)) = parent(event, place) {
                members.insert(name.to_owned(), seal.to_value());
            }
        }
    }
}

/// Reads the seal at a place of an event's JSON.
pub fn seal_at(event: &mut Map<String, Value>, place: &str) -> Option<Seal> {
    let (members, name) = parent(event, place)?;
    Seal::of(members.get(name)?)
}

/// Returns the object with the member at a place of an event's JSON, and the name of the member.
fn parent<'e, 'p>(event: &'e mut Map<String, Value>, place: &'p str) -> Option<(&'e mut Map<String, Value>, &'p str)> {
    if let Some(name) = place.strip_prefix(DETAIL) {
        return Some((event.get_mut("detail")?.as_object_mut()?, name));
    }
    let name = place.strip_prefix(TOKEN).filter(|name| *name == "jti")?;
    Some((event.get_mut("actor")?.get_mut("token")?.as_object_mut()?, name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use narthex_names::IssuerName;

    use super::*;
    use crate::erasure::without_personal_values;
    use crate::grant::TokenFingerprint;

    fn recorded() -> RecordedEvent {
        let token = TokenFingerprint {
            jti: Some("ann-7".to_owned()),
            ..TokenFingerprint::default()
        };
        let issuer = IssuerName::new("idp").unwrap();
        let mut event = AuditEvent::new("user.updated", Actor::Token { issuer, token }, 5);
        event.user = Some("01arz3ndektsv4rrffq69g5fav".parse().unwrap());
        event.detail = json!({ "email": { "to": "ann@example.com" }, "status": { "to": "active" } })
            .as_object()
            .unwrap()
            .clone();
        RecordedEvent {
            sequence: 1,
            event,
            seals: Seals::default(),
        }
    }

    #[test]
    fn an_event_is_hashed_alike_before_and_after_its_values_are_gone() {
        let mut recorded = recorded();
        let values = recorded.event.personal_values();
        assert_eq!(
            Value::Object(values.clone()),
            json!({ "actor.token.jti": "ann-7", "detail.email": { "to": "ann@example.com" } })
        );
        assert!(recorded.needs_seals());
        let seals = [("actor.token.jti", Seal([1; 32])), ("detail.email", Seal([2; 32]))];
        recorded.seals = Seals(
            seals
                .map(|(place, seal)| (place.to_owned(), seal))
                .into_iter()
                .collect(),
        );
        assert!(!recorded.needs_seals() && recorded.sealed_values() == values);
        let hashed = |recorded: &RecordedEvent| {
            let detail = Value::Object(recorded.event.detail.clone());
            let event = json!({ "actor": { "token": { "jti": null } }, "detail": detail });
            let mut event = event.as_object().unwrap().clone();
            recorded.put_seals(&mut event);
            event
        };
        let mut before = hashed(&recorded);
        let detail = std::mem::take(&mut recorded.event.detail);
        recorded.event.detail = without_personal_values("user.updated", detail);
        if let Actor::Token { token, .. } = &mut recorded.event.actor {
            token.jti = None;
        }
        assert!(recorded.sealed_values().is_empty() && !recorded.needs_seals());
        assert_eq!(hashed(&recorded), before);
        for (place, seal) in [
            ("actor.token.jti", Some(Seal([1; 32]))),
            ("detail.email", Some(Seal([2; 32]))),
            ("detail.status", None),
            ("actor.kind", None),
        ] {
            assert_eq!(seal_at(&mut before, place), seal, "{place}");
        }
        assert_eq!(Seals::from_json(&recorded.seals.to_json()), Some(recorded.seals));
    }

    #[test]
    fn an_event_about_no_user_has_nothing_to_seal() {
        let mut recorded = recorded();
        recorded.event.user = None;
        assert!(recorded.event.personal_values().is_empty());
    }
}
