//! Making compact tokens: `jwt(…)` in templates, `narthex token sign`, and Narthex's own assertions.
//!
//! A key is parsed once into a [`SigningKey`]; parsing an RSA key for each token doubles its price. The bytes of header
//! and payload are the caller's, so that a token can be byte-identical to another library's.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING,
    PqdsaKeyPair, PqdsaSigningAlgorithm, RsaEncoding, RsaKeyPair,
};
use serde_json::{Map, Value};

use crate::algorithm::{Algorithm, Family};
use crate::codec::{base64url_append, base64url_encode};
use crate::der::{self, PublicNumbers};
use crate::error::SignError;
use crate::keys::hmac_algorithm;
use crate::pem;

const RSA_BITS_MIN: usize = 2048;

/// A key ready to sign, bound to one algorithm.
pub struct SigningKey {
    algorithm: Algorithm,
    inner: Inner,
}

enum Inner {
    Hmac(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    MlDsa(Box<PqdsaKeyPair>),
}

impl SigningKey {
    /// A shared secret for HS256, HS384 or HS512, of any length but none: its owner on the other side chose it.
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, SignError> {
        let Some(hash) = hmac_algorithm(algorithm) else {
            return Err(match algorithm.family() {
                Family::Hmac => SignError::Unsupported { algorithm },
                _ => SignError::KeyMismatch {
                    algorithm,
                    found: "a shared secret",
                },
            });
        };
        if secret.is_empty() {
            return Err(SignError::SecretEmpty);
        }
        Ok(Self {
            algorithm,
            inner: Inner::Hmac(Box::new(hmac::Key::new(hash, secret))),
        })
    }

    /// A private key in PEM: `RSA PRIVATE KEY` (PKCS#1), `EC PRIVATE KEY` (SEC 1) or `PRIVATE KEY` (PKCS#8).
    pub fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self, SignError> {
        let refuse = |problem| Err(SignError::NotAPrivateKey { problem });
        let Some(block) = pem::first_block(text) else {
            return refuse(match (pem::has_armour(text), text.contains("Proc-Type:")) {
                (true, true) => "it is encrypted",
                (true, false) => "its PEM armour is damaged; are the line ends still there?",
                (false, _) => "no PEM block in it",
            });
        };
        match block.label {
            "PRIVATE KEY" => Self::from_pkcs8_der(algorithm, &block.der),
            "RSA PRIVATE KEY" => Self::from_pkcs1_der(algorithm, &block.der),
            "EC PRIVATE KEY" => Self::from_sec1_der(algorithm, &block.der),
            "ENCRYPTED PRIVATE KEY" => refuse("it is encrypted"),
            "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE" => refuse("it is public; signing needs the private key"),
            _ => refuse("its PEM label is none of a private key"),
        }
    }

