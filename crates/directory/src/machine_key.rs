//! Machine keys: credentials of an organization's programs at the doors, and the principal that each speaks for.

use std::sync::Arc;

use narthex_names::{MachineKeyId, OrganizationId, OrganizationName};

use crate::command::SecretHash;
use crate::directory::{Keyring, TokenSync};
use crate::error::StoreError;
use crate::organization::OrganizationStatus;
use crate::principal::Principal;
use crate::role::OrganizationRole;
use crate::versions::{Stamp, Stripe};

/// A machine key: never the key itself, only its hash. It acts at the doors as a user of kind `service`, with one role in
/// one organization (product section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineKey {
    /// Its id, which is also the id of the user that it acts as.
    pub id: MachineKeyId,
    /// The organization.
    pub organization: OrganizationId,
    /// Its purpose, in words.
    pub name: String,
    /// The SHA-256 of the key. A key is 256 random bits, so nothing slower is needed.
    pub hash: SecretHash,
    /// Its role in the organization.
    pub role: OrganizationRole,
    /// Time of creation, in milliseconds.
    pub created_at_ms: i64,
    /// Time of expiry, in milliseconds. Every key has one.
    pub expires_at_ms: i64,
    /// Time of revocation, in milliseconds.
    pub revoked_at_ms: Option<i64>,
    /// Time of the last use, in milliseconds, to the minute.
    pub last_used_at_ms: Option<i64>,
}

/// The longest name of a machine key, in characters. With the organization's name it is a username.
pub const MACHINE_KEY_NAME_LENGTH_MAX: usize = 128;

/// The time between two uses of a machine key that are recorded, in milliseconds.
pub const MACHINE_KEY_USE_EVERY_MS: i64 = 60_000;

/// A use of a machine key, to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineKeyUse {
    /// The key.
    pub key: MachineKeyId,
    /// Time of the use, in milliseconds.
    pub at_ms: i64,
}

/// Reason for which a machine key has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineKeyEnd {
    /// It was revoked.
    Revoked,
    /// It has expired.
    Expired,
}

impl MachineKey {
    /// Returns the reason for which the key does not work at that time; `None` if it works. A revoked key stays revoked
    /// after it has expired.
    pub const fn ended_at(&self, now_ms: i64) -> Option<MachineKeyEnd> {
        if self.revoked_at_ms.is_some() {
            return Some(MachineKeyEnd::Revoked);
        }
        if self.expires_at_ms <= now_ms {
            return Some(MachineKeyEnd::Expired);
        }
        None
    }

    /// Tests whether a use now is to be recorded. Also where the last one is in the future: a clock was set back.
    pub fn use_is_due(&self, now_ms: i64) -> bool {
        self.last_used_at_ms
            .is_none_or(|last| now_ms.saturating_sub(last).unsigned_abs() >= MACHINE_KEY_USE_EVERY_MS.unsigned_abs())
    }
}

/// Reason for which [`load_machine_key`] gave no principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MachineKeyError {
    /// There is no key with this hash.
    #[error("there is no machine key with the hash of this one")]
    Unknown,
    /// The key has been revoked.
    #[error("the machine key `{}` was revoked", .0.id)]
    Revoked(Box<MachineKey>),
    /// The key has expired.
    #[error("the machine key `{}` has expired", .0.id)]
    Expired(Box<MachineKey>),
    /// The organization of the key is suspended.
    #[error("the organization `{organization}` of the machine key `{}` is suspended", .key.id)]
    Suspended {
        /// The key.
        key: Box<MachineKey>,
        /// The organization's name.
        organization: OrganizationName,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MachineKeyError {
    /// Returns the stable code of the refusal (product section 8); `None` if the store failed.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Unknown => Some("key.unknown"),
            Self::Revoked(_) => Some("key.revoked"),
            Self::Expired(_) => Some("key.expired"),
            Self::Suspended { .. } => Some("organization.suspended"),
            Self::Store(_) => None,
        }
    }

    /// Returns the key that was refused, if the directory has one.
    pub fn key(&self) -> Option<&MachineKey> {
        match self {
            Self::Revoked(key) | Self::Expired(key) | Self::Suspended { key, .. } => Some(key),
            Self::Unknown | Self::Store(_) => None,
        }
    }
}

