//! Store of the last good key sets in the directory.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use narthex_directory::{IssuerName, Keyring, SavedKeySet};

use crate::keys::{KeySetStore, KeySetStoreError, StoredKeySet};

/// Stores key sets in a directory, so that a restart does not need the issuers.
#[derive(Clone)]
pub struct DirectoryKeySetStore(pub Arc<dyn Keyring>);

impl fmt::Debug for DirectoryKeySetStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DirectoryKeySetStore")
    }
}

#[async_trait]
impl KeySetStore for DirectoryKeySetStore {
    async fn load(&self, issuer: &str) -> Result<Option<StoredKeySet>, KeySetStoreError> {
        let sets = self
            .0
            .key_sets()
            .await
            .map_err(|error| KeySetStoreError(error.to_string()))?;
        Ok(sets
            .into_iter()
            .find(|set| set.issuer.as_str() == issuer)
            .map(|set| StoredKeySet {
                source: set.source,
                body: set.body,
                fetched_at_ms: set.fetched_at_ms,
                // The freshness is not stored: a set from before a restart is fetched again at once, and serves until
                // then.
                fresh_until_ms: set.fetched_at_ms,
            }))
    }

    async fn save(&self, issuer: &str, set: StoredKeySet) -> Result<(), KeySetStoreError> {
        let issuer = IssuerName::new(issuer).map_err(|error| KeySetStoreError(error.to_string()))?;
        let set = SavedKeySet {
            issuer,
            source: set.source,
            body: set.body,
            fetched_at_ms: set.fetched_at_ms,
        };
        self.0
            .save_key_set(set)
            .await
            .map_err(|error| KeySetStoreError(error.to_string()))
    }
}
