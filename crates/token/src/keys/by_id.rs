//! One key for each id, as `key_url` gives them: PEM, or a JWK.

use std::sync::Arc;

use serde_json::Value;

use super::{KeySet, KeySetLimits, VerificationKey, jwk};
use crate::error::KeySetError;

/// The longest id of a key that is asked for.
const KEY_ID_BYTES_MAX: usize = 128;

/// Tests whether a key may be asked for by this id: 1 to 128 letters, digits, `-` and `_`.
///
/// SECURITY: the id comes from a token that nothing is proved about, and goes into a URL. With these characters it is
/// one part of one segment of it, whatever program reads it.
pub fn is_key_id(text: &str) -> bool {
    (1..=KEY_ID_BYTES_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl KeySet {
    /// The public key that was asked for by this id: PEM, a JWK, or a key set that has no other key. The key gets the id
    /// as its `kid`.
    ///
    /// # Errors
    ///
    /// [`KeySetError`] if it is no public key, or says that it has another id.
    pub fn from_key_by_id(kid: &str, document: &[u8], limits: &KeySetLimits) -> Result<Self, KeySetError> {
        let refuse = |problem: &str| KeySetError::PublicKey {
            problem: problem.to_owned(),
        };
        if document.len() > limits.bytes_max {
            return Err(KeySetError::TooLarge {
                limit_bytes: limits.bytes_max,
            });
        }
        let text = std::str::from_utf8(document).map_err(|_| refuse("it is not text"))?;
        let mut set = match serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) {
            Err(_) => Self::from_public_key_pem(text)?,
            Ok(Value::Object(object)) if object.contains_key("keys") => {
                let set = Self::from_jwks(document, limits)?;
                if let (None, Some(refused)) = (set.keys.first(), set.refused.first()) {
                    return Err(refuse(&refused.why));
                }
                set
            }
            Ok(entry) => Self {
                keys: vec![jwk::read(&entry).map_err(|problem| KeySetError::PublicKey { problem })?],
                ..Self::default()
            },
        };
        let [key] = set.keys.as_mut_slice() else {
            return Err(refuse(
                "it holds more than one key, or none; this address gives one key for each id",
            ));
        };
        // SECURITY: a key under another id than its own would be used where its issuer does not mean it.
        if key.kid.as_deref().is_some_and(|own| own != kid) {
            return Err(refuse("its `kid` is not the id that was asked for"));
        }
        key.kid = Some(Arc::from(kid));
        Ok(set)
    }

    /// The keys of several sets as one set.
    pub(crate) fn join(sets: impl IntoIterator<Item = Self>) -> Self {
        let mut joined = Self::default();
        for set in sets {
            joined.keys.extend::<Vec<VerificationKey>>(set.keys);
            joined.refused.extend(set.refused);
        }
        joined
    }
}
