//! Keys of issuers, against servers on loopback that misbehave on demand.

mod by_id;
mod fetch;
mod flood;
mod life;
pub(crate) mod tls;
pub(crate) mod world;
