//! Outbound network access: the SSRF guard, the key sets of issuers, and the sender of connections.
//!
//! **In:** addresses from the configuration and requests of connections. **Out:** key sets and answers, within limits
//! of size, time and destination. Every socket for an address that a person wrote is opened through [`ssrf_guard`].

mod inflate;
mod key_set_store;
pub mod keys;
pub mod outbound;
pub mod ssrf_guard;

pub use key_set_store::DirectoryKeySetStore;
