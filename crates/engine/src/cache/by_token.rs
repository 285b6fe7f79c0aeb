//! Cache of answers, keyed by the whole token.
//!
//! SECURITY: an answer is stored under a keyed hash of the whole token, so that no token stays in memory. It never
//! lives past `exp` or `max_token_age`, past the life of the key that verified it, past a change of configuration or of
//! anything in the directory that it rests on, and never longer than a minute.

use std::sync::Arc;

use narthex_decision::Match;
use narthex_directory::{IssuerName, MachineKeyId, Stamp, Versions};
use narthex_token::{KeySnapshot, VerifiedClaims};
use quick_cache::sync::Cache;
use zeroize::Zeroizing;

use crate::cache::by_identity::Account;
use crate::cache::keyed_hash::{Digest, KeyedHash};
use crate::cache::prefetch::{Prefetched, WeakPrefetched, prefetch_values};
use crate::credentials::Token;
use crate::passed::Allowed;
use crate::runtime::IssuerRuntime;
use narthex_clock::NoEntropy;

/// Upper limit of the life of an answer, in milliseconds.
const KEPT_MS_MAX: i64 = 60_000;

/// Limit for the leeway, in milliseconds: if less is left of a token, its assertion ends with the leeway, because one
/// that ended with the token would end before it is read.
const ABOUT_TO_END_MS: i64 = 5_000;

/// Size of an entry, in bytes: the caller and its place in the cache, and the last decision.
const ENTRY_BYTES: u64 = 1_700;

/// Source of a caller's credential.
#[derive(Debug, Clone)]
pub enum CredentialSource {
    /// A token of this issuer.
    Issuer(Arc<IssuerRuntime>),
    /// This machine key.
    MachineKey(MachineKeyId),
}

/// Caller with a good token or machine key, as far as it is cached by that.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Source of the credential.
    source: CredentialSource,
    /// The account; gone when the cache of accounts has no more room for it: that cache alone bounds the cached part of
    /// the directory.
    account: WeakPrefetched<Account>,
    /// Expiry of the token (`exp`, or the end of `max_token_age`) or the machine key, in milliseconds.
    expires_at_ms: Option<i64>,
    /// True for an opaque token without an expiry: it rests on the answer of its issuer, which is not known to last.
    is_of_answer: bool,
    kept_until_ms: i64,
    key_epoch: u64,
    generation: u64,
    /// The principal's stamp, beside the other fields that are read: with many tokens each is rarely in the processor's
    /// cache, and every further cache miss costs more than the work on the data.
    stamp: Stamp,
    /// The user's `tokens_not_before` when the token was verified, in milliseconds: the account may be gone by the time
    /// a stream is watched.
    tokens_not_before_ms: Option<i64>,
    /// `jti` of the token, by which it can be revoked.
    token_id: Option<Box<str>>,
    /// `iat` of the token, in milliseconds.
    issued_at_ms: Option<i64>,
    /// Scopes of the token that some route asks for.
    scopes: Box<[String]>,
    /// Thumbprint of the key that each use of the token has to prove.
    bound_to: Option<Box<str>>,
}

impl Caller {
    /// Creates a caller that may be cached while everything that it rests on stays. `keys` are the keys that verified
    /// the token; `None` for an opaque one.
    pub fn new(
        issuer: Arc<IssuerRuntime>,
        account: &Prefetched<Account>,
        claims: &VerifiedClaims,
        (generation, keys): (u64, Option<&KeySnapshot>),
        now_ms: i64,
    ) -> Self {
        let key_epoch = keys.map_or_else(|| issuer.keys.epoch(), KeySnapshot::epoch);
        let expiries = [claims.expires_at_ms(), claims.too_old_at_ms()];
        let expires_at_ms = expiries.into_iter().flatten().min();
        let ends = [
            Some(now_ms.saturating_add(KEPT_MS_MAX)),
            expires_at_ms,
            keys.map(KeySnapshot::usable_until_ms),
            account.valid_until_ms,
        ];
        let kept_until_ms = ends.into_iter().flatten().min().unwrap_or(now_ms);
        Self {
            source: CredentialSource::Issuer(issuer),
            account: account.downgrade(),
            expires_at_ms,
            is_of_answer: keys.is_none() && expires_at_ms.is_none(),
            kept_until_ms,
            key_epoch,
            generation,
            stamp: account.stamp,
            tokens_not_before_ms: account.principal.user().tokens_not_before_ms,
            token_id: claims.token_id().map(Box::from),
            issued_at_ms: claims.issued_at_ms(),
            scopes: Box::default(),
            bound_to: claims.bound_to().map(Box::from),
        }
    }

    /// Adds the scopes of the token that some route asks for.
    #[must_use]
    pub fn with_scopes(self, scopes: Box<[String]>) -> Self {
        Self { scopes, ..self }
    }

