//! Everything that can be refused, and the stable reason of each refusal.
//!
//! Messages say what to do. They may name claims, header members and what the configuration expects; they repeat header
//! text only bounded and sanitized, and never a claim value, a token or a secret.

mod policy;

use std::fmt;

use crate::algorithm::Algorithm;
use crate::key_cache::KeysFault;
use crate::keys::KeyHint;

pub use policy::PolicyError;

/// Reason why a token was refused, or why it could not be decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The token is longer than the limit.
    #[error("the token is longer than {limit_bytes} bytes; have the issuer put less into it")]
    TooLarge {
        /// The limit that was passed.
        limit_bytes: usize,
    },
    /// The token is not a compact JWS with a JSON object in it.
    #[error("the token is malformed: {0}")]
    Malformed(#[from] MalformedToken),
    /// `alg` is missing, unknown, or not in the issuer's list.
    #[error("{}", algorithm_message(presented.as_deref(), allowed))]
    Algorithm {
        /// The sanitized `alg`; `None` when there is none or it is not text.
        presented: Option<String>,
        /// The issuer's algorithms; empty when no issuer was found.
        allowed: Vec<Algorithm>,
    },
    /// The header asks for something that is not supported.
    #[error("header member `{member}` {problem}")]
    Header {
        /// The header member.
        member: &'static str,
        /// The problem with it, as the end of the sentence.
        problem: String,
    },
    /// No trusted issuer has the token's `iss`, or the token has none and no issuer takes such tokens.
    #[error("{}", if *missing { "the token carries no `iss` and no issuer accepts tokens without it" } else {
        "no trusted issuer has the token's `iss`; it must equal `issuer` or one of `aliases` character for character" })]
    IssuerUnknown {
        /// The token carries no `iss` at all.
        missing: bool,
    },
    /// The issuer is configured and switched off.
    #[error("issuer `{issuer}` is disabled")]
    IssuerDisabled {
        /// The issuer's configured name.
        issuer: String,
    },
    /// No key of the issuer counts for this token.
    #[error("no key for this token: {}", key_message(hint, *usable, why_not.as_deref()))]
    KeyUnknown {
        /// Hint that the token gives for its key.
        hint: KeyHint,
        /// Number of keys that would fit; 0, or more than one for a token that names none.
        usable: usize,
        /// Reason why a key that the token could mean is in the set and does not count, as a sentence without its
        /// subject.
        why_not: Option<String>,
    },
    /// The signature is not made by the key.
    #[error("the signature does not fit the token and the issuer's key{}", nonce_message(*nonce))]
    Signature {
        /// Hint that the token gives for its key.
        hint: KeyHint,
        /// The header has a `nonce`, as tokens for Microsoft Graph do.
        nonce: bool,
    },
    /// `exp` has been reached.
    #[error("`exp` has passed; if the token is new, compare the clocks of issuer and server")]
    Expired,
    /// `nbf` lies in the future.
    #[error("`nbf` lies in the future; compare the clocks of issuer and server")]
    NotYetValid,
    /// `iat` lies in the future.
    #[error("`iat` lies in the future; compare the clocks of issuer and server")]
    IssuedInFuture,
    /// The token is older than the issuer's `max_token_age`.
    #[error("the token is older than {max_token_age_seconds} seconds")]
    TooOld {
        /// The configured age.
        max_token_age_seconds: u64,
    },
    /// The token is meant for another audience.
    #[error(
        "the token is for another audience: {} must name one of {}",
        quoted(claims, " or "),
        quoted(expected, ", ")
    )]
    Audience {
        /// The claims that may name the audience.
        claims: Vec<String>,
        /// The configured audiences.
        expected: Vec<String>,
    },
    /// A claim that must be there is not.
    #[error("claim `{claim}` is missing{}", if present_names.is_empty() { String::new() } else { format!("; the token carries {}", quoted(present_names, ", ")) })]
    ClaimMissing {
        /// The claim.
        claim: String,
        /// The names of the claims that are there: at most 20, sanitized.
        present_names: Vec<String>,
    },
    /// A claim has the wrong type or is out of range.
    #[error("claim `{claim}` must be {expected}")]
    ClaimInvalid {
        /// The claim.
        claim: String,
        /// The type or range that it must have, as the end of the sentence.
        expected: String,
    },
    /// A claim is not one of the values that the configuration requires of it.
    #[error("claim `{claim}` must be {expected}")]
    ClaimValue {
        /// The claim.
        claim: String,
        /// The configured values, as the end of the sentence.
        expected: String,
    },
    /// The token is bound to its sender's key (`cnf`), and that key is not proved.
    #[error(
        "the token is bound to a key of its sender (claim `cnf`), and no proof of that key is checked; have the issuer give \
         bearer tokens, set `dpop = \"accept\"` if `cnf` holds the one member `jkt`, or set `danger_bound_tokens_as_bearer`"
    )]
    Bound,
    /// The issuer's tokens are bound to keys of their senders, and this one is not.
    #[error("the token is bound to no key of its sender (claim `cnf.jkt`), and the issuer has `dpop = \"require\"`")]
    Unbound,
    /// The token carries the event of back-channel logout.
    #[error("this is a logout token (claim `events`): it says that a session has ended, never who is calling")]
    LogoutToken,
    /// The issuer's keys are not there, so nothing can be said about the token.
    #[error("the keys of the issuer are unavailable{}; the next attempt is in {retry_after_seconds} s", why(fault.as_ref()))]
    KeysUnavailable {
        /// Seconds until another try may help.
        retry_after_seconds: u32,
        /// The cause, once a fetch has failed.
        fault: Option<KeysFault>,
    },
}

