//! Keys of checkpoints, and the signatures that they make.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_directory::{ChainLink, Checkpoint};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::canonical::canonical_object;

/// Purpose of a signature.
///
/// SECURITY: the signed bytes begin with it, so that a signature of one kind of line is none of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A checkpoint: the hash of an event.
    Checkpoint,
    /// The last line of an export.
    End,
}

impl Purpose {
    const fn domain(self) -> &'static str {
        match self {
            Self::Checkpoint => "narthex-audit-checkpoint-v1\n",
            Self::End => "narthex-audit-export-v1\n",
        }
    }

    /// Returns the bytes that are signed: the purpose, and the text of the line's members without `signature`.
    fn message(self, members: &Map<String, Value>) -> String {
        let mut message = self.domain().to_owned();
        message.push_str(&canonical_object(members));
        message
    }
}

/// Error of a key of checkpoints.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// The private key is damaged.
    #[error("a key of checkpoints in the store is damaged; restore the table `audit_keys` from a backup")]
    Damaged,
    /// A file holds no public key of checkpoints.
    #[error(
        "there is no key of checkpoints in it; `GET /api/v1/audit/keys` gives the key set of this installation \
         (`kty` `OKP`, `crv` `Ed25519`)"
    )]
    NotAKeySet,
}

/// A key that signs checkpoints and exports: Ed25519 (RFC 8032).
pub struct CheckpointKey {
    kid: String,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl CheckpointKey {
    /// Number of bytes of a private key.
    pub const SEED_BYTES: usize = 32;

    /// Reads a private key: 32 random bytes (RFC 8032 5.1.5).
    ///
    /// # Errors
    ///
    /// [`KeyError::Damaged`] for another number of bytes.
    pub fn from_seed(seed: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Damaged)?;
        let kid = thumbprint(pair.public_key().as_ref());
        Ok(Self { kid, pair })
    }

    /// Thumbprint of the public key (RFC 7638), by which lines name it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the public key as a JSON Web Key (RFC 8037).
    pub fn public_jwk(&self) -> Value {
        json!({
            "alg": "EdDSA", "crv": "Ed25519", "kid": self.kid, "kty": "OKP", "use": "sig",
            "x": URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref()),
        })
    }

    /// Signs the hash of an event, and with it every event up to there.
    pub fn checkpoint(&self, link: ChainLink, at_ms: i64) -> Checkpoint {
        let mut checkpoint = Checkpoint {
            sequence: link.sequence,
            hash: link.hash,
            at_ms,
            kid: self.kid.clone(),
            signature: String::new(),
        };
        checkpoint.signature = self.sign(Purpose::Checkpoint, &checkpoint_members(&checkpoint));
        checkpoint
    }

    pub(crate) fn sign(&self, purpose: Purpose, members: &Map<String, Value>) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.sign(purpose.message(members).as_bytes()))
    }
}

/// Returns the members of a checkpoint's line that its signature covers.
pub(crate) fn checkpoint_members(checkpoint: &Checkpoint) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("at_ms".to_owned(), Value::from(checkpoint.at_ms));
    members.insert("hash".to_owned(), Value::String(checkpoint.hash.to_string()));
    members.insert("kid".to_owned(), Value::String(checkpoint.kid.clone()));
    members.insert("sequence".to_owned(), Value::from(checkpoint.sequence));
    members
}

/// Public keys of checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerificationKeys(Vec<VerificationKey>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct VerificationKey {
    kid: String,
    public: Vec<u8>,
}

/// Number of bytes of a public key (RFC 8032 5.1.5).
const PUBLIC_BYTES: usize = 32;

impl VerificationKeys {
    /// Reads a JSON Web Key Set, or one JSON Web Key. Keys of other types are left out, for a set may have them.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotAKeySet`] where no key of checkpoints is in it.
    pub fn parse(value: &Value) -> Result<Self, KeyError> {
        let keys: Vec<VerificationKey> = match value.get("keys") {
            Some(Value::Array(keys)) => keys.iter().filter_map(VerificationKey::parse).collect(),
            Some(_) => Vec::new(),
            None => VerificationKey::parse(value).into_iter().collect(),
        };
        if keys.is_empty() {
            return Err(KeyError::NotAKeySet);
        }
        Ok(Self(keys))
    }

    /// Tests whether a key is among these.
    pub(crate) fn has(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid == kid)
    }

    /// Tests a signature over a line's members.
    pub(crate) fn verify(&self, kid: &str, purpose: Purpose, members: &Map<String, Value>, signature: &str) -> bool {
        let Some(key) = self.0.iter().find(|key| key.kid == kid) else {
            return false;
        };
        // SECURITY: one signature has one text. The decoder refuses padding and trailing bits.
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, &key.public)
            .verify(purpose.message(members).as_bytes(), &signature)
            .is_ok()
    }
}

impl VerificationKey {
    /// Reads a key. Its `kid` is computed and never taken from the file.
    fn parse(jwk: &Value) -> Option<Self> {
        let member = |name| jwk.get(name).and_then(Value::as_str);
        if (member("kty"), member("crv")) != (Some("OKP"), Some("Ed25519")) {
            return None;
        }
        let public = URL_SAFE_NO_PAD.decode(member("x")?).ok()?;
        (public.len() == PUBLIC_BYTES).then(|| Self {
            kid: thumbprint(&public),
            public,
        })
    }
}

/// Returns the thumbprint of RFC 7638 of an Ed25519 key (RFC 8037 2).
fn thumbprint(public: &[u8]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let text = format!("{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{x}\"}}");
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use narthex_directory::ChainHash;

    use super::*;

    const LINK: ChainLink = ChainLink {
        sequence: 7,
        hash: ChainHash([9; 32]),
    };

    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        // RFC 8037 appendix A.1 and A.3.
        let public = URL_SAFE_NO_PAD
            .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
            .unwrap();
        assert_eq!(thumbprint(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn sec_a_signature_of_a_checkpoint_is_none_of_an_export() {
        let key = CheckpointKey::from_seed(&[1; 32]).unwrap();
        let keys = VerificationKeys::parse(&json!({ "keys": [key.public_jwk()] })).unwrap();
        let checkpoint = key.checkpoint(LINK, 5);
        let members = checkpoint_members(&checkpoint);
        assert!(keys.verify(key.kid(), Purpose::Checkpoint, &members, &checkpoint.signature));
        assert!(!keys.verify(key.kid(), Purpose::End, &members, &checkpoint.signature));
        assert!(!keys.verify("another", Purpose::Checkpoint, &members, &checkpoint.signature));
        let other = CheckpointKey::from_seed(&[2; 32]).unwrap();
        let keys = VerificationKeys::parse(&other.public_jwk()).unwrap();
        assert!(!keys.has(key.kid()) && keys.has(other.kid()));
    }

    #[test]
    fn what_is_no_key_of_checkpoints_is_refused() {
        let wrong = [
            json!({}),
            json!([]),
            json!({ "keys": [] }),
            json!({ "keys": 1 }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "AA" }),
        ];
        for value in wrong {
            assert_eq!(VerificationKeys::parse(&value), Err(KeyError::NotAKeySet), "{value}");
        }
        assert!(CheckpointKey::from_seed(&[1; 31]).is_err());
    }
}
