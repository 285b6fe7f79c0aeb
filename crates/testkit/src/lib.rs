//! Test support: keys, tokens, a misbehaving identity provider, upstreams, a browser, and a runner for the real binary.
//!
//! What comes in: what a test wants the world to be like ("the identity provider answers garbage", "a token
//! that expired a minute ago"). What goes out: a world like that on loopback, and a record of what happened in
//! it. This crate knows nothing of the product's own code, on purpose: tokens are signed and requests are sent
//! by code that shares no line with what is tested.
//!
//! Invariants: everything listens on 127.0.0.1 and on a free port; everything that was started ends when its
//! value is dropped; keys are the ones in `keys/`, which are public and trusted by nothing.

pub mod admin;
pub mod application;
pub mod browser;
pub mod client;
pub mod clock;
pub mod dpop;
pub mod envoy;
pub mod foreign;
pub mod history;
pub mod idp;
pub mod introspection;
pub mod keys;
pub mod markup;
pub mod narthex;
pub mod oidc_provider;
pub mod port;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod proxy_cases;
pub mod raw;
pub mod relay;
pub mod scenario;
pub mod server;
pub mod setup;
pub mod tls_front;
pub mod token;
pub mod upstream;
pub mod websocket;

pub use self::{
    browser::Browser,
    client::{Answer, Client},
    idp::{Behaviour, IdentityProvider},
    keys::TestKey,
    narthex::Narthex,
    scenario::Scenario,
    token::{TestIssuer, TokenBuilder},
    upstream::{Recorded, Upstream},
};

use std::path::PathBuf;

/// The root of the repository.
pub fn repository() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path.pop();
    path
}
