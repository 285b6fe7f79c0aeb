//! Private keys under a passphrase: `ENCRYPTED PRIVATE KEY` (PBES2, RFC 8018) and the old `Proc-Type: 4,ENCRYPTED`.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512};
use md5::{Digest as _, Md5};
use narthex_token::der::{INTEGER, OCTET_STRING, OID, SEQUENCE, element};
use zeroize::Zeroizing;

use crate::der::{AlgorithmIdentifier, algorithm};
use crate::pem::DekInfo;

/// The `PrivateKeyInfo` in an `EncryptedPrivateKeyInfo`; `None` for a wrong passphrase or an unknown scheme.
pub(crate) fn pkcs8(der: &[u8], passphrase: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (outer, _) = element(der, SEQUENCE)?;
    let AlgorithmIdentifier {
        identifier: OID_PBES2,
        parameters,
        rest,
    } = algorithm(outer)?
    else {
        return None;
    };
    let (data, _) = element(rest, OCTET_STRING)?;
    let (schemes, _) = element(parameters, SEQUENCE)?;
    let AlgorithmIdentifier {
        identifier: OID_PBKDF2,
        parameters: derivation,
        rest: schemes,
    } = algorithm(schemes)?
    else {
        return None;
    };
    let encryption = algorithm(schemes)?;
    let cipher = match encryption.identifier.split_last()? {
        (2, OID_AES) => &AES_128,
        (22, OID_AES) => &AES_192,
        (42, OID_AES) => &AES_256,
        _ => return None,
    };
    let mut key = Zeroizing::new(vec![0; key_length(cipher)]);
    derive(derivation, passphrase, &mut key)?;
    decrypt(cipher, &key, element(encryption.parameters, OCTET_STRING)?.0, data)
}

/// The key in an old encrypted PEM block: its `DEK-Info` and its bytes.
// SPEC: RFC 1423 1.1; the key derivation is OpenSSL's `EVP_BytesToKey` with MD5 and one round.
pub(crate) fn traditional(info: DekInfo<'_>, der: &[u8], passphrase: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = match info.cipher {
        "AES-128-CBC" => &AES_128,
        "AES-192-CBC" => &AES_192,
        "AES-256-CBC" => &AES_256,
        _ => return None,
    };
    let initial = crate::encoding::encode(info.initial_vector.to_owned(), "hex")?;
    let salt = initial.get(..8)?;
    let mut key = Zeroizing::new(Vec::new());
    let mut last = Zeroizing::new(Vec::new());
    while key.len() < key_length(cipher) {
        let mut hash = Md5::new();
        hash.update(&*last);
        hash.update(passphrase);
        hash.update(salt);
        *last = hash.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    decrypt(cipher, key.get(..key_length(cipher))?, &initial, der)
}

fn derive(parameters: &[u8], passphrase: &[u8], key: &mut [u8]) -> Option<()> {
    let (parameters, _) = element(parameters, SEQUENCE)?;
    let (salt, rest) = element(parameters, OCTET_STRING)?;
    let (rounds, rest) = element(rest, INTEGER)?;
    // A key length may stand here; the cipher says the same.
    let rest = element(rest, INTEGER).map_or(rest, |(_, rest)| rest);
    let function = match element(rest, SEQUENCE) {
        None => PBKDF2_HMAC_SHA1,
        Some((function, _)) => match element(function, OID)?.0.split_last()? {
            (7, OID_HMAC) => PBKDF2_HMAC_SHA1,
            (9, OID_HMAC) => PBKDF2_HMAC_SHA256,
            (10, OID_HMAC) => PBKDF2_HMAC_SHA384,
            (11, OID_HMAC) => PBKDF2_HMAC_SHA512,
            _ => return None,
        },
    };
    let rounds = rounds.iter().try_fold(0_u32, |rounds, byte| {
        rounds.checked_mul(256)?.checked_add(u32::from(*byte))
    })?;
    // SECURITY: the number is the key file's; without a bound it stops the process for as long as it likes.
    let rounds = NonZeroU32::new(rounds).filter(|rounds| rounds.get() <= ROUNDS_MOST)?;
    pbkdf2::derive(function, rounds, salt, passphrase, key);
    Some(())
}

fn decrypt(cipher: &'static Algorithm, key: &[u8], initial: &[u8], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = UnboundCipherKey::new(cipher, key).ok()?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
    let initial: FixedLength<16> = FixedLength::from(<[u8; 16]>::try_from(initial).ok()?);
    let mut data = Zeroizing::new(data.to_vec());
    let plain = key.decrypt(&mut data, DecryptionContext::Iv128(initial)).ok()?;
    Some(Zeroizing::new(plain.to_vec()))
}

fn key_length(cipher: &'static Algorithm) -> usize {
    if cipher == &AES_128 {
        16
    } else if cipher == &AES_192 {
        24
    } else {
        32
    }
}

/// About a second of work; OpenSSL writes 2,048, and OWASP asks for 600,000.
const ROUNDS_MOST: u32 = 2_000_000;
const OID_PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const OID_PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
/// Without the last byte, which names the hash.
const OID_HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
/// Without the last byte, which names key size and mode.
const OID_AES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];

#[cfg(test)]
mod tests {
    use super::*;

    /// SPEC: RFC 8018 A.2: salt, rounds; the hash is SHA-1 if none is named.
    fn parameters(rounds: u32) -> Vec<u8> {
        let mut inner = vec![OCTET_STRING, 4, 1, 2, 3, 4, INTEGER, 4];
        inner.extend_from_slice(&rounds.to_be_bytes());
        let mut outer = vec![SEQUENCE, u8::try_from(inner.len()).unwrap()];
        outer.extend(inner);
        outer
    }

    #[test]
    fn sec_dos_a_key_file_asks_for_few_rounds() {
        let mut key = [0; 16];
        assert!(derive(&parameters(2_048), b"p", &mut key).is_some());
        for rounds in [0, ROUNDS_MOST + 1, 10_000_000, u32::MAX] {
            assert!(derive(&parameters(rounds), b"p", &mut key).is_none(), "{rounds}");
        }
    }
}
