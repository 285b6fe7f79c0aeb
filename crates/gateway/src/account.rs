//! A principal together with the answers already worked out for it: shared by all tokens that say the same.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use narthex_decision::Match;
use narthex_directory::{Desired, Directory, Principal, TokenFingerprint, Touch};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::pipeline::Allowed;
use crate::said::Said;

/// Routes whose answers are kept with one principal; on further ones it is decided anew.
const ROUTES_MAX: usize = 8;

/// A principal and its decisions.
#[derive(Debug)]
pub struct Account {
    /// Who the directory agrees this is.
    pub principal: Arc<Principal>,
    allowed: RwLock<Vec<Arc<Allowed>>>,
}

impl Account {
    /// A principal about which nothing has been decided yet.
    pub fn new(principal: Arc<Principal>) -> Self {
        Self {
            principal,
            allowed: RwLock::default(),
        }
    }

    /// The kept decision for a route, if its assertion is fresh and does not outlive the token (`ends_by_ms`).
    pub fn allowed(&self, matched: &Match<'_>, ends_by_ms: Option<i64>, now_ms: i64) -> Option<Arc<Allowed>> {
        let kept = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
        let allowed = kept.iter().find(|allowed| allowed.answers(matched))?;
        allowed.serves(ends_by_ms, now_ms).then(|| Arc::clone(allowed))
    }

    /// Keeps the decision for a route.
    pub fn remember(&self, matched: &Match<'_>, allowed: &Arc<Allowed>) {
        let mut kept = self.allowed.write().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|earlier| !earlier.answers(matched));
        if kept.len() >= ROUTES_MAX {
            kept.remove(0);
        }
        kept.push(Arc::clone(allowed));
    }
}

/// What was last agreed about a user of an issuer.
#[derive(Debug)]
struct Agreed {
    said: Said,
    account: Arc<Account>,
    generation: u64,
    /// What a use of the token asserts; its times are replaced by those of the use that is written down.
    touch: Touch,
    newest_issued_at_ms: AtomicI64,
    touched_at_ms: AtomicI64,
}

impl Agreed {
    /// The use of a token at `at_ms`, to be written down.
    fn touch_at(&self, at_ms: i64) -> Touch {
        let newest = self.newest_issued_at_ms.load(Ordering::Relaxed);
        let lease_ms = self.touch.lapses_at_ms.map(|lapses| lapses - self.touch.at_ms);
        Touch {
            at_ms,
            issued_at_ms: (newest != i64::MIN).then_some(newest),
            lapses_at_ms: lease_ms.map(|lease| at_ms.saturating_add(lease)),
            due: true,
            ..self.touch.clone()
        }
    }
}

impl Agreed {
    /// That a token of this time was shown, and nothing more.
    fn newest(&self, issued_at_ms: Option<i64>, at_ms: i64) -> Touch {
        Touch {
            user: self.touch.user,
            realm: self.touch.realm.clone(),
            issuer: self.touch.issuer.clone(),
            at_ms,
            issued_at_ms,
            asserted: Vec::new(),
            lapses_at_ms: None,
            tags: None,
            token: TokenFingerprint::default(),
            due: false,
        }
    }
}

/// What an account costs beside what its identity says, in bytes: user, grants, headers, assertion, bookkeeping.
const ENTRY_BYTES: u64 = 3_072;

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Box<[u8]>, Arc<Agreed>> for Weight {
    fn weight(&self, key: &Box<[u8]>, agreed: &Arc<Agreed>) -> u64 {
        let grants = agreed.account.principal.grants().len() as u64;
        ENTRY_BYTES + (key.len() + agreed.said.len()) as u64 + grants * GRANT_BYTES
    }
}

/// What each grant adds, in bytes.
const GRANT_BYTES: u64 = 400;

/// Accounts by issuer and external id, so that a fresh token that says the same as the last one needs no store.
pub struct Accounts {
    by_user: Cache<Box<[u8]>, Arc<Agreed>, Weight>,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts")
            .field("len", &self.by_user.len())
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// A cache of at most so many bytes.
    pub fn new(bytes_max: u64) -> Self {
        let entries = usize::try_from(bytes_max / ENTRY_BYTES).unwrap_or(usize::MAX).max(16);
        Self {
            by_user: Cache::with_weighter(entries, bytes_max, Weight),
        }
    }

    /// The account of a user about whom a token says exactly what was last agreed. That the user was seen is passed
    /// to the directory when it is due.
    pub fn unchanged(
        &self,
        (desired, said): (&Desired, &Said),
        generation: u64,
        directory: &dyn Directory,
        touch_every_ms: i64,
        now_ms: i64,
    ) -> Option<Arc<Account>> {
        let agreed = self.by_user.get(said.user())?;
        let principal = &agreed.account.principal;
        let stands = agreed.generation == generation
            && directory.versions().is_current(principal.stamp())
            && principal.valid_until_ms().is_none_or(|end| now_ms < end)
            && agreed.said == *said;
        if !stands || is_refused(principal, desired) {
            return None;
        }
        let is_newest = desired
            .issued_at_ms
            .is_some_and(|issued| agreed.newest_issued_at_ms.fetch_max(issued, Ordering::Relaxed) < issued);
        let touched_at_ms = agreed.touched_at_ms.load(Ordering::Relaxed);
        let due = now_ms.saturating_sub(touched_at_ms) >= touch_every_ms;
        if due
            && agreed
                .touched_at_ms
                .compare_exchange(touched_at_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            directory.touch(&agreed.touch_at(now_ms));
        } else if is_newest {
            // SECURITY: the directory knows which token is the newest although nothing changed: an older one must undo
            // nothing, at another node either, or when this account is no longer kept.
            directory.touch(&agreed.newest(desired.issued_at_ms, now_ms));
        }
        Some(Arc::clone(&agreed.account))
    }

    /// Before a user's token is planned: the newest `iat` seen here is handed to the directory, so that an older token
    /// cannot undo what a newer one confirmed without a write.
    pub fn hand_over(&self, said: &Said, directory: &dyn Directory) {
        if let Some(agreed) = self.by_user.get(said.user()) {
            let seen = agreed.touch_at(agreed.touched_at_ms.load(Ordering::Relaxed));
            directory.touch(&Touch { due: false, ..seen });
        }
    }

    /// Keeps what was agreed.
    pub fn remember(&self, (desired, said): (&Desired, Said), touch: &Touch, account: &Arc<Account>, generation: u64) {
        let key: Box<[u8]> = said.user().into();
        let newest = self
            .by_user
            .get(&*key)
            .map_or(i64::MIN, |earlier| earlier.newest_issued_at_ms.load(Ordering::Relaxed));
        let agreed = Agreed {
            account: Arc::clone(account),
            generation,
            newest_issued_at_ms: AtomicI64::new(newest.max(desired.issued_at_ms.unwrap_or(i64::MIN))),
            touched_at_ms: AtomicI64::new(touch.at_ms),
            touch: touch.clone(),
            said,
        };
        self.by_user.insert(key, Arc::new(agreed));
    }
}

/// Whether the user signed out everywhere after the token was issued.
///
/// SECURITY: a revocation moves the user's version, so a principal that stands has seen it; but the token at hand may
/// be older than the one the account was agreed on with.
fn is_refused(principal: &Principal, desired: &Desired) -> bool {
    principal
        .user()
        .tokens_not_before_ms
        .is_some_and(|not_before| desired.issued_at_ms.is_none_or(|issued| issued < not_before))
}
