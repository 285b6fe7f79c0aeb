//! Layer for applications behind Narthex, or beside it.
//!
//! **In:** requests with an assertion of Narthex, or with a token. **Out:** requests with a verified [`Caller`] among their
//! extensions, or a refusal. The verifier is the one of `narthex-token`, the keys are kept by `narthex-fetch`.
//!
//! SECURITY: a request reaches the inner service with a [`Caller`] only after every rule of the verifier has passed.

mod caller;
mod layer;
mod verifier;

pub use caller::Caller;
pub use layer::{VerifyLayer, VerifyService};
pub use narthex_fetch::keys::{Access, KeySource, SourceProblem};
pub use narthex_token::{Algorithm, IssuerPolicy, PolicyError, VerifiedClaims, VerifyError};
pub use verifier::{PolicyProblems, Verifier};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
