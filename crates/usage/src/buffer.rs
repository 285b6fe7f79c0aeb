//! Assertions of tokens that are not written yet: a buffer that every store keeps beside its tables.
//!
//! The mark of the token that counts (see [`Mark`]) is honoured at once, because an old token must not undo a newer one, even
//! one that changed nothing and so was never written in its request. It is written with the next batch, every second: a
//! crash loses no more than that. A store that writes marks in short keeps them here until it writes them out.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use narthex_directory::{IssuerName, Mark, Realm, Recent, SeenTag, Snapshot, SyncPlan, Touch, UserId};

/// Beyond this many users between two writes, further uses are not noted: some fifteen megabytes.
const DUE_MAX: usize = 20_000;
/// Beyond this many tags between two writes, further ones are not noted as seen.
const TAGS_MAX: usize = 20_000;
/// Beyond this many users, marks that were written in short are written out: some six megabytes.
const KEPT_MAX: usize = 50_000;
/// Limit of marks written in short before they are written out.
const IN_SHORT_MAX: usize = 200_000;
/// Beyond this many marks in memory, no further user's is noted: some twenty-five megabytes. So many wait only while the store
/// does not write.
const MARKS_MAX: usize = 200_000;
/// Limit of users whose changes of the last minute are counted: some three megabytes.
const COUNTED_MAX: usize = 50_000;
/// Shortest time between two scans of all counts when there is no room for more, in milliseconds.
const TIDY_MS: u64 = 1_000;

type Key = (UserId, IssuerName);

/// The buffer.
#[derive(Debug, Default)]
pub struct UsageBuffer {
    inner: Mutex<Inner>,
    changes: Mutex<Changes>,
    /// The store writes marks in short.
    keeps: bool,
}

#[derive(Debug, Default)]
struct Inner {
    marks: Marks,
    due: HashMap<Key, Touch>,
    tags: HashMap<(Realm, String), SeenTag>,
    /// Marks that are being written: they go on counting until [`UsageBuffer::settle`].
    in_flight: Arc<Marks>,
    /// Marks that are written in short only, and the number of marks that were written so.
    kept: Marks,
    in_short: usize,
    /// Marks that are being written out.
    kept_in_flight: Arc<Marks>,
}

/// The mark of each user and issuer. By issuer first: nearly every request comes here, and few issuers are many users'.
#[derive(Debug, Default)]
struct Marks {
    by_issuer: BTreeMap<IssuerName, HashMap<UserId, Mark>>,
}

impl Marks {
    fn len(&self) -> usize {
        self.by_issuer.values().map(HashMap::len).sum()
    }

    fn get(&self, user: UserId, issuer: &IssuerName) -> Option<Mark> {
        self.by_issuer.get(issuer)?.get(&user).copied()
    }

    /// Takes note of a token.
    fn note(&mut self, user: UserId, issuer: &IssuerName, mark: Mark) {
        if !self.by_issuer.contains_key(issuer) {
            self.by_issuer.insert(issuer.clone(), HashMap::new());
        }
        if let Some(users) = self.by_issuer.get_mut(issuer) {
            users
                .entry(user)
                .and_modify(|known| *known = known.join(mark))
                .or_insert(mark);
        }
    }

    /// Puts back what was noted earlier.
    fn put_back(&mut self, earlier: &Self) {
        for (issuer, users) in &earlier.by_issuer {
            for (user, mark) in users {
                let later = self.get(*user, issuer);
                let known = later.map_or(*mark, |later| mark.join(later));
                self.by_issuer.entry(issuer.clone()).or_default().insert(*user, known);
            }
        }
    }

    /// The newest `iat` of a user's tokens of any issuer, in milliseconds.
    fn newest_of(&self, user: UserId) -> Option<i64> {
        let marks = self.by_issuer.values().filter_map(|users| users.get(&user));
        marks.map(|mark| mark.newest_issued_at_ms).max()
    }

    /// All but those of some uses, in order.
    fn sorted_without(&self, due: &[Touch]) -> Vec<(UserId, IssuerName, Mark)> {
        let is_due = |user: UserId, issuer: &IssuerName| {
            let found = due.binary_search_by(|touch| (touch.user, &touch.issuer).cmp(&(user, issuer)));
            found.is_ok()
        };
        let mut all = Vec::new();
        for (issuer, users) in &self.by_issuer {
            let others = users.iter().filter(|(user, _)| !is_due(**user, issuer));
            all.extend(others.map(|(user, mark)| (*user, issuer.clone(), *mark)));
        }
        all.sort_unstable_by(|(user, issuer, _), (other, of, _)| (user, issuer).cmp(&(other, of)));
        all
    }
}

