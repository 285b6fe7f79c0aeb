//! Signatures as Standard Webhooks defines them (specification 1.0.0, "Webhook headers" and "Signature scheme").

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Beginning of a secret in text form.
const PREFIX: &str = "whsec_";
/// Permitted lengths of a secret, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// Length of a secret that is made here, in bytes.
const NEW_BYTES: usize = 32;

/// Secret that sender and receiver share.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Error for a text that is not a secret. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is `whsec_` and 24 to 64 random bytes in base64; leave it out, and one is made")]
pub struct SecretProblem;

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    /// Parses a secret: `whsec_` and base64.
    ///
    /// # Errors
    ///
    /// [`SecretProblem`].
    pub fn parse(text: &str) -> Result<Self, SecretProblem> {
        let bytes = text.strip_prefix(PREFIX).and_then(|rest| STANDARD.decode(rest).ok());
        let bytes = Zeroizing::new(bytes.ok_or(SecretProblem)?);
        if LENGTHS.contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(SecretProblem)
        }
    }

    /// Creates a secret from random bytes.
    pub fn from_random(bytes: [u8; NEW_BYTES]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// Returns the text form. SECURITY: it is shown once, to the administrator who created it.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(&*self.0)))
    }

    /// Signs one message. `timestamp` is the time of the try, in seconds.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

/// Returns the value of `webhook-signature`: one signature for each secret, so that a receiver may have either one while
/// the secret changes.
pub fn sign(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(id, timestamp, body)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the libraries of Standard Webhooks (`libraries/python/tests/test_webhooks.py`).
    #[test]
    fn the_example_of_the_specification_has_its_signature() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            sign(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn each_secret_signs_while_the_secret_changes() {
        let (old, new) = (Secret::from_random([1; 32]), Secret::from_random([2; 32]));
        let both = sign(&[new.clone(), old.clone()], "evt_1", 5, b"{}");
        let parts: Vec<&str> = both.split(' ').collect();
        assert_eq!(
            parts,
            [sign(&[new], "evt_1", 5, b"{}"), sign(&[old], "evt_1", 5, b"{}")]
        );
    }

    #[test]
    fn a_secret_is_read_back_from_its_text() {
        let secret = Secret::from_random([7; 32]);
        let again = Secret::parse(&secret.expose()).unwrap();
        assert_eq!(again.expose(), secret.expose());
        assert_eq!(format!("{secret:?}"), "Secret(***)");
    }

    #[test]
    fn sec_a_weak_webhook_secret_is_refused() {
        for text in [
            "",
            "hunter2",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_!!!",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert!(Secret::parse(text).is_err(), "{text}");
        }
        let long = format!("whsec_{}", STANDARD.encode([1; 65]));
        assert!(Secret::parse(&long).is_err());
        assert!(!SecretProblem.to_string().contains("hunter2"));
    }
}
