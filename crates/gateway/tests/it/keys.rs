//! Keys of issuers, against servers on loopback that misbehave on demand.

mod fetch;
mod tls;
mod world;
