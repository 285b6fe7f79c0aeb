//! Proofs of possession: DPoP (RFC 9449), the verifying side.
//!
//! **In:** the proof that came with a request, what the request was, the access token, and the time. **Out:** the key that the
//! sender holds ([`Proof`]), or a [`ProofError`]. Whether the token is bound to that key, and whether the proof was used before,
//! is the caller's to ask: the one is a comparison, the other needs a store.
//!
//! This crate reads no clock, draws no randomness and keeps nothing.

mod nonce;
mod proof;

pub use nonce::{NONCE_LIFE_MS, Nonces};
pub use proof::{ALGORITHMS, PROOF_BYTES_MAX, PROOF_LIFE_MS, Proof, ProofError, ProvenRequest, check};
