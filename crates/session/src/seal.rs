//! Secrets at rest: the directory stores them sealed, and only these keys open them.
//!
//! A sealed secret is `version (1) ‖ key id (8) ‖ salt (32) ‖ ciphertext and tag`. Each secret has its own key and
//! nonce, derived by HKDF-SHA256 (RFC 5869) from the operator's key and the salt, so that no nonce ever meets the same
//! key twice, however many secrets are sealed. The cipher is AES-256-GCM.
//!
//! SECURITY: the owner of a secret and the document that decides its destination are authenticated with it. If an
//! attacker with access to the database moves a sealed secret to another record, or gives its record another document,
//! it does not open there.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use narthex_directory::{OrganizationId, SecretBytes};
use zeroize::Zeroizing;

use narthex_clock::{NoEntropy, random_bytes};

const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 8;
const SALT_BYTES: usize = 32;
const HEAD_BYTES: usize = 1 + ID_BYTES;

/// The operator's keys: the one that seals, and perhaps the previous one, which only opens.
///
/// To change the key, configure the new one and keep the old one as the previous one, have everything sealed again,
/// then drop the old one.
#[derive(Debug)]
pub struct SealingKeys {
    current: SealingKey,
    previous: Option<SealingKey>,
}

/// One sealing key.
pub struct SealingKey {
    id: [u8; ID_BYTES],
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

/// Error for a text that is not a [`SealingKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be 32 random bytes in base64 or hex; make some with `openssl rand -base64 32`")]
pub struct SealingKeyProblem;

/// Record that a secret belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Kind of the record.
    pub kind: &'a str,
    /// Name of the record.
    pub name: &'a str,
    /// Organization that the record belongs to.
    pub organization: Option<OrganizationId>,
    /// Document that decides the destination of the secret: with another document it does not open.
    pub governed_by: &'a str,
}

/// An opened secret.
#[derive(Debug)]
pub struct OpenedSecret {
    /// The plaintext.
    pub plain: Zeroizing<Vec<u8>>,
    /// True if it was sealed with the previous key, and should be sealed again.
    pub stale: bool,
}

/// Error for a secret that was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// No randomness for its salt.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The cipher refused it: it is larger than any secret is.
    #[error("the secret could not be encrypted")]
    Cipher,
}

/// Error for a sealed secret that did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was sealed with a key that is not configured.
    #[error("it was encrypted with another key; give that key as the previous one")]
    OtherKey,
    /// It was altered, or belongs to another record.
    #[error("it is damaged, or does not belong to this record and its document")]
    Damaged,
}

impl SealingKey {
    /// Parses a key: 32 bytes in base64 (either alphabet, padded or not) or hex. White space at the ends is ignored.
    ///
    /// # Errors
    ///
    /// [`SealingKeyProblem`], which says how to make a key.
    pub fn parse(written: &[u8]) -> Result<Self, SealingKeyProblem> {
        let written = written.trim_ascii();
        let bytes = if written.len() == 2 * KEY_BYTES {
            hex(written)
        } else {
            let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
            [STANDARD, URL_SAFE]
                .iter()
                .find_map(|alphabet| GeneralPurpose::new(alphabet, lenient).decode(written).ok())
        };
        let bytes = Zeroizing::new(bytes.ok_or(SealingKeyProblem)?);
        let bytes: [u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| SealingKeyProblem)?;
        // SECURITY: one byte repeated throughout is a mistake, not a key.
        if bytes.iter().all(|byte| Some(byte) == bytes.first()) {
            return Err(SealingKeyProblem);
        }
        let id = key_id(&bytes);
        Ok(Self {
            id,
            bytes: Zeroizing::new(bytes),
        })
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(***)")
    }
}

impl SealingKeys {
    /// Seals with `current`, and opens with either key.
    pub const fn new(current: SealingKey, previous: Option<SealingKey>) -> Self {
        Self { current, previous }
    }

    /// Derives 32 secret bytes for another purpose, the same on every node that has the key.
    pub fn derived(&self, purpose: &str) -> Zeroizing<Vec<u8>> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.current.bytes);
        Zeroizing::new(hmac::sign(&key, purpose.as_bytes()).as_ref().to_vec())
    }

    /// Seals a secret of this owner.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn seal(&self, plain: &[u8], owner: Owner<'_>) -> Result<SecretBytes, SealError> {
        let salt = random_bytes::<SALT_BYTES>()?;
        let mut sealed = Vec::with_capacity(HEAD_BYTES + SALT_BYTES + plain.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend(self.current.id);
        let aad = owner.authenticated(&sealed);
        sealed.extend(salt);
        let (key, nonce) = derive(&self.current, &salt).ok_or(SealError::Cipher)?;
        let mut text = Zeroizing::new(plain.to_vec());
        key.seal_in_place_append_tag(nonce, Aad::from(&aad), &mut *text)
            .map_err(|_| SealError::Cipher)?;
        sealed.extend_from_slice(&text);
        Ok(SecretBytes(sealed))
    }

    /// Opens a sealed secret of this owner.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(&self, SecretBytes(sealed): &SecretBytes, owner: Owner<'_>) -> Result<OpenedSecret, OpenError> {
        let (head, rest) = sealed.split_at_checked(HEAD_BYTES).ok_or(OpenError::Damaged)?;
        let (salt, text) = rest.split_at_checked(SALT_BYTES).ok_or(OpenError::Damaged)?;
        let (&version, id) = head.split_first().ok_or(OpenError::Damaged)?;
        if version != VERSION {
            return Err(OpenError::Damaged);
        }
        let known = std::iter::once(&self.current).chain(&self.previous);
        let used = known.into_iter().find(|key| key.id == id).ok_or(OpenError::OtherKey)?;
        let (key, nonce) = derive(used, salt).ok_or(OpenError::Damaged)?;
        let mut text = Zeroizing::new(text.to_vec());
        let plain = key
            .open_in_place(nonce, Aad::from(owner.authenticated(head)), &mut text)
            .map_err(|_| OpenError::Damaged)?;
        Ok(OpenedSecret {
            plain: Zeroizing::new(plain.to_vec()),
            stale: used.id != self.current.id,
        })
    }
}

