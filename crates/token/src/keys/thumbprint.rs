//! Certificate thumbprints, in the three spellings met in the wild.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use crate::codec::{base64url_decode, hex_decode};

/// The thumbprints a key answers to: its own members, those of its first certificate, and a `kid` that is one.
///
/// A thumbprint is only a name: the signature is checked with the key's own numbers, so SHA-1 is no weakness here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Thumbprints {
    sha256: Vec<[u8; 32]>,
    sha1: Vec<[u8; 20]>,
}

impl Thumbprints {
    /// Both thumbprints of a certificate's DER.
    pub(crate) fn of_certificate(der: &[u8]) -> Self {
        let sha256 = digest(&SHA256, der).as_ref().try_into().into_iter().collect();
        let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, der)
            .as_ref()
            .try_into()
            .into_iter()
            .collect();
        Self { sha256, sha1 }
    }

    /// Adds a key's own `x5t#S256`, if it can be read.
    pub(crate) fn add_sha256(&mut self, text: &str) {
        self.sha256.extend(sha256_of(text));
    }

    /// Adds a key's own `x5t`, if it can be read.
    pub(crate) fn add_sha1(&mut self, text: &str) {
        self.sha1.extend(sha1_of(text));
    }

    /// Adds a key's `kid`, if it is a thumbprint: key sets of ADFS have no other place for it.
    pub(crate) fn add_kid(&mut self, kid: &str) {
        self.add_sha256(kid);
        self.add_sha1(kid);
    }

    /// Adds those of another entry of the same key.
    pub(crate) fn join(&mut self, other: Self) {
        self.sha256.extend(other.sha256);
        self.sha1.extend(other.sha1);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sha256.is_empty() && self.sha1.is_empty()
    }

    pub(crate) fn has_sha256(&self, wanted: &[u8; 32]) -> bool {
        self.sha256.contains(wanted)
    }

    pub(crate) fn has_sha1(&self, wanted: &[u8; 20]) -> bool {
        self.sha1.contains(wanted)
    }
}

/// Reads `x5t#S256`.
pub(crate) fn sha256_of(text: &str) -> Option<[u8; 32]> {
    read(text)
}

/// Reads `x5t`.
pub(crate) fn sha1_of(text: &str) -> Option<[u8; 20]> {
    read(text)
}

/// base64url (RFC 7515 4.1.7), hexadecimal, or base64url of the hexadecimal text. The lengths tell them apart.
fn read<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let hex_length = 2 * LENGTH;
    let bytes = if text.len() == hex_length {
        hex_decode(text.as_bytes())?
    } else {
        let decoded = base64url_decode(text.trim_end_matches('='))?;
        if decoded.len() == hex_length {
            hex_decode(&decoded)?
        } else {
            decoded
        }
    };
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{base64url_encode, hex_encode};

    #[test]
    fn three_spellings_name_one_certificate() {
        let bytes: [u8; 20] = std::array::from_fn(|i| u8::try_from(i * 12).unwrap());
        let hex = hex_encode(&bytes);
        for text in [
            base64url_encode(&bytes),
            hex.clone(),
            hex.to_uppercase(),
            base64url_encode(hex.as_bytes()),
            base64url_encode(hex.to_uppercase().as_bytes()),
        ] {
            assert_eq!(sha1_of(&text), Some(bytes), "{text}");
            assert_eq!(sha256_of(&text), None, "{text}");
        }
        assert_eq!(sha1_of(""), None);
    }
}
