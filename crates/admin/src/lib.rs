//! Administration of the gateway.
//!
//! **In:** requests under `/api/v1` on the admin port, with an API key or an administrator's token. **Out:** JSON,
//! problem documents, health and metrics. [`api`] is the admin API over HTTP, [`port`] the admin port, [`connections`]
//! the connections that are held for organizations.

pub mod api;
pub mod connections;
pub mod port;

pub use connections::{HeldError, Readability, Resealed, readability, reseal};
