//! Store of the last good key sets, so that a restart does not need the issuer.

use std::fmt;

use async_trait::async_trait;

/// A key set as received, with the facts that decide whether it may still be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKeySet {
    /// URL or path that it was read from. A set is never used for another source: when an operator moves an issuer away
    /// from a compromised key server, the store must not bring that server's keys back.
    pub source: String,
    /// The document, byte for byte.
    pub body: Vec<u8>,
    /// Time when it was fetched, in milliseconds since the epoch.
    pub fetched_at_ms: i64,
    /// Time until which it was fresh, in milliseconds since the epoch.
    pub fresh_until_ms: i64,
}

/// Error of the store: it could not read or write a key set. Keys are served without it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store of key sets: {0}")]
pub struct KeySetStoreError(pub String);

/// Stores one key set for each issuer, by the issuer's configured name.
#[async_trait]
pub trait KeySetStore: fmt::Debug + Send + Sync {
    /// Returns the last stored set of an issuer.
    async fn load(&self, issuer: &str) -> Result<Option<StoredKeySet>, KeySetStoreError>;

    /// Replaces the stored set of an issuer.
    async fn save(&self, issuer: &str, set: StoredKeySet) -> Result<(), KeySetStoreError>;
}
