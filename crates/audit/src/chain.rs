//! The hash chain.

use aws_lc_rs::digest::{Context, SHA256};
use narthex_directory::{ChainHash, ChainLink, RecordedEvent};
use serde_json::{Map, Value};

use crate::canonical::canonical_object;
use crate::record::event_object;

/// First bytes of all that is hashed for a link.
///
/// SECURITY: no other hash of Narthex begins with them, so that nothing else can stand for an event.
const DOMAIN: &[u8] = b"narthex-audit-event-v1\n";

/// Returns the link of an event, given the hash of the event before it ([`ChainHash::GENESIS`] for number 1).
pub fn link(previous: ChainHash, recorded: &RecordedEvent) -> ChainLink {
    let event = Value::Object(event_object(&recorded.event));
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
    let mut bytes = [0; 32];
    // A SHA-256 has as many bytes as there is room for.
    bytes
        .iter_mut()
        .zip(context.finish().as_ref())
        .for_each(|(byte, hashed)| *byte = *hashed);
    ChainHash(bytes)
}

#[cfg(test)]
mod tests {
    use narthex_directory::{Actor, AuditEvent};

    use super::*;

    fn recorded(sequence: u64, action: &str) -> RecordedEvent {
        RecordedEvent {
            sequence,
            event: AuditEvent::new(action, Actor::System, 1_000),
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