/// A machine key that works, and the principal that it speaks for.
#[derive(Debug, Clone)]
pub struct LoadedMachineKey {
    /// The key.
    pub key: MachineKey,
    /// A user of kind `service`, with exactly the key's role in exactly its organization.
    pub principal: Arc<Principal>,
}

/// Returns the machine key with this hash, and the principal that it speaks for.
///
/// SECURITY: a key is found by the hash of all its bytes, in an index of the store. The time that this takes says
/// something about hashes, of which a client cannot choose the beginning, and nothing about keys.
///
/// # Errors
///
/// [`MachineKeyError`].
pub async fn load_machine_key<D: Keyring + TokenSync + ?Sized>(
    directory: &D,
    hash: SecretHash,
    now_ms: i64,
) -> Result<LoadedMachineKey, MachineKeyError> {
    let stripe = Stripe::of_machine_key(hash);
    // INVARIANT: the numbers are read before the records, so that the stamp is never newer than these are.
    let stamp = Stamp {
        policy: directory.versions().policy(),
        stripe,
        user: directory.versions().stripe(stripe),
    };
    let key = directory.machine_key(hash).await?.ok_or(MachineKeyError::Unknown)?;
    match key.ended_at(now_ms) {
        Some(MachineKeyEnd::Revoked) => return Err(MachineKeyError::Revoked(Box::new(key))),
        Some(MachineKeyEnd::Expired) => return Err(MachineKeyError::Expired(Box::new(key))),
        None => {}
    }
    let organization = directory.organization(key.organization).await?;
    let organization = organization.ok_or(MachineKeyError::Unknown)?;
    // SECURITY: the key ends with the suspension of its organization, on routes without an organization too.
    if organization.status == OrganizationStatus::Suspended {
        return Err(MachineKeyError::Suspended {
            key: Box::new(key),
            organization: organization.name,
        });
    }
    let principal = Arc::new(Principal::of_machine_key(&key, &organization, stamp).map_err(StoreError::from)?);
    Ok(LoadedMachineKey { key, principal })
}

#[cfg(test)]
mod tests {
    use narthex_names::CountingIds;

    use super::*;

    fn key() -> MachineKey {
        let mut ids = CountingIds(0);
        MachineKey {
            id: MachineKeyId::new(0, &mut ids),
            organization: OrganizationId::new(0, &mut ids),
            name: "ci".to_owned(),
            hash: SecretHash([1; 32]),
            role: OrganizationRole::Member,
            created_at_ms: 0,
            expires_at_ms: 1_000,
            revoked_at_ms: None,
            last_used_at_ms: None,
        }
    }

    #[test]
    fn a_key_ends_with_its_expiry_and_with_its_revocation() {
        let open = key();
        assert_eq!(open.ended_at(999), None);
        assert_eq!(open.ended_at(1_000), Some(MachineKeyEnd::Expired));
        let revoked = MachineKey {
            revoked_at_ms: Some(500),
            ..key()
        };
        assert_eq!(revoked.ended_at(0), Some(MachineKeyEnd::Revoked));
        assert_eq!(revoked.ended_at(1_000), Some(MachineKeyEnd::Revoked));
    }

    #[test]
    fn a_use_is_due_once_a_minute_and_after_a_clock_was_set_back() {
        let used = MachineKey {
            last_used_at_ms: Some(600_000),
            ..key()
        };
        assert!(key().use_is_due(0));
        for (now_ms, due) in [(600_000, false), (659_999, false), (660_000, true), (540_000, true)] {
            assert_eq!(used.use_is_due(now_ms), due, "{now_ms}");
        }
    }
}
