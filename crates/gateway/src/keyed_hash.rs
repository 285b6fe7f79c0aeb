//! A hash with a key of the process: what caches know tokens and wishes by, in place of keeping them.

use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::clock::{NoEntropy, random_bytes};

/// What a piece of bytes is known by.
pub(crate) type Digest = [u8; 16];

/// AES-GMAC (NIST SP 800-38D) with a key that is made at the start and leaves the process never.
///
/// SECURITY: for whoever does not know the key, two different pieces of up to 64 KiB have the same digest with a
/// probability of at most 2^-115, however they were chosen: GHASH is a universal hash. That one nonce is used throughout
/// would give the key away to somebody who sees digests; nobody does, they are in no answer, no log and no store.
/// SHA-256 with a key would do the same for more work, on every request.
pub(crate) struct KeyedHash(LessSafeKey);

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash")
    }
}

impl KeyedHash {
    /// A hash with a new key.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`], as [`random_bytes`].
    pub(crate) fn new() -> Result<Self, NoEntropy> {
        let key = random_bytes::<16>()?;
        let key = UnboundKey::new(&AES_128_GCM, &key).map_err(|_| NoEntropy)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// What a piece of bytes is known by. `None` where it cannot be hashed; then it is known by nothing and never found.
    pub(crate) fn of(&self, bytes: &[u8]) -> Option<Digest> {
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(bytes), &mut [])
            .ok()?;
        tag.as_ref().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Only what is the same, byte for byte, is known by the same.
        #[test]
        fn sec_different_bytes_are_known_by_different_digests(
            bytes in proptest::collection::vec(any::<u8>(), 1..2_000),
            at in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let hash = KeyedHash::new().unwrap();
            let digest = hash.of(&bytes).unwrap();
            prop_assert_eq!(hash.of(&bytes), Some(digest));
            let mut other = bytes.clone();
            other[at.index(bytes.len())] ^= 1 << bit;
            prop_assert_ne!(hash.of(&other), Some(digest));
            prop_assert_ne!(hash.of(&bytes[..bytes.len() - 1]), Some(digest));
            other.clone_from(&bytes);
            other.push(0);
            prop_assert_ne!(hash.of(&other), Some(digest), "zeros behind are a difference");
            prop_assert_ne!(KeyedHash::new().unwrap().of(&bytes), Some(digest), "each process has a key of its own");
        }
    }
}
