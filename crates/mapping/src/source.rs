//! A mapping as configured: plain text, nothing compiled. The configuration reader fills this in field by field.

use narthex_directory::{IssuerName, Realm, TagPatterns};

/// Templates for an issuer's claims, as written. Every text is a template; a field that is `None` has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MappingSource {
    /// Conditions that a token must meet, in the order written.
    pub rules: Vec<RuleSource>,
    /// Templates for the user.
    pub user: UserSource,
    /// The organization the token names.
    pub organization: OrganizationSource,
    /// The team the token names.
    pub team: TeamSource,
    /// Custom contexts (S1): property and template, in the order written.
    pub context: Vec<(String, String)>,
    /// Permission tags (S3). Without it tags are not looked at.
    pub tags: Option<TagsSource>,
}

/// Condition that a token must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSource {
    /// Name of the rule, for log and explain. Unique within the issuer.
    pub name: String,
    /// The condition: a template of exactly one hole. Only the value `true` meets the rule.
    pub require: String,
    /// Remedy for the caller, as fixed text.
    pub message: String,
}

/// Templates for the user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserSource {
    /// By default what `username` gives if that is configured, else `{{payload.sub}}`.
    pub external_id: Option<String>,
    /// By default a new user's external id, and one that is there keeps its name. Configured, it must give something: it never falls back to `sub`.
    pub username: Option<String>,
    /// The e-mail address, as text.
    pub email: Option<String>,
    /// The name to show.
    pub name: Option<String>,
    /// ISO 3166-1, two or three letters.
    pub country: Option<String>,
    /// A name of the tz database.
    pub timezone: Option<String>,
    /// BCP 47, also with underscores.
    pub locale: Option<String>,
    /// BCP 47, also with underscores.
    pub language: Option<String>,
}

/// Templates for the organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationSource {
    /// A list of all organizations of the user, at most [`MappingLimits::organizations`]. The fields of organization and
    /// team are then evaluated once for each element, which they see as `item`.
    pub each: Option<String>,
    /// A token for which this gives nothing names no organization. By default no token does.
    pub external_id: Option<String>,
    /// Its label.
    pub name: Option<String>,
    /// A name of the tz database.
    pub timezone: Option<String>,
    /// `admin` by default (S1). Configured, it must give something: a token without the claim is refused, not made admin.
    pub role: Option<String>,
}

/// Templates for the team.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamSource {
    /// A token for which this gives nothing names no team. By default no token does.
    pub external_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// `admin` by default (S1). Configured, it must give something: a token without the claim is refused, not made admin.
    pub role: Option<String>,
}

/// Place of the permission tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagsSource {
    /// Text without `{{` is the name of a claim at the top of the payload, exactly as it stands there, dots, colons and
    /// slashes included. Text with `{{` is a template.
    pub claim: String,
    /// Meaning of a token without the claim.
    pub on_missing: OnMissing,
    /// Patterns of tags that give roles in organizations.
    pub patterns: TagPatterns,
}

/// Meaning of a token without the tags claim. A claim that is `null` is missing too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMissing {
    /// A mistake (S3): `tags.missing`.
    #[default]
    Error,
    /// Nothing has changed.
    Keep,
    /// The empty list.
    Empty,
}

/// Effect of a mapped value that breaks its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnInvalid {
    /// It refuses the token.
    #[default]
    Refuse,
    /// It is left out, if the user can be told without it: ids, usernames and roles always refuse.
    Skip,
}

/// Tells whether the request that brings a token may have a body that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// There is never one: a template that names `body` is a mistake.
    #[default]
    Never,
    /// There is one at the login endpoint; elsewhere `body` is undefined.
    AtLogin,
}

/// Settings around a mapping: its issuer, and its limits.
#[derive(Debug, Clone)]
pub struct MappingSettings {
    /// The issuer's realm.
    pub realm: Realm,
    /// The issuer's configured name.
    pub issuer: IssuerName,
    /// Claim that the user's external id must contain, because the issuer's tenants give ids of their own.
    pub tenant_claim: Option<String>,
    /// Effect of a value that breaks its rule.
    pub on_invalid: OnInvalid,
    /// Tells whether templates may name `body`.
    pub body: Body,
    /// Limits of what one token may ask for.
    pub limits: MappingLimits,
    /// Limits of one template's cost.
    pub template_limits: narthex_template::Limits,
}

impl MappingSettings {
    /// The defaults, for an issuer of a realm.
    pub fn new(realm: Realm, issuer: IssuerName) -> Self {
        Self {
            realm,
            issuer,
            tenant_claim: None,
            on_invalid: OnInvalid::default(),
            body: Body::default(),
            limits: MappingLimits::default(),
            template_limits: narthex_template::Limits::default(),
        }
    }
}

/// Limits of what one token may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappingLimits {
    /// The most tags.
    pub tags: usize,
    /// The longest tag, in characters.
    pub tag_characters: usize,
    /// The most context properties a mapping may have.
    pub context_properties: usize,
    /// The largest context, in bytes of its JSON.
    pub context_bytes: usize,
    /// The most organizations that a token may state (`each`).
    pub organizations: usize,
}

impl Default for MappingLimits {
    fn default() -> Self {
        Self {
            tags: 1_000,
            tag_characters: 1_024,
            context_properties: 32,
            context_bytes: 4_096,
            organizations: 100,
        }
    }
}
