//! A principal together with the answers already worked out for it: shared by all tokens that say the same.

use std::sync::{Arc, PoisonError, RwLock};
use std::sync::atomic::{AtomicI64, Ordering};

use narthex_decision::Match;
use narthex_directory::{Desired, Principal, TokenFingerprint, Versions};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::pipeline::Allowed;

/// Routes whose answers are kept with one principal; on further ones it is decided anew.
const ROUTES_MAX: usize = 8;

/// A principal and its decisions.
#[derive(Debug)]
pub struct Account {
    /// Who the directory agrees this is.
    pub principal: Arc<Principal>,
    allowed: RwLock<Vec<(RouteKey, Arc<Allowed>)>>,
}

#[derive(Debug, PartialEq, Eq)]
struct RouteKey {
    route: usize,
    organization: Option<Box<str>>,
}

impl Account {
    /// A principal about which nothing has been decided yet.
    pub fn new(principal: Principal) -> Self {
        Self { principal: Arc::new(principal), allowed: RwLock::default() }
    }

    /// The kept decision for a route, if its assertion is fresh and does not outlive the token (`ends_by_ms`).
    pub fn allowed(&self, matched: &Match<'_>, ends_by_ms: Option<i64>, now_ms: i64) -> Option<Arc<Allowed>> {
        let kept = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
        let (_, allowed) = kept.iter().find(|(key, _)| key.route == matched.route.index && key.organization.as_deref() == matched.organization)?;
        let fits = now_ms < allowed.fresh_until_ms && ends_by_ms.is_none_or(|end| allowed.assertion_ends_ms <= end);
        fits.then(|| Arc::clone(allowed))
    }

    /// Keeps the decision for a route.
    pub fn remember(&self, matched: &Match<'_>, allowed: &Arc<Allowed>) {
        let key = RouteKey { route: matched.route.index, organization: matched.organization.map(Box::from) };
        let mut kept = self.allowed.write().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(earlier, _)| *earlier != key);
        if kept.len() >= ROUTES_MAX {
            kept.remove(0);
        }
        kept.push((key, Arc::clone(allowed)));
    }
}

/// What was last agreed about a user of an issuer.
#[derive(Debug)]
struct Agreed {
    desired: Desired,
    account: Arc<Account>,
    generation: u64,
    newest_issued_at_ms: AtomicI64,
    touched_at_ms: AtomicI64,
}

/// What an account costs beside what its identity says, in bytes: user, grants, headers, assertion, bookkeeping.
const ENTRY_BYTES: u64 = 3_072;

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Box<str>, Arc<Agreed>> for Weight {
    fn weight(&self, key: &Box<str>, agreed: &Arc<Agreed>) -> u64 {
        let grants = agreed.account.principal.grants().len() as u64;
        ENTRY_BYTES + key.len() as u64 + grants * GRANT_BYTES
    }
}

/// What each grant adds, in bytes.
const GRANT_BYTES: u64 = 400;

/// Accounts by issuer and external id, so that a fresh token that says the same as the last one needs no store.
pub struct Accounts {
    by_user: Cache<Box<str>, Arc<Agreed>, Weight>,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").field("len", &self.by_user.len()).finish_non_exhaustive()
    }
}

/// What to do with a token whose identity is the one already agreed on.
#[derive(Debug)]
pub struct Unchanged {
    /// The account.
    pub account: Arc<Account>,
    /// Whether it is time to write down that the user was seen.
    pub touch: Touch,
}

/// Whether a user's use is due to be written down (at most once an hour).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// It is.
    Due,
    /// It was written not long ago.
    NotDue,
}

impl Accounts {
    /// A cache of at most so many bytes.
    pub fn new(bytes_max: u64) -> Self {
        let entries = usize::try_from(bytes_max / ENTRY_BYTES).unwrap_or(usize::MAX).max(16);
        Self { by_user: Cache::with_weighter(entries, bytes_max, Weight) }
    }

    /// The account of a user about whom a token says exactly what was last agreed.
    pub fn unchanged(&self, desired: &Desired, generation: u64, versions: &Versions, touch_every_ms: i64, now_ms: i64) -> Option<Unchanged> {
        let agreed = self.by_user.get(&*user_key(desired))?;
        let stands = agreed.generation == generation
            && versions.is_current(agreed.account.principal.stamp())
            && agreed.account.principal.valid_until_ms().is_none_or(|end| now_ms < end)
            && says_the_same(&agreed.desired, desired);
        if !stands {
            return None;
        }
        if let Some(issued_at_ms) = desired.issued_at_ms {
            agreed.newest_issued_at_ms.fetch_max(issued_at_ms, Ordering::Relaxed);
        }
        let touched_at_ms = agreed.touched_at_ms.load(Ordering::Relaxed);
        let due = now_ms.saturating_sub(touched_at_ms) >= touch_every_ms
            && agreed.touched_at_ms.compare_exchange(touched_at_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        Some(Unchanged { account: Arc::clone(&agreed.account), touch: if due { Touch::Due } else { Touch::NotDue } })
    }

    /// The newest `iat` this node has seen for the user a token speaks for, written down or not.
    pub fn newest_issued_at_ms(&self, desired: &Desired) -> Option<i64> {
        let newest = self.by_user.get(&*user_key(desired))?.newest_issued_at_ms.load(Ordering::Relaxed);
        (newest != i64::MIN).then_some(newest)
    }

    /// Keeps what was agreed.
    pub fn remember(&self, desired: Desired, account: &Arc<Account>, generation: u64, now_ms: i64) {
        let newest = self.newest_issued_at_ms(&desired).max(desired.issued_at_ms);
        let key = user_key(&desired);
        let agreed = Agreed {
            account: Arc::clone(account),
            generation,
            newest_issued_at_ms: AtomicI64::new(newest.unwrap_or(i64::MIN)),
            touched_at_ms: AtomicI64::new(now_ms),
            desired: Desired { token: TokenFingerprint::default(), ..desired },
        };
        self.by_user.insert(key, Arc::new(agreed));
    }
}

/// Whether two tokens ask for the same, whichever tokens they are and whenever they were issued.
fn says_the_same(agreed: &Desired, desired: &Desired) -> bool {
    agreed.realm == desired.realm
        && agreed.issuer == desired.issuer
        && agreed.user == desired.user
        && agreed.tags == desired.tags
        && agreed.organization == desired.organization
        && agreed.team == desired.team
        && agreed.context == desired.context
}

fn user_key(desired: &Desired) -> Box<str> {
    // An issuer's name has no control characters, so the two parts cannot run into one another.
    format!("{}\n{}", desired.issuer, desired.user.external_id).into_boxed_str()
}
