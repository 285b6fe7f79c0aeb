//! Uses of sessions that are not written yet: a buffer that every store keeps beside its tables.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use narthex_directory::{SESSION_USE_EVERY_MS, SessionId};

/// Beyond this many sessions within a minute, further uses are not noted, and due again at the next use: some five megabytes.
const NOTED_MAX: usize = 50_000;
/// Shortest time between two scans of all notes when there is no room for more, in milliseconds.
const TIDY_MS: i64 = 1_000;

/// The buffer. It notes at most one use of a session within a minute.
#[derive(Debug, Default)]
pub struct SessionUses {
    uses: Mutex<Uses>,
}

#[derive(Debug, Default)]
struct Uses {
    /// Uses to write, with their times in milliseconds.
    due: HashMap<SessionId, i64>,
    /// Uses of the last minute, written or not.
    noted: HashMap<SessionId, i64>,
    /// Time at which notes that are over were last dropped, in milliseconds.
    tidied_at_ms: i64,
}

fn is_within(at_ms: i64, now_ms: i64, ms: i64) -> bool {
    now_ms.saturating_sub(at_ms).unsigned_abs() < ms.unsigned_abs()
}

impl Uses {
    fn tidy(&mut self, now_ms: i64) {
        let every_ms = if self.noted.len() < NOTED_MAX {
            SESSION_USE_EVERY_MS
        } else {
            TIDY_MS
        };
        if !is_within(self.tidied_at_ms, now_ms, every_ms) {
            self.noted
                .retain(|_, at_ms| is_within(*at_ms, now_ms, SESSION_USE_EVERY_MS));
            self.tidied_at_ms = now_ms;
        }
    }
}

impl SessionUses {
    fn lock(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a use, unless one within a minute is noted already.
    pub fn note(&self, session: SessionId, at_ms: i64) {
        let mut uses = self.lock();
        let noted = uses.noted.get(&session);
        if noted.is_some_and(|noted| is_within(*noted, at_ms, SESSION_USE_EVERY_MS)) {
            return;
        }
        uses.tidy(at_ms);
        if uses.noted.len() < NOTED_MAX || uses.noted.contains_key(&session) {
            uses.noted.insert(session, at_ms);
            uses.due.insert(session, at_ms);
        }
    }

    /// Takes the uses to write, in the order of their sessions.
    pub fn take(&self) -> Vec<(SessionId, i64)> {
        let due = std::mem::take(&mut self.lock().due);
        let mut due: Vec<(SessionId, i64)> = due.into_iter().collect();
        due.sort_unstable();
        due
    }

    /// Gives back uses that could not be written.
    pub fn give_back(&self, uses: Vec<(SessionId, i64)>) {
        let mut inner = self.lock();
        for (session, at_ms) in uses {
            inner.due.entry(session).or_insert(at_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use narthex_directory::CountingIds;

    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    #[test]
    fn one_use_within_a_minute_is_noted() {
        let (uses, mut ids) = (SessionUses::default(), CountingIds(0));
        let (one, two) = (SessionId::new(NOW_MS, &mut ids), SessionId::new(NOW_MS, &mut ids));
        uses.note(one, NOW_MS);
        uses.note(two, NOW_MS + 1);
        assert_eq!(uses.take(), [(one, NOW_MS), (two, NOW_MS + 1)]);
        uses.note(one, NOW_MS + 59_999);
        assert_eq!(uses.take(), []);
        uses.note(one, NOW_MS + 60_000);
        let taken = uses.take();
        assert_eq!(taken, [(one, NOW_MS + 60_000)]);
        uses.give_back(taken.clone());
        assert_eq!(uses.take(), taken, "what was not written is due again");
    }

    #[test]
    fn the_number_of_notes_is_bounded_and_old_ones_make_room() {
        let (uses, mut ids) = (SessionUses::default(), CountingIds(0));
        for _ in 0..NOTED_MAX + 10 {
            uses.note(SessionId::new(NOW_MS, &mut ids), NOW_MS);
        }
        assert_eq!(uses.take().len(), NOTED_MAX);
        let late = SessionId::new(NOW_MS, &mut ids);
        uses.note(late, NOW_MS + 60_000);
        assert_eq!(uses.take(), [(late, NOW_MS + 60_000)]);
    }
}
