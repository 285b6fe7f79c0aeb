//! The hash chain.

use aws_lc_rs::digest::{Context, SHA256};
use narthex_directory::{ChainHash, ChainLink, RecordedEvent};
use serde_json::{Map, Value};

use crate::canonical::canonical_object;
use crate::record::sealed_object;

/// First bytes of all that is hashed for a link.
///
/// SECURITY: no other hash of Narthex begins with them, so that nothing else can stand for an event.
const DOMAIN: &[u8] = b"narthex-audit-event-v1\n";

/// Returns the link of an event that is sealed, given the hash of the event before it ([`ChainHash::GENESIS`] for number 1).
pub fn link(previous: ChainHash, recorded: &RecordedEvent) -> ChainLink {
    let event = Value::Object(sealed_object(recorded));
    ChainLink {
        sequence: recorded.sequence,
        hash: link_hash(previous, recorded.sequence, event),
    }
}

/// Returns the SHA-256 over the text of `{"event":…,"previous_hash":…,"sequence":…}`.
pub(crate) fn link_hash(previous: ChainHash, sequence: u64, event: Value) -> ChainHash {
    let mut members = Map::new();
    members.insert("event".to_owned(), event);
    members.insert("previous_hash".to_owned(), Value::String(previous.to_string()));
    members.insert("sequence".to_owned(), Value::from(sequence));
    let mut context = Context::new(&SHA256);
    context.update(DOMAIN);
    context.update(canonical_object(&members).as_bytes());
    finish(context)
}

/// Returns the hash of what a context was given.
pub(crate) fn finish(context: Context) -> ChainHash {
    ChainHash(thirty_two(context.finish().as_ref()))
}

/// Returns the bytes of a SHA-256 or an HMAC with it: there are as many as there is room for.
pub(crate) fn thirty_two(hashed: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(hashed).for_each(|(byte, hashed)| *byte = *hashed);
    bytes
}

#[cfg(test)]
mod tests {
    use narthex_directory::{Actor, AuditEvent, Seals};

    use super::*;

    fn recorded(sequence: u64, action: &str) -> RecordedEvent {
        RecordedEvent {
            sequence,
            event: AuditEvent::new(action, Actor::System, 1_000),
            seals: Seals::default(),
        }
    }

    #[test]
    fn sec_a_hash_depends_on_the_event_its_number_and_the_hash_before() {
        let first = link(ChainHash::GENESIS, &recorded(1, "user.created"));
        let others = [
            link(ChainHash::GENESIS, &recorded(1, "user.updated")),
            link(ChainHash::GENESIS, &recorded(2, "user.created")),
            link(first.hash, &recorded(1, "user.created")),
        ];
        for other in others {
            assert_ne!(other.hash, first.hash);
        }
        assert_eq!(link(ChainHash::GENESIS, &recorded(1, "user.created")), first);
    }
}
