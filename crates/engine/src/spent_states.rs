//! States of sign-ins that came back to this node: a state is good for one callback.

use std::convert::Infallible;
use std::fmt;

use narthex_directory::SecretHash;
use quick_cache::sync::Cache;

/// Upper limit of the states that are remembered.
const STATES_MAX: usize = 16_384;

/// Memory of the states that came back, keyed by their hash.
///
/// It spares the issuer a second exchange of the same code, which some issuers answer by revoking the tokens of the first
/// (RFC 6749 section 4.1.2). It is of one node and forgets the oldest states under a flood; the directory is the one that
/// counts a state once for all nodes.
pub struct SpentStates(Cache<[u8; 32], ()>);

impl Default for SpentStates {
    fn default() -> Self {
        Self(Cache::new(STATES_MAX))
    }
}

impl fmt::Debug for SpentStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpentStates").field("len", &self.0.len()).finish()
    }
}

impl SpentStates {
    /// Spends a state. Returns true for the first caller with this state, and false for every other.
    pub fn spend(&self, state: SecretHash) -> bool {
        let mut first = false;
        let mark = || {
            first = true;
            Ok::<(), Infallible>(())
        };
        let Ok(()) = self.0.get_or_insert_with(&state.0, mark);
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_spent_once_however_many_threads_come_with_it() {
        let states = SpentStates::default();
        let spent = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| states.spend(SecretHash([7; 32]))))
                .collect();
            let spent = threads.into_iter().map(|thread| thread.join().unwrap());
            spent.filter(|first| *first).count()
        });
        assert_eq!(spent, 1);
        assert!(states.spend(SecretHash([8; 32])));
    }

    #[test]
    fn a_flood_of_states_takes_no_more_room() {
        let states = SpentStates::default();
        for number in 0_u64..200_000 {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            states.spend(SecretHash(hash));
        }
        assert!(states.0.len() <= 2 * STATES_MAX);
    }
}
