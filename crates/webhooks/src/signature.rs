//! Signatures as Standard Webhooks defines them (specification 1.0.0, "Webhook headers" and "Signature scheme").

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use key_pair::KeyPair;

mod key_pair;

/// Beginning of a secret in text form.
const PREFIX: &str = "whsec_";
/// Permitted lengths of a secret, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// Number of random bytes that a key is made of.
const NEW_BYTES: usize = 32;

/// Scheme of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureScheme {
    /// HMAC-SHA256 with a secret that sender and receiver share.
    #[default]
    V1,
    /// Ed25519 with a private key that the sender alone has.
    V1a,
}

/// Error for a text that names no scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scheme is `v1` (a shared secret) or `v1a` (Ed25519)")]
pub struct UnknownScheme;

impl FromStr for SignatureScheme {
    type Err = UnknownScheme;

    fn from_str(text: &str) -> Result<Self, UnknownScheme> {
        match text {
            "v1" => Ok(Self::V1),
            "v1a" => Ok(Self::V1a),
            _ => Err(UnknownScheme),
        }
    }
}

/// Key that signs the messages of a webhook.
#[derive(Debug, Clone)]
pub struct SigningKey(Material);

#[derive(Debug, Clone)]
enum Material {
    Secret(Secret),
    Pair(KeyPair),
}

/// Secret that sender and receiver share.
#[derive(Clone)]
struct Secret(Zeroizing<Vec<u8>>);

/// Error for a text that is no key. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is `whsec_` and 24 to 64 random bytes in base64; leave it out, and one is made")]
pub struct SecretProblem;

/// Error of the cryptographic library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message could not be signed; rotate the secret of the webhook")]
pub struct SigningError;

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl SigningKey {
    /// Parses a secret of an administrator: `whsec_` and base64.
    ///
    /// # Errors
    ///
    /// [`SecretProblem`].
    pub fn parse_secret(text: &str) -> Result<Self, SecretProblem> {
        let bytes = text.strip_prefix(PREFIX).and_then(|rest| STANDARD.decode(rest).ok());
        let bytes = Zeroizing::new(bytes.ok_or(SecretProblem)?);
        if LENGTHS.contains(&bytes.len()) {
            Ok(Self(Material::Secret(Secret(bytes))))
        } else {
            Err(SecretProblem)
        }
    }

    /// Parses the text of a key of either scheme, as it is kept.
    ///
    /// # Errors
    ///
    /// [`SecretProblem`].
    pub fn parse(text: &str) -> Result<Self, SecretProblem> {
        match KeyPair::parse(text) {
            Some(pair) => Ok(Self(Material::Pair(pair))),
            None => Self::parse_secret(text),
        }
    }

    /// Creates a key from random bytes.
    ///
    /// # Errors
    ///
    /// [`SecretProblem`] if the cryptographic library makes no key pair of them.
    pub fn from_random(scheme: SignatureScheme, bytes: [u8; NEW_BYTES]) -> Result<Self, SecretProblem> {
        let bytes = Zeroizing::new(bytes);
        Ok(Self(match scheme {
            SignatureScheme::V1 => Material::Secret(Secret(Zeroizing::new(bytes.to_vec()))),
            SignatureScheme::V1a => Material::Pair(KeyPair::from_seed(&bytes).ok_or(SecretProblem)?),
        }))
    }

    /// Returns the text in which the key is kept. SECURITY: it is for sealing only.
    pub fn expose(&self) -> Zeroizing<String> {
        match &self.0 {
            Material::Secret(secret) => secret.expose(),
            Material::Pair(pair) => pair.expose(),
        }
    }

    /// Returns the secret that the receiver needs. SECURITY: it is shown once, to the administrator who created it. `None`
    /// for a key pair: its receiver needs the public key, and its private key is shown to no one.
    pub fn shared_secret(&self) -> Option<Zeroizing<String>> {
        match &self.0 {
            Material::Secret(secret) => Some(secret.expose()),
            Material::Pair(_) => None,
        }
    }

    /// Returns the public key of a key pair: `whpk_` and base64.
    pub fn public_key(&self) -> Option<String> {
        match &self.0 {
            Material::Secret(_) => None,
            Material::Pair(pair) => Some(pair.public_key()),
        }
    }

    fn sign(&self, content: &[u8]) -> Result<String, SigningError> {
        Ok(match &self.0 {
            Material::Secret(secret) => format!("v1,{}", STANDARD.encode(secret.sign(content))),
            Material::Pair(pair) => format!("v1a,{}", STANDARD.encode(pair.sign(content).ok_or(SigningError)?)),
        })
    }
}

