//! The keys of one issuer, parsed once, and the rule that finds the one for a token.

mod by_id;
mod document;
mod jwk;
mod material;
mod secret;
mod thumbprint;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::algorithm::{Algorithm, AlgorithmSet, Family};
use crate::claims::{KeyMatch, MatchedBy};
use crate::codec::{hex_encode, sanitize};
use crate::error::{KeySetError, quoted};
use crate::pem;

pub use by_id::is_key_id;
pub(crate) use jwk::read_embedded;
pub use material::KeyKind;
pub use secret::SecretLength;
pub(crate) use secret::hmac_algorithm;

use material::Material;
use secret::Secret;
use thumbprint::{Thumbprints, sha1_of, sha256_of};

/// Largest number of keys of one name that are tried. More than one is already an odd set, and each costs a signature.
const CANDIDATES_MAX: usize = 16;

/// Largest number of refused keys that a message lists.
const REFUSED_SHOWN_MAX: usize = 5;

/// Limits for a fetched key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySetLimits {
    /// Longest document.
    pub bytes_max: usize,
    /// Most keys in it, usable or not.
    pub keys_max: usize,
}

impl Default for KeySetLimits {
    fn default() -> Self {
        Self {
            bytes_max: 512 * 1024,
            keys_max: 100,
        }
    }
}

/// The keys of one issuer: public keys, or one or two shared secrets, never both.
#[derive(Default)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
    secrets: Vec<Secret>,
    refused: Vec<RefusedKey>,
}

/// A public key that may verify signatures.
struct VerificationKey {
    kid: Option<Arc<str>>,
    /// INVARIANT: never empty, and only what the key's own type can do.
    algorithms: AlgorithmSet,
    thumbprints: Thumbprints,
    material: Material,
}

/// A key of a set that is not used, and why. One bad key never spoils the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedKey {
    /// Position in the set, from 0.
    pub position: usize,
    /// Its `kid`, sanitized, if it has one.
    pub kid: Option<String>,
    /// Reason why it is not used, as a sentence without its subject.
    pub why: String,
}

impl fmt::Display for RefusedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            Some(kid) => write!(f, "key `{kid}` is not used: {}", self.why),
            None => write!(f, "key {} is not used: {}", self.position + 1, self.why),
        }
    }
}

/// Public facts of a key that is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReport {
    /// SHA-256 over everything that makes the key what it is, as hexadecimal digits. Another `kid`, use or modulus is another key.
    pub identity: String,
    /// Its `kid`.
    pub kid: Option<String>,
    /// Its type and size.
    pub kind: KeyKind,
    /// Algorithms that it may verify.
    pub algorithms: Vec<Algorithm>,
}

impl KeySet {
    /// Reads a JSON Web Key Set (RFC 7517). Keys that cannot be used are listed in [`KeySet::refused`].
    pub fn from_jwks(document: &[u8], limits: &KeySetLimits) -> Result<Self, KeySetError> {
        if document.len() > limits.bytes_max {
            return Err(KeySetError::TooLarge {
                limit_bytes: limits.bytes_max,
            });
        }
        let not_a_set = |problem: &str| KeySetError::NotAKeySet {
            problem: problem.to_owned(),
        };
        let entries = document::entries(document).map_err(not_a_set)?;
        if entries.len() > limits.keys_max {
            return Err(KeySetError::TooManyKeys {
                count: entries.len(),
                limit: limits.keys_max,
            });
        }
        let mut set = Self::default();
        for (position, entry) in entries.iter().enumerate() {
            match jwk::read(entry) {
                Ok(key) => set.add(key),
                Err(why) => set.refused.push(RefusedKey {
                    position,
                    kid: entry.get("kid").map(|kid| match kid {
                        Value::String(kid) => sanitize(kid),
                        odd => sanitize(&odd.to_string()),
                    }),
                    why,
                }),
            }
        }
        Ok(set)
    }

    /// Adds a key, unless the same is there under the same name already.
    fn add(&mut self, key: VerificationKey) {
        let identity = key.identity();
        match self.keys.iter_mut().find(|known| known.identity() == identity) {
            Some(known) => known.thumbprints.join(key.thumbprints),
            None => self.keys.push(key),
        }
    }

