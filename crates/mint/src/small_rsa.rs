//! RSA signatures with keys that are too small to be safe, for `allowInsecureKeySizes`.
//!
//! The cryptographic library rightly refuses such keys. An administrator who asks for one by name gets it: the other
//! side of a connection may be an old machine. A key that can be factored gains nothing from constant time.

use aws_lc_rs::digest::{Algorithm as Hash, SHA256, SHA384, SHA512, digest};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use narthex_token::Algorithm;
use num_bigint::BigUint;

use crate::der::RsaNumbers;

/// The signature, as long as the modulus; `None` for a modulus that has no room for one, and for an algorithm that is not
/// RSA's.
pub(crate) fn sign(algorithm: Algorithm, numbers: &RsaNumbers<'_>, message: &[u8]) -> Option<Vec<u8>> {
    let length = numbers.modulus.len();
    let padded = match algorithm {
        Algorithm::Rs256 => pkcs1(&SHA256, 1, length, message),
        Algorithm::Rs384 => pkcs1(&SHA384, 2, length, message),
        Algorithm::Rs512 => pkcs1(&SHA512, 3, length, message),
        Algorithm::Ps256 => pss(&SHA256, numbers.modulus, message),
        Algorithm::Ps384 => pss(&SHA384, numbers.modulus, message),
        Algorithm::Ps512 => pss(&SHA512, numbers.modulus, message),
        _ => None,
    }?;
    let modulus = BigUint::from_bytes_be(numbers.modulus);
    let exponent = BigUint::from_bytes_be(numbers.private_exponent);
    let signature = BigUint::from_bytes_be(&padded)
        .modpow(&exponent, &modulus)
        .to_bytes_be();
    let mut bytes = vec![0; length.checked_sub(signature.len())?];
    bytes.extend_from_slice(&signature);
    Some(bytes)
}

/// EMSA-PKCS1-v1_5 to `length` bytes.
// SPEC: RFC 8017 8.2.1 and 9.2.
fn pkcs1(hash: &'static Hash, number: u8, length: usize, message: &[u8]) -> Option<Vec<u8>> {
    let hash = digest(hash, message);
    let bytes = u8::try_from(hash.as_ref().len()).ok()?;
    // What stands before a SHA-2 hash (RFC 8017 9.2, note 1).
    let info = [
        0x30,
        17 + bytes,
        0x30,
        0x0d,
        0x06,
        0x09,
        0x60,
        0x86,
        0x48,
        0x01,
        0x65,
        0x03,
        0x04,
        0x02,
        number,
        0x05,
        0x00,
        0x04,
        bytes,
    ];
    let filling = length
        .checked_sub(3 + info.len() + hash.as_ref().len())
        .filter(|filling| *filling >= 8)?;
    let mut padded = vec![0, 1];
    padded.resize(2 + filling, 0xff);
    padded.push(0);
    padded.extend_from_slice(&info);
    padded.extend_from_slice(hash.as_ref());
    Some(padded)
}

/// EMSA-PSS with MGF1 and a random salt as long as the hash. The randomness is the cryptographic library's own, as it is
/// for every other key.
// SPEC: RFC 8017 9.1.1.
fn pss(hash: &'static Hash, modulus: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let hash_length = hash.output_len();
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize - 1;
    let length = bits.div_ceil(8);
    let mut salt = vec![0; hash_length];
    let data_length = length.checked_sub(hash_length + 1)?;
    let filling = data_length.checked_sub(hash_length + 1)?;
    SystemRandom::new().fill(&mut salt).ok()?;
    let salted = [&[0; 8][..], digest(hash, message).as_ref(), &salt].concat();
    let salted = digest(hash, &salted);
    let mut data = vec![0; filling];
    data.push(1);
    data.extend_from_slice(&salt);
    let mask = (0_u32..).flat_map(|counter| {
        let seed = [salted.as_ref(), &counter.to_be_bytes()].concat();
        digest(hash, &seed).as_ref().to_vec()
    });
    data.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    // The bits above the modulus's are cleared.
    if let Some(first) = data.first_mut() {
        *first &= 0xff >> (length * 8 - bits);
    }
    data.extend_from_slice(salted.as_ref());
    data.push(0xbc);
    Some(data)
}
