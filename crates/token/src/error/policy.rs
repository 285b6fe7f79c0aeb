//! Problems with the configuration of an issuer.

use crate::algorithm::Algorithm;

/// Problem with the configuration of an issuer. All of them are reported at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The name is empty.
    #[error("an issuer needs a `name`")]
    NameMissing,
    /// A key-set issuer without `issuer`.
    #[error(
        "issuer `{name}` has a key set, so `issuer` is required: without it any token signed by these keys would be accepted"
    )]
    IssuerMissing {
        /// The issuer's name.
        name: String,
    },
    /// A key-set issuer without `audiences`.
    #[error(
        "issuer `{name}` has a key set, so at least one of `audiences` is required: without it tokens for other applications would be accepted"
    )]
    AudienceMissing {
        /// The issuer's name.
        name: String,
    },
    /// `aliases` without `issuer`.
    #[error("issuer `{name}` has `aliases` but no `issuer`")]
    AliasesWithoutIssuer {
        /// The issuer's name.
        name: String,
    },
    /// `tenants` without exactly one placeholder in each text of the issuer, the same in all.
    #[error(
        "issuer `{name}` has `tenants`, so `issuer` and each of `aliases` need exactly one placeholder such as `{{tid}}`, \
         the same in all"
    )]
    TenantPlaceholder {
        /// The issuer's name.
        name: String,
    },
    /// An empty list of tenants.
    #[error("issuer `{name}`: `tenants` is empty; list the accepted values of the claim, or write `\"any\"`")]
    NoTenants {
        /// The issuer's name.
        name: String,
    },
    /// A tenant that cannot stand in `iss`.
    #[error("issuer `{name}`: `{tenant}` is no tenant; use at most 128 letters, digits, `-`, `.`, `_` and `~`")]
    BadTenant {
        /// The issuer's name.
        name: String,
        /// The tenant.
        tenant: String,
    },
    /// An entry of a list is empty, or stands there twice.
    #[error("issuer `{name}`: `{field}` holds an empty or repeated entry")]
    BadEntry {
        /// The issuer's name.
        name: String,
        /// The field.
        field: &'static str,
    },
    /// `logout+jwt` among the types of tokens.
    #[error(
        "issuer `{name}`: `logout+jwt` in `token_types`: a logout token says that a session has ended, never who is calling"
    )]
    LogoutType {
        /// The issuer's name.
        name: String,
    },
    /// No algorithm.
    #[error("issuer `{name}`: `algorithms` is empty")]
    NoAlgorithms {
        /// The issuer's name.
        name: String,
    },
    /// An algorithm that does not fit the key source.
    #[error(
        "issuer `{name}`: {algorithm} does not fit {source_kind}; one issuer never mixes shared secrets and public keys"
    )]
    AlgorithmMismatch {
        /// The issuer's name.
        name: String,
        /// The algorithm.
        algorithm: Algorithm,
        /// `a key set` or `a shared secret`.
        source_kind: &'static str,
    },
    /// Audiences without a claim to look them up in.
    #[error("issuer `{name}`: `audience_claims` is empty")]
    NoAudienceClaims {
        /// The issuer's name.
        name: String,
    },
    /// `danger_tokens_without_exp` on a key set.
    #[error("issuer `{name}`: `danger_tokens_without_exp` is for shared secrets only")]
    ExpiryRequired {
        /// The issuer's name.
        name: String,
    },
    /// A duration beyond what makes sense.
    #[error("issuer `{name}`: `{field}` is {seconds} s, at most {seconds_max} s are allowed")]
    OutOfRange {
        /// The issuer's name.
        name: String,
        /// The field.
        field: &'static str,
        /// The configured duration.
        seconds: u64,
        /// The limit.
        seconds_max: u64,
    },
    /// A required claim with no value to compare with, or without a name.
    #[error("issuer `{name}`: required claim `{claim}` lists no value")]
    RequiredClaimEmpty {
        /// The issuer's name.
        name: String,
        /// The claim.
        claim: String,
    },
    /// Two issuers share a name.
    #[error("two issuers are called `{name}`")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Two issuers share an `iss` and an audience, so nothing says which of them a token belongs to.
    #[error(
        "issuers `{first}` and `{second}` both claim the `iss` `{issuer}`{}; issuers that share an `iss` need `audiences` of \
         their own",
        audience.as_ref().map_or_else(String::new, |audience| format!(" and the audience `{audience}`"))
    )]
    IssuerTaken {
        /// The issuer that was first.
        first: String,
        /// The issuer that came later.
        second: String,
        /// The shared text.
        issuer: String,
        /// The shared audience; `None` where one of them has no `audiences`.
        audience: Option<String>,
    },
    /// Two issuers take tokens without `iss`.
    #[error(
        "issuers `{first}` and `{second}` both have no `issuer`; only one shared-secret issuer may take tokens without `iss`"
    )]
    WithoutIssuerTaken {
        /// The issuer that was first.
        first: String,
        /// The issuer that came later.
        second: String,
    },
    /// An issuer made by [`crate::danger`] among those that guard a door.
    #[error("issuer `{name}` leaves issuer or audience unchecked and cannot guard a door")]
    Unbound {
        /// The issuer's name.
        name: String,
    },
}
