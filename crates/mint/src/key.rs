//! Key that signs tokens, read once: a shared secret, a private key, or neither.

use std::fmt;
use std::sync::OnceLock;

use narthex_template::{Object, Value};
use narthex_token::sign::{SigningKey, sign_compact};
use narthex_token::{Algorithm, SignError};
use zeroize::Zeroizing;

use crate::der::{self, PrivateKeyKind};
use crate::error::MintError;
use crate::{encrypted, key_diagnosis, pem, small_rsa};

/// A secret or private key. Reading one costs more than signing with it, so one is kept where it is used again.
pub struct Key(pub(crate) Material);

pub(crate) enum Material {
    /// Nothing was given.
    Missing,
    /// No key can be made of what was given; with a diagnosis, if there is one.
    Unusable(Option<&'static str>),
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
    pub(crate) kind: PrivateKeyKind,
    label: &'static str,
    der: Zeroizing<Vec<u8>>,
    ready: Box<[OnceLock<Result<SigningKey, SignError>>; 12]>,
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

    /// Reads the secret that a template gives: text or bytes, or a collection of `key` and `passphrase`.
    pub fn from_value(value: &Value) -> Self {
        match value {
            Value::Text(text) => Self::from_bytes(text.as_bytes()),
            Value::Binary(bytes) => Self::from_bytes(bytes),
            Value::Object(members) => Self(Self::of_collection(members)),
            other if other.is_truthy() => Self(Material::Unusable(Some(
                "a secret is text or bytes, or a collection of `key` and `passphrase`",
            ))),
            _ => Self(Material::Missing),
        }
    }

    fn of_collection(members: &Object) -> Material {
        let text = |name: &str| match members.get(name) {
            Some(Value::Text(text)) => Ok(Some(text.as_str())),
            Some(Value::Binary(bytes)) => std::str::from_utf8(bytes).map(Some).map_err(|_| ()),
            None | Some(Value::Undefined) => Ok(None),
            Some(_) => Err(()),
        };
        let (Ok(key), Ok(passphrase)) = (text("key"), text("passphrase")) else {
            return Material::Unusable(Some("`key` and `passphrase` are texts"));
        };
        match key.and_then(|key| Private::read(key, passphrase)) {
            Some(private) => Material::Private(private),
            None => Material::Unusable(Some(key_diagnosis::of_collection(key, passphrase.is_some()))),
        }
    }

    /// Probable fault of a key that did not work, in one sentence that says what to do: line breaks written as `\n`, a
    /// public key, an encrypted key without its passphrase, armour that is missing. `None` where nothing is odd.
    ///
    /// The library's messages do not tell these apart. This goes beside them where there is room for advice; it repeats
    /// nothing of the key. A shared secret may well look like one of these, so it is worth saying only after an error.
    pub fn diagnosis(&self) -> Option<&'static str> {
        match &self.0 {
            Material::Missing => Some("the secret is empty or not there: check the name it is reached by"),
            Material::Unusable(diagnosis) => *diagnosis,
            Material::Secret(secret) => key_diagnosis::of_secret(&secret.bytes),
            Material::Private(_) => None,
        }
    }
}

impl fmt::Debug for Key {
    /// Its kind only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Material::Missing => f.write_str("Key(missing)"),
            Material::Unusable(_) => f.write_str("Key(unusable)"),
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
            ready: Box::new([const { OnceLock::new() }; 12]),
        })
    }

    /// Signs with an algorithm that goes with the key.
    pub(crate) fn sign(&self, algorithm: Algorithm, header: &[u8], payload: &[u8]) -> Result<String, MintError> {
        let read = || match (self.label, self.kind) {
            ("RSA PRIVATE KEY", _) => SigningKey::from_pkcs1_der(algorithm, &self.der),
            ("EC PRIVATE KEY", _) => SigningKey::from_sec1_der(algorithm, &self.der),
            (_, PrivateKeyKind::RsaPss { .. }) => {
                SigningKey::from_pkcs1_der(algorithm, der::wrapped(&self.der).unwrap_or_default())
            }
            _ => SigningKey::from_pkcs8_der(algorithm, &self.der),
        };
        match slot(algorithm).and_then(|slot| self.ready.get(slot)) {
            Some(ready) => compact(ready.get_or_init(read), header, payload),
            None => compact(&read(), header, payload),
        }
    }

    /// Signs with an RSA algorithm although the key is too small.
    pub(crate) fn sign_small(&self, algorithm: Algorithm, header: &[u8], payload: &[u8]) -> Option<String> {
        let mut token = format!("{}.{}", base64url(header), base64url(payload));
        let signature = small_rsa::sign(algorithm, &der::rsa_numbers(&self.der)?, token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url(&signature));
        Some(token)
    }
}

/// Position in the slots of an algorithm's key.
fn slot(algorithm: Algorithm) -> Option<usize> {
    const SLOTS: [Algorithm; 12] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
        Algorithm::MlDsa87,
    ];
    SLOTS.iter().position(|one| *one == algorithm)
}

fn compact(key: &Result<SigningKey, SignError>, header: &[u8], payload: &[u8]) -> Result<String, MintError> {
    let refused = |error: &SignError| MintError::Refused(error.to_string());
    sign_compact(header, payload, key.as_ref().map_err(refused)?).map_err(|error| refused(&error))
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
