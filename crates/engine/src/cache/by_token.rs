//! Cached answers, by the whole token.
//!
//! SECURITY: an answer is kept under a keyed hash of the whole token, so that no token stays in memory; never past `exp`,
//! never past the life of the key that verified it, never past a change of configuration or of anything in the directory
//! that it rests on, and never longer than a minute.

use std::sync::Arc;

use narthex_decision::Match;
use narthex_directory::{Stamp, Versions};
use narthex_token::{KeySnapshot, VerifiedClaims};
use quick_cache::sync::Cache;

use crate::cache::by_identity::Account;
use crate::cache::keyed_hash::{Digest, KeyedHash};
use crate::cache::prefetch::{Prefetched, WeakPrefetched, prefetch_values};
use crate::credentials::Token;
use crate::passed::Allowed;
use crate::runtime::IssuerRuntime;
use narthex_clock::NoEntropy;

/// The longest an answer is kept, in milliseconds.
const KEPT_MS_MAX: i64 = 60_000;

/// A token that ends within this time, in milliseconds, has a leeway to go: an assertion that ended with it would have
/// ended before it is looked at.
const ABOUT_TO_END_MS: i64 = 5_000;

/// What an entry costs, in bytes: the caller and its place in the cache, and the decision that was made last.
const ENTRY_BYTES: u64 = 1_700;

/// Somebody whose token was good, as far as it is kept by token.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whose token it was.
    pub issuer: Arc<IssuerRuntime>,
    /// Gone when the accounts had no more room for it: how much of the directory is kept is for them to say.
    account: WeakPrefetched<Account>,
    /// The token's own end (`exp`), in milliseconds.
    expires_at_ms: Option<i64>,
    kept_until_ms: i64,
    key_epoch: u64,
    generation: u64,
    /// The principal's, beside everything else that is looked at: of many tokens, each is far from the processor, and
    /// every further piece of memory costs more than what is done with it.
    stamp: Stamp,
    /// The user's `tokens_not_before` when the token was verified, in milliseconds: the account may be gone by the time a
    /// stream is watched.
    tokens_not_before_ms: Option<i64>,
}

impl Caller {
    /// A caller that may be kept while everything it rests on stays. `keys` are the ones the token was verified with.
    pub fn new(
        issuer: Arc<IssuerRuntime>,
        account: &Prefetched<Account>,
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
            account: account.downgrade(),
            expires_at_ms: claims.expires_at_ms(),
            kept_until_ms,
            key_epoch,
            generation,
            stamp: account.stamp,
            tokens_not_before_ms: account.principal.user().tokens_not_before_ms,
        }
    }

    /// The user's `tokens_not_before` when the token was verified, in milliseconds.
    pub const fn tokens_not_before_ms(&self) -> Option<i64> {
        self.tokens_not_before_ms
    }

    /// When an assertion for this token must have ended, in milliseconds: with the token, or, when that is about to end or
    /// has ended, with the leeway for which it is taken all the same.
    pub(crate) fn ends_by_ms(&self, now_ms: i64) -> Option<i64> {
        let end = self.expires_at_ms?;
        if end.saturating_sub(now_ms) >= ABOUT_TO_END_MS {
            return Some(end);
        }
        Some(end.saturating_add(self.issuer.trusted.leeway_ms()))
    }

    /// The account, if it is still kept.
    pub fn account(&self) -> Option<Prefetched<Account>> {
        self.account.upgrade()
    }

    /// The token's own end (`exp`), in milliseconds.
    pub const fn expires_at_ms(&self) -> Option<i64> {
        self.expires_at_ms
    }

    /// The numbers of the directory that the answer rests on.
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The configuration that the answer rests on.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the answer still stands.
    fn stands(&self, generation: u64, versions: &Versions, now_ms: i64) -> bool {
        is_kept(self.kept_until_ms, now_ms)
            && self.generation == generation
            && self.key_epoch == self.issuer.keys.epoch()
            && versions.is_current(self.stamp)
    }
}

/// Tests whether an answer that is kept until then may be given now.
///
/// SECURITY: one that is to be kept for longer than anything is comes from the future, for the clock was set back. How old it
/// is, nobody knows.
fn is_kept(kept_until_ms: i64, now_ms: i64) -> bool {
    let left_ms = kept_until_ms.saturating_sub(now_ms);
    (1..=KEPT_MS_MAX).contains(&left_ms)
}

