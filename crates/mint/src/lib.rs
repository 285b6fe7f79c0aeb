//! Values to signed tokens: `jwt(payload, secret, algorithm, options)`.
//!
//! **What comes in:** a payload and options as template values, a secret or private key as it was read once, and the time
//! as a number. **What goes out:** a compact JWS, byte for byte what npm `jsonwebtoken` 9.0.3 makes of the same, or one
//! [`MintError`] whose text is that library's.
//!
//! ```
//! use narthex_mint::{Algorithms, Key, sign};
//! use narthex_template::Value;
//! use serde_json::json;
//!
//! let payload = Value::from(json!({"sub": "ann"}));
//! let options = Value::from(json!({"expiresIn": "1h", "keyid": "k1"}));
//! let key = Key::from_bytes(b"a secret");
//! let token = sign(&payload, &key, &options, Algorithms::OfTemplates, 1_700_000_000_000)?;
//! assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0."));
//! # Ok::<(), narthex_mint::MintError>(())
//! ```
//!
//! This crate knows nothing of files, connections or requests. It reads no clock and opens no socket.
//!
//! # Invariants
//!
//! * `jwt()` mints HS256, HS384, HS512 and RS256 only, whatever options and header say; the command line also the library's
//!   others ([`Algorithms`]). `none` is minted nowhere.
//! * The first thing that is wrong, in the library's own order, is the error.
//! * A private key is never taken for a shared secret.
//! * No error repeats a secret or a claim value.
//!
//! # Differences from the library
//!
//! * `none`, an empty secret with `none`, and keys of the wrong type under `allowInvalidAsymmetricKeyTypes` are refused.
//! * Members named like those of JavaScript's object prototype (`constructor`, `__proto__`, …) are members like any other; the
//!   library fails on some and loses others.
//! * An integer that no double holds is written as the nearest double, as there: make text of it to keep its digits.

mod der;
mod encoding;
mod encrypted;
mod error;
mod json;
mod jwt;
mod key;
mod key_diagnosis;
mod options;
mod pem;
mod sign;
mod small_rsa;
mod timespan;

pub use error::MintError;
pub use jwt::Jwt;
pub use key::Key;
pub use sign::{Algorithms, sign};

/// The examples of the README, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
