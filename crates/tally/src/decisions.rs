//! Counts of decisions over time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Largest number of different counts in a bucket. Those beyond it are counted without route and issuer.
pub const KEYS_MAX: usize = 100;

/// Number of parts that threads count in, so that they seldom wait for each other.
const SHARDS: usize = 8;

const MINUTE_MS: i64 = 60_000;

/// Kind of decisions that is counted apart. Routes and issuers are those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Counted {
    /// Code of the reason; `None` for a request that may pass.
    pub reason: Option<&'static str>,
    /// Path pattern of the route; `None` where no route takes the request.
    pub route: Option<Box<str>>,
    /// Configured name of the issuer; `None` where no token counted.
    pub issuer: Option<Box<str>>,
}

impl Counted {
    /// Word for the outcome: `allow`, `deny`, or `error` where nothing could be decided.
    pub fn outcome(&self) -> &'static str {
        match self.reason {
            None => "allow",
            Some("keys.unavailable" | "store.unavailable") => "error",
            Some(_) => "deny",
        }
    }
}

/// Length of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A minute, for two hours.
    Minute,
    /// A quarter of an hour, for two days.
    Quarter,
    /// Two hours, for fourteen days.
    TwoHours,
}

impl Step {
    /// Every step, the shortest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Quarter, Self::TwoHours];

    /// Length, in milliseconds.
    pub const fn ms(self) -> i64 {
        match self {
            Self::Minute => MINUTE_MS,
            Self::Quarter => 15 * MINUTE_MS,
            Self::TwoHours => 120 * MINUTE_MS,
        }
    }

    /// Time for which its buckets are kept, in milliseconds.
    pub const fn kept_ms(self) -> i64 {
        match self {
            Self::Minute => 120 * MINUTE_MS,
            Self::Quarter => 2 * 24 * 60 * MINUTE_MS,
            Self::TwoHours => 14 * 24 * 60 * MINUTE_MS,
        }
    }

    /// Returns the shortest step whose buckets reach back that far, in milliseconds; the longest if none does.
    pub fn reaching(ms: i64) -> Self {
        Self::ALL
            .into_iter()
            .find(|step| ms <= step.kept_ms())
            .unwrap_or(Self::TwoHours)
    }
}

/// Counts of one bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bucket {
    /// Beginning, in milliseconds since the epoch.
    pub at_ms: i64,
    /// The counts, those with zero left out.
    pub counts: BTreeMap<Counted, u64>,
}

/// Counts of a node's decisions since it started, in buckets of three lengths.
#[derive(Debug, Default)]
pub struct DecisionTally {
    shards: [Mutex<Shard>; SHARDS],
    kept: Mutex<[BTreeMap<i64, BTreeMap<Counted, u64>>; 3]>,
}

/// Counts of one minute. They are few, and the ones that move are soon in front: a list finds them without a hash and without
/// memory of its own for the question.
#[derive(Debug, Default)]
struct Shard {
    minute: i64,
    counts: Vec<(Counted, u64)>,
}

/// A decision to count, as [`Counted`] keeps it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToCount<'d> {
    /// Code of the reason; `None` for a request that may pass.
    pub reason: Option<&'static str>,
    /// Path pattern of the route.
    pub route: Option<&'d str>,
    /// Configured name of the issuer.
    pub issuer: Option<&'d str>,
}

