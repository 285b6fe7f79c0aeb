//! Content of a token, proved and unproved: two types that cannot be taken for one another.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::header::Header;

/// Header and claims of a token that passed every rule. Only [`crate::ParsedToken::verify`] makes one, and
/// [`crate::verify_introspected`] for an opaque token.
///
/// SECURITY: its fields are private, so a step that skips the verification does not compile:
///
/// ```compile_fail,E0451
/// use narthex_token::VerifiedClaims;
///
/// fn forged(real: VerifiedClaims) -> VerifiedClaims {
///     VerifiedClaims { ..real }
/// }
/// ```
///
/// The same with a value that was made as it should be does, so nothing else stops the lines above:
///
/// ```
/// use narthex_token::VerifiedClaims;
///
/// fn passed_on(real: VerifiedClaims) -> VerifiedClaims {
///     real
/// }
/// ```
#[derive(Clone, PartialEq)]
pub struct VerifiedClaims {
    pub(crate) header: Header,
    pub(crate) claims: Map<String, Value>,
    pub(crate) issuer: Arc<str>,
    pub(crate) key: KeyMatch,
    pub(crate) times: Times,
    pub(crate) bound_to: Option<Box<str>>,
}

/// The three registered times, and the one that follows from them, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_field_names, reason = "units stand last in names")]
pub(crate) struct Times {
    pub(crate) expires_at_ms: Option<i64>,
    pub(crate) not_before_ms: Option<i64>,
    pub(crate) issued_at_ms: Option<i64>,
    /// End of `max_token_age`, which is no claim.
    pub(crate) too_old_at_ms: Option<i64>,
}

impl VerifiedClaims {
    /// The protected header. The map is built when it is first asked for, so ask only if it is needed.
    pub fn header(&self) -> &Map<String, Value> {
        self.header.members()
    }

    /// The payload.
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The configured name of the issuer, not the `iss` claim.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key that verified the signature, and the rule that found it.
    pub const fn key(&self) -> &KeyMatch {
        &self.key
    }

    /// `exp` in milliseconds; `None` only where the issuer allows tokens without it. The issuer's leeway is not added.
    pub const fn expires_at_ms(&self) -> Option<i64> {
        self.times.expires_at_ms
    }

    /// `nbf` in milliseconds.
    pub const fn not_before_ms(&self) -> Option<i64> {
        self.times.not_before_ms
    }

    /// `iat` in milliseconds.
    pub const fn issued_at_ms(&self) -> Option<i64> {
        self.times.issued_at_ms
    }

    /// Time at which the token is as old as the issuer's `max_token_age`, in milliseconds; `None` without such a limit. The issuer's
    /// leeway is not added.
    pub const fn too_old_at_ms(&self) -> Option<i64> {
        self.times.too_old_at_ms
    }

    /// Thumbprint of the key that the sender has to prove (`cnf.jkt`, RFC 9449 6.1); `None` for a bearer token.
    ///
    /// SECURITY: with a thumbprint here, the token alone proves nothing.
    pub fn bound_to(&self) -> Option<&str> {
        self.bound_to.as_deref()
    }

    /// The `jti` claim, if it is text.
    pub fn token_id(&self) -> Option<&str> {
        self.claims.get("jti").and_then(Value::as_str)
    }
}

/// Scopes of a token: those in `scope` and in `scp`, each a list of words in one text (RFC 8693 4.2) or an array of texts. A
/// value of another type has none.
pub fn scopes(claims: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let values = ["scope", "scp"].into_iter().filter_map(|name| claims.get(name));
    let texts = values.flat_map(|value| match value {
        Value::Array(items) => items.iter().collect(),
        single => vec![single],
    });
    let texts = texts.filter_map(Value::as_str);
    texts.flat_map(|text| text.split(' ')).filter(|scope| !scope.is_empty())
}

impl fmt::Debug for VerifiedClaims {
    /// Without claim values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedClaims")
            .field("issuer", &self.issuer)
            .field("key", &self.key)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// Header and claims of a token about which nothing is proved. Fit for showing to its bearer, and for nothing else.
#[derive(Clone, PartialEq)]
pub struct UnverifiedClaims {
    header: Header,
    claims: Map<String, Value>,
}

impl UnverifiedClaims {
    pub(crate) const fn new(header: Header, claims: Map<String, Value>) -> Self {
        Self { header, claims }
    }

    /// The header as presented.
    pub fn header(&self) -> &Map<String, Value> {
        self.header.members()
    }

    /// The payload as presented.
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl fmt::Debug for UnverifiedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedClaims").finish_non_exhaustive()
    }
}

/// The key that verified a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMatch {
    pub(crate) kid: Option<Arc<str>>,
    pub(crate) matched_by: MatchedBy,
}

impl KeyMatch {
    /// The key's own `kid`, if it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The rule that found the key.
    pub const fn matched_by(&self) -> MatchedBy {
        self.matched_by
    }
}

/// Rule that found a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchedBy {
    /// By `kid`.
    Kid,
    /// By the SHA-256 thumbprint of its certificate, wherever the key set has it.
    X5tS256,
    /// By the SHA-1 thumbprint of its certificate, wherever the key set has it.
    X5t,
    /// The set has one key that fits, and the token or the key has no name to go by.
    OnlyKey,
    /// The issuer has a shared secret.
    Secret,
    /// None: the issuer itself was asked (RFC 7662).
    Introspection,
}

impl MatchedBy {
    /// The word for it in answers: `kid`, `x5t#S256`, `x5t`, `only_key`, `secret` or
    /// `introspection`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kid => "kid",
            Self::X5tS256 => "x5t#S256",
            Self::X5t => "x5t",
            Self::OnlyKey => "only_key",
            Self::Secret => "secret",
            Self::Introspection => "introspection",
        }
    }
}

impl fmt::Display for MatchedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
