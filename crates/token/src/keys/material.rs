//! The numbers of a public key, checked, and parsed once per algorithm.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ML_DSA_44, ML_DSA_65,
    ML_DSA_87, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, VerificationAlgorithm,
};

use crate::algorithm::{Algorithm, AlgorithmSet};
use crate::der::{OID_P256, OID_P384, OID_P521, PublicNumbers, bits};

const RSA_BITS_MIN: usize = 2048;
const RSA_BITS_MAX: usize = 8192;
/// Longest public exponent; everything in use is 3 or 65537.
const RSA_EXPONENT_BYTES_MAX: usize = 4;

/// The type and size of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA.
    Rsa {
        /// Size of the modulus.
        bits: usize,
    },
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// ML-DSA-44.
    MlDsa44,
    /// ML-DSA-65.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
}

impl KeyKind {
    /// Algorithms that a key of this kind can verify. The key's type decides, never a token's header.
    pub(crate) fn algorithms(self) -> AlgorithmSet {
        let algorithms: &[Algorithm] = match self {
            Self::Rsa { .. } => &[
                Algorithm::Rs256,
                Algorithm::Rs384,
                Algorithm::Rs512,
                Algorithm::Ps256,
                Algorithm::Ps384,
                Algorithm::Ps512,
            ],
            Self::P256 => &[Algorithm::Es256],
            Self::P384 => &[Algorithm::Es384],
            Self::P521 => &[Algorithm::Es512],
            Self::Ed25519 => &[Algorithm::EdDsa],
            Self::MlDsa44 => &[Algorithm::MlDsa44],
            Self::MlDsa65 => &[Algorithm::MlDsa65],
            Self::MlDsa87 => &[Algorithm::MlDsa87],
        };
        algorithms.iter().copied().collect()
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::P256 => f.write_str("EC P-256"),
            Self::P384 => f.write_str("EC P-384"),
            Self::P521 => f.write_str("EC P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::MlDsa44 => f.write_str("ML-DSA-44"),
            Self::MlDsa65 => f.write_str("ML-DSA-65"),
            Self::MlDsa87 => f.write_str("ML-DSA-87"),
        }
    }
}

/// A public key ready to verify.
pub(crate) struct Material {
    kind: KeyKind,
    /// Parsed once: parsing costs a quarter of an RSA verification.
    parsed: Vec<(Algorithm, ParsedPublicKey)>,
    /// SHA-256 of the numbers.
    numbers_hash: [u8; 32],
}

impl Material {
    /// Checks the numbers and parses them, for the one algorithm the key is bound to, or for all its type can do.
    /// The error is the reason as a sentence without its subject.
    pub(crate) fn from_numbers(numbers: PublicNumbers<'_>, only: Option<Algorithm>) -> Result<Self, String> {
        let kind = kind_of(numbers)?;
        let parsed = kind
            .algorithms()
            .iter()
            .filter(|algorithm| only.is_none_or(|only| only == *algorithm))
            .map(|algorithm| Some((algorithm, parse(numbers, algorithm)?)))
            .collect::<Option<Vec<_>>>()
            .ok_or("its numbers are not a valid key")?;
        Ok(Self {
            kind,
            parsed,
            numbers_hash: hash_of(numbers),
        })
    }

    pub(crate) const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Tests whether this is the same key, whatever else its entry says.
    ///
    /// SPEC: RFC 7638: exactly the numbers go into a key's thumbprint.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.numbers_hash == other.numbers_hash
    }

    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.parsed
            .iter()
            .find(|(own, _)| *own == algorithm)
            .is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
    }

    /// Hash over everything that makes this key this key: its numbers, its name and its algorithms.
    pub(crate) fn identity(&self, kid: Option<&str>, algorithms: AlgorithmSet) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(&self.numbers_hash);
        for algorithm in algorithms.iter() {
            context.update(algorithm.name().as_bytes());
            context.update(b" ");
        }
        if let Some(kid) = kid {
            context.update(b"kid ");
            context.update(kid.as_bytes());
        }
        finish(context)
    }
}

