//! Client of an OpenID provider: the code flow with PKCE (OpenID Connect Core 1.0 section 3.1, RFC 7636), and refresh.
//!
//! **In:** the endpoints of an issuer ([`narthex_fetch::keys::IssuerEndpoints`]), the client's settings, and secrets that the caller drew. **Out:**
//! the address that a browser is sent to, and tokens, unverified. Whether an ID token is good is the verifier's to say.
//!
//! This crate knows no requests, sessions or users.

mod answer;
mod client;

pub use answer::{OpenIdError, Tokens};
pub use client::{ClientSettings, OpenIdClient, SignInSecrets};