/// Records to write now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Noted {
    /// Uses that are due, one per user and issuer, in order.
    pub due: Vec<Touch>,
    /// The marks of users whose use is not due, in order.
    pub marks: Vec<(UserId, IssuerName, Mark)>,
    /// Tags that were seen.
    pub tags: Vec<SeenTag>,
}

impl Noted {
    /// Tests whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty() && self.marks.is_empty() && self.tags.is_empty()
    }
}

/// The changes of each user within a minute.
#[derive(Debug, Default)]
struct Changes {
    by_user: HashMap<UserId, Recent>,
    /// Time at which those that are over were last dropped, in milliseconds.
    tidied_at_ms: i64,
}

impl Changes {
    fn count(&mut self, user: UserId, changes: u32, now_ms: i64) {
        let is_over = now_ms.saturating_sub(self.tidied_at_ms).unsigned_abs() >= Recent::WINDOW_MS.unsigned_abs();
        let is_a_while_ago = now_ms.saturating_sub(self.tidied_at_ms).unsigned_abs() >= TIDY_MS;
        if is_over || self.by_user.len() >= COUNTED_MAX && is_a_while_ago {
            self.by_user.retain(|_, recent| recent.within_minute(now_ms) > 0);
            self.tidied_at_ms = now_ms;
        }
        if self.by_user.len() >= COUNTED_MAX && !self.by_user.contains_key(&user) {
            return;
        }
        let recent = self.by_user.entry(user).or_insert(Recent::NONE);
        recent.count(changes, now_ms);
    }
}

