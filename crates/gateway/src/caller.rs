//! Cached answers, by the whole token.
//!
//! SECURITY: an answer is kept under a keyed hash of the whole token, so that no token stays in memory; never past `exp`,
//! never past the life of the key that verified it, never past a change of configuration or of anything in the directory
//! that it rests on, and never longer than a minute.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use narthex_decision::Match;
use narthex_directory::{Stamp, Versions};
use narthex_token::{KeySnapshot, VerifiedClaims};
use quick_cache::sync::Cache;

use crate::account::Account;
use crate::clock::NoEntropy;
use crate::credentials::Token;
use crate::keyed_hash::{Digest, KeyedHash};
use crate::pipeline::Allowed;
use crate::runtime::IssuerRuntime;

/// The longest an answer is kept, in milliseconds.
const KEPT_MS_MAX: i64 = 60_000;

/// What an entry costs, in bytes: the caller and its place in the cache, and the decision that was made last.
const ENTRY_BYTES: u64 = 1_700;

/// Somebody whose token was good, as far as it is kept by token.
#[derive(Debug)]
pub struct Caller {
    /// Whose token it was.
    pub issuer: Arc<IssuerRuntime>,
    /// Gone when the accounts had no more room for it: how much of the directory is kept is for them to say.
    account: Weak<Account>,
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
        account: &Arc<Account>,
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
        Self {
            issuer,
            account: Arc::downgrade(account),
            expires_at_ms: claims.expires_at_ms(),
            kept_until_ms,
            key_epoch,
            generation,
            stamp: account.stamp,
            latest: RwLock::default(),
        }
    }

    /// The decision that was made last, if it is about what was matched and still serves.
    pub fn latest(&self, matched: &Match<'_>, now_ms: i64) -> Option<Arc<Allowed>> {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        let latest = latest.as_ref()?;
        (latest.answers(matched) && latest.serves(self.expires_at_ms, now_ms)).then(|| Arc::clone(latest))
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

/// Somebody whose token was good, with everything that is known of them.
#[derive(Debug)]
pub(crate) struct Known {
    /// What is kept by token.
    pub(crate) caller: Arc<Caller>,
    /// Who the directory agrees it is.
    pub(crate) account: Arc<Account>,
}

impl Known {
    /// What is known of a kept caller, if the account is still there.
    pub(crate) fn of(caller: Arc<Caller>) -> Option<Self> {
        let account = caller.account.upgrade()?;
        Some(Self { caller, account })
    }

    /// The decision about what was matched, if one was made with any token of the account and still serves this one.
    pub(crate) fn allowed(&self, matched: &Match<'_>, now_ms: i64) -> Option<Arc<Allowed>> {
        let allowed = self.account.allowed(matched, self.caller.expires_at_ms, now_ms)?;
        self.caller.set_latest(&allowed);
        Some(allowed)
    }

    /// Keeps the decision about what was matched, for every token of the account.
    pub(crate) fn remember(&self, matched: &Match<'_>, allowed: &Arc<Allowed>) {
        self.account.remember(matched, allowed);
        self.caller.set_latest(allowed);
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
    pub(crate) fn key(&self, token: Token<'_>) -> TokenKey {
        TokenKey(self.hash.of(token.bytes()))
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