fn kind_of(numbers: PublicNumbers<'_>) -> Result<KeyKind, String> {
    match numbers {
        PublicNumbers::Rsa { modulus, exponent } => rsa_kind(modulus, exponent),
        PublicNumbers::Ec { curve: OID_P256, .. } => Ok(KeyKind::P256),
        PublicNumbers::Ec { curve: OID_P384, .. } => Ok(KeyKind::P384),
        PublicNumbers::Ec { curve: OID_P521, .. } => Ok(KeyKind::P521),
        PublicNumbers::Ec { .. } => Err("its curve is none of P-256, P-384 and P-521".to_owned()),
        PublicNumbers::Ed25519(bytes) if bytes.len() == 32 => Ok(KeyKind::Ed25519),
        PublicNumbers::Ed25519(_) => Err("an Ed25519 key has 32 bytes".to_owned()),
        PublicNumbers::MlDsa { algorithm, key } => ml_dsa_kind(algorithm, key.len()),
    }
}

/// SPEC: FIPS 204 table 2, the sizes of public keys.
fn ml_dsa_kind(algorithm: Algorithm, length: usize) -> Result<KeyKind, String> {
    let (kind, expected) = match algorithm {
        Algorithm::MlDsa44 => (KeyKind::MlDsa44, 1312),
        Algorithm::MlDsa65 => (KeyKind::MlDsa65, 1952),
        Algorithm::MlDsa87 => (KeyKind::MlDsa87, 2592),
        other => return Err(format!("{other} is not an algorithm of ML-DSA")),
    };
    if length == expected {
        Ok(kind)
    } else {
        Err(format!("its public key has {length} bytes; {kind} has {expected}"))
    }
}

/// SECURITY: an exponent of 1 makes every message its own signature; an even one is no RSA key at all.
/// SPEC: RFC 7518 3.3 (2048 bits or more), RFC 8017 3.1 (odd exponent of at least 3).
fn rsa_kind(modulus: &[u8], exponent: &[u8]) -> Result<KeyKind, String> {
    let bits = bits(modulus).unwrap_or(0);
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(format!(
            "its modulus has {bits} bits; {RSA_BITS_MIN} to {RSA_BITS_MAX} are accepted"
        ));
    }
    let odd = exponent.last().is_some_and(|last| last % 2 == 1);
    if !odd || exponent == [1] || exponent.len() > RSA_EXPONENT_BYTES_MAX {
        return Err("its exponent is not an odd number from 3 to 2^32".to_owned());
    }
    Ok(KeyKind::Rsa { bits })
}

fn parse(numbers: PublicNumbers<'_>, algorithm: Algorithm) -> Option<ParsedPublicKey> {
    match numbers {
        PublicNumbers::Rsa { modulus, exponent } => RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        }
        .to_parsed_public_key(rsa_parameters(algorithm)?)
        .ok(),
        PublicNumbers::Ec { point, .. } => {
            // Only the uncompressed form of a point: RFC 7518 6.2 knows no other, and certificates use no other.
            let uncompressed = point.first() == Some(&0x04);
            let algorithm: &'static dyn VerificationAlgorithm = match algorithm {
                Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
                Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
                Algorithm::Es512 => &ECDSA_P521_SHA512_FIXED,
                _ => return None,
            };
            ParsedPublicKey::new(algorithm, point).ok().filter(|_| uncompressed)
        }
        PublicNumbers::Ed25519(bytes) => ParsedPublicKey::new(&ED25519, bytes).ok(),
        PublicNumbers::MlDsa { key, .. } => {
            let algorithm: &'static dyn VerificationAlgorithm = match algorithm {
                Algorithm::MlDsa44 => &ML_DSA_44,
                Algorithm::MlDsa65 => &ML_DSA_65,
                Algorithm::MlDsa87 => &ML_DSA_87,
                _ => return None,
            };
            ParsedPublicKey::new(algorithm, key).ok()
        }
    }
}

const fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn hash_of(numbers: PublicNumbers<'_>) -> [u8; 32] {
    let (tag, parts): (&[u8], [&[u8]; 2]) = match numbers {
        PublicNumbers::Rsa { modulus, exponent } => (b"rsa ", [modulus, exponent]),
        PublicNumbers::Ec { curve, point } => (b"ec ", [curve, point]),
        PublicNumbers::Ed25519(bytes) => (b"ed25519 ", [bytes, &[]]),
        PublicNumbers::MlDsa { algorithm, key } => (b"ml-dsa ", [algorithm.name().as_bytes(), key]),
    };
    let mut context = Context::new(&SHA256);
    context.update(tag);
    for part in parts {
        // Lengths first, so that no two keys run together into one text.
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    finish(context)
}

fn finish(context: Context) -> [u8; 32] {
    let digest = context.finish();
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    hash
}
