//! The order of an issuer's tokens for a user: an old token undoes nothing that a newer one changed.

use narthex_names::Username;

use crate::desired::{Desired, DesiredMembership};

/// Digest of what a token says about its user, after mapping. Two tokens with the same digest ask for the same.
///
/// Kept in the database, so it is the same in every process and version. SECURITY: it is not proof against collisions. Two
/// tokens of one second that collide may take turns, as often as the limit on changes lets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Said(pub i64);

impl Said {
    /// The digest of a token's words. Its time and the token itself are no part of it.
    pub fn of(desired: &Desired) -> Self {
        let mut digest = Digest::default();
        digest.text(desired.realm.as_str());
        digest.text(desired.issuer.as_str());
        digest.text(desired.user.external_id.as_str());
        digest.maybe(desired.user.username.as_ref().map(Username::as_str));
        for field in desired.user.profile.fields() {
            digest.maybe(field.as_deref());
        }
        digest.maybe(desired.organization.as_ref().map(|wanted| wanted.external_id.as_str()));
        if let Some(wanted) = &desired.organization {
            digest.maybe(wanted.name.as_deref());
            digest.maybe(wanted.timezone.as_deref());
            digest.text(wanted.role.as_str());
        }
        digest.maybe(desired.team.as_ref().map(|wanted| wanted.external_id.as_str()));
        if let Some(wanted) = &desired.team {
            digest.maybe(wanted.name.as_deref());
            digest.text(wanted.role.as_str());
        }
        if let Some(each) = &desired.each {
            digest.text("each");
            // In whatever order the token has them.
            let mut stated: Vec<u64> = each.iter().map(Digest::of_membership).collect();
            stated.sort_unstable();
            for membership in stated {
                digest.bytes(&membership.to_le_bytes());
            }
        }
        for (name, value) in &desired.context {
            digest.text(name);
            digest.text(&value.to_string());
        }
        digest.text(desired.tags.kind());
        for tag in desired.tags.noted().into_iter().flatten() {
            digest.text(&tag);
        }
        Self((digest.0 >> UNUSED_BITS).max(1).cast_signed())
    }
}

/// Bits dropped from the digest. The rest is a number from one, of 53 bits: every reader of an export reads it alike.
const UNUSED_BITS: u32 = 11;

/// FNV-1a.
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The digest of one organization and the team in it.
    fn of_membership(membership: &DesiredMembership) -> u64 {
        let (organization, team) = (&membership.organization, &membership.team);
        let mut digest = Self::default();
        digest.text(organization.external_id.as_str());
        digest.maybe(organization.name.as_deref());
        digest.maybe(organization.timezone.as_deref());
        digest.text(organization.role.as_str());
        digest.maybe(team.as_ref().map(|team| team.external_id.as_str()));
        if let Some(team) = team {
            digest.maybe(team.name.as_deref());
            digest.text(team.role.as_str());
        }
        digest.0
    }

    /// A text with its length, so that no two lists of texts run into one.
    fn text(&mut self, text: &str) {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.bytes(&[u8::from(text.is_some())]);
        self.text(text.unwrap_or_default());
    }
}

/// The token that counts, of those that an issuer gave a user: the newest, and of several of one time the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The token's place in the order, in milliseconds. Not ahead of the clock that it was used by.
    pub order_ms: i64,
    /// The newest `iat` of all tokens seen, in milliseconds. Ahead of the clock where an issuer's clock is.
    pub newest_issued_at_ms: i64,
    /// Digest of the token's words; `None` where a version that did not keep it wrote the record.
    pub said: Option<Said>,
}

impl Mark {
    /// The mark of a token issued and used at these times, in milliseconds.
    ///
    /// SECURITY: a token that is dated ahead of the clock takes the place just before the second of its use. At the date
    /// it claims, it would stand above every newer token until those reach that date.
    pub const fn of(issued_at_ms: i64, said: Said, now_ms: i64) -> Self {
        let order_ms = if issued_at_ms <= now_ms {
            issued_at_ms
        } else {
            now_ms - now_ms.rem_euclid(SECOND_MS) - 1
        };
        Self {
            order_ms,
            newest_issued_at_ms: issued_at_ms,
            said: Some(said),
        }
    }

    /// The mark that a token leaves which is not older than the last one.
    pub fn after(last: Option<&Self>, issued_at_ms: i64, said: Said, now_ms: i64) -> Self {
        let mut mark = Self::of(issued_at_ms, said, now_ms);
        if let Some(last) = last {
            let says_the_same = last.said.is_none_or(|own| own == said);
            let least = last.order_ms.saturating_add(i64::from(!says_the_same));
            mark.order_ms = mark.order_ms.max(least);
            mark.newest_issued_at_ms = mark.newest_issued_at_ms.max(last.newest_issued_at_ms);
        }
        mark
    }