    /// One or two shared secrets (two while a secret is being replaced), each at least as long as the longest hash of
    /// `algorithms` unless `length` says otherwise. Secrets that look like a public key are refused.
    pub fn from_secrets(
        secrets: &[&[u8]],
        algorithms: &[Algorithm],
        length: SecretLength,
    ) -> Result<Self, KeySetError> {
        if !(1..=2).contains(&secrets.len()) {
            return Err(KeySetError::SecretCount { count: secrets.len() });
        }
        let secrets = secrets
            .iter()
            .zip(1..)
            .map(|(bytes, position)| Secret::new(bytes, position, algorithms, length))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            secrets,
            ..Self::default()
        })
    }

    /// One public key: PEM `PUBLIC KEY`, `RSA PUBLIC KEY` or `CERTIFICATE`.
    pub fn from_public_key_pem(text: &str) -> Result<Self, KeySetError> {
        let refuse = |problem: &str| KeySetError::PublicKey {
            problem: problem.to_owned(),
        };
        let block = pem::first_block(text).ok_or_else(|| refuse("no PEM block in it can be read"))?;
        let numbers = match block.label {
            "PUBLIC KEY" => crate::der::public_key_info(&block.der),
            "RSA PUBLIC KEY" => crate::der::rsa_public_key(&block.der),
            "CERTIFICATE" => crate::der::certificate(&block.der),
            label if label.ends_with("PRIVATE KEY") => {
                return Err(refuse("it is a private key; give its public half"));
            }
            _ => {
                return Err(refuse(
                    "its PEM label is neither `PUBLIC KEY`, `RSA PUBLIC KEY` nor `CERTIFICATE`",
                ));
            }
        };
        let numbers = numbers
            .ok_or_else(|| refuse("its type is not RSA, a NIST curve, Ed25519 or ML-DSA, or its DER is damaged"))?;
        let thumbprints = match block.label {
            "CERTIFICATE" => Thumbprints::of_certificate(&block.der),
            _ => Thumbprints::default(),
        };
        let material = Material::from_numbers(numbers, None).map_err(|problem| KeySetError::PublicKey { problem })?;
        let algorithms = material.kind().algorithms();
        Ok(Self {
            keys: vec![VerificationKey {
                kid: None,
                algorithms,
                thumbprints,
                material,
            }],
            ..Self::default()
        })
    }

    /// Number of keys or secrets that can be used. A key that is listed more than once counts once.
    pub fn usable_count(&self) -> usize {
        let first = |(position, key): &(usize, &VerificationKey)| {
            let mut earlier = self.keys.iter().take(*position);
            !earlier.any(|earlier| earlier.material.is(&key.material))
        };
        self.keys.iter().enumerate().filter(first).count() + self.secrets.len()
    }

    /// The keys that are used. Secrets are not listed.
    pub fn keys(&self) -> impl Iterator<Item = KeyReport> {
        self.keys.iter().map(VerificationKey::report)
    }

    /// The keys that are not used, and why.
    pub fn refused(&self) -> &[RefusedKey] {
        &self.refused
    }

    /// Reason why a key that the token could mean is in the set and does not count for it, as a sentence without its
    /// subject.
    pub(crate) fn why_not(&self, hint: &HintRef<'_>, algorithm: Algorithm) -> Option<String> {
        match *hint {
            HintRef::Kid(kid) => {
                let unused = self.refused_by_name(kid);
                let other = || {
                    let key = self.keys.iter().find(|key| key.kid.as_deref() == Some(kid))?;
                    let algorithms: Vec<Algorithm> = key.algorithms.iter().collect();
                    Some(format!("it is for {}, not {algorithm}", quoted(&algorithms, ", ")))
                };
                unused.map(|key| key.why.clone()).or_else(other)
            }
            // Any of them may be the one that the token means.
            HintRef::None | HintRef::Thumbprint { .. } => {
                let told: Vec<String> = self
                    .refused
                    .iter()
                    .take(REFUSED_SHOWN_MAX)
                    .map(ToString::to_string)
                    .collect();
                (!told.is_empty()).then(|| told.join("; "))
            }
        }
    }

    /// The identities of everything usable, so that it can be told which keys left.
    pub(crate) fn identities(&self) -> impl Iterator<Item = [u8; 32]> {
        let secrets = self.secrets.iter().map(Secret::identity);
        self.keys.iter().map(VerificationKey::identity).chain(secrets)
    }

    /// Tests whether the set has a key of this name, whatever it may be used for.
    pub(crate) fn names(&self, hint: &KeyHint) -> bool {
        let hint = hint.as_ref();
        Algorithm::ALL
            .into_iter()
            .any(|algorithm| self.choose(&hint, algorithm).is_ok())
    }

    /// The keys that count for this token. Which rule applies is said by `hint`, which keys fit by their own type.
    ///
    /// SECURITY: the first name in the header decides; another beside it is not a second chance.
    pub(crate) fn choose(&self, hint: &HintRef<'_>, algorithm: Algorithm) -> Result<MatchingKeys<'_>, usize> {
        if algorithm.family() == Family::Hmac {
            return if self.secrets.is_empty() {
                Err(0)
            } else {
                Ok(MatchingKeys::Secrets(&self.secrets))
            };
        }
        match *hint {
            HintRef::Kid(kid) => self
                .collect(MatchedBy::Kid, algorithm, |key| key.kid.as_deref() == Some(kid))
                .or_else(|| self.nameless(hint, algorithm))
                .ok_or(0),
            HintRef::Thumbprint { sha256, sha1 } => {
                let found = match (sha256, sha1) {
                    (Some(text), _) => sha256_of(text).and_then(|wanted| {
                        self.collect(MatchedBy::X5tS256, algorithm, |key| key.thumbprints.has_sha256(&wanted))
                    }),
                    (None, sha1) => sha1.and_then(sha1_of).and_then(|wanted| {
                        self.collect(MatchedBy::X5t, algorithm, |key| key.thumbprints.has_sha1(&wanted))
                    }),
                };
                found.or_else(|| self.nameless(hint, algorithm)).ok_or(0)
            }
            HintRef::None => {
                let fitting = || self.keys.iter().filter(|key| key.algorithms.contains(algorithm));
                match fitting().next() {
                    Some(first) if fitting().all(|key| key.material.is(&first.material)) => {
                        self.collect(MatchedBy::OnlyKey, algorithm, |_| true).ok_or(0)
                    }
                    _ => Err(fitting().count()),
                }
            }
        }
    }

    /// The only key of the set, if it has no name that the token's could be compared with.
    fn nameless(&self, hint: &HintRef<'_>, algorithm: Algorithm) -> Option<MatchingKeys<'_>> {
        let first = self.keys.first()?;
        let has_no_name = |key: &VerificationKey| match *hint {
            HintRef::Kid(_) => key.kid.is_none(),
            HintRef::Thumbprint { .. } | HintRef::None => key.kid.is_none() && key.thumbprints.is_empty(),
        };
        let only = self
            .keys
            .iter()
            .all(|key| has_no_name(key) && key.material.is(&first.material));
        // A key of that name is in the set after all, and is not used.
        let meant_another = match *hint {
            HintRef::Kid(kid) => self.refused_by_name(kid).is_some(),
            HintRef::Thumbprint { .. } | HintRef::None => false,
        };
        if only && !meant_another {
            self.collect(MatchedBy::OnlyKey, algorithm, |_| true)
        } else {
            None
        }
    }

    fn refused_by_name(&self, kid: &str) -> Option<&RefusedKey> {
        let kid = sanitize(kid);
        self.refused.iter().find(|key| key.kid.as_deref() == Some(&*kid))
    }

    fn collect(
        &self,
        matched_by: MatchedBy,
        algorithm: Algorithm,
        named: impl Fn(&VerificationKey) -> bool,
    ) -> Option<MatchingKeys<'_>> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithms.contains(algorithm) && named(key));
        let first = fitting.next()?;
        let mut others = [None; CANDIDATES_MAX - 1];
        for (slot, key) in others.iter_mut().zip(fitting) {
            *slot = Some(key);
        }
        Some(MatchingKeys::Public {
            matched_by,
            candidates: Candidates { first, others },
        })
    }
}