    /// A private key in PKCS#8 DER.
    pub fn from_pkcs8_der(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, SignError> {
        match algorithm.family() {
            Family::Rsa => Self::from_rsa(algorithm, pkcs8, RsaKeyPair::from_pkcs8),
            Family::Ec => Self::from_ec(algorithm, pkcs8, EcdsaKeyPair::from_pkcs8),
            Family::Hmac => Err(SignError::KeyMismatch {
                algorithm,
                found: "a private key",
            }),
            Family::Ed25519 => Err(SignError::Unsupported { algorithm }),
            Family::MlDsa => Self::from_ml_dsa(algorithm, pkcs8),
        }
    }

    /// A private RSA key in PKCS#1 DER (RFC 8017 A.1.2).
    pub fn from_pkcs1_der(algorithm: Algorithm, pkcs1: &[u8]) -> Result<Self, SignError> {
        Self::from_rsa(algorithm, pkcs1, RsaKeyPair::from_der)
    }

    /// A private EC key in SEC 1 DER (RFC 5915).
    pub fn from_sec1_der(algorithm: Algorithm, sec1: &[u8]) -> Result<Self, SignError> {
        Self::from_ec(algorithm, sec1, EcdsaKeyPair::from_private_key_der)
    }

    fn from_rsa<E>(
        algorithm: Algorithm,
        der: &[u8],
        read: impl Fn(&[u8]) -> Result<RsaKeyPair, E>,
    ) -> Result<Self, SignError> {
        let encoding = rsa_encoding(algorithm).ok_or_else(|| unfit(algorithm, "an RSA key"))?;
        match (read(der), der::private_rsa_bits(der)) {
            (Ok(pair), _) => Ok(Self {
                algorithm,
                inner: Inner::Rsa(Box::new(pair), encoding),
            }),
            (Err(_), Some(bits)) if bits < RSA_BITS_MIN => Err(SignError::RsaTooSmall { bits }),
            (Err(_), Some(_)) => Err(SignError::NotAPrivateKey {
                problem: "its numbers do not fit together",
            }),
            (Err(_), None) => Err(SignError::KeyMismatch {
                algorithm,
                found: "a key that is not RSA",
            }),
        }
    }

    fn from_ec<E>(
        algorithm: Algorithm,
        der: &[u8],
        read: impl Fn(&'static EcdsaSigningAlgorithm, &[u8]) -> Result<EcdsaKeyPair, E>,
    ) -> Result<Self, SignError> {
        let (signing, problem) = ec_signing(algorithm).ok_or_else(|| unfit(algorithm, "an EC key"))?;
        match read(signing, der) {
            Ok(pair) => Ok(Self {
                algorithm,
                inner: Inner::Ec(pair),
            }),
            Err(_) if der::private_rsa_bits(der).is_some() => Err(SignError::KeyMismatch {
                algorithm,
                found: "an RSA key",
            }),
            Err(_) => Err(SignError::NotAPrivateKey { problem }),
        }
    }

    /// The key may hold its seed, its expanded form or both (RFC 9881 6).
    fn from_ml_dsa(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, SignError> {
        let (signing, problem) = ml_dsa_signing(algorithm).ok_or(SignError::Unsupported { algorithm })?;
        match PqdsaKeyPair::from_pkcs8(signing, pkcs8) {
            Ok(pair) => Ok(Self {
                algorithm,
                inner: Inner::MlDsa(Box::new(pair)),
            }),
            Err(_) if der::private_rsa_bits(pkcs8).is_some() => Err(SignError::KeyMismatch {
                algorithm,
                found: "an RSA key",
            }),
            Err(_) => Err(SignError::NotAPrivateKey { problem }),
        }
    }

    /// The algorithm it signs with; the header of a token must name it.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half as a JSON Web Key without `kid`, or `None` for a shared secret.
    pub fn public_jwk(&self) -> Option<Map<String, Value>> {
        let mut jwk = self.thumbprint_members()?;
        jwk.insert("alg".to_owned(), self.algorithm.name().into());
        jwk.insert("use".to_owned(), "sig".into());
        Some(jwk)
    }

    /// The thumbprint of RFC 7638, fit as a `kid`, or `None` for a shared secret.
    pub fn thumbprint(&self) -> Option<String> {
        let canonical = Value::Object(self.thumbprint_members()?).to_string();
        Some(base64url_encode(digest(&SHA256, canonical.as_bytes()).as_ref()))
    }

    /// The required members, in lexicographic order (RFC 7638 3.2).
    fn thumbprint_members(&self) -> Option<Map<String, Value>> {
        let members = match &self.inner {
            Inner::Hmac(_) => return None,
            Inner::Rsa(pair, _) => match der::any_public_key(pair.public_key().as_ref())? {
                PublicNumbers::Rsa { modulus, exponent } => vec![
                    ("e", base64url_encode(exponent)),
                    ("kty", "RSA".to_owned()),
                    ("n", base64url_encode(modulus)),
                ],
                _ => return None,
            },
            Inner::Ec(pair) => {
                // 0x04, then x and y, each as long as the curve's field.
                let point = pair.public_key().as_ref().get(1..)?;
                let (x, y) = point.split_at_checked(point.len() / 2)?;
                let curve = match self.algorithm {
                    Algorithm::Es384 => "P-384",
                    Algorithm::Es512 => "P-521",
                    _ => "P-256",
                };
                vec![
                    ("crv", curve.to_owned()),
                    ("kty", "EC".to_owned()),
                    ("x", base64url_encode(x)),
                    ("y", base64url_encode(y)),
                ]
            }
            // SPEC: RFC 9964 6: `alg` is one of the required members of this type.
            Inner::MlDsa(pair) => vec![
                ("alg", self.algorithm.name().to_owned()),
                ("kty", "AKP".to_owned()),
                ("pub", base64url_encode(pair.public_key().as_ref())),
            ],
        };
        Some(
            members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect(),
        )
    }

    /// The signature over some bytes. RS and HS always give the same one, PS, ES and ML-DSA never do: their randomness is the
    /// cryptographic library's own.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.inner {
            Inner::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Inner::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| SignError::Refused)?;
                Ok(signature)
            }
            Inner::Ec(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError::Refused),
            Inner::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature).map_err(|_| SignError::Refused)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    /// The algorithm only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// `base64url(header) . base64url(payload) . base64url(signature)` (RFC 7515 3.1).
///
/// `header` and `payload` are used byte for byte; `header` must be JSON whose `alg` is the key's algorithm.
pub fn sign_compact(header: &[u8], payload: &[u8], key: &SigningKey) -> Result<String, SignError> {
    // Four characters for three bytes, two full stops, and the longest signature of the kind.
    let signature_chars_max = match key.algorithm.family() {
        Family::MlDsa => 6170,
        _ => 1366,
    };
    let mut token = String::with_capacity((header.len() + payload.len()).div_ceil(3) * 4 + 4 + signature_chars_max);
    base64url_append(header, &mut token);
    token.push('.');
    base64url_append(payload, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    base64url_append(&signature, &mut token);
    Ok(token)
}

/// RSA encoding of an algorithm's signatures.
fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        // The salt is as long as the hash (RFC 7518 3.5).
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => return None,
    })
}