impl Secret {
    fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(&*self.0)))
    }

    fn sign(&self, content: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), content)
    }
}

/// Returns the value of `webhook-signature`: one signature by each key, so that a receiver may have either one while the key
/// changes. `timestamp` is the time of the try, in seconds.
///
/// # Errors
///
/// [`SigningError`].
pub fn sign(keys: &[SigningKey], id: &str, timestamp: i64, body: &[u8]) -> Result<String, SigningError> {
    let mut content = format!("{id}.{timestamp}.").into_bytes();
    content.extend_from_slice(body);
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(&content)).collect::<Result<_, _>>()?;
    Ok(signatures.join(" "))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    fn secret(byte: u8) -> SigningKey {
        SigningKey::from_random(SignatureScheme::V1, [byte; 32]).unwrap()
    }

    fn pair(byte: u8) -> SigningKey {
        SigningKey::from_random(SignatureScheme::V1a, [byte; 32]).unwrap()
    }

    /// The example of the libraries of Standard Webhooks (`libraries/python/tests/test_webhooks.py`).
    #[test]
    fn the_example_of_the_specification_has_its_signature() {
        let secret = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            sign(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap(),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn each_key_signs_while_the_key_changes() {
        let (old, new) = (secret(1), pair(2));
        let both = sign(&[new.clone(), old.clone()], "evt_1", 5, b"{}").unwrap();
        let parts: Vec<&str> = both.split(' ').collect();
        assert_eq!(
            parts,
            [
                sign(&[new], "evt_1", 5, b"{}").unwrap(),
                sign(&[old], "evt_1", 5, b"{}").unwrap()
            ]
        );
        assert!(parts[0].starts_with("v1a,") && parts[1].starts_with("v1,"), "{both}");
    }

    #[test]
    fn the_public_key_verifies_what_the_private_key_signed() {
        let key = pair(7);
        let public = key.public_key().unwrap();
        let public = STANDARD.decode(public.strip_prefix("whpk_").unwrap()).unwrap();
        let signature = sign(&[key], "evt_1", 5, b"{}").unwrap();
        let signature = STANDARD.decode(signature.strip_prefix("v1a,").unwrap()).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, public);
        assert!(public.verify(b"evt_1.5.{}", &signature).is_ok());
        assert!(public.verify(b"evt_1.6.{}", &signature).is_err());
    }

    #[test]
    fn a_key_is_read_back_from_its_text() {
        for key in [secret(7), pair(7)] {
            let again = SigningKey::parse(&key.expose()).unwrap();
            assert_eq!(again.expose(), key.expose());
            assert!(format!("{key:?}").contains("***"), "{key:?}");
        }
        assert_eq!(secret(7).public_key(), None);
    }

    #[test]
    fn sec_the_private_key_of_a_webhook_is_not_for_its_receiver() {
        let key = pair(7);
        assert_eq!(key.shared_secret(), None);
        assert!(SigningKey::parse_secret(&key.expose()).is_err(), "nor is one taken");
        let text = key.expose();
        let seed = STANDARD.encode([7; 30]);
        assert!(!key.public_key().unwrap().contains(&seed));
        assert!(text.contains(&seed));
    }

    #[test]
    fn sec_a_weak_webhook_secret_is_refused() {
        for text in [
            "",
            "hunter2",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_!!!",
            "whsk_c2hvcnQ=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert!(SigningKey::parse(text).is_err(), "{text}");
        }
        let long = format!("whsec_{}", STANDARD.encode([1; 65]));
        assert!(SigningKey::parse(&long).is_err());
        assert!(!SecretProblem.to_string().contains("hunter2"));
    }

    #[test]
    fn schemes_are_named_as_in_the_header() {
        assert_eq!("v1".parse::<SignatureScheme>(), Ok(SignatureScheme::V1));
        assert_eq!("v1a".parse::<SignatureScheme>(), Ok(SignatureScheme::V1a));
        assert_eq!("v2".parse::<SignatureScheme>(), Err(UnknownScheme));
        assert_eq!(serde_json::to_value(SignatureScheme::V1a).unwrap(), "v1a");
    }
}
