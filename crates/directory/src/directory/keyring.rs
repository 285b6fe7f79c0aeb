//! Store operations on API keys, machine keys, assertion keys, and the saved key sets of issuers.

use async_trait::async_trait;
use narthex_names::{ApiKeyId, MachineKeyId, OrganizationId};

use crate::audit::By;
use crate::command::{ApiKey, AssertionKey, SavedKeySet, SecretHash};
use crate::directory::Answer;
use crate::machine_key::{MachineKey, MachineKeyUse};
use crate::page::{Listing, Page};

/// API keys, machine keys, the keys that sign assertions, and the last good key sets of issuers.
#[async_trait]
pub trait Keyring: Send + Sync {
    /// Stores a new API key.
    async fn create_api_key(&self, key: ApiKey, by: By) -> Answer<()>;

    /// The API key with this hash, revoked and expired ones included: see [`ApiKey::works_at`].
    async fn api_key(&self, hash: SecretHash) -> Answer<Option<ApiKey>>;

    /// API keys, by id.
    async fn api_keys(&self, page: Page) -> Answer<Listing<ApiKey>>;

    /// Revokes an API key. `false` if there is none that works.
    async fn revoke_api_key(&self, key: ApiKeyId, by: By) -> Answer<bool>;

    /// Records that an API key was used. Returns `false` where there is no such key, or a use within the last minute is
    /// recorded already.
    async fn note_api_key_use(&self, key: ApiKeyId, at_ms: i64) -> Answer<bool>;

    /// Stores a new machine key.
    async fn create_machine_key(&self, key: MachineKey, by: By) -> Answer<()>;

    /// The machine key with this hash, revoked and expired ones included: see [`MachineKey::ended_at`].
    async fn machine_key(&self, hash: SecretHash) -> Answer<Option<MachineKey>>;

    /// The machine key with this id, revoked and expired ones included.
    async fn machine_key_of_id(&self, key: MachineKeyId) -> Answer<Option<MachineKey>>;

    /// Machine keys of an organization, by id.
    async fn machine_keys(&self, organization: OrganizationId, page: Page) -> Answer<Listing<MachineKey>>;

    /// Revokes a machine key. `false` if it is revoked already, or there is none. Moves the number of the key's stripe
    /// ([`Stripe::of_machine_key`](crate::Stripe::of_machine_key)).
    async fn revoke_machine_key(&self, key: MachineKeyId, by: By) -> Answer<bool>;

    /// Records uses of machine keys, each key at most once. Returns how many were recorded: a use of a key that is not
    /// there, or within a minute of the one that is recorded, is left out.
    async fn note_machine_key_uses(&self, uses: Vec<MachineKeyUse>) -> Answer<usize>;

    /// The keys that sign assertions, the newest first.
    async fn assertion_keys(&self) -> Answer<Vec<AssertionKey>>;

    /// Stores a new assertion key, unless one made after `newer_than_ms` is there already: of several nodes that rotate
    /// at once, one does. Drops keys whose publication ended. Returns all keys, the newest first.
    async fn rotate_assertion_key(&self, key: AssertionKey, newer_than_ms: i64, by: By) -> Answer<Vec<AssertionKey>>;

    /// The last good key set of every issuer.
    async fn key_sets(&self) -> Answer<Vec<SavedKeySet>>;

    /// Stores an issuer's last good key set.
    async fn save_key_set(&self, set: SavedKeySet) -> Answer<()>;
}