    /// Returns the thumbprint of the key that each use of the token has to prove; `None` for a bearer token.
    pub fn bound_to(&self) -> Option<&str> {
        self.bound_to.as_deref()
    }

    /// Returns the scopes of the token that some route asks for; a machine key has none.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Creates the caller of a machine key that works until `expires_at_ms`. It is cached by the rules of a token: while
    /// the numbers of the directory stay that it was read with, and for a minute at most.
    pub fn of_machine_key(
        key: MachineKeyId,
        account: &Prefetched<Account>,
        expires_at_ms: i64,
        generation: u64,
        now_ms: i64,
    ) -> Self {
        Self {
            source: CredentialSource::MachineKey(key),
            account: account.downgrade(),
            expires_at_ms: Some(expires_at_ms),
            is_of_answer: false,
            kept_until_ms: now_ms.saturating_add(KEPT_MS_MAX).min(expires_at_ms),
            key_epoch: 0,
            generation,
            stamp: account.stamp,
            tokens_not_before_ms: None,
            token_id: None,
            issued_at_ms: None,
            scopes: Box::default(),
            bound_to: None,
        }
    }

    /// Returns the source of the credential.
    pub const fn source(&self) -> &CredentialSource {
        &self.source
    }

    /// Returns the issuer of the token; `None` for a machine key.
    pub const fn issuer(&self) -> Option<&Arc<IssuerRuntime>> {
        match &self.source {
            CredentialSource::Issuer(issuer) => Some(issuer),
            CredentialSource::MachineKey(_) => None,
        }
    }

    /// Returns the configured name of the token's issuer; `None` for a machine key.
    pub fn issuer_name(&self) -> Option<&IssuerName> {
        self.issuer().map(|issuer| &issuer.name)
    }

    /// Returns the time after its expiry for which the credential is still accepted, in milliseconds. A machine key's
    /// expiry comes from the clock that it is compared with, and needs none.
    pub fn leeway_ms(&self) -> i64 {
        self.issuer().map_or(0, |issuer| issuer.trusted.leeway_ms())
    }

    /// Returns the user's `tokens_not_before` when the token was verified, in milliseconds.
    pub const fn tokens_not_before_ms(&self) -> Option<i64> {
        self.tokens_not_before_ms
    }

    /// Returns the `jti` of the token, and its `iat` in milliseconds.
    pub fn token_facts(&self) -> (Option<&str>, Option<i64>) {
        (self.token_id.as_deref(), self.issued_at_ms)
    }

    /// Returns the time by which an assertion for this token must have ended, in milliseconds: the token's expiry, or,
    /// if the token is about to expire or has expired, the end of the leeway for which it is still accepted.
    pub(crate) fn ends_by_ms(&self, now_ms: i64) -> Option<i64> {
        let end = self.expires_at_ms?;
        if end.saturating_sub(now_ms) >= ABOUT_TO_END_MS {
            return Some(end);
        }
        Some(end.saturating_add(self.leeway_ms()))
    }

    /// Returns the account, if it is still cached.
    pub fn account(&self) -> Option<Prefetched<Account>> {
        self.account.upgrade()
    }

    /// Returns the expiry of the credential, for a stream that begins now, and the leeway after it, both in milliseconds;
    /// `None` for a token that does not expire.
    ///
    /// SECURITY: an opaque token without an expiry counts for as long as the answer of its issuer is cached. Its stream has that
    /// time from its beginning on, so that a short call does not end with a cached answer.
    pub fn stream_end(&self, now_ms: i64) -> Option<(i64, i64)> {
        match self.expires_at_ms {
            Some(end) => Some((end, self.leeway_ms())),
            None => self.is_of_answer.then(|| (now_ms.saturating_add(KEPT_MS_MAX), 0)),
        }
    }

    /// Returns the version numbers of the directory that the answer rests on.
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Returns the number of the configuration that the answer rests on.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Tests whether the answer still stands.
    fn stands(&self, generation: u64, versions: &Versions, now_ms: i64) -> bool {
        is_kept(self.kept_until_ms, now_ms)
            && self.generation == generation
            && self.issuer().is_none_or(|issuer| self.key_epoch == issuer.keys.epoch())
            && versions.is_current(self.stamp)
    }
}

/// Tests whether an answer that is cached until that time may be served now.
///
/// SECURITY: an answer with more than the longest life left comes from the future, because the clock was set back. Its
/// age is unknown.
fn is_kept(kept_until_ms: i64, now_ms: i64) -> bool {
    let left_ms = kept_until_ms.saturating_sub(now_ms);
    (1..=KEPT_MS_MAX).contains(&left_ms)
}

/// Cached answer of a token. Many tokens are used once, so the decision is cached from the second use on.
#[derive(Debug, Clone)]
pub enum CachedToken {
    /// The caller.
    Once(Arc<Caller>),
    /// The caller, and a decision.
    Again(Prefetched<DecidedCaller>),
}

