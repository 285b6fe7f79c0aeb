//! Reaching other servers: which addresses may be reached, and what is said when one cannot be.
//!
//! Keys are fetched and connections send their requests through here.

mod connect_error;
mod guard;
mod resolve;

pub use connect_error::{Trouble, cause_of, certificate_problem};
pub use guard::{AddressKind, Guard, Loopback, Refused};
pub(crate) use guard::{LOCALHOST, host_name};
pub(crate) use resolve::GuardedNames;
pub use resolve::{Names, SystemNames};
