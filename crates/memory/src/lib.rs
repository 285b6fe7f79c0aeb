//! The directory in memory: the specification of every other store, and enough for tests and a playground.

mod declared_view;
mod deletion;
mod documents;
mod erasure;
mod keyring;
mod people;
mod reads;
mod sessions;
mod state;
mod token_sync;
mod trail;
mod webhooks;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::state::State;
pub use declared_view::DeclaredView;
use narthex_directory::Answer;
use narthex_directory::By;
use narthex_directory::Change;
use narthex_directory::StoreError;
use narthex_directory::Versions;
use narthex_usage::{SessionUses, UsageBuffer};

/// A directory that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryDirectory {
    state: Mutex<State>,
    usage: UsageBuffer,
    session_uses: SessionUses,
    versions: Arc<Versions>,
}

impl MemoryDirectory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the changes of a command.
    fn carry_out(&self, state: &mut State, changes: &[Change], by: &By) -> Answer<()> {
        state.write(changes, by, &self.versions)
    }
}

fn missing(what: &'static str) -> StoreError {
    StoreError::NotFound { what }
}