impl VerifyError {
    /// The stable reason code.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "token.too_large",
            Self::Malformed(_) => "token.malformed",
            Self::Algorithm { .. } => "token.algorithm",
            Self::Header { .. } => "token.header",
            Self::IssuerUnknown { .. } => "token.issuer_unknown",
            Self::IssuerDisabled { .. } => "token.issuer_disabled",
            Self::KeyUnknown { .. } => "token.key_unknown",
            Self::Signature { .. } => "token.signature",
            Self::Expired => "token.expired",
            Self::NotYetValid => "token.not_yet_valid",
            Self::IssuedInFuture => "token.issued_in_future",
            Self::TooOld { .. } => "token.too_old",
            Self::Audience { .. } => "token.audience",
            Self::ClaimMissing { .. } => "token.claim_missing",
            Self::ClaimInvalid { .. } | Self::ClaimValue { .. } | Self::LogoutToken => "token.claim_invalid",
            Self::Bound => "token.bound",
            Self::Unbound => "token.proof",
            Self::KeysUnavailable { .. } => "keys.unavailable",
        }
    }

    /// The problem in the words of this case, as the caller may be told it: the first half of a sentence, without a remedy.
    /// `None` where the reason's own words say as much.
    ///
    /// SECURITY: it names claims, header members, limits and audiences. It repeats no text that a client chose (`alg`,
    /// `kid`, `typ`, the names of members), no claim's value, and no value that the configuration requires of one.
    pub fn caller_problem(&self) -> Option<String> {
        Some(match self {
            Self::TooLarge { limit_bytes } => format!("the token is longer than {limit_bytes} bytes"),
            Self::Malformed(MalformedToken::Duplicate { part, .. }) => {
                format!("the token is malformed: the {part} names a member twice")
            }
            Self::Malformed(_) | Self::TooOld { .. } => self.to_string(),
            Self::Algorithm { allowed, .. } if !allowed.is_empty() => {
                format!("the token must be signed with {}", quoted(allowed, " or "))
            }
            Self::Header { member, .. } => format!("the token's header member `{member}` is not accepted here"),
            Self::IssuerUnknown { missing: true } => "the token carries no `iss`".to_owned(),
            Self::Audience { claims, expected } => format!(
                "the token was issued for another audience: {} must name {}",
                quoted(claims, " or "),
                quoted(expected, " or ")
            ),
            Self::ClaimMissing { claim, .. } => format!("the token lacks the claim `{claim}`"),
            Self::ClaimInvalid { claim, expected } => format!("the token's claim `{claim}` must be {expected}"),
            Self::ClaimValue { claim, .. } => {
                format!("the token's claim `{claim}` has a value that is not accepted here")
            }
            Self::Signature { nonce: true, .. } => {
                "the token was issued for another API, which alone can check it".to_owned()
            }
            Self::LogoutToken => "the token says that a session has ended, and not who is calling".to_owned(),
            Self::Unbound => {
                "the token is bound to no key of its sender, as tokens of its issuer must be here".to_owned()
            }
            Self::KeysUnavailable { fault: Some(fault), .. } => {
                format!("the keys of the token's issuer are unavailable: {}", fault.told)
            }
            _ => return None,
        })
    }

    /// Tests whether a newer key set could change the answer, so that [`crate::KeyCache::missed`] is worth asking.
    pub const fn is_key_miss(&self) -> bool {
        matches!(self, Self::KeyUnknown { .. } | Self::Signature { .. })
    }
}

