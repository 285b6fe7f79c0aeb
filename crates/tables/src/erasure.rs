//! Removed identities as the databases keep them: by a keyed hash.

use aws_lc_rs::hmac;
use narthex_directory::{Desired, RemovedIdentity, RemovedKind};

/// Name of the row with the key of the hashes.
pub const IDENTITIES: &str = "identities";

/// Keyed hash of an identity, in hex: HMAC-SHA256 (RFC 2104) of its kind, realm and external id, each with its length.
///
/// SECURITY: the key is random and of this directory alone. Without it, the hash of a guessed external id tells nothing.
pub fn identity_hash(key: &[u8], identity: &RemovedIdentity) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    let texts = [
        identity.kind.as_str(),
        identity.realm.as_str(),
        identity.external_id.as_str(),
    ];
    for text in texts {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    }
    let hash = context.sign();
    hash.as_ref().iter().fold(String::new(), |mut hex, byte| {
        for half in [byte >> 4, byte & 0xf] {
            hex.extend(char::from_digit(u32::from(half), 16));
        }
        hex
    })
}

/// The identity of a token's user, as it is remembered after an erasure.
pub fn erased_user(desired: &Desired) -> RemovedIdentity {
    RemovedIdentity {
        kind: RemovedKind::User,
        realm: desired.realm.clone(),
        external_id: desired.user.external_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use narthex_directory::{ExternalId, Realm};

    use super::*;

    fn identity(kind: RemovedKind, realm: &str, external_id: &str) -> RemovedIdentity {
        RemovedIdentity {
            kind,
            realm: Realm::new(realm).unwrap(),
            external_id: ExternalId::new(external_id).unwrap(),
        }
    }

    #[test]
    fn every_part_of_an_identity_and_the_key_count() {
        let ann = identity(RemovedKind::User, "corp", "ann");
        let hash = identity_hash(&[7; 32], &ann);
        assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(hash, identity_hash(&[7; 32], &ann));
        for (key, other) in [
            ([8; 32], ann.clone()),
            ([7; 32], identity(RemovedKind::Organization, "corp", "ann")),
            ([7; 32], identity(RemovedKind::User, "corpa", "nn")),
            ([7; 32], identity(RemovedKind::User, "corp", "Ann")),
        ] {
            assert_ne!(hash, identity_hash(&key, &other), "{other:?}");
        }
    }
}
