//! A principal together with the answers already worked out for it: shared by all tokens that say the same.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use narthex_decision::Match;
use narthex_directory::{Desired, Directory, Mark, Principal, Stamp, Touch, UserId};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::ahead::Ahead;
use crate::keyed_hash::{Digest, KeyedShortHash};
use crate::passed::Allowed;
use crate::said::Said;
use narthex_clock::NoEntropy;

/// Routes whose answers are kept with one principal; on further ones it is decided anew.
const ROUTES_MAX: usize = 8;

/// A principal and its decisions.
#[derive(Debug)]
pub struct Account {
    /// Who the directory agrees this is.
    pub principal: Arc<Principal>,
    /// The principal's, here again as the next two: of many accounts each is far from the processor, and every further
    /// piece of memory that is looked at costs more than what is done with it.
    pub stamp: Stamp,
    /// Until when the principal's grants hold, in milliseconds.
    pub valid_until_ms: Option<i64>,
    /// Tokens issued before this are refused, in milliseconds.
    tokens_not_before_ms: Option<i64>,
    allowed: RwLock<Kept>,
    /// `None` for what an older token was answered, which nothing was agreed on with.
    agreed: Option<Agreed>,
}

/// Decisions of one principal.
#[derive(Debug, Default)]
struct Kept {
    latest: Option<Ahead<Allowed>>,
    earlier: Vec<Ahead<Allowed>>,
}

impl Account {
    /// A principal about which nothing has been decided yet, nor agreed with the token that asks.
    pub fn new(principal: Arc<Principal>) -> Self {
        Self::with(principal, None)
    }

    fn with(principal: Arc<Principal>, agreed: Option<Agreed>) -> Self {
        Self {
            stamp: principal.stamp(),
            valid_until_ms: principal.valid_until_ms(),
            tokens_not_before_ms: principal.user().tokens_not_before_ms,
            principal,
            allowed: RwLock::default(),
            agreed,
        }
    }

    /// The kept decision for a route, if its assertion is fresh and does not outlive the token (`ends_by_ms`).
    pub fn allowed(&self, matched: &Match<'_>, ends_by_ms: Option<i64>, now_ms: i64) -> Option<Ahead<Allowed>> {
        let kept = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = kept.latest.iter().chain(&kept.earlier);
        let allowed = all.find(|allowed| allowed.answers(matched))?;
        if !allowed.serves(ends_by_ms, now_ms) {
            return None;
        }
        allowed.patch.prefetch_values();
        Some(Ahead::clone(allowed))
    }

    /// Asks the processor for the latest decision, which is likely to be the one that is wanted.
    fn prefetch_latest(&self) {
        let kept = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = &kept.latest {
            latest.prefetch();
        }
    }

    /// Keeps the decision for a route.
    pub fn remember(&self, matched: &Match<'_>, allowed: &Ahead<Allowed>) {
        let mut kept = self.allowed.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = kept.latest.replace(Ahead::clone(allowed)) {
            kept.earlier.push(latest);
        }
        kept.earlier.retain(|earlier| !earlier.answers(matched));
        if kept.earlier.len() >= ROUTES_MAX {
            kept.earlier.remove(0);
        }
    }

    /// Whether the user signed out everywhere after the token was issued.
    ///
    /// SECURITY: a revocation moves the user's version, so a principal that stands has seen it; but the token at hand may
    /// be older than the one the account was agreed on with.
    fn refuses(&self, desired: &Desired) -> bool {
        self.tokens_not_before_ms
            .is_some_and(|not_before| desired.issued_at_ms.is_none_or(|issued| issued < not_before))
    }
}

/// What was last agreed about a user of an issuer.
#[derive(Debug)]
struct Agreed {
    said: Digest,
    user: UserId,
    generation: u64,
    /// What a use of the token asserts; its times are replaced by those of the use that is written down. In a place of
    /// its own, because it is seldom looked at.
    touch: Box<Touch>,
    /// Of the tokens that said so. The directory knows the one that counts.
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
            mark: (newest != i64::MIN).then(|| Mark::of(newest, self.touch.said, at_ms)),
            lapses_at_ms: lease_ms.map(|lease| at_ms.saturating_add(lease)),
            due: true,
            ..(*self.touch).clone()
        }
    }
}

/// What an account costs, in bytes: user, headers, assertion, bookkeeping.
const ENTRY_BYTES: u64 = 3_072;
/// What each grant adds, in bytes: itself, its share of a membership, and its tag.
const GRANT_BYTES: u64 = 700;

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Digest, Ahead<Account>> for Weight {
    fn weight(&self, _: &Digest, account: &Ahead<Account>) -> u64 {
        ENTRY_BYTES + account.principal.grants().len() as u64 * GRANT_BYTES
    }
}

/// Accounts by issuer and external id, so that a fresh token that says the same as the last one needs no store.
pub struct Accounts {
    hash: KeyedShortHash,
    by_user: Cache<Digest, Ahead<Account>, Weight>,
}

/// What a token says, as it is looked for and kept.
#[derive(Debug, Clone, Copy)]
pub struct SaidKey {
    user: Digest,
    all: Digest,
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
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] when there is no randomness for its key.
    pub fn new(bytes_max: u64) -> Result<Self, NoEntropy> {
        let entries = usize::try_from(bytes_max / ENTRY_BYTES).unwrap_or(usize::MAX).max(16);
        Ok(Self {
            hash: KeyedShortHash::new()?,
            by_user: Cache::with_weighter(entries, bytes_max, Weight),
        })
    }

    /// What a token says, as it is looked for and kept.
    pub fn key(&self, said: &Said) -> SaidKey {
        SaidKey {
            user: self.hash.of(said.user()),
            all: self.hash.of(said.all()),
        }
    }

    /// The account of a user about whom a token says exactly what was last agreed. That the user was seen is passed
    /// to the directory when it is due.
    pub fn unchanged(
        &self,
        (desired, said): (&Desired, SaidKey),
        generation: u64,
        directory: &dyn Directory,
        touch_every_ms: i64,
        now_ms: i64,
    ) -> Option<Ahead<Account>> {
        let account = self.by_user.get(&said.user)?;
        account.prefetch_latest();
        let agreed = account.agreed.as_ref()?;
        let stands = said.all == agreed.said
            && agreed.generation == generation
            && directory.versions().is_current(account.stamp)
            && account.valid_until_ms.is_none_or(|end| now_ms < end);
        if !stands || account.refuses(desired) {
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
        } else if let Some(issued_at_ms) = desired.issued_at_ms.filter(|_| is_newest) {
            // SECURITY: the directory knows which token is the newest although nothing changed: an older one must undo
            // nothing, at another node either, or when this account is no longer kept.
            let mark = Mark::of(issued_at_ms, agreed.touch.said, now_ms);
            directory.note_newest(agreed.user, &desired.issuer, mark);
        }
        Some(account)
    }

    /// The account that was agreed on, which is kept.
    pub fn agree(
        &self,
        (desired, said): (&Desired, SaidKey),
        (principal, touch): (Arc<Principal>, &Touch),
        generation: u64,
    ) -> Ahead<Account> {
        let agreed = Agreed {
            said: said.all,
            user: touch.user,
            generation,
            newest_issued_at_ms: AtomicI64::new(desired.issued_at_ms.unwrap_or(i64::MIN)),
            touched_at_ms: AtomicI64::new(touch.at_ms),
            touch: Box::new(touch.clone()),
        };
        let account = Ahead::new(Account::with(principal, Some(agreed)));
        self.by_user.insert(said.user, Ahead::clone(&account));
        account
    }
}
