//! API keys: `nx_` and 32 random bytes in base64url. Only the SHA-256 is kept.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_directory::{API_KEY_USE_EVERY_MS, ApiKey, ApiKeyId, Directory, SecretHash};
use zeroize::Zeroizing;

use narthex_clock::{NoEntropy, random_bytes};

/// Prefix of every API key, by which a key is recognized wherever it turns up.
const PREFIX: &str = narthex_engine::machine_key::API_KEY_PREFIX;

/// A key that was just created. Shown once; `{:?}` does not print it.
pub struct FreshApiKey(Zeroizing<String>);

impl FreshApiKey {
    /// Creates a key.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] when the operating system has no random bytes to give.
    pub fn new() -> Result<Self, NoEntropy> {
        let secret = Zeroizing::new(random_bytes::<32>()?);
        Ok(Self(Zeroizing::new(format!(
            "{PREFIX}{}",
            URL_SAFE_NO_PAD.encode(*secret)
        ))))
    }

    /// The key, to be shown to the client that asked for it and to be stored nowhere.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Hash of the key, which is all that is stored.
    pub fn hash(&self) -> SecretHash {
        hash(self.text())
    }
}

impl fmt::Debug for FreshApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FreshApiKey(***)")
    }
}

/// Times at which this node last recorded a use of each API key. It has as many entries as there are keys that work.
#[derive(Debug, Default)]
pub(crate) struct KeyUses(Mutex<HashMap<ApiKeyId, i64>>);

impl KeyUses {
    /// Records a use on a task beside the request, at most once a minute, whether or not the store takes it: a caller
    /// with a good key must not wait for a store that does not write.
    pub(crate) fn note(&self, key: &ApiKey, directory: &Arc<dyn Directory>, now_ms: i64) {
        if !key.use_is_due(now_ms) || !self.is_due(key.id, now_ms) {
            return;
        }
        let (directory, key) = (Arc::clone(directory), key.id);
        tokio::spawn(async move {
            if let Err(error) = directory.note_api_key_use(key, now_ms).await {
                tracing::info!(event = "api_key_use_not_recorded", api_key = %key, %error, "the use of an API key is not recorded");
            }
        });
    }

    fn is_due(&self, key: ApiKeyId, now_ms: i64) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = noted.insert(key, now_ms);
        let within = last.filter(|last| (0..API_KEY_USE_EVERY_MS).contains(&now_ms.saturating_sub(*last)));
        if let Some(last) = within {
            noted.insert(key, last);
        }
        within.is_none()
    }
}

/// Tests whether a bearer token has the form of an API key.
pub(crate) fn is_api_key(bearer: &str) -> bool {
    narthex_engine::machine_key::is_api_key(bearer.as_bytes())
}

/// Hashes a key for storage.
///
/// A key is 256 random bits: there is nothing to guess, so a fast hash is the right one, and finding a record by it
/// tells an attacker who can time the look-up nothing about any other key.
pub(crate) fn hash(key: &str) -> SecretHash {
    narthex_session::hash_of(key.as_bytes())
}

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    narthex_session::hash_of(bytes).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_43_characters_after_its_prefix_and_never_the_same() {
        let (one, other) = (FreshApiKey::new().unwrap(), FreshApiKey::new().unwrap());
        assert_eq!(one.text().len(), PREFIX.len() + 43);
        assert!(is_api_key(one.text()));
        assert_ne!(one.text(), other.text());
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.hash(), hash(one.text()));
        assert_eq!(format!("{one:?} {:?}", one.hash()), "FreshApiKey(***) SecretHash(***)");
    }

    #[test]
    fn the_hash_is_sha_256() {
        // SPEC: FIPS 180-2, appendix B.1
        let begins = [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea];
        assert_eq!(sha256(b"abc")[..8], begins);
    }
}
