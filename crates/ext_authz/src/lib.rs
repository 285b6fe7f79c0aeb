//! The door for Envoy: external authorization (`ext_authz`), by gRPC and by HTTP, on a port of its own.
//!
//! **In:** checks of Envoy: `envoy.service.auth.v3.Authorization/Check`, or the original request under
//! `/.narthex/auth/envoy`. **Out:** answers that let a request pass, with the changes to its headers, or that deny it,
//! with the body for its client. In between is the one straight line in the engine's `pipeline`.
//!
//! SECURITY: every error is a denial in the words of the protocol. An answer that Envoy takes for an *error* would let the
//! request pass where `failure_mode_allow` is set. So a call that cannot be read, that takes too long, or in which the
//! program fails, is answered, and the answer denies.

mod check;
mod deadline;
mod grpc;
mod header_changes;
mod http_mode;
mod metadata;
mod original;
mod server;

pub use http_mode::PATH_PREFIX;
pub use server::serve_ext_authz;
