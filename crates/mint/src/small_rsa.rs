//! RS256 with an RSA key that is too small to be safe, for `allowInsecureKeySizes`.
//!
//! The cryptographic library rightly refuses such keys. Whoever asks for one by name gets it: the other side of a
//! connection may be an old machine. A key that can be factored gains nothing from constant time.

use aws_lc_rs::digest::{SHA256, digest};
use num_bigint::BigUint;

use crate::der::RsaNumbers;

/// The signature, as long as the modulus; `None` for a modulus that has no room for one.
// SPEC: RFC 8017 8.2.1 and 9.2.
pub(crate) fn sign(numbers: &RsaNumbers<'_>, message: &[u8]) -> Option<Vec<u8>> {
    let length = numbers.modulus.len();
    let hash = digest(&SHA256, message);
    let filling = length
        .checked_sub(3 + DIGEST_INFO.len() + hash.as_ref().len())
        .filter(|filling| *filling >= 8)?;
    let mut padded = vec![0, 1];
    padded.resize(2 + filling, 0xff);
    padded.push(0);
    padded.extend_from_slice(&DIGEST_INFO);
    padded.extend_from_slice(hash.as_ref());
    let modulus = BigUint::from_bytes_be(numbers.modulus);
    let exponent = BigUint::from_bytes_be(numbers.private_exponent);
    let signature = BigUint::from_bytes_be(&padded)
        .modpow(&exponent, &modulus)
        .to_bytes_be();
    let mut bytes = vec![0; length.checked_sub(signature.len())?];
    bytes.extend_from_slice(&signature);
    Some(bytes)
}

/// What stands before a SHA-256 hash (RFC 8017 9.2, note 1).
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
];
