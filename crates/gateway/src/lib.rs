//! The doors: everything that speaks to a network.
//!
//! **In:** requests on the public port, questions of other proxies, the admin API. **Out:** requests to upstreams with
//! a signed identity, answers, metrics. In between every door calls the one straight line in `pipeline`.
//!
//! This crate knows nothing of SQL: it is given a [`narthex_directory::Directory`]. It is the only place that knows
//! HTTP statuses, and the only one that reads the clock and the random source.

mod forward_auth;
mod gateway;
mod lifetime;
mod me;
mod probe;
mod proxy;
mod server;
mod stream;
mod upgrade;

pub use gateway::{Gateway, StartError, UpstreamSettings};
pub use probe::{UpstreamTrouble, probe_upstream, upstream_addresses};
pub use server::serve;
