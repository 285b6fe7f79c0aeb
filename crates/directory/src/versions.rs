//! Numbers that move whenever a cached answer may have become wrong. One for policy (organizations: their tags, status
//! and names), and a few thousand for users, each shared by the users of one stripe. A cache keeps the [`Stamp`] at
//! which an answer was computed and asks [`Versions::is_current`] before using it again.
//!
//! INVARIANT: a store raises the numbers after a change is durable and *before* it is acknowledged; a stamp is
//! never newer than the data it was read with.

use std::sync::atomic::{AtomicU64, Ordering};

use narthex_names::{SessionId, UserId};

use crate::command::SecretHash;

/// Number of stripes that users are spread over.
pub const STRIPES: u16 = 4_096;

/// The numbers, shared by a store and all caches of its answers.
#[derive(Debug)]
pub struct Versions {
    policy: AtomicU64,
    stripes: Box<[AtomicU64]>,
}

impl Default for Versions {
    fn default() -> Self {
        Self {
            policy: AtomicU64::new(0),
            stripes: (0..STRIPES).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

/// The numbers that something was computed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The policy number.
    pub policy: u64,
    /// The user's stripe.
    pub stripe: Stripe,
    /// The number of that stripe.
    pub user: u64,
}

/// Stripe that a user belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stripe(u16);

impl Stripe {
    /// The stripe of a user.
    pub fn of(user: UserId) -> Self {
        Self::of_bits(user.bits())
    }

    /// The stripe of a session itself, for one whose user is not known.
    pub fn of_session(session: SessionId) -> Self {
        Self::of_bits(session.bits())
    }

    fn of_bits(bits: u128) -> Self {
        Self(u16::try_from(bits % u128::from(STRIPES)).unwrap_or(0))
    }

    /// The stripe of a machine key, by its hash: the id is not known before the key is found.
    pub fn of_machine_key(hash: SecretHash) -> Self {
        let [first, second, ..] = hash.0;
        Self(u16::from_be_bytes([first, second]) % STRIPES)
    }

    /// The stripe with this number, if there is one.
    pub fn from_number(number: u16) -> Option<Self> {
        (number < STRIPES).then_some(Self(number))
    }

    /// Its number: 0 to [`STRIPES`] - 1.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl Versions {
    /// The policy number now.
    pub fn policy(&self) -> u64 {
        self.policy.load(Ordering::Acquire)
    }

    /// A stripe's number now.
    pub fn stripe(&self, stripe: Stripe) -> u64 {
        self.stripes
            .get(usize::from(stripe.0))
            .map_or(0, |number| number.load(Ordering::Acquire))
    }

    /// Tests whether nothing has moved since.
    pub fn is_current(&self, stamp: Stamp) -> bool {
        self.policy() == stamp.policy && self.stripe(stamp.stripe) == stamp.user
    }

    /// Raises the policy number to at least this. For stores.
    pub fn raise_policy(&self, number: u64) {
        self.policy.fetch_max(number, Ordering::AcqRel);
    }

    /// Raises a stripe's number to at least this. For stores.
    pub fn raise_stripe(&self, stripe: Stripe, number: u64) {
        if let Some(counter) = self.stripes.get(usize::from(stripe.0)) {
            counter.fetch_max(number, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use narthex_names::CountingIds;

    use super::*;

    #[test]
    fn a_stamp_is_current_until_its_own_numbers_move() {
        let versions = Versions::default();
        let mut ids = CountingIds(0);
        let (ada, bob) = (
            Stripe::of(UserId::new(0, &mut ids)),
            Stripe::of(UserId::new(0, &mut ids)),
        );
        assert_ne!(ada, bob);
        let stamp = Stamp {
            policy: 0,
            stripe: ada,
            user: 0,
        };
        versions.raise_stripe(bob, 7);
        assert!(versions.is_current(stamp));
        versions.raise_stripe(ada, 1);
        assert!(!versions.is_current(stamp));
        let stamp = Stamp { user: 1, ..stamp };
        assert!(versions.is_current(stamp));
        versions.raise_policy(1);
        assert!(!versions.is_current(stamp));
    }

    #[test]
    fn numbers_never_fall() {
        let versions = Versions::default();
        versions.raise_policy(5);
        versions.raise_policy(3);
        assert_eq!(versions.policy(), 5);
    }
}