/// Only Microsoft Graph can check its tokens: they are signed over a header with another `nonce`.
const fn nonce_message(nonce: bool) -> &'static str {
    if nonce {
        "; its header carries a `nonce`, as tokens for Microsoft Graph do, which only Graph can check: the client must ask for \
         a token for this application (a `scope` of its own API, such as `api://…/.default`)"
    } else {
        ""
    }
}

fn why(fault: Option<&KeysFault>) -> String {
    fault.map(|fault| format!(": {}", fault.why)).unwrap_or_default()
}

fn algorithm_message(presented: Option<&str>, allowed: &[Algorithm]) -> String {
    let what = match presented {
        Some(name) => format!("algorithm `{name}` is not allowed"),
        None => "the header must name the algorithm as text in `alg`".to_owned(),
    };
    if allowed.is_empty() {
        what
    } else {
        format!("{what}; this issuer signs with {}", quoted(allowed, ", "))
    }
}

fn key_message(hint: &KeyHint, usable: usize, why_not: Option<&str>) -> String {
    let and = match hint {
        KeyHint::None
        | KeyHint::Thumbprint {
            sha256: None,
            sha1: None,
        } => " and",
        KeyHint::Kid(_) | KeyHint::Thumbprint { .. } => "",
    };
    let fits = match usable {
        0 => "fits no key of the issuer",
        _ => "fits more than one key; let the issuer set `kid`",
    };
    let why = why_not.map(|why| match hint {
        KeyHint::Kid(_) => format!("; the set has such a key, but it is not used: {why}"),
        KeyHint::Thumbprint { .. } | KeyHint::None => format!("; {why}"),
    });
    format!("{hint}{and} {fits}{}", why.unwrap_or_default())
}

/// `` `a`, `b` ``
pub(crate) fn quoted<T: fmt::Display>(items: &[T], separator: &str) -> String {
    items
        .iter()
        .map(|item| format!("`{item}`"))
        .collect::<Vec<_>>()
        .join(separator)
}

