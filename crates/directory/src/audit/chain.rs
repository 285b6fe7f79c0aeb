//! The evidence beside the audit trail, as stores keep it: links, checkpoints and their keys.

use std::fmt;

use crate::command::SecretBytes;

/// SHA-256 of an event, its number and the hash of the event before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// Stands for the hash before the first event.
    pub const GENESIS: Self = Self([0; 32]);

    /// Reads a hash from its text: 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }
}

/// INVARIANT: one hash has one text, so upper case is none.
const fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainHash({self})")
    }
}

/// Link of the chain: the hash of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainLink {
    /// Number of the event.
    pub sequence: u64,
    /// Its hash.
    pub hash: ChainHash,
}

/// Signature over the hash of one event, and with it over every event before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number of the event.
    pub sequence: u64,
    /// Its hash.
    pub hash: ChainHash,
    /// Time of the signature, in milliseconds.
    pub at_ms: i64,
    /// Id of the key that signed.
    pub kid: String,
    /// The signature, in base64url.
    pub signature: String,
}

/// A key of checkpoints. It is kept for ever, so that old checkpoints can be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditKey {
    /// Its `kid`.
    pub kid: String,
    /// The private key.
    pub private: SecretBytes,
    /// The public key as a JWK, in JSON.
    pub public_jwk: String,
    /// Time of creation, in milliseconds.
    pub created_at_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_one_text() {
        let hash = ChainHash(std::array::from_fn(|place| u8::try_from(place * 8).unwrap()));
        let text = hash.to_string();
        assert_eq!(ChainHash::parse(&text), Some(hash));
        let (upper, longer, other) = (text.to_uppercase(), format!("{text}00"), text.replace('8', "g"));
        for wrong in [upper.as_str(), text.get(1..).unwrap(), &longer, &other] {
            assert_eq!(ChainHash::parse(wrong), None, "{wrong}");
        }
    }
}
