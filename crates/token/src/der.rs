//! DER (X.690) as far as keys need it: one element after the other, and the public key of a `SubjectPublicKeyInfo`, a
//! PKCS#1 key or a certificate.
//!
//! Nothing here judges a certificate: trust comes from where the key set was fetched, never from `x5c`.

use crate::algorithm::Algorithm;

/// A public key as its numbers, borrowed from the DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublicNumbers<'d> {
    /// Modulus and exponent, big-endian, without leading zeros.
    Rsa { modulus: &'d [u8], exponent: &'d [u8] },
    /// A curve's object identifier and an encoded point.
    Ec { curve: &'d [u8], point: &'d [u8] },
    /// 32 bytes.
    Ed25519(&'d [u8]),
    /// The algorithm, which is part of the key, and its encoded public key (FIPS 204 7.2).
    MlDsa { algorithm: Algorithm, key: &'d [u8] },
}

/// Object identifier of the curve P-256 (RFC 5480 2.1.1.1).
pub const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// Object identifier of the curve P-384 (RFC 5480 2.1.1.1).
pub const OID_P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// Object identifier of the curve P-521 (RFC 5480 2.1.1.1).
pub const OID_P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
/// Object identifier of RSA keys (RFC 8017 A.1).
pub const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// Object identifier of keys on elliptic curves (RFC 5480 2.1.1).
pub const OID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// Object identifier of Ed25519 keys (RFC 8410 3).
pub const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// Object identifier of ML-DSA-44 keys (RFC 9881 2).
pub const OID_ML_DSA_44: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11];
/// Object identifier of ML-DSA-65 keys (RFC 9881 2).
pub const OID_ML_DSA_65: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12];
/// Object identifier of ML-DSA-87 keys (RFC 9881 2).
pub const OID_ML_DSA_87: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13];

/// Tag of an INTEGER (X.690 8.3).
pub const INTEGER: u8 = 0x02;
/// Tag of an OCTET STRING (X.690 8.7).
pub const OCTET_STRING: u8 = 0x04;
/// Tag of an OBJECT IDENTIFIER (X.690 8.19).
pub const OID: u8 = 0x06;
/// Tag of a SEQUENCE (X.690 8.9).
pub const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xa0;

/// The public key of a `SubjectPublicKeyInfo` (RFC 5280 4.1).
pub(crate) fn public_key_info(der: &[u8]) -> Option<PublicNumbers<'_>> {
    let (info, rest) = element(der, SEQUENCE)?;
    if !rest.is_empty() {
        return None;
    }
    let (algorithm, rest) = element(info, SEQUENCE)?;
    let (bits, rest) = element(rest, BIT_STRING)?;
    let (unused_bits, key) = bits.split_first()?;
    if *unused_bits != 0 || !rest.is_empty() {
        return None;
    }
    let (identifier, parameters) = element(algorithm, OID)?;
    match identifier {
        OID_RSA => rsa_public_key(key),
        OID_EC => Some(PublicNumbers::Ec {
            curve: element(parameters, OID)?.0,
            point: key,
        }),
        OID_ED25519 => Some(PublicNumbers::Ed25519(key)),
        _ => ml_dsa(identifier).map(|algorithm| PublicNumbers::MlDsa { algorithm, key }),
    }
}

/// The ML-DSA algorithm of an object identifier.
fn ml_dsa(identifier: &[u8]) -> Option<Algorithm> {
    match identifier {
        OID_ML_DSA_44 => Some(Algorithm::MlDsa44),
        OID_ML_DSA_65 => Some(Algorithm::MlDsa65),
        OID_ML_DSA_87 => Some(Algorithm::MlDsa87),
        _ => None,
    }
}

/// The public key of a PKCS#1 `RSAPublicKey` (RFC 8017 A.1.1).
pub(crate) fn rsa_public_key(der: &[u8]) -> Option<PublicNumbers<'_>> {
    let (numbers, rest) = element(der, SEQUENCE)?;
    if !rest.is_empty() {
        return None;
    }
    let (modulus, exponent) = element(numbers, INTEGER)?;
    let (exponent, rest) = element(exponent, INTEGER)?;
    if !rest.is_empty() {
        return None;
    }
    Some(PublicNumbers::Rsa {
        modulus: strip_zeros(modulus),
        exponent: strip_zeros(exponent),
    })
}

/// The public key of an X.509 certificate (RFC 5280 4.1); nothing else of it is looked at.
pub(crate) fn certificate(der: &[u8]) -> Option<PublicNumbers<'_>> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (signed, _) = element(certificate, SEQUENCE)?;
    let mut rest = match element(signed, VERSION) {
        Some((_, rest)) => rest,
        None => signed,
    };
    rest = element(rest, INTEGER)?.1; // serial number
    for _ in ["signature", "issuer", "validity", "subject"] {
        rest = element(rest, SEQUENCE)?.1;
    }
    let (_, after) = element(rest, SEQUENCE)?;
    let info = rest.get(..rest.len() - after.len())?;
    public_key_info(info)
}

/// Any of the three.
pub(crate) fn any_public_key(der: &[u8]) -> Option<PublicNumbers<'_>> {
    public_key_info(der)
        .or_else(|| rsa_public_key(der))
        .or_else(|| certificate(der))
}

/// The size in bits of an RSA private key in PKCS#1 or PKCS#8.
pub(crate) fn private_rsa_bits(der: &[u8]) -> Option<usize> {
    let (outer, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(outer, INTEGER)?;
    let pkcs1 = match element(rest, SEQUENCE) {
        Some((algorithm, rest)) if element(algorithm, OID)?.0 == OID_RSA => {
            let (wrapped, _) = element(rest, OCTET_STRING)?;
            let (inner, _) = element(wrapped, SEQUENCE)?;
            element(inner, INTEGER)?.1
        }
        Some(_) => return None,
        None => rest,
    };
    let modulus = strip_zeros(element(pkcs1, INTEGER)?.0);
    bits(modulus)
}

/// Length in bits of a big-endian number without leading zeros; `None` for zero.
pub fn bits(number: &[u8]) -> Option<usize> {
    number
        .first()
        .map(|first| number.len() * 8 - first.leading_zeros() as usize)
}

/// A big-endian number without its leading zeros.
pub fn strip_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Contents of the first element, which must have this tag, and the bytes after it. `None` if the tag is another one or
/// the element is cut off, of indefinite length, or of 16 MiB and more.
pub fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    if *found != tag {
        return None;
    }
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (
                digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)),
                rest,
            )
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_prefix_of_anything_is_a_key() {
        // SEQUENCE { INTEGER 0x00c5, INTEGER 3 }
        let key = [0x30, 7, 2, 2, 0, 0xc5, 2, 1, 3];
        assert_eq!(
            rsa_public_key(&key),
            Some(PublicNumbers::Rsa {
                modulus: &[0xc5],
                exponent: &[3]
            })
        );
        for length in 0..key.len() {
            assert_eq!(any_public_key(&key[..length]), None);
        }
        assert_eq!(rsa_public_key(&[&key[..], &[0]].concat()), None);
        assert_eq!(element(&[0x30, 0x80, 0, 0], SEQUENCE), None, "indefinite length");
        assert_eq!(element(&[0x30, 0x83, 0xff, 0xff, 0xff], SEQUENCE), None);
    }
}
