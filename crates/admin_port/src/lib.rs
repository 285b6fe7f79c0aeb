//! The admin port: the admin API over an engine, pages beside it, health and metrics.
//!
//! **In:** connections to the admin port. **Out:** the responses of the admin API ([`narthex_admin::api`]) and of the pages that are
//! passed in, `/healthz`, `/readyz` and `/metrics`, with a line in the log for each request that was refused or let pass. What
//! operations need of the rest of the gateway, they ask the engine for ([`AdminServices::new`]).

mod denial;
mod engine_gateway;
mod port;

pub use port::{AdminServices, serve_admin};
