//! Where last good key sets are kept, so that a restart does not need the issuer.

use std::fmt;

use async_trait::async_trait;

/// A key set as it came, with what is needed to decide whether it may still be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKeySet {
    /// The URL or path it was read from. A set is never used for another one: whoever moves an
    /// issuer away from a compromised key server must not get its keys back from the store.
    pub source: String,
    /// The document, byte for byte.
    pub body: Vec<u8>,
    /// When it was fetched, in milliseconds since the epoch.
    pub fetched_at_ms: i64,
    /// Until when it was fresh.
    pub fresh_until_ms: i64,
}

/// The store could not read or write a key set. Keys are served on without it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store of key sets: {0}")]
pub struct KeySetStoreError(pub String);

/// Keeps one key set for each issuer, by the issuer's configured name.
#[async_trait]
pub trait KeySetStore: fmt::Debug + Send + Sync {
    /// The set kept last for an issuer.
    async fn load(&self, issuer: &str) -> Result<Option<StoredKeySet>, KeySetStoreError>;

    /// Keeps a set in place of the one before.
    async fn save(&self, issuer: &str, set: StoredKeySet) -> Result<(), KeySetStoreError>;
}
