//! Keyed hashes with a key of this process: caches store them in place of tokens and requested changes.

use std::fmt;
use std::hash::Hash;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use siphasher::sip128::{Hasher128 as _, SipHasher24};

use narthex_clock::{NoEntropy, random_bytes};

/// Digest of a byte string.
pub(crate) type Digest = [u8; 16];

/// Keyed hash for tokens, which are long: AES-GMAC (NIST SP 800-38D) with a key that is made at the start and never
/// leaves the process.
///
/// SECURITY: for an attacker without the key, two different byte strings of up to 64 KiB have the same digest with a
/// probability of at most 2^-115, however they were chosen: GHASH is a universal hash. The constant nonce would reveal
/// the key to an attacker who sees digests, but no digest is in any answer, log or store. SHA-256 with a key would do
/// the same for more work, on every request.
pub(crate) struct KeyedHash(LessSafeKey);

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash")
    }
}

impl KeyedHash {
    /// Creates a hash with a new key.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`], as [`random_bytes`].
    pub(crate) fn new() -> Result<Self, NoEntropy> {
        let key = random_bytes::<16>()?;
        let key = UnboundKey::new(&AES_128_GCM, &key).map_err(|_| NoEntropy)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Returns the digest of a byte string; `None` if it cannot be hashed, and then it is not cached.
    pub(crate) fn of(&self, bytes: &[u8]) -> Option<Digest> {
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(bytes), &mut [])
            .ok()?;
        tag.as_ref().try_into().ok()
    }
}

/// Keyed hash for short values: SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012), likewise with a key that is
/// made at the start and never leaves the process. The setup of AES-GMAC alone costs more than this hash of two hundred
/// bytes.
///
/// SECURITY: a pseudorandom function; for an attacker without the key, two different values have the same digest with a
/// probability of 2^-128, and no digest is in any answer, log or store.
pub(crate) struct KeyedShortHash(SipHasher24);

impl fmt::Debug for KeyedShortHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedShortHash")
    }
}

impl KeyedShortHash {
    /// Creates a hash with a new key.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`], as [`random_bytes`].
    pub(crate) fn new() -> Result<Self, NoEntropy> {
        Ok(Self(SipHasher24::new_with_key(&random_bytes()?)))
    }

    /// Returns the digest of a value. Equal values have equal digests.
    pub(crate) fn of(&self, value: &impl Hash) -> Digest {
        let mut hasher = self.0;
        value.hash(&mut hasher);
        hasher.finish128().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Only byte strings that are equal, byte for byte, have the same digest.
    fn tells_apart<D: PartialEq + std::fmt::Debug>(
        one: impl Fn(&[u8]) -> D,
        other_process: impl Fn(&[u8]) -> D,
        bytes: &[u8],
        (at, bit): (prop::sample::Index, u8),
    ) -> Result<(), TestCaseError> {
        let digest = one(bytes);
        prop_assert_eq!(&one(bytes), &digest);
        let mut other = bytes.to_vec();
        other[at.index(bytes.len())] ^= 1 << bit;
        prop_assert_ne!(&one(&other), &digest);
        prop_assert_ne!(&one(&bytes[..bytes.len() - 1]), &digest);
        let longer = [bytes, &[0]].concat();
        prop_assert_ne!(&one(&longer), &digest, "zeros behind are a difference");
        prop_assert_ne!(&other_process(bytes), &digest, "each process has a key of its own");
        Ok(())
    }

    proptest! {
        #[test]
        fn sec_different_bytes_are_known_by_different_digests(
            bytes in proptest::collection::vec(any::<u8>(), 1..2_000),
            at in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let (one, other) = (KeyedHash::new().unwrap(), KeyedHash::new().unwrap());
            tells_apart(|bytes| one.of(bytes).unwrap(), |bytes| other.of(bytes).unwrap(), &bytes, (at, bit))?;
            let (one, other) = (KeyedShortHash::new().unwrap(), KeyedShortHash::new().unwrap());
            tells_apart(|bytes| one.of(&bytes), |bytes| other.of(&bytes), &bytes, (at, bit))?;
        }
    }
}