impl Owner<'_> {
    /// Returns the associated data of the secret: the head of the sealed bytes, and the owner, unambiguously encoded.
    fn authenticated(&self, head: &[u8]) -> Vec<u8> {
        let organization = self.organization.map(|id| id.to_string()).unwrap_or_default();
        let governed_by = digest::digest(&digest::SHA256, self.governed_by.as_bytes());
        let mut bytes = head.to_vec();
        for part in [self.kind, self.name, &organization] {
            bytes.extend(part.len().to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes.extend(governed_by.as_ref());
        bytes
    }
}

/// Derives the key and the nonce of one sealed secret.
fn derive(key: &SealingKey, salt: &[u8]) -> Option<(LessSafeKey, Nonce)> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES + NONCE_LEN]);
    Salt::new(HKDF_SHA256, salt)
        .extract(&*key.bytes)
        .expand(&[b"narthex sealed secret"], Length(bytes.len()))
        .ok()?
        .fill(&mut *bytes)
        .ok()?;
    let (secret, nonce) = bytes.split_at_checked(KEY_BYTES)?;
    let secret = UnboundKey::new(&AES_256_GCM, secret).ok()?;
    Some((LessSafeKey::new(secret), Nonce::try_assume_unique_for_key(nonce).ok()?))
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Returns an id for a key that reveals nothing about it.
fn key_id(bytes: &[u8]) -> [u8; ID_BYTES] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"narthex sealing key id");
    context.update(bytes);
    let mut id = [0; ID_BYTES];
    id.iter_mut()
        .zip(context.finish().as_ref())
        .for_each(|(to, from)| *to = *from);
    id
}

fn hex(written: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut digits = written.iter().copied();
    let mut bytes = Vec::with_capacity(written.len() / 2);
    while let (Some(high), Some(low)) = (digits.next(), digits.next()) {
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SealingKey {
        let bytes: Vec<u8> = (0..32).map(|at| at ^ seed).collect();
        SealingKey::parse(base64::engine::general_purpose::STANDARD.encode(bytes).as_bytes()).unwrap()
    }

    const OWNER: Owner<'_> = Owner {
        kind: "connection",
        name: "a",
        organization: None,
        governed_by: "document",
    };

    #[test]
    fn what_is_sealed_opens_and_is_not_there_to_read() {
        let keys = SealingKeys::new(key(1), None);
        let sealed = keys.seal(b"hunter2", OWNER).unwrap();
        assert!(!sealed.0.windows(7).any(|window| window == b"hunter2"));
        let opened = keys.open(&sealed, OWNER).unwrap();
        assert_eq!((opened.plain.as_slice(), opened.stale), (b"hunter2".as_slice(), false));
        assert_ne!(keys.seal(b"hunter2", OWNER).unwrap().0, sealed.0);
    }

    #[test]
    fn sec_a_sealed_secret_opens_only_where_it_belongs_and_whole() {
        let keys = SealingKeys::new(key(1), None);
        let sealed = keys.seal(b"hunter2", OWNER).unwrap();
        for other in [
            Owner { name: "b", ..OWNER },
            Owner {
                kind: "webhook",
                ..OWNER
            },
            Owner {
                organization: Some("01arz3ndektsv4rrffq69g5fav".parse().unwrap()),
                ..OWNER
            },
        ] {
            assert_eq!(keys.open(&sealed, other).unwrap_err(), OpenError::Damaged);
        }
        for at in 0..sealed.0.len() {
            let mut altered = sealed.clone();
            altered.0[at] ^= 1;
            keys.open(&altered, OWNER).unwrap_err();
            altered.0.truncate(at);
            keys.open(&altered, OWNER).unwrap_err();
        }
    }

    #[test]
    fn a_key_is_changed_by_way_of_two() {
        let sealed = SealingKeys::new(key(1), None).seal(b"s", OWNER).unwrap();
        let both = SealingKeys::new(key(2), Some(key(1)));
        let opened = both.open(&sealed, OWNER).unwrap();
        assert!(opened.stale);
        let again = both.seal(&opened.plain, OWNER).unwrap();
        let new = SealingKeys::new(key(2), None);
        assert_eq!(new.open(&sealed, OWNER).unwrap_err(), OpenError::OtherKey);
        assert!(!new.open(&again, OWNER).unwrap().stale);
    }

    #[test]
    fn keys_are_read_in_every_usual_spelling_and_nothing_else() {
        let bytes: Vec<u8> = (200..232).collect();
        let hex = bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02X}"));
        let standard = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes);
        let ids: Vec<_> = [hex, format!("{standard}\n"), url]
            .iter()
            .map(|text| SealingKey::parse(text.as_bytes()).unwrap().id)
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
        for bad in [
            "",
            "secret",
            "A".repeat(43).as_str(),
            "0".repeat(64).as_str(),
            "g".repeat(64).as_str(),
        ] {
            SealingKey::parse(bad.as_bytes()).unwrap_err();
        }
        assert_eq!(format!("{:?}", key(1)), "SealingKey(***)");
    }
}
