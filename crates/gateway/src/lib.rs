//! The doors: everything that serves the public port.
//!
//! **In:** requests on the public port, and questions of other proxies. **Out:** requests to upstreams with a signed
//! identity, answers, metrics. In between, every door calls the one straight line in the engine's `pipeline`.
//!
//! This crate knows nothing of SQL: the engine is given a directory. Statuses of reasons are the engine's.

mod body_limits;
mod forward_auth;
mod gateway;
mod lifetime;
mod me;
mod metadata;
mod proxy;
mod server;
mod upgrade;

pub use gateway::{Gateway, StartError};
pub use server::serve;