impl fmt::Debug for KeySet {
    /// Names and kinds; never a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("keys", &self.keys().collect::<Vec<_>>())
            .field("secrets", &self.secrets.len())
            .field("refused", &self.refused)
            .finish()
    }
}

impl VerificationKey {
    fn identity(&self) -> [u8; 32] {
        self.material.identity(self.kid.as_deref(), self.algorithms)
    }

    fn report(&self) -> KeyReport {
        KeyReport {
            identity: hex_encode(&self.identity()),
            kid: self.kid.as_deref().map(str::to_owned),
            kind: self.material.kind(),
            algorithms: self.algorithms.iter().collect(),
        }
    }
}

/// The keys that count for one token: usually one.
pub(crate) enum MatchingKeys<'k> {
    Public {
        matched_by: MatchedBy,
        candidates: Candidates<'k>,
    },
    Secrets(&'k [Secret]),
}

/// One key, and a few more of the same name.
pub(crate) struct Candidates<'k> {
    first: &'k VerificationKey,
    others: [Option<&'k VerificationKey>; CANDIDATES_MAX - 1],
}

impl MatchingKeys<'_> {
    /// The key that made this signature, if one of them did.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<KeyMatch> {
        match self {
            Self::Public { matched_by, candidates } => std::iter::once(candidates.first)
                .chain(candidates.others.iter().copied().flatten())
                .find(|key| key.material.verifies(algorithm, message, signature))
                .map(|key| KeyMatch {
                    kid: key.kid.clone(),
                    matched_by: *matched_by,
                }),
            Self::Secrets(secrets) => secrets
                .iter()
                .any(|secret| secret.verifies(algorithm, message, signature))
                .then_some(KeyMatch {
                    kid: None,
                    matched_by: MatchedBy::Secret,
                }),
        }
    }

    /// The id of the key that is tried first, if it has one.
    pub(crate) fn kid(&self) -> Option<&str> {
        match self {
            Self::Public { candidates, .. } => candidates.first.kid.as_deref(),
            Self::Secrets(_) => None,
        }
    }

    /// The rule that found the keys.
    pub(crate) const fn matched_by(&self) -> MatchedBy {
        match self {
            Self::Public { matched_by, .. } => *matched_by,
            Self::Secrets(_) => MatchedBy::Secret,
        }
    }
}

