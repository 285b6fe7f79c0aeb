//! The names of what is mapped, as an operator writes them: `user.email`, `context.teamdomain`, `tags`.

use std::fmt;
use std::sync::Arc;

/// One thing that is mapped. Its text is its place in the configuration's mapping.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// `user.external_id`
    UserExternalId,
    /// `user.username`
    UserUsername,
    /// `user.email`
    UserEmail,
    /// `user.name`
    UserName,
    /// `user.country`
    UserCountry,
    /// `user.timezone`
    UserTimezone,
    /// `user.locale`
    UserLocale,
    /// `user.language`
    UserLanguage,
    /// `organization.each`
    OrganizationEach,
    /// `organization.external_id`
    OrganizationExternalId,
    /// `organization.name`
    OrganizationName,
    /// `organization.timezone`
    OrganizationTimezone,
    /// `organization.role`
    OrganizationRole,
    /// `team.external_id`
    TeamExternalId,
    /// `team.name`
    TeamName,
    /// `team.role`
    TeamRole,
    /// `context`, the table as a whole
    Context,
    /// `context.NAME`
    Property(Arc<str>),
    /// `tags`
    Tags,
    /// rule `NAME`, a condition that the token must meet
    Rule(Arc<str>),
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserExternalId => "user.external_id",
            Self::UserUsername => "user.username",
            Self::UserEmail => "user.email",
            Self::UserName => "user.name",
            Self::UserCountry => "user.country",
            Self::UserTimezone => "user.timezone",
            Self::UserLocale => "user.locale",
            Self::UserLanguage => "user.language",
            Self::OrganizationEach => "organization.each",
            Self::OrganizationExternalId => "organization.external_id",
            Self::OrganizationName => "organization.name",
            Self::OrganizationTimezone => "organization.timezone",
            Self::OrganizationRole => "organization.role",
            Self::TeamExternalId => "team.external_id",
            Self::TeamName => "team.name",
            Self::TeamRole => "team.role",
            Self::Context => "context",
            Self::Property(name) => return write!(f, "context.{name}"),
            Self::Tags => "tags",
            Self::Rule(name) => return write!(f, "rule {name}"),
        })
    }
}
