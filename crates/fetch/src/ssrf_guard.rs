//! SSRF guard: the addresses that may be reached, and the errors when one cannot be.
//!
//! Keys are fetched and connections send their requests through this guard.

mod connect_error;
mod guard;
mod resolve;

pub use connect_error::{ConnectError, cause_of, certificate_problem};
pub use guard::{AddressKind, Guard, Loopback, Refused};
pub(crate) use guard::{LOCALHOST, host_name};
pub(crate) use resolve::GuardedNames;
pub use resolve::{Names, SystemNames};