/// What is kept of a token. Many are used once, so the decision is kept with it from the second use on.
#[derive(Debug, Clone)]
pub enum Seen {
    /// Whose it was.
    Once(Arc<Caller>),
    /// Whose it was, and a decision.
    Again(Prefetched<Decided>),
}

impl Seen {
    /// Whose it was.
    pub fn caller(&self) -> &Caller {
        match self {
            Self::Once(caller) => caller,
            Self::Again(decided) => decided.caller(),
        }
    }
}

/// A caller with a decision, in one piece of memory.
#[derive(Debug)]
pub struct Decided {
    caller: Caller,
    allowed: Allowed,
}

impl Decided {
    /// Whose token it was.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What was decided.
    pub fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// Whether it is about what was matched and still serves.
    pub fn answers(&self, matched: &Match<'_>, now_ms: i64) -> bool {
        self.allowed.answers(matched) && self.serves(now_ms)
    }

    fn serves(&self, now_ms: i64) -> bool {
        self.allowed.serves(self.caller.ends_by_ms(now_ms), now_ms)
    }
}

/// Somebody whose token was good, with everything that is known of them.
#[derive(Debug)]
pub struct Known {
    /// What is kept by token.
    pub seen: Seen,
    /// Who the directory agrees it is.
    pub account: Prefetched<Account>,
}

impl Known {
    /// What is known of a token that was seen, if the account is still there.
    pub fn of(seen: Seen) -> Option<Self> {
        let account = seen.caller().account.upgrade()?;
        Some(Self { seen, account })
    }

    /// The decision about what was matched, if one was made with any token of the account and still serves this one.
    pub fn allowed(&self, matched: &Match<'_>, now_ms: i64) -> Option<Prefetched<Allowed>> {
        self.account
            .allowed(matched, self.seen.caller().ends_by_ms(now_ms), now_ms)
    }
}

/// A presented token as it is looked for and kept: hashed once.
#[derive(Debug, Clone, Copy)]
pub struct TokenKey(Option<Digest>);

/// Cache of callers, keyed by a hash of their token.
pub struct TokenCache {
    hash: KeyedHash,
    by_token: Cache<Digest, Seen>,
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache")
            .field("len", &self.by_token.len())
            .finish_non_exhaustive()
    }
}

impl TokenCache {
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

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.by_token.clear();
    }

    /// A token as it is looked for and kept.
    pub fn key(&self, token: Token<'_>) -> TokenKey {
        TokenKey(self.hash.of(token.bytes()))
    }

    /// What is kept of exactly this token, while it stands.
    pub fn fresh(&self, token: TokenKey, generation: u64, versions: &Versions, now_ms: i64) -> Option<Seen> {
        let digest = token.0?;
        let seen = self.by_token.get(&digest)?;
        if let Seen::Again(decided) = &seen {
            prefetch_values(&decided.allowed.patch);
        }
        if seen.caller().stands(generation, versions, now_ms) {
            return Some(seen);
        }
        self.by_token.remove(&digest);
        None
    }

    /// Keeps whose a token is, if its issuer's mapping depends on the token alone.
    pub fn remember(&self, token: TokenKey, caller: &Arc<Caller>) {
        if let Some(digest) = token.0
            && caller.issuer.mapping.token_only()
        {
            self.by_token.insert(digest, Seen::Once(Arc::clone(caller)));
        }
    }

    /// Keeps a decision with a token that was seen before, unless it has one that still serves: a token that is used on
    /// several routes in turn would only push its own decisions out.
    pub fn decide(&self, token: TokenKey, seen: &Seen, allowed: &Allowed, now_ms: i64) {
        let Some(digest) = token.0 else { return };
        if matches!(seen, Seen::Again(decided) if decided.serves(now_ms)) {
            return;
        }
        let decided = Decided {
            caller: seen.caller().clone(),
            allowed: allowed.clone(),
        };
        self.by_token.insert(digest, Seen::Again(Prefetched::new(decided)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry lives for a minute of the clock at the most, in whichever direction the clock is set.
    #[test]
    fn sec_cached_answers_from_the_future() {
        let made = 1_700_000_000_000;
        let kept_until = made + KEPT_MS_MAX;
        for (now, kept) in [
            (made, true),
            (made + KEPT_MS_MAX - 1, true),
            (made + KEPT_MS_MAX, false),
            (made + 86_400_000, false),
            (made - 1, false),
            (made - 86_400_000, false),
            (0, false),
            (i64::MIN, false),
        ] {
            assert_eq!(is_kept(kept_until, now), kept, "{}", now.saturating_sub(made));
        }
    }
}
