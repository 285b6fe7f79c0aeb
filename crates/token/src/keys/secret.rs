//! Shared secrets, and the guard that keeps public keys from being used as one.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::codec::base64_standard_decode;
use crate::der::any_public_key;
use crate::error::KeySetError;
use crate::pem;

/// Rule for the length of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretLength {
    /// At least as long as the hash (RFC 7518 3.2).
    Standard,
    /// Any length but none: `danger_short_secret`.
    DangerShort,
}

/// A shared secret, ready for each of the three hashes.
pub(crate) struct Secret {
    keys: [(Algorithm, hmac::Key); 3],
    identity: [u8; 32],
}

impl Secret {
    pub(super) fn new(
        bytes: &[u8],
        position: usize,
        algorithms: &[Algorithm],
        length: SecretLength,
    ) -> Result<Self, KeySetError> {
        if bytes.is_empty() {
            return Err(KeySetError::SecretEmpty { position });
        }
        if let Some(what) = looks_like_a_key(bytes) {
            return Err(KeySetError::SecretIsKey { position, what });
        }
        if let Some(algorithm) = algorithms
            .iter()
            .copied()
            .find(|algorithm| hmac_algorithm(*algorithm).is_none())
        {
            return Err(KeySetError::NotASecretAlgorithm { algorithm });
        }
        let neediest = algorithms
            .iter()
            .copied()
            .max_by_key(|algorithm| algorithm.hash_length_bytes());
        if let (Some(algorithm), SecretLength::Standard) = (neediest, length)
            && bytes.len() < algorithm.hash_length_bytes()
        {
            return Err(KeySetError::SecretTooShort {
                position,
                length_bytes: bytes.len(),
                needed_bytes: algorithm.hash_length_bytes(),
                algorithm,
            });
        }
        let keys = [
            (Algorithm::Hs256, hmac::Key::new(hmac::HMAC_SHA256, bytes)),
            (Algorithm::Hs384, hmac::Key::new(hmac::HMAC_SHA384, bytes)),
            (Algorithm::Hs512, hmac::Key::new(hmac::HMAC_SHA512, bytes)),
        ];
        let mut identity = [0; 32];
        for (to, from) in identity.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
            *to = *from;
        }
        Ok(Self { keys, identity })
    }

    /// Compares in constant time.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.keys
            .iter()
            .find(|(own, _)| *own == algorithm)
            .is_some_and(|(_, key)| hmac::verify(key, message, signature).is_ok())
    }

    pub(super) const fn identity(&self) -> [u8; 32] {
        self.identity
    }
}

pub(crate) const fn hmac_algorithm(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

/// Name of the kind of key or certificate that a would-be secret looks like, if it does.
///
/// SECURITY: the classic confusion is a server that holds an RSA *public* key and checks an HS256 token with its text.
/// Algorithms and key types already cannot meet here; this keeps an operator from building the hole by hand.
fn looks_like_a_key(bytes: &[u8]) -> Option<&'static str> {
    if any_public_key(bytes).is_some() {
        return Some("a public key or certificate in DER");
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    if pem::has_armour(text) {
        return Some("a PEM key or certificate");
    }
    if text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-") {
        return Some("an SSH public key");
    }
    if let Ok(Value::Object(object)) = serde_json::from_str(text)
        && (object.contains_key("kty") || object.contains_key("keys"))
    {
        return Some("a JSON Web Key");
    }
    if base64_standard_decode(text).is_some_and(|der| any_public_key(&der).is_some()) {
        return Some("a public key or certificate in base64");
    }
    None
}
