//! The directory in memory: the specification of every other store, and enough for tests and a playground.

mod documents;
mod keyring;
mod people;
mod reads;
mod state;
mod token_sync;
mod trail;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::state::State;
use crate::audit::By;
use crate::change::Change;
use crate::directory::Answer;
use crate::error::StoreError;
use crate::usage_buffer::UsageBuffer;
use crate::versions::Versions;

/// A directory that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryDirectory {
    state: Mutex<State>,
    usage: UsageBuffer,
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