impl UsageBuffer {
    /// A buffer for a store that writes marks in short (see [`UsageBuffer::take`]) where no query looks for them, and
    /// writes them out now and then (see [`UsageBuffer::take_kept`]).
    pub fn keeping() -> Self {
        Self {
            keeps: true,
            ..Self::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a use. Returns `false`, and notes nothing, where too many marks wait to be written.
    ///
    /// SECURITY: a token whose mark is not noted must not be answered: an older one could undo what it says. So a full buffer
    /// drops no mark, and a user who is not in it waits until the store writes again.
    #[must_use]
    pub fn note(&self, touch: &Touch) -> bool {
        let mut inner = self.lock();
        if let Some(mark) = touch.mark
            && !inner.note_mark(touch.user, &touch.issuer, mark)
        {
            return false;
        }
        if touch.due {
            inner.note_tags(touch);
        }
        inner.note_due(touch);
        true
    }

    /// Notes that a token of this mark was used, and nothing more. Returns `false` as [`UsageBuffer::note`].
    #[must_use]
    pub fn note_newest(&self, user: UserId, issuer: &IssuerName, mark: Mark) -> bool {
        self.lock().note_mark(user, issuer, mark)
    }

    /// Notes a plan that is written: the tags of its token, and that the user was changed.
    pub fn note_applied(&self, plan: &SyncPlan) {
        self.lock().note_tags(&plan.touch);
        // What is taken away was given before. Making a user happens once.
        let added = plan.changes.iter().filter(|change| !change.takes_away()).count();
        if added > 0 && plan.expects.user_version.is_some() {
            let added = u32::try_from(added).unwrap_or(u32::MAX);
            self.changes().count(plan.touch.user, added, plan.touch.at_ms);
        }
    }

    /// Recent changes of a user by tokens, as far as this process knows.
    pub fn recent(&self, user: UserId) -> Recent {
        self.changes().by_user.get(&user).copied().unwrap_or(Recent::NONE)
    }

    /// The mark noted for a user and issuer.
    pub fn mark(&self, user: UserId, issuer: &IssuerName) -> Option<Mark> {
        let inner = self.lock();
        let all = [&*inner.kept_in_flight, &inner.kept, &*inner.in_flight, &inner.marks];
        let noted = all.into_iter().filter_map(|marks| marks.get(user, issuer));
        noted.reduce(Mark::join)
    }

    /// Lays over a snapshot what was noted and is not written yet.
    pub fn overlay(&self, snapshot: &mut Snapshot, issuer: &IssuerName) {
        if let Some(standing) = &snapshot.standing {
            snapshot.last = Mark::join_maybe(snapshot.last, self.mark(standing.user.id, issuer));
            snapshot.recent = self.recent(standing.user.id);
        }
    }

    /// Tests whether a newer token than the plan's was noted since the plan was made.
    pub fn has_newer(&self, touch: &Touch) -> bool {
        let noted = self.mark(touch.user, &touch.issuer);
        noted.is_some_and(|noted| touch.mark.is_none_or(|mark| !mark.follows(Some(&noted))))
    }

    /// The newest `iat` noted for a user, whichever the issuer, in milliseconds.
    pub fn newest_issued_at_ms(&self, user: UserId) -> Option<i64> {
        let inner = self.lock();
        let all = [&*inner.kept_in_flight, &inner.kept, &*inner.in_flight, &inner.marks];
        all.into_iter().filter_map(|marks| marks.newest_of(user)).max()
    }

    /// Drops the uses of a user that wait to be written, with their tags. Marks stay: they say which tokens are older ones.
    pub fn forget_uses(&self, user: UserId) {
        self.lock().due.retain(|(of, _), _| *of != user);
    }

    /// Takes the records to write. They go on counting until [`UsageBuffer::settle`].
    pub fn take(&self) -> Noted {
        let (mut due, marks, tags) = {
            let mut inner = self.lock();
            inner.in_flight = Arc::new(std::mem::take(&mut inner.marks));
            (
                std::mem::take(&mut inner.due),
                Arc::clone(&inner.in_flight),
                std::mem::take(&mut inner.tags),
            )
        };
        let mut due: Vec<Touch> = due.drain().map(|(_, touch)| touch).collect();
        due.sort_by(|a, b| (a.user, &a.issuer).cmp(&(b.user, &b.issuer)));
        let newest = marks.sorted_without(&due);
        for touch in &mut due {
            let noted = marks.get(touch.user, &touch.issuer);
            touch.mark = Mark::join_maybe(noted, touch.mark);
        }
        let mut tags: Vec<SeenTag> = tags.into_values().collect();
        tags.sort_by(|a, b| (&a.realm, &a.tag).cmp(&(&b.realm, &b.tag)));
        Noted {
            due,
            marks: newest,
            tags,
        }
    }

    /// Settles what was taken: it is written, or `Err` gives back what could not be written.
    pub fn settle(&self, written: Result<(), Noted>) {
        let mut inner = self.lock();
        let in_flight = std::mem::take(&mut inner.in_flight);
        if written.is_ok() && self.keeps {
            inner.in_short += in_flight.len();
            for (issuer, users) in &in_flight.by_issuer {
                for (user, mark) in users {
                    inner.kept.note(*user, issuer, *mark);
                }
            }
        }
        if let Err(noted) = written {
            inner.marks.put_back(&in_flight);
            for touch in noted.due {
                inner.due.entry((touch.user, touch.issuer.clone())).or_insert(touch);
            }
            for seen in noted.tags {
                inner.tags.entry((seen.realm.clone(), seen.tag.clone())).or_insert(seen);
            }
        }
    }
}

/// Marks that are written in short.
impl UsageBuffer {
    /// Tests whether they are so many that they should be written out.
    pub fn keeps_many(&self) -> bool {
        let inner = self.lock();
        inner.in_short > IN_SHORT_MAX || inner.kept.len() > KEPT_MAX
    }

    /// Takes the marks to write out, in order. They go on counting until [`UsageBuffer::settle_kept`].
    pub fn take_kept(&self) -> Vec<(UserId, IssuerName, Mark)> {
        let mut inner = self.lock();
        inner.kept_in_flight = Arc::new(std::mem::take(&mut inner.kept));
        inner.in_short = 0;
        let kept = Arc::clone(&inner.kept_in_flight);
        drop(inner);
        kept.sorted_without(&[])
    }

    /// Says whether what was taken is written out.
    pub fn settle_kept(&self, written: bool) {
        let mut inner = self.lock();
        let kept = std::mem::take(&mut inner.kept_in_flight);
        if !written {
            inner.kept.put_back(&kept);
        }
    }
}

impl Inner {
    /// Takes note of a token, if there is room.
    fn note_mark(&mut self, user: UserId, issuer: &IssuerName, mark: Mark) -> bool {
        let is_there = |marks: &Marks| marks.get(user, issuer).is_some();
        let others = [&*self.in_flight, &self.kept, &*self.kept_in_flight];
        let waiting = self.marks.len() + others.iter().map(|marks| marks.len()).sum::<usize>();
        if waiting >= MARKS_MAX && !is_there(&self.marks) && !others.into_iter().any(is_there) {
            return false;
        }
        self.marks.note(user, issuer, mark);
        true
    }

    /// The tags of the token that counts are the ones to keep.
    fn note_due(&mut self, touch: &Touch) {
        if !touch.due && self.due.is_empty() {
            return;
        }
        let key = (touch.user, touch.issuer.clone());
        let goes_in = match self.due.get(&key) {
            // One that says what is stored takes the place of an older one that says something else.
            Some(noted) => match (&touch.mark, &noted.mark) {
                (Some(mark), Some(noted)) => mark.order_ms >= noted.order_ms,
                (None, Some(_)) => false,
                (_, None) => true,
            },
            // One that finds no room here is due again at its next use.
            None => touch.due && self.due.len() < DUE_MAX,
        };
        if goes_in {
            self.due.insert(key, touch.clone());
        }
    }

    fn note_tags(&mut self, touch: &Touch) {
        for tag in touch.tags.iter().flatten().filter(|tag| !tag.is_empty()) {
            if self.tags.len() >= TAGS_MAX {
                return;
            }
            let seen = self
                .tags
                .entry((touch.realm.clone(), tag.clone()))
                .or_insert_with(|| SeenTag {
                    realm: touch.realm.clone(),
                    tag: tag.clone(),
                    first_seen_at_ms: touch.at_ms,
                    last_seen_at_ms: touch.at_ms,
                });
            seen.last_seen_at_ms = seen.last_seen_at_ms.max(touch.at_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use narthex_directory::{CountingIds, Said, TokenFingerprint};

    use super::*;

    fn mark(order_ms: i64) -> Mark {
        Mark::of(order_ms, Said(1), 1_000)
    }

    fn touch(order_ms: i64, due: bool) -> Touch {
        Touch {
            user: UserId::new(0, &mut CountingIds(0)),
            realm: Realm::new("r").unwrap(),
            issuer: IssuerName::new("i").unwrap(),
            at_ms: 1_000,
            mark: Some(mark(order_ms)),
            said: Said(1),
            asserted: Vec::new(),
            lapses_at_ms: None,
            tags: Some(vec!["a".into(), String::new()]),
            token: TokenFingerprint::default(),
            due,
        }
    }

    #[test]
    fn a_mark_counts_from_the_note_to_the_write_and_through_it() {
        let usage = UsageBuffer::default();
        let (user, issuer) = (touch(0, false).user, touch(0, false).issuer);
        assert!(usage.note(&touch(20, false)));
        assert!(usage.note(&touch(10, false)));
        assert_eq!(usage.mark(user, &issuer), Some(mark(20)));
        let noted = usage.take();
        assert_eq!(
            (noted.due, noted.marks),
            (vec![], vec![(user, issuer.clone(), mark(20))])
        );
        assert_eq!(usage.mark(user, &issuer), Some(mark(20)), "while it is being written");
        assert_eq!(usage.newest_issued_at_ms(user), Some(20));
        usage.settle(Ok(()));
        assert_eq!(usage.mark(user, &issuer), None, "the store knows it now");
        assert!(usage.take().is_empty(), "and it is written once");
    }

    #[test]
    fn what_is_written_in_short_counts_until_it_is_written_out() {
        let usage = UsageBuffer::keeping();
        let (user, issuer) = (touch(0, false).user, touch(0, false).issuer);
        assert!(usage.note(&touch(20, false)));
        usage.take();
        usage.settle(Ok(()));
        assert!(!usage.keeps_many());
        for written in [false, true] {
            assert_eq!(usage.mark(user, &issuer), Some(mark(20)), "written: {written}");
            assert_eq!(usage.take_kept(), [(user, issuer.clone(), mark(20))]);
            assert_eq!(usage.newest_issued_at_ms(user), Some(20), "while it is being written");
            usage.settle_kept(written);
        }
        assert_eq!(usage.mark(user, &issuer), None);
        let others = (1..=KEPT_MAX as u64 + 1).map(|number| UserId::new(0, &mut CountingIds(number << 20)));
        for other in others {
            assert!(usage.note_newest(other, &issuer, mark(1)));
        }
        usage.take();
        usage.settle(Ok(()));
        assert!(usage.keeps_many());
    }

    fn user(number: usize) -> UserId {
        UserId::new(0, &mut CountingIds((number as u64) << 20))
    }

    /// While nothing can be written, each token in the buffer counts, and no further user comes in.
    #[test]
    fn sec_a_full_buffer_drops_no_mark_and_takes_no_more() {
        let (usage, issuer) = (UsageBuffer::default(), touch(0, false).issuer);
        for number in 1..=MARKS_MAX {
            assert!(usage.note_newest(user(number), &issuer, mark(20)));
        }
        for _ in 0..2 {
            let (last, mut due) = (user(MARKS_MAX + 1), touch(20, true));
            due.user = last;
            assert!(!usage.note_newest(last, &issuer, mark(20)));
            assert!(!usage.note(&due));
            assert_eq!(usage.mark(last, &issuer), None);
            due.mark = None;
            assert!(usage.note(&due), "one without a date has no mark");
            assert_eq!(usage.mark(user(1), &issuer), Some(mark(20)));
            assert!(usage.note_newest(user(2), &issuer, mark(30)));
            assert_eq!(usage.mark(user(2), &issuer), Some(mark(30)));
            let noted = usage.take();
            usage.settle(Err(noted));
        }
        usage.take();
        usage.settle(Ok(()));
        assert!(
            usage.note_newest(user(MARKS_MAX + 1), &issuer, mark(20)),
            "it is written"
        );
    }

    /// The same where marks are written in short, and are not written out.
    #[test]
    fn sec_marks_that_are_not_written_out_fill_the_buffer() {
        let (usage, issuer) = (UsageBuffer::keeping(), touch(0, false).issuer);
        for number in 1..=MARKS_MAX {
            assert!(usage.note_newest(user(number), &issuer, mark(20)));
            if number % (MARKS_MAX / 2) == 0 {
                usage.take();
                usage.settle(Ok(()));
                usage.take_kept();
                usage.settle_kept(false);
            }
        }
        assert!(!usage.note_newest(user(MARKS_MAX + 1), &issuer, mark(20)));
        assert_eq!(usage.mark(user(1), &issuer), Some(mark(20)));
        assert!(usage.note_newest(user(1), &issuer, mark(30)));
        usage.take_kept();
        assert!(
            !usage.note_newest(user(MARKS_MAX + 1), &issuer, mark(20)),
            "while they are written out"
        );
        usage.settle_kept(true);
        assert!(usage.note_newest(user(MARKS_MAX + 1), &issuer, mark(20)));
    }

    #[test]
    fn one_use_per_user_and_issuer_is_written_with_the_newest_tags() {
        let older = |due| Touch {
            tags: Some(vec!["old".into()]),
            ..touch(10, due)
        };
        // The newest token is due or not (what is stored says what it says), first or last.
        for (first, second) in [
            (touch(20, true), older(true)),
            (older(true), touch(20, true)),
            (older(true), touch(20, false)),
        ] {
            let usage = UsageBuffer::default();
            assert!(usage.note(&first));
            assert!(usage.note(&second));
            let noted = usage.take();
            let written: Vec<_> = noted.due.iter().map(|touch| (&touch.mark, &touch.tags)).collect();
            assert_eq!(written, [(&Some(mark(20)), &touch(20, true).tags)]);
            assert_eq!(noted.marks, []);
        }
    }

    #[test]
    fn what_could_not_be_written_is_kept() {
        let usage = UsageBuffer::default();
        assert!(usage.note(&touch(20, true)));
        let noted = usage.take();
        usage.settle(Err(noted.clone()));
        assert_eq!(usage.take(), noted);
        assert!(usage.note(&touch(30, false)));
        usage.settle(Err(noted.clone()));
        assert_eq!(usage.mark(touch(0, false).user, &noted.due[0].issuer), Some(mark(30)));
    }

    #[test]
    fn changes_are_counted_by_the_minute() {
        let mut changes = Changes::default();
        let user = touch(0, false).user;
        let recent = |changes: &Changes, now_ms| changes.by_user.get(&user).map(|recent| recent.within_minute(now_ms));
        changes.count(user, 2, Recent::WINDOW_MS);
        changes.count(user, 3, 2 * Recent::WINDOW_MS - 1);
        assert_eq!(recent(&changes, 2 * Recent::WINDOW_MS - 1), Some(5));
        assert_eq!(recent(&changes, 2 * Recent::WINDOW_MS), Some(0));
        assert_eq!(recent(&changes, 0), Some(0), "nor when the clock was set back");
        changes.count(user, 1, 2 * Recent::WINDOW_MS);
        assert_eq!(recent(&changes, 2 * Recent::WINDOW_MS), Some(1));
        let others = (1..=COUNTED_MAX as u64).map(|number| UserId::new(0, &mut CountingIds(number << 20)));
        for other in others {
            changes.count(other, 1, 2 * Recent::WINDOW_MS + 1);
        }
        assert_eq!(changes.by_user.len(), COUNTED_MAX, "at most so many");
        changes.count(user, 1, 4 * Recent::WINDOW_MS);
        assert_eq!(changes.by_user.len(), 1, "and those that are over are dropped");
    }
}
