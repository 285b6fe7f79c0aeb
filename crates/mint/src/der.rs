//! As much DER as it takes to tell the kind of a private key, and to take an encrypted one apart.

/// Kind of a private key, as node names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// RSA, with the size of its modulus in bits.
    Rsa(usize),
    /// RSA bound to PSS, with the size of its modulus in bits and what its parameters demand, if it has any.
    RsaPss { bits: usize, demands: Option<PssDemands> },
    /// EC, with the curve as OpenSSL names it.
    Ec(&'static str),
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
pub(crate) fn pkcs8(der: &[u8]) -> Option<Kind> {
    let (outer, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(outer, INTEGER)?;
    let (algorithm, rest) = element(rest, SEQUENCE)?;
    let (identifier, parameters) = element(algorithm, OID)?;
    let (wrapped, _) = element(rest, OCTET_STRING)?;
    Some(match identifier {
        OID_RSA => pkcs1(wrapped)?,
        OID_RSA_PSS => match pkcs1(wrapped)? {
            Kind::Rsa(bits) => Kind::RsaPss {
                bits,
                demands: if parameters.is_empty() {
                    None
                } else {
                    Some(pss_demands(parameters)?)
                },
            },
            other => other,
        },
        OID_EC => Kind::Ec(curve(element(parameters, OID)?.0)),
        [0x2b, 0x65, 0x6e] => Kind::Other("x25519"),
        [0x2b, 0x65, 0x6f] => Kind::Other("x448"),
        [0x2b, 0x65, 0x70] => Kind::Other("ed25519"),
        [0x2b, 0x65, 0x71] => Kind::Other("ed448"),
        OID_DSA => Kind::Other("dsa"),
        OID_DH => Kind::Other("dh"),
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
        demands.hash_bits = hash_bits(algorithm(hash)?.0);
        rest = after;
    }
    if let Some((mask, after)) = element(rest, 0xa1) {
        let (_mgf1, inner, _) = algorithm(mask)?;
        demands.mask_hash_bits = hash_bits(algorithm(inner)?.0);
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
pub(crate) fn pkcs1(der: &[u8]) -> Option<Kind> {
    let modulus = rsa_numbers(der)?.modulus;
    Some(Kind::Rsa(modulus.len() * 8 - modulus.first()?.leading_zeros() as usize))
}

/// The kind of an `ECPrivateKey` (RFC 5915).
pub(crate) fn sec1(der: &[u8]) -> Option<Kind> {
    let (outer, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(outer, INTEGER)?;
    let (_key, rest) = element(rest, OCTET_STRING)?;
    let (parameters, _) = element(rest, PARAMETERS)?;
    Some(Kind::Ec(curve(element(parameters, OID)?.0)))
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

/// The object identifier and the parameters of an `AlgorithmIdentifier`, and what follows it.
pub(crate) fn algorithm(der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (algorithm, rest) = element(der, SEQUENCE)?;
    let (identifier, parameters) = element(algorithm, OID)?;
    Some((identifier, parameters, rest))
}

/// The contents of the first element, which must have this tag, and what follows it.
pub(crate) fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
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

fn strip_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn curve(identifier: &[u8]) -> &'static str {
    match identifier {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => "prime256v1",
        [0x2b, 0x81, 0x04, 0x00, 0x22] => "secp384r1",
        [0x2b, 0x81, 0x04, 0x00, 0x23] => "secp521r1",
        _ => "another curve",
    }
}

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
const PARAMETERS: u8 = 0xa0;
const SHA1_BITS: usize = 160;
const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const OID_RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const OID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const OID_DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];
const OID_DH: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01];
