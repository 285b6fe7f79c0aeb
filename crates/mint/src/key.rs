//! What a token is signed with, read once: a shared secret, a private key, or neither.

use std::fmt;
use std::sync::OnceLock;

use narthex_template::Value;
use narthex_token::sign::{SigningKey, sign_compact};
use narthex_token::{Algorithm, SignError};
use zeroize::Zeroizing;

use crate::der::{self, Kind};
use crate::error::MintError;
use crate::{encrypted, pem, small_rsa};

/// A secret or private key. Reading one costs more than signing with it, so one is kept where it is used again.
pub struct Key(pub(crate) Material);

pub(crate) enum Material {
    /// Nothing was given.
    Missing,
    /// Something was given that no key can be made of.
    Unusable,
    /// A shared secret.
    Secret(Secret),
    /// A private key.
    Private(Private),
}

pub(crate) struct Secret {
    bytes: Zeroizing<Vec<u8>>,
    ready: [OnceLock<Result<SigningKey, SignError>>; 3],
}

pub(crate) struct Private {
    pub(crate) kind: Kind,
    label: &'static str,
    der: Zeroizing<Vec<u8>>,
    ready: OnceLock<Result<SigningKey, SignError>>,
}

impl Key {
    /// The bytes of a text or a file: a private key if they hold one in PEM that needs no passphrase, otherwise a shared
    /// secret, byte for byte. Nothing at all is no secret.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self(Material::Missing);
        }
        let private = std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| Private::read(text, None));
        Self(private.map_or_else(|| Material::Secret(Secret::new(bytes)), Material::Private))
    }

    /// What a template gives as the secret: text or bytes, or a collection of `key` and `passphrase`.
    pub fn from_value(value: &Value) -> Self {
        match value {
            Value::Text(text) => Self::from_bytes(text.as_bytes()),
            Value::Binary(bytes) => Self::from_bytes(bytes),
            Value::Object(members) => {
                let passphrase = members.get("passphrase").and_then(Value::as_text);
                let private = members
                    .get("key")
                    .and_then(Value::as_text)
                    .and_then(|text| Private::read(text, passphrase));
                Self(private.map_or(Material::Unusable, Material::Private))
            }
            other if other.is_truthy() => Self(Material::Unusable),
            _ => Self(Material::Missing),
        }
    }
}

impl fmt::Debug for Key {
    /// Its kind only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Material::Missing => f.write_str("Key(missing)"),
            Material::Unusable => f.write_str("Key(unusable)"),
            Material::Secret(_) => f.write_str("Key(secret)"),
            Material::Private(private) => write!(f, "Key({:?})", private.kind),
        }
    }
}

impl Secret {
    fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: Zeroizing::new(bytes.to_vec()),
            ready: [const { OnceLock::new() }; 3],
        }
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, header: &[u8], payload: &[u8]) -> Result<String, MintError> {
        let [hs256, hs384, hs512] = &self.ready;
        let slot = match algorithm {
            Algorithm::Hs384 => hs384,
            Algorithm::Hs512 => hs512,
            _ => hs256,
        };
        let key = slot.get_or_init(|| SigningKey::from_secret(algorithm, &self.bytes));
        compact(key, header, payload)
    }
}

impl Private {
    /// The private key in a PEM text, if there is one and it can be read.
    fn read(text: &str, passphrase: Option<&str>) -> Option<Self> {
        let block = pem::private_key(text)?;
        let passphrase = passphrase.map(str::as_bytes);
        let (label, der) = match (block.label, block.encryption) {
            ("PRIVATE KEY", None) => ("PRIVATE KEY", block.der),
            ("RSA PRIVATE KEY", None) => ("RSA PRIVATE KEY", block.der),
            ("EC PRIVATE KEY", None) => ("EC PRIVATE KEY", block.der),
            ("ENCRYPTED PRIVATE KEY", None) => ("PRIVATE KEY", encrypted::pkcs8(&block.der, passphrase?)?),
            ("RSA PRIVATE KEY", Some(info)) => (
                "RSA PRIVATE KEY",
                encrypted::traditional(info, &block.der, passphrase?)?,
            ),
            ("EC PRIVATE KEY", Some(info)) => {
                ("EC PRIVATE KEY", encrypted::traditional(info, &block.der, passphrase?)?)
            }
            _ => return None,
        };
        let kind = match label {
            "PRIVATE KEY" => der::pkcs8(&der),
            "RSA PRIVATE KEY" => der::pkcs1(&der),
            _ => der::sec1(&der),
        }?;
        Some(Self {
            kind,
            label,
            der,
            ready: OnceLock::new(),
        })
    }

    /// Signs with RS256.
    pub(crate) fn sign(&self, header: &[u8], payload: &[u8]) -> Result<String, MintError> {
        let key = self
            .ready
            .get_or_init(|| SigningKey::from_pem(Algorithm::Rs256, &pem::write(self.label, &self.der)));
        compact(key, header, payload)
    }

    /// Signs with RS256 although the key is too small.
    pub(crate) fn sign_small(&self, header: &[u8], payload: &[u8]) -> Option<String> {
        let mut token = format!("{}.{}", base64url(header), base64url(payload));
        let signature = small_rsa::sign(&der::rsa_numbers(&self.der)?, token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url(&signature));
        Some(token)
    }
}

fn compact(key: &Result<SigningKey, SignError>, header: &[u8], payload: &[u8]) -> Result<String, MintError> {
    let refused = |error: &SignError| MintError::Refused(error.to_string());
    sign_compact(header, payload, key.as_ref().map_err(refused)?).map_err(|error| refused(&error))
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
