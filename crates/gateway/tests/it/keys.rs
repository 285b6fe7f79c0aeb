//! Keys of issuers, against servers on loopback that misbehave on demand.

mod fetch;
mod flood;
mod life;
mod tls;
mod world;