/// ECDSA algorithm, and the problem with a key that cannot sign with it.
fn ec_signing(algorithm: Algorithm) -> Option<(&'static EcdsaSigningAlgorithm, &'static str)> {
    Some(match algorithm {
        Algorithm::Es256 => (&ECDSA_P256_SHA256_FIXED_SIGNING, "it is not a P-256 key"),
        Algorithm::Es384 => (&ECDSA_P384_SHA384_FIXED_SIGNING, "it is not a P-384 key"),
        Algorithm::Es512 => (&ECDSA_P521_SHA512_FIXED_SIGNING, "it is not a P-521 key"),
        _ => return None,
    })
}

/// ML-DSA algorithm, and the problem with a key that cannot sign with it.
fn ml_dsa_signing(algorithm: Algorithm) -> Option<(&'static PqdsaSigningAlgorithm, &'static str)> {
    Some(match algorithm {
        Algorithm::MlDsa44 => (&ML_DSA_44_SIGNING, "it is not an ML-DSA-44 key"),
        Algorithm::MlDsa65 => (&ML_DSA_65_SIGNING, "it is not an ML-DSA-65 key"),
        Algorithm::MlDsa87 => (&ML_DSA_87_SIGNING, "it is not an ML-DSA-87 key"),
        _ => return None,
    })
}

/// The error of an algorithm that does not sign with keys of this kind.
const fn unfit(algorithm: Algorithm, found: &'static str) -> SignError {
    match algorithm {
        Algorithm::EdDsa => SignError::Unsupported { algorithm },
        _ => SignError::KeyMismatch { algorithm, found },
    }
}
