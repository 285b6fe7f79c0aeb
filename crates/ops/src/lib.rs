//! The operations of an administrator, apart from HTTP. The admin API and the console call them, and nothing else.
//!
//! **In:** a [`Caller`] and plain values, as a person or a program wrote them. **Out:** records of the directory, or an
//! [`OpError`]. There is one module for each kind of record, and one function for each thing that can be done to it.
//!
//! Invariants:
//! * An operation asks its caller for a permit for a named action ([`narthex_decision::Action`]) first, and reaches the
//!   directory only through that permit. Permits do not leave these modules.
//! * Every value is checked here, so that all ways to an operation have the same rules.
//! * An operation knows no status codes and no JSON text.

use std::sync::{Arc, OnceLock};

use narthex_clock::Clock;
use narthex_directory::Directory;

pub mod api_keys;
pub mod as_of;
pub mod audit_events;
mod authentication;
mod caller;
pub mod connections;
pub mod decisions;
pub mod denials;
pub mod erasure;
mod error;
pub mod explain;
pub mod external_ids;
mod gateway_api;
mod input_rules;
pub mod issuer_tags;
pub mod issuers;
pub mod machine_keys;
pub mod members;
pub mod organizations;
mod paging;
mod precondition;
pub mod revocations;
pub mod routes;
pub mod search;
pub mod sessions;
pub mod settings;
mod tag_granted;
pub mod tags;
pub mod teams;
pub mod users;
pub mod webhooks;

pub use caller::Caller;
pub use error::{KeyFault, OpError};
pub use gateway_api::{
    GatewayApi, IssuerProvenance, IssuerSummary, PlatformTags, RefreshRefusal, RequestToExplain, RouteSummary,
    SignInAnswer, SignInBegin, SignInBegun, SignInCompleted, TokenHolder, TokenToExplain,
};
pub use paging::PageRequest;
pub use precondition::ExpectedVersion;
pub use tag_granted::given_by_tags;

use api_keys::secret::KeyUses;
use connections::record::Compiled;
use connections::turns::AllTurns;
use settings::Installation;

/// The state that operations work on. [`Operations::authenticate`] gives the caller that every operation takes.
pub struct Operations {
    directory: Arc<dyn Directory>,
    gateway: Arc<dyn GatewayApi>,
    clock: Clock,
    compiled: Compiled,
    turns: AllTurns,
    key_uses: KeyUses,
    installation: Arc<Installation>,
    /// Files that get the events of the audit trail too.
    audit_files: OnceLock<Vec<String>>,
}

impl std::fmt::Debug for Operations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operations")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

impl Operations {
    /// Creates the operations over this directory.
    pub fn new(directory: Arc<dyn Directory>, gateway: Arc<dyn GatewayApi>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            directory,
            gateway,
            clock,
            compiled: Compiled::default(),
            turns: AllTurns::default(),
            key_uses: KeyUses::default(),
            installation: Arc::default(),
            audit_files: OnceLock::new(),
        })
    }

    /// Returns the facts of this installation, for the process that tells them.
    pub fn installation(&self) -> Arc<Installation> {
        Arc::clone(&self.installation)
    }

    /// Names the files that get the events of the audit trail too, once: an erasure does not reach them, and says so.
    pub fn name_audit_files(&self, files: Vec<String>) {
        // The names of a second call are those of the first: the setting waits for a restart.
        let _ = self.audit_files.set(files);
    }

    /// The current time, in milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}
