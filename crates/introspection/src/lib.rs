//! Token introspection (RFC 7662): asks an issuer what an opaque token says.
//!
//! **In:** a token, the address of the client that sent it, and the time. **Out:** the claims of an active token, unverified
//! beyond that, or an [`IntrospectionError`]. The rules of claims are the verifier's.
//!
//! The client is made for floods of made-up tokens: it bounds the questions under way, in all and of one client, remembers for a
//! moment which tokens are not active, and leaves a server that fails alone for a second.

mod client;
mod limits;

pub use client::{IntrospectionClient, IntrospectionError, IntrospectionSettings, is_opaque};
