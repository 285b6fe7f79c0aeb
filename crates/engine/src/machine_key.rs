//! Machine keys at the doors: their form, their hash, and the record of their uses.
//!
//! A key is `nxk_` and 32 random bytes in base64url, in `Authorization: Bearer` and nowhere else.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use narthex_decision::Reason;
use narthex_directory::{Keyring, MachineKey, MachineKeyError, MachineKeyId, MachineKeyUse, SecretHash, StoreError};
use narthex_session::hash_of;

use crate::respond::Refusal;

/// Prefix of every machine key, by which a key is recognized wherever it turns up.
pub const MACHINE_KEY_PREFIX: &str = "nxk_";

/// Prefix of every key of the admin API.
pub const API_KEY_PREFIX: &str = "nx_";

/// Length of what follows the prefix: 32 bytes in base64url without padding.
const SECRET_LENGTH: usize = 43;

/// Problem of a machine key in another place than `Authorization`.
pub const WRONG_PLACE: &str = "the machine key is not in `Authorization`, where alone one is accepted";

/// Tests whether a credential is a machine key by its form.
///
/// SECURITY: such a credential is never tried as a token, and a refused one is refused.
pub fn is_machine_key(credential: &[u8]) -> bool {
    credential.starts_with(MACHINE_KEY_PREFIX.as_bytes())
}

/// Tests whether a credential is a key of the admin API by its form.
pub fn is_api_key(credential: &[u8]) -> bool {
    credential.starts_with(API_KEY_PREFIX.as_bytes())
}

/// Returns the SHA-256 (FIPS 180-4) of a machine key, by which the directory finds it; `None` for text that cannot be
/// one, about which the directory is not asked.
///
/// A key is 256 random bits: there is nothing to guess, so a fast hash is the right one.
pub fn machine_key_hash(text: &str) -> Option<SecretHash> {
    let secret = text.strip_prefix(MACHINE_KEY_PREFIX)?;
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if secret.len() != SECRET_LENGTH || !secret.bytes().all(is_base64url) {
        return None;
    }
    Some(hash_of(text.as_bytes()))
}

impl From<&MachineKeyError> for Refusal {
    /// The details of a failing store are for the log, not for the client.
    fn from(error: &MachineKeyError) -> Self {
        let reason = match error {
            MachineKeyError::Unknown => Reason::MachineKeyUnknown,
            MachineKeyError::Revoked(_) => Reason::MachineKeyRevoked,
            MachineKeyError::Expired(_) => Reason::MachineKeyExpired,
            MachineKeyError::Suspended { .. } => Reason::OrganizationSuspended,
            MachineKeyError::Store(_) => Reason::StoreUnavailable,
        };
        let refusal = Self::logged(reason, error.to_string());
        let refusal = match error {
            MachineKeyError::Suspended { organization, .. } => refusal.in_organization(Some(organization.as_str())),
            _ => refusal,
        };
        match error.key() {
            Some(key) => refusal.of_user(key.id.into()),
            None => refusal,
        }
    }
}

/// Uses of machine keys that wait to be recorded: at most one for each key that works.
#[derive(Debug, Default)]
pub struct MachineKeyUses(Mutex<HashMap<MachineKeyId, i64>>);

impl MachineKeyUses {
    /// Notes a use, if it is due to be recorded.
    pub fn note(&self, key: &MachineKey, now_ms: i64) {
        if key.use_is_due(now_ms) {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(key.id, now_ms);
        }
    }

    /// Records the uses that wait, all in one transaction. A use that the store does not take is not tried again: the
    /// key's next use is due all the same.
    ///
    /// # Errors
    ///
    /// The directory cannot be written.
    pub async fn record<D: Keyring + ?Sized>(&self, directory: &D) -> Result<(), StoreError> {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if noted.is_empty() {
            return Ok(());
        }
        let uses = noted.into_iter().map(|(key, at_ms)| MachineKeyUse { key, at_ms });
        directory.note_machine_key_uses(uses.collect()).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use narthex_directory::{CountingIds, OrganizationId, OrganizationRole};
    use narthex_memory::MemoryDirectory;

    use aws_lc_rs::digest::{SHA256, digest};

    use super::*;

    fn secret() -> String {
        format!("{MACHINE_KEY_PREFIX}{}", "a".repeat(SECRET_LENGTH))
    }

    #[test]
    fn a_key_is_known_by_its_prefix_and_an_api_key_is_none() {
        assert!(is_machine_key(secret().as_bytes()));
        assert!(is_machine_key(b"nxk_"));
        for other in ["nx_abc", "NXK_abc", "eyJ.a.b", "", "xnxk_a"] {
            assert!(!is_machine_key(other.as_bytes()), "{other}");
        }
    }

    /// The hash is of all bytes of the key: no part of a key finds it, and nothing else does.
    #[test]
    fn sec_machine_key_by_its_hash() {
        let whole = secret();
        let hash = machine_key_hash(&whole).unwrap();
        assert_eq!(hash.0[..], *digest(&SHA256, whole.as_bytes()).as_ref());
        let mut other = whole.clone();
        other.replace_range(whole.len() - 1.., "b");
        assert_ne!(machine_key_hash(&other), Some(hash));
        for wrong in [
            whole.get(..whole.len() - 1).unwrap(),
            &format!("{whole}a"),
            &whole.replacen("nxk_", "nx_", 1),
            &whole.replacen('a', "=", 1),
            &whole.replacen('a', ".", 1),
            &format!("{whole}="),
            "nxk_",
            "",
        ] {
            assert_eq!(machine_key_hash(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn uses_are_recorded_together_and_once() {
        let directory = MemoryDirectory::default();
        let mut ids = CountingIds(0);
        let key = MachineKey {
            id: MachineKeyId::new(0, &mut ids),
            organization: OrganizationId::new(0, &mut ids),
            name: "ci".to_owned(),
            hash: SecretHash([1; 32]),
            role: OrganizationRole::Member,
            created_at_ms: 0,
            expires_at_ms: i64::MAX,
            revoked_at_ms: None,
            last_used_at_ms: Some(1_000),
        };
        let uses = MachineKeyUses::default();
        uses.note(&key, 2_000);
        assert!(uses.0.lock().unwrap().is_empty(), "within a minute");
        uses.note(&key, 61_000);
        uses.note(&key, 62_000);
        assert_eq!(uses.0.lock().unwrap().len(), 1);
        uses.record(&directory).await.unwrap();
        assert!(uses.0.lock().unwrap().is_empty());
    }
}