    /// Tests whether a token is older than the one that counts, and so changes nothing.
    pub fn outdates(&self, issued_at_ms: Option<i64>, said: Said, now_ms: i64) -> bool {
        // A token without a date may be of any time.
        let Some(issued) = issued_at_ms else {
            return true;
        };
        if issued < self.order_ms {
            return true;
        }
        if self.said.is_none_or(|own| own == said) {
            return false;
        }
        // SECURITY: a token dated ahead of the clock whose date was seen before is no newer than what came since then.
        let is_seen = issued <= self.newest_issued_at_ms && (issued > now_ms || issued == self.newest_issued_at_ms);
        issued == self.order_ms || is_seen
    }

    /// Tests whether the token of this mark may take the place of the last one. That of a plan that
    /// [`Mark::outdates`] let pass always may. For stores, which ask again when they write.
    pub fn follows(&self, last: Option<&Self>) -> bool {
        last.is_none_or(|last| {
            self.order_ms > last.order_ms
                || (self.order_ms == last.order_ms && (last.said.is_none() || last.said == self.said))
        })
    }

    /// Joins what is known from both: of two tokens of one place, this one counts.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let counts = if other.order_ms > self.order_ms { other } else { self };
        Self {
            newest_issued_at_ms: self.newest_issued_at_ms.max(other.newest_issued_at_ms),
            // A record of an earlier version does not know what its token said.
            said: counts.said.or(other.said.filter(|_| self.order_ms == other.order_ms)),
            ..counts
        }
    }

    /// As [`Mark::join`], where there may be none.
    pub fn join_maybe(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.join(other)),
            (one, other) => one.or(other),
        }
    }
}

const SECOND_MS: i64 = 1_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: i64 = 1_800_000_000_250;
    const SECOND: i64 = 1_800_000_000_000;
    const OLD: Said = Said(1);
    const NEW: Said = Said(2);

    fn mark(issued_at_ms: i64) -> Mark {
        Mark::of(issued_at_ms, OLD, NOW_MS)
    }

    #[test]
    fn an_older_or_undated_token_is_outdated_and_the_first_of_one_second_counts() {
        let last = mark(SECOND);
        for (issued, said, outdated) in [
            (Some(SECOND - 1), NEW, true),
            (Some(SECOND - 1), OLD, true),
            (None, NEW, true),
            (None, OLD, true),
            (Some(SECOND), NEW, true),
            (Some(SECOND), OLD, false),
            (Some(SECOND + 1), NEW, false),
        ] {
            assert_eq!(last.outdates(issued, said, NOW_MS), outdated, "{issued:?} {said:?}");
        }
        let unknown = Mark { said: None, ..last };
        assert!(
            !unknown.outdates(Some(SECOND), NEW, NOW_MS),
            "what it said was not kept"
        );
    }

    /// Token A is 58 s ahead of the clock; B is issued after it, by the right clock.
    #[test]
    fn a_token_ahead_of_the_clock_is_no_newer_than_one_issued_after_it() {
        let ahead = SECOND + 58_000;
        let last = mark(ahead);
        assert!(last.order_ms < NOW_MS, "{last:?}");
        assert!(
            !last.outdates(Some(SECOND), NEW, NOW_MS),
            "issued in the second of A's use"
        );
        assert!(last.outdates(Some(SECOND - 1_000), NEW, NOW_MS));
        let last = Mark::after(Some(&last), SECOND, NEW, NOW_MS + 500);
        assert_eq!((last.order_ms, last.newest_issued_at_ms), (SECOND, ahead));
        for later in [1_000, 57_000, 58_000, 3_600_000] {
            assert!(
                last.outdates(Some(ahead), OLD, NOW_MS + later),
                "A again, {later} ms later"
            );
        }
        assert!(
            !last.outdates(Some(ahead + 1_000), OLD, NOW_MS + 1_000),
            "a newer one of A's clock"
        );
        assert!(!last.outdates(Some(ahead - 1), OLD, ahead), "one of the right clock");
    }

    proptest! {
        /// Otherwise a store would refuse the same plan for ever.
        #[test]
        fn what_is_not_outdated_follows(
            last in (-70_000_i64..70_000, -70_000_i64..70_000, 0_i64..3),
            (issued, said, now) in (-70_000_i64..70_000, 0_i64..3, 0_i64..70_000),
        ) {
            let (order_ms, newest, own) = last;
            let last = Mark { order_ms, newest_issued_at_ms: newest.max(order_ms), said: (own > 0).then_some(Said(own)) };
            if !last.outdates(Some(issued), Said(said), now) {
                let next = Mark::after(Some(&last), issued, Said(said), now);
                prop_assert!(next.follows(Some(&last)), "{last:?} {next:?}");
                prop_assert!(next.newest_issued_at_ms >= last.newest_issued_at_ms);
            }
        }
    }
}
