//! Administration of the gateway.
//!
//! **In:** requests under `/api/v1` on the admin port, with an API key or an administrator's token. **Out:** JSON,
//! problem documents, health and metrics. [`ops`] is what an administrator does, apart from HTTP; [`api`] is the admin API
//! over HTTP, whose handlers call the operations; [`port`] is the admin port.

pub mod api;
mod denial;
mod engine_gateway;
pub mod port;

pub use narthex_ops as ops;
pub use narthex_ops::connections::record as connections;
pub use narthex_ops::connections::record::{HeldError, Readability, Resealed, readability, reseal};
