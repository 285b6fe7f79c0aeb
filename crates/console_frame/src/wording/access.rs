//! Roles, and where a grant came from.

use narthex_directory::{
    EffectiveGrant, IneffectiveReason, OrganizationRole, PlatformRole, ScopedRole, SourceKind, TeamRole, User,
};

/// Number of characters of a token's fingerprint that are shown.
const FINGERPRINT_CHARACTERS: usize = 8;

/// Returns a role's word with a capital letter.
pub const fn role(role: ScopedRole) -> &'static str {
    match role {
        ScopedRole::Platform(PlatformRole::User) => "User",
        ScopedRole::Platform(PlatformRole::Viewer) => "Viewer",
        ScopedRole::Platform(PlatformRole::Admin)
        | ScopedRole::Organization(_, OrganizationRole::Admin)
        | ScopedRole::Team(_, TeamRole::Admin) => "Admin",
        ScopedRole::Organization(_, OrganizationRole::Member) | ScopedRole::Team(_, TeamRole::Member) => "Member",
        ScopedRole::Organization(_, OrganizationRole::Executor) => "Executor",
    }
}

/// Returns the name by which people know a user: the display name, or the username.
pub fn name(user: &User) -> &str {
    user.profile.name.as_deref().unwrap_or(user.username.as_str())
}

/// Source of a grant, in the parts that a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantOrigin {
    /// Kind of the source, in a word.
    pub kind: &'static str,
    /// The tag, for tags.
    pub tag: Option<String>,
    /// The issuer of the token, for claims and tags.
    pub issuer: Option<String>,
    /// The beginning of the token's fingerprint.
    pub token: Option<String>,
    /// The reason that an administrator gave.
    pub why: Option<String>,
    /// The reason for which the grant gives nothing now.
    pub idle: Option<&'static str>,
    /// `true` if an administrator gave it.
    pub is_manual: bool,
}

impl GrantOrigin {
    /// Reads the source of a grant.
    pub fn of(effective: &EffectiveGrant) -> Self {
        let grant = &effective.grant;
        let (kind, fingerprint) = (grant.source.kind(), grant.token.sha256_prefix.as_deref());
        Self {
            kind: match kind {
                SourceKind::Manual => "Manual",
                SourceKind::Claim => "Claim",
                SourceKind::Tag => "Tag",
                SourceKind::Pattern => "Tag pattern",
            },
            tag: grant.source.tag().map(str::to_owned),
            issuer: grant.source.issuer().map(ToString::to_string),
            token: fingerprint.map(|text| text.chars().take(FINGERPRINT_CHARACTERS).collect()),
            why: grant.why.clone(),
            idle: effective.gives.err().map(|reason| match (kind, reason) {
                (SourceKind::Manual, IneffectiveReason::Lapsed) => "It has expired",
                (_, reason) => idle(reason),
            }),
            is_manual: kind == SourceKind::Manual,
        }
    }
}

/// Says why a grant gives nothing now.
pub const fn idle(reason: IneffectiveReason) -> &'static str {
    match reason {
        IneffectiveReason::Closed => "It was ended",
        IneffectiveReason::Lapsed => "No token confirmed it in time",
        IneffectiveReason::Issuer => "Its issuer is switched off, or not configured for this realm",
        IneffectiveReason::PlatformTag => "Its issuer no longer lists this tag for platform admins",
        IneffectiveReason::OrganizationTag => "The organization no longer lists this tag",
        IneffectiveReason::TagPattern => "No tag pattern of its issuer gives it any more",
        IneffectiveReason::OtherOrganization => "Its issuer gives roles in another organization only",
    }
}