/// Hint that a token gives for its key, borrowed from its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HintRef<'h> {
    Kid(&'h str),
    Thumbprint {
        sha256: Option<&'h str>,
        sha1: Option<&'h str>,
    },
    None,
}

impl HintRef<'_> {
    pub(crate) fn to_owned(self) -> KeyHint {
        match self {
            Self::Kid(kid) => KeyHint::Kid(kid.to_owned()),
            Self::Thumbprint { sha256, sha1 } => KeyHint::Thumbprint {
                sha256: sha256.map(str::to_owned),
                sha1: sha1.map(str::to_owned),
            },
            Self::None => KeyHint::None,
        }
    }
}

/// Hint that a token gives for its key. A [`crate::KeyCache`] is asked with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyHint {
    /// By `kid`.
    Kid(String),
    /// By the thumbprint of its certificate, as presented.
    Thumbprint {
        /// `x5t#S256`.
        sha256: Option<String>,
        /// `x5t`.
        sha1: Option<String>,
    },
    /// Not at all.
    None,
}

impl KeyHint {
    fn as_ref(&self) -> HintRef<'_> {
        match self {
            Self::Kid(kid) => HintRef::Kid(kid),
            Self::Thumbprint { sha256, sha1 } => HintRef::Thumbprint {
                sha256: sha256.as_deref(),
                sha1: sha1.as_deref(),
            },
            Self::None => HintRef::None,
        }
    }
}

impl fmt::Display for KeyHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kid(kid) => write!(f, "its `kid` `{}`", sanitize(kid)),
            Self::Thumbprint { sha256: Some(text), .. } => write!(f, "its `x5t#S256` `{}`", sanitize(text)),
            Self::Thumbprint { sha1: Some(text), .. } => write!(f, "its `x5t` `{}`", sanitize(text)),
            Self::Thumbprint { .. } | Self::None => f.write_str("it names no key"),
        }
    }
}