impl CachedToken {
    /// Returns the caller.
    pub fn caller(&self) -> &Caller {
        match self {
            Self::Once(caller) => caller,
            Self::Again(decided) => decided.caller(),
        }
    }
}

/// A caller with a decision, in one allocation.
#[derive(Debug)]
pub struct DecidedCaller {
    caller: Caller,
    allowed: Allowed,
}

impl DecidedCaller {
    /// Returns the caller that the token belongs to.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns the decision.
    pub fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// Tests whether it is about the matched route and organization and still serves.
    pub fn answers(&self, matched: &Match<'_>, now_ms: i64) -> bool {
        self.allowed.answers(matched) && self.serves(now_ms)
    }

    fn serves(&self, now_ms: i64) -> bool {
        self.allowed.serves(self.caller.ends_by_ms(now_ms), now_ms)
    }
}

/// Caller with a good token or machine key, with everything known about it.
#[derive(Debug)]
pub struct KnownCaller {
    /// Entry of the cache by token.
    pub seen: CachedToken,
    /// Account that the directory agrees on.
    pub account: Prefetched<Account>,
}

impl KnownCaller {
    /// Completes a cached answer of a token, if its account is still cached.
    pub fn of(seen: CachedToken) -> Option<Self> {
        let account = seen.caller().account.upgrade()?;
        Some(Self { seen, account })
    }

    /// Returns the decision about the matched route and organization, if one was made with any token of the account and
    /// still serves this token.
    pub fn allowed(&self, matched: &Match<'_>, now_ms: i64) -> Option<Prefetched<Allowed>> {
        self.account
            .allowed(matched, self.seen.caller().ends_by_ms(now_ms), now_ms)
    }
}

/// Cache key of a presented token: hashed once.
#[derive(Debug, Clone, Copy)]
pub struct TokenKey(Option<Digest>);

/// Cache of callers, keyed by a hash of their token.
pub struct TokenCache {
    hash: KeyedHash,
    by_token: Cache<Digest, CachedToken>,
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache")
            .field("len", &self.by_token.len())
            .finish_non_exhaustive()
    }
}

impl TokenCache {
    /// Creates a cache of at most this many bytes.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] if there is no randomness for its key.
    pub fn new(bytes_max: u64) -> Result<Self, NoEntropy> {
        let entries = usize::try_from(bytes_max / ENTRY_BYTES).unwrap_or(usize::MAX).max(16);
        Ok(Self {
            hash: KeyedHash::new()?,
            by_token: Cache::new(entries),
        })
    }

    /// Removes every entry.
    pub(crate) fn clear(&self) {
        self.by_token.clear();
    }

    /// Returns the cache key of a token.
    pub fn key(&self, token: Token<'_>) -> TokenKey {
        TokenKey(self.hash.of(token.bytes()))
    }

    /// Returns the cache key of a session's token.
    ///
    /// SECURITY: never that of the same token sent by itself, whose audience is another: no field of a request has a NUL byte.
    pub fn session_key(&self, token: Token<'_>) -> TokenKey {
        let mut bytes = Zeroizing::new(Vec::with_capacity(token.bytes().len().saturating_add(1)));
        bytes.push(0);
        bytes.extend_from_slice(token.bytes());
        TokenKey(self.hash.of(&bytes))
    }

    /// Returns the cached answer of exactly this token, while it stands.
    pub fn fresh(&self, token: TokenKey, generation: u64, versions: &Versions, now_ms: i64) -> Option<CachedToken> {
        let digest = token.0?;
        let seen = self.by_token.get(&digest)?;
        if let CachedToken::Again(decided) = &seen {
            prefetch_values(&decided.allowed.patch);
        }
        if seen.caller().stands(generation, versions, now_ms) {
            return Some(seen);
        }
        self.by_token.remove(&digest);
        None
    }

    /// Caches the caller of a machine key, or of a token if its issuer's mapping depends on the token alone.
    pub fn remember(&self, token: TokenKey, caller: &Arc<Caller>) {
        if let Some(digest) = token.0
            && caller.issuer().is_none_or(|issuer| issuer.mapping.token_only())
        {
            self.by_token.insert(digest, CachedToken::Once(Arc::clone(caller)));
        }
    }

    /// Caches a decision with a token that was seen before, unless it has one that still serves: a token that
    /// alternates between several routes would only evict its own decisions.
    pub fn decide(&self, token: TokenKey, seen: &CachedToken, allowed: &Allowed, now_ms: i64) {
        let Some(digest) = token.0 else { return };
        if matches!(seen, CachedToken::Again(decided) if decided.serves(now_ms)) {
            return;
        }
        let decided = DecidedCaller {
            caller: seen.caller().clone(),
            allowed: allowed.clone(),
        };
        self.by_token
            .insert(digest, CachedToken::Again(Prefetched::new(decided)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry lives for a minute by the clock at most, in whichever direction the clock is set.
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
