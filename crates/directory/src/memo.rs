//! What the last token of a user gave, so that a fresh token that says the same costs no look into the store.
//!
//! The edge keeps one memo per (issuer, external id) in a bounded cache, asks it before [`crate::sync`], and
//! replaces it by the memo of every sync that was not stale, refused or observed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::desired::{Desired, SyncPolicy};
use crate::directory::Directory;
use crate::order::Mark;
use crate::plan::Touch;
use crate::principal::Principal;
use crate::sync::Synced;

/// A principal, and what a token has to say to get it again.
#[derive(Debug)]
pub struct SyncMemo {
    desired: Desired,
    principal: Arc<Principal>,
    touch: Touch,
    /// The newest `iat` seen, or the smallest number.
    issued_at_ms: AtomicI64,
    /// When what the token asserts is next to be written.
    due_at_ms: i64,
}

impl SyncMemo {
    /// Remembers what a sync gave. `None` where it must not be remembered: a stale token speaks for an older
    /// state, an observed one changed nothing, and a limited one has more to give.
    pub fn of(desired: &Desired, synced: &Synced, policy: &SyncPolicy) -> Option<Self> {
        let plan = &synced.plan;
        if plan.stale_token || plan.observed || plan.limited {
            return None;
        }
        // The heavy parts are only written when due, and then sync makes the touch.
        let touch = Touch {
            tags: None,
            asserted: Vec::new(),
            ..plan.touch.clone()
        };
        Some(Self {
            desired: desired.clone(),
            principal: Arc::clone(&synced.principal),
            issued_at_ms: AtomicI64::new(desired.issued_at_ms.unwrap_or(i64::MIN)),
            due_at_ms: touch.at_ms.saturating_add(policy.touch_interval_ms()),
            touch,
        })
    }

    /// The same principal, if this token says what the remembered one said and nothing has moved since; the use
    /// is noted. `None` means: ask [`crate::sync`].
    ///
    /// The edge drops its memos when the configuration changes: the policies and the issuers in force that they were computed
    /// with are not asked here.
    pub fn recall(&self, directory: &dyn Directory, desired: &Desired, now_ms: i64) -> Option<Arc<Principal>> {
        // SECURITY: first of all, nobody's rights have changed: status, revocation, roles, organizations.
        if !directory.versions().is_current(self.principal.stamp()) {
            return None;
        }
        if self.principal.valid_until_ms().is_some_and(|until| until <= now_ms) || !self.says_the_same(desired) {
            return None;
        }
        match (self.principal.user().tokens_not_before_ms, desired.issued_at_ms) {
            (None, _) => {}
            (Some(not_before), Some(issued)) if issued >= not_before => {}
            (Some(_), _) => return None,
        }
        // Once an hour sync looks into the store, and notes that the token asserts what it gave.
        if self.due_at_ms <= now_ms {
            return None;
        }
        // A token older than the newest one gets the same answer, for it says the same.
        let issued = desired.issued_at_ms.unwrap_or(i64::MIN);
        if self.issued_at_ms.fetch_max(issued, Ordering::AcqRel) < issued {
            let mark = Mark::of(issued, self.touch.said, now_ms);
            directory.note_newest(self.touch.user, &self.touch.issuer, mark);
        }
        Some(Arc::clone(&self.principal))
    }

    fn says_the_same(&self, desired: &Desired) -> bool {
        let own = &self.desired;
        own.realm == desired.realm
            && own.issuer == desired.issuer
            && own.user == desired.user
            && own.organization == desired.organization
            && own.team == desired.team
            && own.context == desired.context
            && own.tags == desired.tags
    }
}
