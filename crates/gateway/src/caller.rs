//! Cached answers, by the whole token.
//!
//! SECURITY: an answer is kept under the whole token, compared whole; never past `exp`, never past the life of the key
//! that verified it, never past a change of configuration or of anything in the directory that it rests on, and never
//! longer than a minute.

use std::sync::Arc;

use narthex_directory::Versions;
use narthex_token::{KeySnapshot, VerifiedClaims};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::account::Account;
use crate::runtime::IssuerRuntime;

/// The longest an answer is kept, in milliseconds.
const KEPT_MS_MAX: i64 = 60_000;

/// What an entry costs beside its token, in bytes.
const ENTRY_BYTES: u64 = 320;

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
            account.principal.valid_until_ms(),
        ];
        let kept_until_ms = ends.into_iter().flatten().min().unwrap_or(now_ms);
        Self {
            issuer,
            account,
            expires_at_ms: claims.expires_at_ms(),
            kept_until_ms,
            key_epoch,
            generation,
        }
    }

    /// Whether the answer still stands.
    fn stands(&self, generation: u64, versions: &Versions, now_ms: i64) -> bool {
        now_ms < self.kept_until_ms
            && self.generation == generation
            && self.key_epoch == self.issuer.keys.epoch()
            && versions.is_current(self.account.principal.stamp())
    }
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Box<str>, Arc<Caller>> for Weight {
    fn weight(&self, token: &Box<str>, _: &Arc<Caller>) -> u64 {
        token.len() as u64 + ENTRY_BYTES
    }
}

/// Callers by token.
pub struct Callers {
    by_token: Cache<Box<str>, Arc<Caller>, Weight>,
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
    pub fn new(bytes_max: u64) -> Self {
        let entries = usize::try_from(bytes_max / (ENTRY_BYTES + 1024))
            .unwrap_or(usize::MAX)
            .max(16);
        Self {
            by_token: Cache::with_weighter(entries, bytes_max, Weight),
        }
    }

    /// The kept caller of exactly this token, while it stands.
    pub fn fresh(&self, token: &str, generation: u64, versions: &Versions, now_ms: i64) -> Option<Arc<Caller>> {
        let caller = self.by_token.get(token)?;
        if caller.stands(generation, versions, now_ms) {
            return Some(caller);
        }
        self.by_token.remove(token);
        None
    }

    /// Keeps a caller, if its issuer's mapping depends on the token alone.
    pub fn remember(&self, token: &str, caller: &Arc<Caller>) {
        if caller.issuer.mapping.token_only() {
            self.by_token.insert(Box::from(token), Arc::clone(caller));
        }
    }
}