/// Fault that keeps text from being a compact JWS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedToken {
    /// Not three segments separated by full stops.
    #[error("a signed token has three parts separated by full stops, this has {parts}")]
    Parts {
        /// Number of segments, counted up to 6.
        parts: usize,
    },
    /// Five segments: an encrypted token.
    #[error("it is encrypted (JWE); only signed tokens are accepted")]
    Encrypted,
    /// A segment is not unpadded, canonical base64url.
    #[error("the {part} is not unpadded, canonical base64url")]
    Base64 {
        /// `header`, `payload` or `signature`.
        part: &'static str,
    },
    /// A segment is not JSON in UTF-8.
    #[error("the {part} is not JSON in UTF-8")]
    Json {
        /// `header` or `payload`.
        part: &'static str,
    },
    /// A segment is JSON, but not an object.
    #[error("the {part} is not a JSON object")]
    NotAnObject {
        /// `header` or `payload`.
        part: &'static str,
    },
    /// An object names a member twice.
    #[error("the {part} names member `{name}` twice")]
    Duplicate {
        /// `header` or `payload`.
        part: &'static str,
        /// The sanitized name.
        name: String,
    },
    /// Nested deeper than the limit.
    #[error("the {part} is nested deeper than {limit} levels")]
    TooDeep {
        /// `header` or `payload`.
        part: &'static str,
        /// The limit that was passed.
        limit: usize,
    },
}

/// Reason why bytes are not a key set, or a secret or key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// The document is longer than the limit.
    #[error("the key set is longer than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The document is not a JSON object with an array `keys`.
    #[error("this is no JSON Web Key Set: {problem}")]
    NotAKeySet {
        /// The problem, as the end of the sentence.
        problem: String,
    },
    /// More keys than the limit.
    #[error("the key set holds {count} keys, more than {limit}")]
    TooManyKeys {
        /// Number of keys in it.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// No secret, or more than two.
    #[error("one or two shared secrets are needed, not {count}")]
    SecretCount {
        /// Number of secrets given.
        count: usize,
    },
    /// A secret is empty.
    #[error("secret {position} is empty")]
    SecretEmpty {
        /// Position of the secret, counted from 1.
        position: usize,
    },
    /// A secret is shorter than the hash.
    #[error(
        "secret {position} has {length_bytes} bytes, {algorithm} needs at least {needed_bytes} (RFC 7518 3.2); make a longer one, or set `danger_short_secret`"
    )]
    SecretTooShort {
        /// Position of the secret, counted from 1.
        position: usize,
        /// Its length.
        length_bytes: usize,
        /// The least length.
        needed_bytes: usize,
        /// The algorithm that asks for most.
        algorithm: Algorithm,
    },
    /// A secret is a key or a certificate that others may know.
    #[error(
        "secret {position} looks like {what}; a public key is no secret, configure it as `jwks_file` and an RS, PS, ES, EdDSA or ML-DSA algorithm"
    )]
    SecretIsKey {
        /// Position of the secret, counted from 1.
        position: usize,
        /// Kind of key or certificate that it looks like.
        what: &'static str,
    },
    /// A secret was asked to take part in an algorithm that takes none.
    #[error("{algorithm} does not use a shared secret")]
    NotASecretAlgorithm {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The text is not a public key or certificate that can be used.
    #[error("this is no usable public key: {problem}")]
    PublicKey {
        /// The problem, as the end of the sentence.
        problem: String,
    },
}

/// Reason why a token could not be signed, or a key cannot sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The algorithm cannot be used for signing here.
    #[error("cannot sign with {algorithm}; use HS, RS, PS or ES with 256, 384 or 512, or ML-DSA-44, -65 or -87")]
    Unsupported {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// A shared secret is needed and none was given.
    #[error("the secret is empty")]
    SecretEmpty,
    /// The algorithm and the kind of key do not go together.
    #[error("{algorithm} cannot sign with {found}")]
    KeyMismatch {
        /// The algorithm.
        algorithm: Algorithm,
        /// Kind of the key.
        found: &'static str,
    },
    /// The text holds no private key.
    #[error("this is no private key: {problem}")]
    NotAPrivateKey {
        /// The problem, as the end of the sentence.
        problem: &'static str,
    },
    /// An RSA key of less than 2048 bits.
    #[error("the RSA key has {bits} bits, at least 2048 are needed")]
    RsaTooSmall {
        /// Its size.
        bits: usize,
    },
    /// The cryptographic library refused.
    #[error("the key cannot sign")]
    Refused,
}