impl ToCount<'_> {
    fn is(&self, key: &Counted) -> bool {
        (self.reason, self.route, self.issuer) == (key.reason, key.route.as_deref(), key.issuer.as_deref())
    }

    fn key(&self) -> Counted {
        Counted {
            reason: self.reason,
            route: self.route.map(Box::from),
            issuer: self.issuer.map(Box::from),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds to a bucket. A key that it has no room for loses route and issuer: reasons are few.
fn add(counts: &mut BTreeMap<Counted, u64>, key: &Counted, count: u64) {
    let has_room = counts.len() < KEYS_MAX || counts.contains_key(key);
    let key = if has_room {
        key.clone()
    } else {
        Counted {
            reason: key.reason,
            ..Counted::default()
        }
    };
    let kept = counts.entry(key).or_default();
    *kept = kept.saturating_add(count);
}

impl DecisionTally {
    /// Counts a decision. `part` spreads threads over the parts: any number will do.
    pub fn count(&self, decision: ToCount<'_>, part: usize, at_ms: i64) {
        let Some(shard) = self.shards.get(part % SHARDS) else {
            return;
        };
        let mut shard = lock(shard);
        let minute = at_ms.div_euclid(MINUTE_MS);
        if shard.minute != minute || shard.counts.len() >= KEYS_MAX {
            self.fold(&mut shard);
            shard.minute = minute;
        }
        match shard.counts.iter().position(|(key, _)| decision.is(key)) {
            None => shard.counts.push((decision.key(), 1)),
            Some(place) => {
                if let Some((_, count)) = shard.counts.get_mut(place) {
                    *count = count.saturating_add(1);
                }
                if place > 0 {
                    shard.counts.swap(place, place - 1);
                }
            }
        }
    }

    /// Moves the counts of a part to the buckets.
    fn fold(&self, shard: &mut Shard) {
        if shard.counts.is_empty() {
            return;
        }
        let at_ms = shard.minute.saturating_mul(MINUTE_MS);
        let mut kept = lock(&self.kept);
        for (step, buckets) in Step::ALL.into_iter().zip(kept.iter_mut()) {
            let begin = at_ms.div_euclid(step.ms()).saturating_mul(step.ms());
            let bucket = buckets.entry(begin).or_default();
            for (key, count) in &shard.counts {
                add(bucket, key, *count);
            }
            let oldest = at_ms.saturating_sub(step.kept_ms());
            *buckets = buckets.split_off(&oldest);
        }
        shard.counts.clear();
    }

    /// Returns the buckets of a step that begin from a time on and before another, the oldest first. Those without a decision
    /// are left out.
    pub fn buckets(&self, step: Step, from_ms: i64, until_ms: i64) -> Vec<Bucket> {
        for shard in &self.shards {
            self.fold(&mut lock(shard));
        }
        let kept = lock(&self.kept);
        let of_step = Step::ALL.into_iter().zip(kept.iter()).find(|(other, _)| *other == step);
        let buckets = of_step.into_iter().flat_map(|(_, buckets)| buckets);
        let wanted = buckets.filter(|(at_ms, _)| (from_ms..until_ms).contains(*at_ms));
        wanted
            .map(|(at_ms, counts)| Bucket {
                at_ms: *at_ms,
                counts: counts.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn decided<'r>(reason: Option<&'static str>, route: &'r str) -> ToCount<'r> {
        ToCount {
            reason,
            route: Some(route),
            issuer: None,
        }
    }

    fn total(buckets: &[Bucket]) -> u64 {
        buckets.iter().flat_map(|bucket| bucket.counts.values()).sum()
    }

    #[test]
    fn decisions_are_counted_in_buckets_of_each_length() {
        let tally = DecisionTally::default();
        for minute in 0..60 {
            for part in 0..20 {
                tally.count(decided(None, "/a"), part, minute * MINUTE_MS + 7);
            }
        }
        for (step, buckets) in [(Step::Minute, 60), (Step::Quarter, 4), (Step::TwoHours, 1)] {
            let found = tally.buckets(step, 0, i64::MAX);
            assert_eq!((found.len(), total(&found)), (buckets, 1_200), "{step:?}");
        }
        let some = tally.buckets(Step::Minute, 10 * MINUTE_MS, 12 * MINUTE_MS);
        assert_eq!((some.len(), some[0].at_ms, total(&some)), (2, 10 * MINUTE_MS, 40));
    }

    #[test]
    fn sec_counts_are_bounded_whatever_is_counted() {
        let tally = DecisionTally::default();
        for number in 0..10_000 {
            let reason = if number % 2 == 0 {
                "token.expired"
            } else {
                "token.audience"
            };
            tally.count(decided(Some(reason), &format!("/{number}")), 3, 0);
        }
        let found = tally.buckets(Step::Minute, 0, 1);
        assert!(found[0].counts.len() <= KEYS_MAX + 2, "{}", found[0].counts.len());
        assert_eq!(total(&found), 10_000);
    }

    #[test]
    fn old_buckets_go() {
        let tally = DecisionTally::default();
        tally.count(decided(None, "/a"), 0, 0);
        tally.count(decided(None, "/a"), 0, Step::Minute.kept_ms() + 2 * MINUTE_MS);
        assert_eq!(tally.buckets(Step::Minute, 0, i64::MAX).len(), 1);
        assert_eq!(total(&tally.buckets(Step::Quarter, 0, i64::MAX)), 2);
        assert_eq!(Step::reaching(60 * MINUTE_MS), Step::Minute);
        assert_eq!(Step::reaching(24 * 60 * MINUTE_MS), Step::Quarter);
        assert_eq!(Step::reaching(i64::MAX), Step::TwoHours);
    }
}
