//! The signed assertion: an application can verify it instead of trusting headers.
//!
//! A JWT of at most 2 KB, ES256, valid for five minutes, signed once per cached decision. Keys are made here and stored
//! in the directory, so that all nodes sign with the same ones. Rotation publishes every key well before it first signs
//! and until long after it last signed.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_directory::{Actor, AssertionKey, By, Keyring, SecretBytes, StoreError};
use serde::Serialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

/// Upper limit of an assertion, in bytes of the compact token. A larger one loses its context; if that is not enough,
/// the e-mail address and the username too, which the directory knows by `sub`.
const COMPACT_BYTES_MAX: usize = 2048;

/// Settings of assertions.
#[derive(Debug, Clone)]
pub struct AssertionSettings {
    /// `iss` of every assertion.
    pub issuer: String,
    /// Lifetime of an assertion, in seconds.
    pub lifetime_seconds: i64,
    /// Time for which a key signs before the next one takes over, in milliseconds.
    pub rotation_ms: i64,
}

impl Default for AssertionSettings {
    fn default() -> Self {
        Self {
            issuer: "narthex".to_owned(),
            lifetime_seconds: 300,
            rotation_ms: 30 * DAY_MS,
        }
    }
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Time between the publication of a new key and its first signature, so that applications that cache the key set have
/// it by then.
const PUBLISH_AHEAD_MS: i64 = DAY_MS;

/// Time for which a key stays published after it stops signing.
///
/// SECURITY: longer than an assertion lives plus any sane key-set cache. A shorter time only means refused assertions,
/// never accepted ones.
const PUBLISH_AFTER_MS: i64 = 2 * DAY_MS;

/// Error of the assertion keys: one could not be used.
#[derive(Debug, Error)]
pub enum AssertionError {
    /// The directory could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored key is damaged.
    #[error("assertion key `{kid}` in the store is damaged; remove it and restart")]
    Damaged {
        /// Id of the key.
        kid: String,
    },
    /// A key could not be made.
    #[error("an assertion key could not be created")]
    Generate,
}

struct Key {
    kid: String,
    created_at_ms: i64,
    pair: EcdsaKeyPair,
}

impl Key {
    fn parse(record: &AssertionKey) -> Result<Self, AssertionError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &record.private.0).map_err(|_| {
            AssertionError::Damaged {
                kid: record.kid.clone(),
            }
        })?;
        Ok(Self {
            kid: record.kid.clone(),
            created_at_ms: record.created_at_ms,
            pair,
        })
    }

    /// Returns the public key as a JWK (RFC 7517; RFC 7518 section 6.2.1). The public point is `04 || x || y`.
    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point
            .get(1..)
            .unwrap_or_default()
            .split_at_checked(32)
            .unwrap_or_default();
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }
}

/// Signer of assertions, and publisher of the keys to verify them with.
pub struct AssertionSigner {
    settings: AssertionSettings,
    /// Oldest first.
    keys: ArcSwap<Vec<Arc<Key>>>,
    random: SystemRandom,
}

impl std::fmt::Debug for AssertionSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssertionSigner")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Claims of an assertion.
#[derive(Debug, Clone, Serialize)]
pub struct Claims<'a> {
    /// Id of the user.
    pub sub: &'a str,
    /// Audience of the route.
    pub aud: &'a str,
    /// Id of the user at the identity provider.
    pub external_id: &'a str,
    /// Kind of the user: `service` for a machine key; left out for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'a str>,
    /// Username of the user, if there is room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<&'a str>,
    /// E-mail address of the user, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// Effective platform role.
    pub platform_role: &'a str,
    /// Name of the matched organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<&'a str>,
    /// Effective role in that organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_role: Option<&'a str>,
    /// Mapped context.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub context: &'a Map<String, Value>,
}

/// A signed assertion, and the time when it expires.
#[derive(Debug, Clone)]
pub struct Assertion {
    /// The compact JWS.
    pub compact: String,
    /// `exp`, in milliseconds since the epoch.
    pub expires_at_ms: i64,
}

impl AssertionSigner {
    /// Loads the keys of the directory, and makes the first one if there is none.
    ///
    /// # Errors
    ///
    /// [`AssertionError`].
    pub async fn open(
        settings: AssertionSettings,
        directory: &dyn Keyring,
        now_ms: i64,
    ) -> Result<Self, AssertionError> {
        let signer = Self {
            settings,
            keys: ArcSwap::default(),
            random: SystemRandom::new(),
        };
        signer.rotate(directory, now_ms).await?;
        Ok(signer)
    }

