//! Sender of connections' requests: bounded in every direction, to allowed hosts only.
//!
//! `narthex-connection` makes the requests and judges the answers; this module is the network in between. The sender
//! takes a [`Policy`]: a server's is a list of hosts and a guard against private addresses; the command line's lets
//! everything pass, because its user could as well use curl.

mod drive;
mod error;
mod policy;
mod post;
mod redirect;
mod send;

pub use drive::{ConnectionError, drive};
pub use error::OutboundError;
pub use policy::{AllowedHosts, HostPattern, HostPatternProblem, OutboundLimits, PlainHttp, Policy};
pub use post::{PostAnswer, PostClient};
pub use send::Sender;
