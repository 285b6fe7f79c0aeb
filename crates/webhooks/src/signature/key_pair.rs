//! Ed25519 key pairs in text form: `whsk_` and `whpk_`.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, Signature};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Beginning of a private key in text form.
const PRIVATE_PREFIX: &str = "whsk_";
/// Beginning of a public key in text form.
const PUBLIC_PREFIX: &str = "whpk_";
/// Length of the seed that is the private key (RFC 8032 section 5.1.5), in bytes.
const SEED_BYTES: usize = 32;

/// Ed25519 key pair.
#[derive(Clone)]
pub(super) struct KeyPair {
    seed: Zeroizing<[u8; SEED_BYTES]>,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(***)")
    }
}

impl KeyPair {
    /// Creates the pair with this private key.
    pub(super) fn from_seed(seed: &[u8; SEED_BYTES]) -> Option<Self> {
        Some(Self {
            seed: Zeroizing::new(*seed),
            pair: Ed25519KeyPair::from_seed_unchecked(seed).ok()?,
        })
    }

    /// Parses a private key in text form: the base64 of seed and public key. `None` for anything else, and where the two do
    /// not belong together.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix(PRIVATE_PREFIX)?).ok()?;
        let bytes = Zeroizing::new(bytes);
        let (seed, public) = bytes.split_first_chunk::<SEED_BYTES>()?;
        Some(Self {
            seed: Zeroizing::new(*seed),
            pair: Ed25519KeyPair::from_seed_and_public_key(seed, public).ok()?,
        })
    }

    /// Returns the private key in text form.
    pub(super) fn expose(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * SEED_BYTES));
        bytes.extend_from_slice(self.seed.as_slice());
        bytes.extend_from_slice(self.pair.public_key().as_ref());
        Zeroizing::new(format!("{PRIVATE_PREFIX}{}", STANDARD.encode(&*bytes)))
    }

    /// Returns the public key in text form.
    pub(super) fn public_key(&self) -> String {
        format!("{PUBLIC_PREFIX}{}", STANDARD.encode(self.pair.public_key()))
    }

    /// Signs a message; `None` if the cryptographic library fails.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Signature> {
        self.pair.try_sign(message).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 8037, appendix A.
    const PRIVATE: &str =
        "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
    const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[test]
    fn a_key_of_the_standard_has_its_public_key() {
        let pair = KeyPair::parse(PRIVATE).unwrap();
        assert_eq!(pair.public_key(), PUBLIC);
        assert_eq!(pair.expose().as_str(), PRIVATE);
    }

    #[test]
    fn a_private_key_with_another_public_key_is_none() {
        let bytes = STANDARD.decode(PRIVATE.strip_prefix(PRIVATE_PREFIX).unwrap()).unwrap();
        let mut swapped = bytes.clone();
        swapped.rotate_left(32);
        for bytes in [&swapped[..], &bytes[..63], &bytes[..31], &[]] {
            let text = format!("{PRIVATE_PREFIX}{}", STANDARD.encode(bytes));
            assert!(KeyPair::parse(&text).is_none(), "{text}");
        }
    }
}
