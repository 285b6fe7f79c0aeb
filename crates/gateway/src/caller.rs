//! Cached answers, by the whole token.
//!
//! SECURITY: an answer is kept under a keyed hash of the whole token, so that no token stays in memory; never past `exp`, never past the life of the key
//! that verified it, never past a change of configuration or of anything in the directory that it rests on, and never
//! longer than a minute.

use std::sync::{Arc, PoisonError, RwLock};

use narthex_decision::Match;
use narthex_directory::{Stamp, Versions};
use narthex_token::{KeySnapshot, VerifiedClaims};
use quick_cache::sync::Cache;

use crate::account::Account;
use crate::clock::NoEntropy;
use crate::keyed_hash::{Digest, KeyedHash};
use crate::pipeline::Allowed;
use crate::runtime::IssuerRuntime;

/// The longest an answer is kept, in milliseconds.
const KEPT_MS_MAX: i64 = 60_000;

/// What an entry costs, in bytes: the caller, its place in the cache and what the cache keeps free.
const ENTRY_BYTES: u64 = 256;

/// Somebody whose token was good.
#[derive(Debug)]
pub struct Caller {
    /// Whose token it was.
    pub issuer: Arc<IssuerRuntime>,
    /// Who the directory agrees it is.
    pub account: Arc<Account>,
    /// The token's own end (`exp`), in milliseconds.
    pub expires_at_ms: Option<i64>,
    kept_until_ms: i64,
    key_epoch: u64,
    generation: u64,
    /// The principal's, beside everything else that is looked at: of many tokens, each is far from the processor, and
    /// every further piece of memory costs more than what is done with it.
    stamp: Stamp,
    /// The decision that was made last.
    latest: RwLock<Option<Arc<Allowed>>>,
}

impl Caller {
    /// A caller that may be kept while everything it rests on stays. `keys` are the ones the token was verified with.
    pub fn new(
        issuer: Arc<IssuerRuntime>,
        account: Arc<Account>,
        claims: &VerifiedClaims,
        (generation, keys): (u64, &KeySnapshot),
        now_ms: i64,
    ) -> Self {
        let key_epoch = keys.epoch();
        let ends = [
            Some(now_ms.saturating_add(KEPT_MS_MAX)),
            claims.expires_at_ms(),
            Some(keys.usable_until_ms()),
            account.valid_until_ms,
        ];
        let kept_until_ms = ends.into_iter().flatten().min().unwrap_or(now_ms);
        let stamp = account.stamp;
        Self {
            issuer,
            account,
            expires_at_ms: claims.expires_at_ms(),
            kept_until_ms,
            key_epoch,
            generation,
            stamp,
            latest: RwLock::default(),
        }
    }

    /// The decision about what was matched, if one was made with this token or another of the account and still serves.
    pub fn allowed(&self, matched: &Match<'_>, now_ms: i64) -> Option<Arc<Allowed>> {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = &*latest
            && latest.answers(matched)
            && latest.serves(self.expires_at_ms, now_ms)
        {
            return Some(Arc::clone(latest));
        }
        drop(latest);
        let allowed = self.account.allowed(matched, self.expires_at_ms, now_ms)?;
        self.set_latest(&allowed);
        Some(allowed)
    }

    /// Keeps the decision about what was matched, for every token of the account.
    pub fn remember(&self, matched: &Match<'_>, allowed: &Arc<Allowed>) {
        self.account.remember(matched, allowed);
        self.set_latest(allowed);
    }

    fn set_latest(&self, allowed: &Arc<Allowed>) {
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(allowed));
    }

    /// Whether the answer still stands.
    fn stands(&self, generation: u64, versions: &Versions, now_ms: i64) -> bool {
        now_ms < self.kept_until_ms
            && self.generation == generation
            && self.key_epoch == self.issuer.keys.epoch()
            && versions.is_current(self.stamp)
    }
}

/// A presented token as it is looked for and kept: hashed once.
#[derive(Debug, Clone, Copy)]
pub struct TokenKey(Option<Digest>);

/// Callers by token.
pub struct Callers {
    hash: KeyedHash,
    by_token: Cache<Digest, Arc<Caller>>,
}

impl std::fmt::Debug for Callers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callers")
            .field("len", &self.by_token.len())
            .finish_non_exhaustive()
    }
}

impl Callers {
    /// A cache of at most so many bytes.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] when there is no randomness for its key.
    pub fn new(bytes_max: u64) -> Result<Self, NoEntropy> {
        let entries = usize::try_from(bytes_max / ENTRY_BYTES).unwrap_or(usize::MAX).max(16);
        Ok(Self {
            hash: KeyedHash::new()?,
            by_token: Cache::new(entries),
        })
    }

    /// A token as it is looked for and kept.
    pub fn key(&self, token: &str) -> TokenKey {
        TokenKey(self.hash.of(token.as_bytes()))
    }

    /// The kept caller of exactly this token, while it stands.
    pub fn fresh(&self, token: TokenKey, generation: u64, versions: &Versions, now_ms: i64) -> Option<Arc<Caller>> {
        let digest = token.0?;
        let caller = self.by_token.get(&digest)?;
        if caller.stands(generation, versions, now_ms) {
            return Some(caller);
        }
        self.by_token.remove(&digest);
        None
    }

    /// Keeps a caller, if its issuer's mapping depends on the token alone.
    pub fn remember(&self, token: TokenKey, caller: &Arc<Caller>) {
        if let Some(digest) = token.0
            && caller.issuer.mapping.token_only()
        {
            self.by_token.insert(digest, Arc::clone(caller));
        }
    }
}