    /// Reads the keys again, makes the next one when it is due, and removes those that are no longer needed. It is
    /// called at start and periodically; several nodes may call it at once.
    ///
    /// # Errors
    ///
    /// [`AssertionError`]; then the keys in use stay as they are.
    pub async fn rotate(&self, directory: &dyn Keyring, now_ms: i64) -> Result<(), AssertionError> {
        let mut records = directory.assertion_keys().await?;
        let newest = records.iter().map(|record| record.created_at_ms).max();
        if is_due(newest, self.settings.rotation_ms, now_ms) {
            let key = new_key(self.settings.rotation_ms, now_ms)?;
            let by = By {
                actor: Actor::System,
                at_ms: now_ms,
            };
            records = directory
                .rotate_assertion_key(key, newest.unwrap_or(i64::MIN), by)
                .await?;
        }
        records.sort_by(|one, other| (one.created_at_ms, &one.kid).cmp(&(other.created_at_ms, &other.kid)));
        let keys = records
            .iter()
            .map(|record| Key::parse(record).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// Returns the lifetime of an assertion whose token lasts longer, in milliseconds.
    pub const fn lifetime_ms(&self) -> i64 {
        self.settings.lifetime_seconds.saturating_mul(1000)
    }

    /// Signs the claims about a user for one route. `None` only if there is no key, which [`AssertionSigner::open`]
    /// rules out.
    pub fn sign(&self, claims: &Claims<'_>, now_ms: i64, ends_by_ms: Option<i64>) -> Option<Assertion> {
        let keys = self.keys.load();
        let created: Vec<i64> = keys.iter().map(|key| key.created_at_ms).collect();
        let key = keys.get(signing_index(&created, now_ms)?)?;
        let issued_at = now_ms.div_euclid(1000);
        let longest = issued_at + self.settings.lifetime_seconds;
        // An assertion does not outlive its token.
        let expires_at = ends_by_ms.map_or(longest, |end| longest.min(end.div_euclid(1000)));
        let compact = self.within_limit(key, claims, issued_at, expires_at)?;
        Some(Assertion {
            compact,
            expires_at_ms: expires_at * 1000,
        })
    }

    /// Returns the assertion, without optional claims if it would be too large.
    fn within_limit(&self, key: &Key, claims: &Claims<'_>, issued_at: i64, expires_at: i64) -> Option<String> {
        let compact = self.compact(key, claims, issued_at, expires_at)?;
        if compact.len() <= COMPACT_BYTES_MAX {
            return Some(compact);
        }
        let context = &Map::new();
        let mut less = Claims {
            context,
            ..claims.clone()
        };
        let compact = self.compact(key, &less, issued_at, expires_at)?;
        if compact.len() <= COMPACT_BYTES_MAX {
            return Some(compact);
        }
        (less.email, less.username) = (None, None);
        self.compact(key, &less, issued_at, expires_at)
    }

    /// Returns the public keys (RFC 7517), newest first.
    pub fn key_set(&self) -> Value {
        json!({ "keys": self.keys.load().iter().rev().map(|key| key.jwk()).collect::<Vec<_>>() })
    }

    fn compact(&self, key: &Key, claims: &Claims<'_>, issued_at: i64, expires_at: i64) -> Option<String> {
        #[derive(Serialize)]
        struct Payload<'a> {
            iss: &'a str,
            iat: i64,
            exp: i64,
            #[serde(flatten)]
            claims: &'a Claims<'a>,
        }
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": key.kid });
        let payload = serde_json::to_vec(&Payload {
            iss: &self.settings.issuer,
            iat: issued_at,
            exp: expires_at,
            claims,
        })
        .ok()?;
        let mut compact = URL_SAFE_NO_PAD.encode(header.to_string());
        compact.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut compact);
        let signature = key.pair.sign(&self.random, compact.as_bytes()).ok()?;
        compact.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut compact);
        Some(compact)
    }
}

/// Tests whether the next key must be made: there is none, or the newest has signed (or waited) for a whole rotation.
fn is_due(newest_created_at_ms: Option<i64>, rotation_ms: i64, now_ms: i64) -> bool {
    newest_created_at_ms.is_none_or(|created| now_ms >= created.saturating_add(rotation_ms))
}

/// Returns the index of the key that signs, given creation times with the oldest first: the newest key that has been
/// published long enough; if there is none, the oldest, which applications have had most time to fetch.
fn signing_index(created_at_ms: &[i64], now_ms: i64) -> Option<usize> {
    let seasoned = created_at_ms
        .iter()
        .rposition(|created| created.saturating_add(PUBLISH_AHEAD_MS) <= now_ms);
    seasoned.or(if created_at_ms.is_empty() { None } else { Some(0) })
}

/// Makes a key pair with its times: published at once, signing from a day later until a day after its successor is
/// made.
fn new_key(rotation_ms: i64, now_ms: i64) -> Result<AssertionKey, AssertionError> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| AssertionError::Generate)?;
    let pkcs8 = pair
        .to_pkcs8v1()
        .map_err(|_| AssertionError::Generate)?
        .as_ref()
        .to_vec();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, pair.public_key().as_ref());
    let kid = URL_SAFE_NO_PAD.encode(digest.as_ref().get(..12).unwrap_or_default());
    let signs_until_ms = now_ms.saturating_add(rotation_ms).saturating_add(PUBLISH_AHEAD_MS);
    let key = Key {
        kid: kid.clone(),
        created_at_ms: now_ms,
        pair,
    };
    Ok(AssertionKey {
        public_jwk: key.jwk().to_string(),
        kid,
        private: SecretBytes(pkcs8),
        created_at_ms: now_ms,
        signs_until_ms,
        published_until_ms: signs_until_ms.saturating_add(PUBLISH_AFTER_MS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key is published before it signs and after it last signed, and one key always signs.
    #[test]
    fn keys_overlap() {
        let rotation = 30 * DAY_MS;
        assert!(is_due(None, rotation, 0));
        assert!(!is_due(Some(0), rotation, rotation - 1));
        assert!(is_due(Some(0), rotation, rotation));
        let created = [0, rotation];
        assert_eq!(signing_index(&[], 5), None);
        assert_eq!(signing_index(&created, 0), Some(0), "the first key signs at once");
        assert_eq!(
            signing_index(&created, rotation),
            Some(0),
            "the new key is only published"
        );
        assert_eq!(signing_index(&created, rotation + PUBLISH_AHEAD_MS), Some(1));
        let key = new_key(rotation, 0).unwrap();
        assert_eq!(
            key.signs_until_ms,
            rotation + PUBLISH_AHEAD_MS,
            "until its successor has been seen"
        );
        assert!(key.published_until_ms >= key.signs_until_ms + PUBLISH_AFTER_MS);
    }
}
