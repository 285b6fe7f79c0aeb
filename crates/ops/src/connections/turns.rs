//! Turns: permits to run held connections, shared fairly among organizations.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use narthex_directory::OrganizationId;
use tokio::sync::oneshot;

use super::record::Held;
use crate::error::OpError;

/// Maximum number of concurrent runs, and of concurrent renderings beside them.
const TURNS_MAX: usize = 8;
/// Time that a call waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(5);

/// The two pools of turns for held connections. A rendering waits for no run: it takes milliseconds, and a run may wait
/// half a minute for a service.
#[derive(Debug, Default)]
pub(crate) struct AllTurns {
    /// Runs, which send requests.
    pub(super) runs: Turns,
    /// Renderings, which send nothing.
    pub(super) renderings: Turns,
}

/// A pool of turns.
///
/// SECURITY: an organization may have as many as it leaves free, so that one member with a slow service does not keep
/// the connections of all other organizations from running. Of the organizations that wait, the one that has the fewest
/// goes first.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Turns taken by each organization.
    taken: HashMap<OrganizationId, usize>,
    waiting: VecDeque<(OrganizationId, oneshot::Sender<Turn>)>,
}

/// A turn, held until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    of: Turns,
    organization: OrganizationId,
}

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            free: TURNS_MAX,
            taken: HashMap::new(),
            waiting: VecDeque::new(),
        })))
    }
}

impl Turns {
    /// Waits for a turn for the organization of a connection.
    pub(super) async fn of(&self, held: &Held) -> Result<Turn, OpError> {
        self.take(held.organization).await.ok_or(OpError::TooOften {
            what: "the organization has too many connections in use at this moment, or all organizations together",
        })
    }

    /// Waits for a turn for an organization; `None` if none came in time.
    async fn take(&self, organization: OrganizationId) -> Option<Turn> {
        self.take_within(organization, TURN_WAIT).await
    }

    async fn take_within(&self, organization: OrganizationId, wait: Duration) -> Option<Turn> {
        let (told, turn) = oneshot::channel();
        self.lock().waiting.push_back((organization, told));
        self.give();
        tokio::time::timeout(wait, turn).await.ok()?.ok()
    }

    /// Gives free turns to the tasks that wait.
    fn give(&self) {
        loop {
            let next = self.lock().next();
            let Some((organization, told)) = next else { return };
            let turn = Turn {
                of: self.clone(),
                organization,
            };
            // A task that has stopped waiting gives the turn back at once, by dropping it.
            drop(told.send(turn));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a turn for the next organization in line.
    fn next(&mut self) -> Option<(OrganizationId, oneshot::Sender<Turn>)> {
        self.waiting.retain(|(_, told)| !told.is_closed());
        let has = |organization: &OrganizationId| self.taken.get(organization).copied().unwrap_or_default();
        let may = self.waiting.iter().enumerate();
        let may = may.filter(|(_, (organization, _))| has(organization) < self.free);
        let (place, _) = may.min_by_key(|(_, (organization, _))| has(organization))?;
        let next = self.waiting.remove(place)?;
        self.free -= 1;
        *self.taken.entry(next.0).or_default() += 1;
        Some(next)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.of.lock();
        state.free += 1;
        if let Some(taken) = state.taken.get_mut(&self.organization) {
            *taken -= 1;
            if *taken == 0 {
                state.taken.remove(&self.organization);
            }
        }
        drop(state);
        self.of.give();
    }
}

#[cfg(test)]
mod tests {
    use narthex_directory::CountingIds;

    use super::*;

    fn organizations() -> [OrganizationId; 3] {
        let mut ids = CountingIds(1);
        [(); 3].map(|()| OrganizationId::new(0, &mut ids))
    }

    async fn now(turns: &Turns, organization: OrganizationId) -> Option<Turn> {
        turns.take_within(organization, Duration::from_millis(50)).await
    }

    /// One organization leaves half of the turns, the next one half of those, and the last one waits for the one that
    /// has most.
    #[tokio::test]
    async fn sec_turns_of_one_organization() {
        let (turns, [one, two, three]) = (Turns::default(), organizations());
        let mut of_one = Vec::new();
        while let Some(turn) = now(&turns, one).await {
            of_one.push(turn);
        }
        assert_eq!(of_one.len(), TURNS_MAX / 2);
        let mut of_two = Vec::new();
        while let Some(turn) = now(&turns, two).await {
            of_two.push(turn);
        }
        assert_eq!(of_two.len(), TURNS_MAX / 4);
        assert!(now(&turns, three).await.is_some());
        drop((of_one, of_two));
        let state = turns.lock();
        assert_eq!((state.free, state.taken.len(), state.waiting.len()), (TURNS_MAX, 0, 0));
    }

    /// An organization that has many turns does not stand in the way of one that has few.
    #[tokio::test]
    async fn what_is_given_back_goes_to_whoever_may_have_it() {
        let (turns, [one, two, three]) = (Turns::default(), organizations());
        let mut held = Vec::new();
        for organization in [two, two, one, one, one, three] {
            held.push(turns.take(organization).await.unwrap());
        }
        let giving_back = async {
            tokio::task::yield_now().await;
            held.remove(0);
        };
        let (of_one, of_two, ()) = tokio::join!(now(&turns, one), now(&turns, two), giving_back);
        assert!(of_one.is_none() && of_two.is_some());
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let (turns, [one, ..]) = (Turns::default(), organizations());
        let mut held = Vec::new();
        for _ in 0..TURNS_MAX / 2 {
            held.push(turns.take(one).await.unwrap());
        }
        assert!(now(&turns, one).await.is_none());
    }
}
