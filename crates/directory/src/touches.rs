//! What tokens asserted since it was last written: a buffer that every store keeps beside its tables.
//!
//! The newest `iat` per user and issuer counts at once, because an old token must not undo a newer one, even one
//! that changed nothing and so was never written. What a crash loses is that memory of at most an hour, of tokens
//! that changed nothing; the next use of the newer token puts things right.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::command::SeenTag;
use crate::directory::Flush;
use crate::id::UserId;
use crate::name::{IssuerName, Realm};
use crate::plan::Touch;

/// Beyond this many users, the newest `iat`s are written before they are due: some three megabytes.
const REMEMBERED_MAX: usize = 50_000;
/// Beyond this many users between two writes, further uses are not noted: some fifteen megabytes.
const DUE_MAX: usize = 20_000;
/// Beyond this many tags between two writes, further ones are not noted as seen.
const TAGS_MAX: usize = 20_000;

type Key = (UserId, IssuerName);

/// The buffer.
#[derive(Debug, Default)]
pub struct Touches {
    inner: Mutex<Inner>,
    /// Other processes work on the same store, each with a buffer of its own.
    shares: bool,
}

#[derive(Debug, Default)]
struct Inner {
    newest: Newest,
    due: HashMap<Key, Touch>,
    tags: HashMap<(Realm, String), SeenTag>,
    /// What is being written: still counted until [`Touches::settle`].
    in_flight: Newest,
    /// Newest `iat`s that the other processes have not been told.
    untold: Newest,
}

/// The newest `iat` of each user and issuer, in milliseconds. By issuer first: nearly every request comes here, and few
/// issuers are many users'.
#[derive(Debug, Default)]
struct Newest {
    by_issuer: BTreeMap<IssuerName, HashMap<UserId, i64>>,
    len: usize,
}

impl Newest {
    fn get(&self, user: UserId, issuer: &IssuerName) -> Option<i64> {
        self.by_issuer.get(issuer)?.get(&user).copied()
    }

    /// Takes note of a token's time, and says which is the newest.
    fn raise(&mut self, user: UserId, issuer: &IssuerName, issued_at_ms: i64) -> i64 {
        if !self.by_issuer.contains_key(issuer) {
            self.by_issuer.insert(issuer.clone(), HashMap::new());
        }
        let Some(users) = self.by_issuer.get_mut(issuer) else {
            return issued_at_ms;
        };
        let before = users.len();
        let newest = users.entry(user).or_insert(issued_at_ms);
        *newest = issued_at_ms.max(*newest);
        let newest = *newest;
        self.len += users.len() - before;
        newest
    }

    fn remove(&mut self, user: UserId, issuer: &IssuerName) -> Option<i64> {
        let removed = self.by_issuer.get_mut(issuer)?.remove(&user)?;
        self.len -= 1;
        Some(removed)
    }

    /// All of them, in order.
    fn into_sorted(self) -> Vec<(UserId, IssuerName, i64)> {
        let mut all = Vec::with_capacity(self.len);
        for (issuer, users) in self.by_issuer {
            all.extend(users.into_iter().map(|(user, issued)| (user, issuer.clone(), issued)));
        }
        all.sort();
        all
    }
}

/// What to write now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Noted {
    /// Uses that are due, one per user and issuer.
    pub due: Vec<Touch>,
    /// The newest `iat`, in milliseconds, of users whose use is not due.
    pub newest: Vec<(UserId, IssuerName, i64)>,
    /// Tags that were seen.
    pub tags: Vec<SeenTag>,
}

impl Noted {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty() && self.newest.is_empty() && self.tags.is_empty()
    }
}

impl Touches {
    /// A buffer for a store that other processes work on too. An old token must not undo a newer one that was used
    /// with one of them: so the newest `iat`s are told, see [`Touches::take_untold`], long before they are due.
    pub fn shared() -> Self {
        Self {
            shares: true,
            ..Self::default()
        }
    }

    /// The newest `iat`s that were noted since the last time, for the store to write where the others look.
    pub fn take_untold(&self) -> Vec<(UserId, IssuerName, i64)> {
        let untold = std::mem::take(&mut self.lock().untold);
        untold.into_sorted()
    }

