//! Seals of personal values, and the keys they are made with.

use aws_lc_rs::hmac;
use narthex_directory::{RecordedEvent, Seal, Seals, SecretBytes};
use serde_json::{Map, Value};

use crate::canonical::canonical_object;
use crate::chain::thirty_two;

/// First bytes of all that is sealed.
const DOMAIN: &[u8] = b"narthex-audit-value-v1\n";

/// Returns the seal of a value: HMAC-SHA256 over the text of `{"place":…,"sequence":…,"value":…}`.
///
/// SECURITY: the number of the event is in it, so that equal values of two events have seals that differ.
pub(crate) fn seal(key: &[u8], sequence: u64, place: &str, value: &Value) -> Seal {
    let mut members = Map::new();
    members.insert("place".to_owned(), Value::from(place));
    members.insert("sequence".to_owned(), Value::from(sequence));
    members.insert("value".to_owned(), value.clone());
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    context.update(DOMAIN);
    context.update(canonical_object(&members).as_bytes());
    Seal(thirty_two(context.sign().as_ref()))
}

/// Returns the seals of all personal values of an event.
pub(crate) fn seals(key: &SecretBytes, recorded: &RecordedEvent) -> Seals {
    let values = recorded.event.personal_values();
    let seals = values.into_iter().map(|(place, value)| {
        let seal = seal(&key.0, recorded.sequence, &place, &value);
        (place, seal)
    });
    Seals(seals.collect())
}

/// Source of keys.
///
/// SECURITY: it moves on with each key and does not go back, so that a key that an erasure deleted cannot be made again.
pub(crate) struct KeySource([u8; 32]);

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeySource")
    }
}

impl KeySource {
    /// Begins with 32 random bytes.
    pub(crate) const fn new(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// Returns another key.
    pub(crate) fn fresh(&mut self) -> SecretBytes {
        let state = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        self.0 = thirty_two(hmac::sign(&state, b"narthex-audit-seal-v1 next").as_ref());
        SecretBytes(hmac::sign(&state, b"narthex-audit-seal-v1 key").as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_a_seal_depends_on_the_key_the_event_the_place_and_the_value() {
        let value = Value::from("ann@example.com");
        let first = seal(&[1; 32], 4, "detail.email", &value);
        assert_eq!(seal(&[1; 32], 4, "detail.email", &value), first);
        for other in [
            seal(&[2; 32], 4, "detail.email", &value),
            seal(&[1; 32], 5, "detail.email", &value),
            seal(&[1; 32], 4, "detail.name", &value),
            seal(&[1; 32], 4, "detail.email", &Value::Null),
        ] {
            assert_ne!(other, first);
        }
    }

    #[test]
    fn a_source_gives_another_key_each_time() {
        let mut source = KeySource::new([9; 32]);
        let keys = [source.fresh(), source.fresh(), source.fresh()];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        assert!(keys.iter().all(|key| key.0.len() == 32));
    }
}
