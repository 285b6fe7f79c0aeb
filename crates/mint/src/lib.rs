//! Values to signed tokens: `jwt(payload, secret, algorithm, options)`.
//!
//! **What comes in:** a payload and options as template values, a secret or private key as it was read once, and the time
//! as a number. **What goes out:** a compact JWS, byte for byte what npm `jsonwebtoken` 9.0.3 makes of the same, or one
//! [`MintError`] whose text is that library's.
//!
//! ```
//! use narthex_mint::{Key, sign};
//! use narthex_template::Value;
//! use serde_json::json;
//!
//! let payload = Value::from(json!({"sub": "ann"}));
//! let options = Value::from(json!({"expiresIn": "1h", "keyid": "k1"}));
//! let token = sign(&payload, &Key::from_bytes(b"a secret"), &options, 1_700_000_000_000)?;
//! assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0."));
//! # Ok::<(), narthex_mint::MintError>(())
//! ```
//!
//! This crate knows nothing of files, connections or requests. It reads no clock and opens no socket.
//!
//! # Invariants
//!
//! * Only HS256, HS384, HS512 and RS256 are minted, whatever options and header say. `none` is not.
//! * The first thing that is wrong, in the library's own order, is the error.
//! * A private key is never taken for a shared secret.
//! * No error repeats a secret or a claim value.

mod der;
mod encoding;
mod encrypted;
mod error;
mod jwt;
mod key;
mod options;
mod pem;
mod sign;
mod small_rsa;
mod timespan;

pub use error::MintError;
pub use jwt::Jwt;
pub use key::Key;
pub use sign::sign;
