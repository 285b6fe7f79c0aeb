//! Secrets at rest and at the browser: seals, and the cookies and credentials of sessions.
//!
//! **In:** secrets, the operator's keys, headers of requests. **Out:** sealed bytes for the directory, `Set-Cookie` values, and
//! the credential that a cookie stands for.
//!
//! This crate knows no tokens' contents, issuers or stores. Its one source of randomness is `narthex-clock`.

pub mod cookie;
mod credential;
mod seal;

pub use cookie::hash_of;
pub use credential::Credential;
pub use seal::{OpenError, OpenedSecret, Owner, SealError, SealingKey, SealingKeyProblem, SealingKeys};
