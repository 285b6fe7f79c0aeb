//! Bytes to verified claims.
//!
//! **What comes in:** a compact JWS as text, the issuers that are trusted, the keys that are held for the chosen issuer,
//! and the time as a number. **What goes out:** [`VerifiedClaims`], or one [`VerifyError`] with a stable reason.
//!
//! ```text
//! &str --parse--> ParsedToken --Issuers::select--> TrustedIssuer
//!                      \--verify(issuer, keys, now)--> VerifiedClaims
//! ```
//!
//! This crate knows nothing of requests, configuration files, users or the network. It reads no clock and opens no socket:
//! time is an argument, in milliseconds since the epoch, and the life of a fetched key set is a state machine,
//! [`KeyCache`], that is asked, answers, and is told what a fetch brought.
//!
//! # In a few lines
//!
//! ```
//! use std::sync::Arc;
//! use narthex_token::{Algorithm, IssuerPolicy, Issuers, KeySet, Limits, SecretLength, TrustedIssuer, parse};
//! use narthex_token::sign::{SigningKey, sign_compact};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = b"thirty-two bytes, known to two only";
//! let key = SigningKey::from_secret(Algorithm::Hs256, secret)?;
//! let token = sign_compact(br#"{"alg":"HS256"}"#, br#"{"iss":"crm","sub":"ada","exp":1700003600}"#, &key)?;
//!
//! let policy = IssuerPolicy::shared_secret("crm", Some("crm".to_owned()));
//! # let joined = |problems: Vec<narthex_token::PolicyError>| format!("{problems:?}");
//! let issuers = Issuers::new(vec![Arc::new(TrustedIssuer::new(policy).map_err(joined)?)]).map_err(joined)?;
//! let keys = KeySet::from_secrets(&[secret], &[Algorithm::Hs256], SecretLength::Standard)?;
//!
//! let parsed = parse(&token, &Limits::default())?;
//! let issuer = issuers.select(&parsed)?;
//! let verified = parsed.verify(issuer, &keys, 1_700_000_000_000)?;
//! assert_eq!(verified.claims()["sub"], "ada");
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! * [`VerifiedClaims`] has no public constructor. Only [`ParsedToken::verify`] makes one, after *every* rule has passed.
//! * There is one verifier. [`inspect`] calls the same functions, one by one, and reports each.
//! * The type of a key decides which algorithms it can take part in; the header of a token never does.
//! * Key material that travels inside a token of an issuer (`jwk`, `jku`, `x5u`, `x5c`) is never looked at.
//!   [`verify_self_signed`] is for proofs of possession, which say nothing but that.
//! * A wrong JSON type is a refusal, never "absent".
//! * No claim value, no token and no secret appears in an error.
//!
//! Dangerous choices live in [`danger`], and nowhere else.

mod algorithm;
mod claims;
mod codec;
pub mod danger;
pub mod der;
mod error;
mod fingerprint;
mod header;
mod inspect;
mod issuer;
mod json;
mod key_cache;
mod keys;
mod parse;
pub mod pem;
mod self_signed;
pub mod sign;
mod verify;

pub use algorithm::{Algorithm, Family};
pub use claims::{KeyMatch, MatchedBy, UnverifiedClaims, VerifiedClaims, scopes};
pub use error::{KeySetError, MalformedToken, PolicyError, SignError, VerifyError};
pub use fingerprint::Fingerprint;
pub use inspect::{InspectedClaims, Inspection, Outcome, Rule, Step, inspect, inspect_for};
pub use issuer::{
    BoundTokens, Expiry, IssuerPolicy, IssuerStatus, Issuers, KeySource, RequiredClaim, Tenants, TrustedIssuer,
};
pub use key_cache::{
    Answer, CacheSettings, FetchChanges, FetchError, FetchId, FetchOutcome, KeyCache, KeyHealth, KeyOutcome, KeyRecord,
    KeySnapshot, KeysById, KeysFault, LastGood, Tick,
};
pub use keys::{KeyHint, KeyKind, KeyReport, KeySet, KeySetLimits, RefusedKey, SecretLength, is_key_id};
pub use parse::{Limits, ParsedToken, parse};
pub use self_signed::{SelfSigned, SelfSignedError, verify_self_signed};
pub use verify::{VerifiedLogout, verify_introspected};

/// The examples of the README, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
