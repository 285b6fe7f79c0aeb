//! A short name for a token that gives nothing of it away.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

use crate::codec::hex_encode;

/// Number of hash bytes that are kept. 96 bits: two tokens do not get one fingerprint by accident.
const LENGTH_BYTES: usize = 12;

/// The first twelve bytes of the SHA-256 of a compact token, shown as 24 hexadecimal digits.
///
/// It lets an audit say which token gave a grant. It is made on demand, because hashing costs a seventh of a verification.
///
/// SECURITY: never a cache key. A cached decision is found by a keyed hash of the whole token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; LENGTH_BYTES]);

impl Fingerprint {
    /// The fingerprint of a compact token.
    pub fn of(compact: &str) -> Self {
        let hash = digest(&SHA256, compact.as_bytes());
        let mut prefix = [0; LENGTH_BYTES];
        for (to, from) in prefix.iter_mut().zip(hash.as_ref()) {
            *to = *from;
        }
        Self(prefix)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex_encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_start_of_the_sha_256() {
        // FIPS 180-2 appendix B.1.
        assert_eq!(Fingerprint::of("abc").to_string(), "ba7816bf8f01cfea414140de");
    }
}