    /// Gives back what could not be written.
    pub fn give_back_untold(&self, untold: Vec<(UserId, IssuerName, i64)>) {
        let mut inner = self.lock();
        for (user, issuer, issued) in untold {
            inner.untold.raise(user, &issuer, issued);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a use.
    pub fn note(&self, touch: &Touch) {
        let mut inner = self.lock();
        if let Some(issued) = touch.issued_at_ms {
            inner.note_newest(touch.user, &touch.issuer, issued, self.shares);
        }
        if touch.due {
            let key = (touch.user, touch.issuer.clone());
            inner.note_tags(touch);
            // The tags of the newest token are the ones to keep.
            let older = inner
                .due
                .get(&key)
                .is_some_and(|noted| noted.issued_at_ms > touch.issued_at_ms);
            // One that finds no room here is due again at its next use.
            let room = inner.due.len() < DUE_MAX || inner.due.contains_key(&key);
            if !older && room {
                inner.due.insert(key, touch.clone());
            }
        }
    }

    /// Notes that a token of this time was used, and nothing more.
    pub fn note_newest(&self, user: UserId, issuer: &IssuerName, issued_at_ms: i64) {
        self.lock().note_newest(user, issuer, issued_at_ms, self.shares);
    }

    /// Notes the tags of a token whose plan is written as a whole.
    pub fn note_tags(&self, touch: &Touch) {
        self.lock().note_tags(touch);
    }

    /// The newest `iat` noted for a user and issuer, in milliseconds.
    pub fn newest_issued_at_ms(&self, user: UserId, issuer: &IssuerName) -> Option<i64> {
        let inner = self.lock();
        inner.newest.get(user, issuer).max(inner.in_flight.get(user, issuer))
    }

    /// Takes what is to be written. It goes on counting until [`Touches::settle`].
    pub fn take(&self, flush: Flush) -> Noted {
        let mut inner = self.lock();
        let all = flush == Flush::All || inner.newest.len > REMEMBERED_MAX;
        let mut due: Vec<Touch> = inner.due.drain().map(|(_, touch)| touch).collect();
        due.sort_by(|a, b| (a.user, &a.issuer).cmp(&(b.user, &b.issuer)));
        let mut newest = Vec::new();
        for touch in &mut due {
            if let Some(issued) = inner.newest.remove(touch.user, &touch.issuer) {
                touch.issued_at_ms = touch.issued_at_ms.max(Some(issued));
                inner.in_flight.raise(touch.user, &touch.issuer, issued);
            }
        }
        if all {
            newest = std::mem::take(&mut inner.newest).into_sorted();
            for (user, issuer, issued) in &newest {
                inner.in_flight.raise(*user, issuer, *issued);
            }
        }
        let mut tags: Vec<SeenTag> = inner.tags.drain().map(|(_, seen)| seen).collect();
        tags.sort_by(|a, b| (&a.realm, &a.tag).cmp(&(&b.realm, &b.tag)));
        Noted { due, newest, tags }
    }

    /// Says that what was taken is written; `Err` gives back what could not be.
    pub fn settle(&self, written: Result<(), Noted>) {
        let mut inner = self.lock();
        let in_flight = std::mem::take(&mut inner.in_flight);
        if let Err(noted) = written {
            for (user, issuer, issued) in in_flight.into_sorted() {
                inner.newest.raise(user, &issuer, issued);
            }
            for touch in noted.due {
                inner.due.entry((touch.user, touch.issuer.clone())).or_insert(touch);
            }
            for seen in noted.tags {
                inner.tags.entry((seen.realm.clone(), seen.tag.clone())).or_insert(seen);
            }
        }
    }
}

impl Inner {
    fn note_newest(&mut self, user: UserId, issuer: &IssuerName, issued_at_ms: i64, tell: bool) {
        let newest = self.newest.raise(user, issuer, issued_at_ms);
        if tell && self.untold.len < REMEMBERED_MAX {
            self.untold.raise(user, issuer, newest);
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
    use super::*;
    use crate::grant::TokenFingerprint;
    use crate::id::CountingIds;

    fn touch(issued_at_ms: i64, due: bool) -> Touch {
        Touch {
            user: UserId::new(0, &mut CountingIds(0)),
            realm: Realm::new("r").unwrap(),
            issuer: IssuerName::new("i").unwrap(),
            at_ms: 1_000,
            issued_at_ms: Some(issued_at_ms),
            asserted: Vec::new(),
            lapses_at_ms: None,
            tags: Some(vec!["a".into(), String::new()]),
            token: TokenFingerprint::default(),
            due,
        }
    }

    #[test]
    fn the_newest_iat_counts_from_the_note_to_the_write_and_through_it() {
        let touches = Touches::default();
        let (user, issuer) = (touch(0, false).user, touch(0, false).issuer);
        touches.note(&touch(20, false));
        touches.note(&touch(10, false));
        assert_eq!(touches.newest_issued_at_ms(user, &issuer), Some(20));
        assert!(touches.take(Flush::Due).is_empty(), "nothing is due");
        let noted = touches.take(Flush::All);
        assert_eq!(noted.newest, [(user, issuer.clone(), 20)]);
        assert_eq!(
            touches.newest_issued_at_ms(user, &issuer),
            Some(20),
            "while it is being written"
        );
        touches.settle(Ok(()));
        assert_eq!(
            touches.newest_issued_at_ms(user, &issuer),
            None,
            "the store knows it now"
        );
    }

    #[test]
    fn what_others_should_know_is_told_once_and_kept_until_it_is() {
        let touches = Touches::shared();
        let (user, issuer) = (touch(0, false).user, touch(0, false).issuer);
        touches.note(&touch(20, false));
        touches.note(&touch(10, false));
        let told = touches.take_untold();
        assert_eq!(told, [(user, issuer.clone(), 20)]);
        assert_eq!(touches.take_untold(), []);
        touches.note(&touch(30, false));
        touches.give_back_untold(told);
        assert_eq!(touches.take_untold(), [(user, issuer, 30)]);
        let alone = Touches::default();
        alone.note(&touch(20, false));
        assert_eq!(alone.take_untold(), [], "nobody else is there");
    }

    #[test]
    fn one_use_per_user_and_issuer_is_written_with_the_newest_tags() {
        let touches = Touches::default();
        touches.note(&touch(20, true));
        touches.note(&Touch {
            tags: Some(vec!["old".into()]),
            ..touch(10, true)
        });
        let noted = touches.take(Flush::Due);
        assert_eq!(noted.due, [touch(20, true)]);
        let tags: Vec<&str> = noted.tags.iter().map(|seen| seen.tag.as_str()).collect();
        assert_eq!(tags, ["a", "old"]);
    }

    #[test]
    fn what_could_not_be_written_is_kept() {
        let touches = Touches::default();
        touches.note(&touch(20, true));
        let noted = touches.take(Flush::Due);
        touches.settle(Err(noted.clone()));
        assert_eq!(touches.take(Flush::Due), noted);
    }
}
