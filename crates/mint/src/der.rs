//! Private keys in DER: their kind, and the parts of an encrypted one.

use narthex_token::Algorithm;
use narthex_token::der::{
    INTEGER, OCTET_STRING, OID, OID_EC, OID_ML_DSA_44, OID_ML_DSA_65, OID_ML_DSA_87, OID_P256, OID_P384, OID_P521,
    OID_RSA, SEQUENCE, bits, element, strip_zeros,
};

/// Kind of a private key, as node names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PrivateKeyKind {
    /// RSA, with the size of its modulus in bits.
    Rsa(usize),
    /// RSA bound to PSS, with the size of its modulus in bits and what its parameters demand, if it has any.
    RsaPss { bits: usize, demands: Option<PssDemands> },
    /// EC, with the curve as OpenSSL names it.
    Ec(&'static str),
    /// ML-DSA, with its algorithm and its name in OpenSSL.
    MlDsa(Algorithm, &'static str),
    /// Something else with a name.
    Other(&'static str),
}

/// Demands of an RSA-PSS key's parameters on a signature (RFC 8017 A.2.3), in bits and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PssDemands {
    /// The size of the hash in bits; 0 for one that is not known here.
    pub(crate) hash_bits: usize,
    /// The size of the mask's hash in bits; 0 for one that is not known here.
    pub(crate) mask_hash_bits: usize,
    /// Least length of the salt, in bytes.
    pub(crate) salt_bytes: usize,
}

/// The kind of a PKCS#8 `PrivateKeyInfo` (RFC 5208).
pub(crate) fn pkcs8(der: &[u8]) -> Option<PrivateKeyKind> {
    let (outer, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(outer, INTEGER)?;
    let (algorithm, rest) = element(rest, SEQUENCE)?;
    let (identifier, parameters) = element(algorithm, OID)?;
    let (wrapped, _) = element(rest, OCTET_STRING)?;
    Some(match identifier {
        OID_RSA => pkcs1(wrapped)?,
        OID_RSA_PSS => match pkcs1(wrapped)? {
            PrivateKeyKind::Rsa(bits) => PrivateKeyKind::RsaPss {
                bits,
                demands: if parameters.is_empty() {
                    None
                } else {
                    Some(pss_demands(parameters)?)
                },
            },
            other => other,
        },
        OID_EC => PrivateKeyKind::Ec(curve(element(parameters, OID)?.0)),
        [0x2b, 0x65, 0x6e] => PrivateKeyKind::Other("x25519"),
        [0x2b, 0x65, 0x6f] => PrivateKeyKind::Other("x448"),
        [0x2b, 0x65, 0x70] => PrivateKeyKind::Other("ed25519"),
        [0x2b, 0x65, 0x71] => PrivateKeyKind::Other("ed448"),
        OID_ML_DSA_44 => PrivateKeyKind::MlDsa(Algorithm::MlDsa44, "ml-dsa-44"),
        OID_ML_DSA_65 => PrivateKeyKind::MlDsa(Algorithm::MlDsa65, "ml-dsa-65"),
        OID_ML_DSA_87 => PrivateKeyKind::MlDsa(Algorithm::MlDsa87, "ml-dsa-87"),
        OID_DSA => PrivateKeyKind::Other("dsa"),
        OID_DH => PrivateKeyKind::Other("dh"),
        _ => return None,
    })
}

/// The demands of RSA-PSS parameters.
fn pss_demands(parameters: &[u8]) -> Option<PssDemands> {
    let (mut rest, _) = element(parameters, SEQUENCE)?;
    let mut demands = PssDemands {
        hash_bits: SHA1_BITS,
        mask_hash_bits: SHA1_BITS,
        salt_bytes: 20,
    };
    if let Some((hash, after)) = element(rest, 0xa0) {
        demands.hash_bits = hash_bits(algorithm(hash)?.identifier);
        rest = after;
    }
    if let Some((mask, after)) = element(rest, 0xa1) {
        let mgf1 = algorithm(mask)?;
        demands.mask_hash_bits = hash_bits(algorithm(mgf1.parameters)?.identifier);
        rest = after;
    }
    if let Some((salt, _)) = element(rest, 0xa2) {
        let bytes = element(salt, INTEGER)?.0;
        demands.salt_bytes = bytes.iter().try_fold(0_usize, |sum, byte| {
            sum.checked_mul(256)?.checked_add(usize::from(*byte))
        })?;
    }
    Some(demands)
}

/// The size of a hash in bits; 0 for one that is not known here.
fn hash_bits(identifier: &[u8]) -> usize {
    match identifier {
        [0x2b, 0x0e, 0x03, 0x02, 0x1a] => SHA1_BITS,
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last] => match last {
            1 => 256,
            2 => 384,
            3 => 512,
            4 => 224,
            _ => 0,
        },
        _ => 0,
    }
}

/// The key inside a PKCS#8 `PrivateKeyInfo`.
pub(crate) fn wrapped(der: &[u8]) -> Option<&[u8]> {
    let (outer, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(outer, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    Some(element(rest, OCTET_STRING)?.0)
}

/// The kind of a PKCS#1 `RSAPrivateKey` (RFC 8017 A.1.2).
pub(crate) fn pkcs1(der: &[u8]) -> Option<PrivateKeyKind> {
    bits(rsa_numbers(der)?.modulus).map(PrivateKeyKind::Rsa)
}

/// The kind of an `ECPrivateKey` (RFC 5915).
pub(crate) fn sec1(der: &[u8]) -> Option<PrivateKeyKind> {
    let (outer, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(outer, INTEGER)?;
    let (_key, rest) = element(rest, OCTET_STRING)?;
    let (parameters, _) = element(rest, PARAMETERS)?;
    Some(PrivateKeyKind::Ec(curve(element(parameters, OID)?.0)))
}

/// The numbers of an RSA key that signing needs, without leading zeros.
pub(crate) struct RsaNumbers<'d> {
    pub(crate) modulus: &'d [u8],
    pub(crate) private_exponent: &'d [u8],
}

/// The numbers of an RSA key in PKCS#1 or PKCS#8.
pub(crate) fn rsa_numbers(der: &[u8]) -> Option<RsaNumbers<'_>> {
    let (outer, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(outer, INTEGER)?;
    if let Some((_algorithm, rest)) = element(rest, SEQUENCE) {
        return rsa_numbers(element(rest, OCTET_STRING)?.0);
    }
    let (modulus, rest) = element(rest, INTEGER)?;
    let (_public_exponent, rest) = element(rest, INTEGER)?;
    let (private_exponent, _) = element(rest, INTEGER)?;
    Some(RsaNumbers {
        modulus: strip_zeros(modulus),
        private_exponent: strip_zeros(private_exponent),
    })
}

/// An `AlgorithmIdentifier` (RFC 5280 4.1.1.2).
pub(crate) struct AlgorithmIdentifier<'d> {
    /// Object identifier of the algorithm.
    pub(crate) identifier: &'d [u8],
    /// Parameters of the algorithm.
    pub(crate) parameters: &'d [u8],
    /// Bytes after it.
    pub(crate) rest: &'d [u8],
}

/// Reads an `AlgorithmIdentifier`.
pub(crate) fn algorithm(der: &[u8]) -> Option<AlgorithmIdentifier<'_>> {
    let (algorithm, rest) = element(der, SEQUENCE)?;
    let (identifier, parameters) = element(algorithm, OID)?;
    Some(AlgorithmIdentifier {
        identifier,
        parameters,
        rest,
    })
}

fn curve(identifier: &[u8]) -> &'static str {
    match identifier {
        OID_P256 => "prime256v1",
        OID_P384 => "secp384r1",
        OID_P521 => "secp521r1",
        _ => "another curve",
    }
}

const PARAMETERS: u8 = 0xa0;
const SHA1_BITS: usize = 160;
const OID_RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const OID_DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];
const OID_DH: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01];
