//! Administration of the gateway.
//!
//! **In:** requests under `/api/v1`, with an API key or an administrator's token. **Out:** JSON and problem documents. [`ops`] is
//! what an administrator does, apart from HTTP; [`api`] is the admin API over HTTP, whose handlers call the operations. The admin
//! port, which serves it, is `narthex-admin-port`.

pub mod api;

pub use narthex_ops as ops;
pub use narthex_ops::connections::record as connections;
pub use narthex_ops::connections::record::{HeldError, Readability, Resealed, readability, reseal};
