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
//! # Invariants
//!
//! * [`VerifiedClaims`] has no public constructor. Only [`ParsedToken::verify`] makes one, after *every* rule has passed.
//! * There is one verifier. [`inspect`] calls the same functions, one by one, and reports each.
//! * The type of a key decides which algorithms it can take part in; the header of a token never does.
//! * Key material that travels inside a token (`jwk`, `jku`, `x5u`, `x5c`) is never looked at.
//! * A wrong JSON type is a refusal, never "absent".
//! * No claim value, no token and no secret appears in an error.
//!
//! Dangerous choices live in [`danger`], and nowhere else.

mod algorithm;
mod claims;
mod codec;
pub mod danger;
mod der;
mod error;
mod fingerprint;
mod header;
mod inspect;
mod issuer;
mod json;
mod key_cache;
mod keys;
mod parse;
mod pem;
pub mod sign;
mod verify;

pub use algorithm::{Algorithm, Family};
pub use claims::{KeyMatch, MatchedBy, UnverifiedClaims, VerifiedClaims};
pub use error::{KeySetError, MalformedToken, PolicyError, SignError, VerifyError};
pub use fingerprint::Fingerprint;
pub use inspect::{InspectedClaims, Inspection, Outcome, Rule, Step, inspect, inspect_for};
pub use issuer::{Expiry, IssuerPolicy, IssuerStatus, Issuers, KeySource, RequiredClaim, TrustedIssuer};
pub use key_cache::{
    Answer, CacheSettings, FetchError, FetchId, FetchOutcome, Fetched, KeyCache, KeyHealth, KeyRecord, KeySnapshot,
    LastGood, Tick,
};
pub use keys::{KeyHint, KeyKind, KeyReport, KeySet, KeySetLimits, RefusedKey, SecretLength};
pub use parse::{Limits, ParsedToken, parse};
