//! Roles, and what they are held on. Within one kind of scope roles are ordered: the effective role is the
//! highest one held.

use narthex_names::{NameError, OrganizationId, TeamId};

macro_rules! role {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// Every value, the lowest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in configuration, answers and the database.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = narthex_names::NameError;

            fn from_str(text: &str) -> Result<Self, narthex_names::NameError> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(narthex_names::NameError::Word { what: $what, known: &[$($text),+] }),
                }
            }
        }
    };
}
pub(crate) use role as word;

role!(
    /// A role on the whole installation.
    PlatformRole, "platform role", {
        /// Everybody who is known.
        User = "user",
        /// Reads everything, changes nothing.
        Viewer = "viewer",
        /// Reads and changes everything.
        Admin = "admin",
    }
);

role!(
    /// A role in an organization.
    OrganizationRole, "organization role", {
        /// May use what the organization offers.
        Executor = "executor",
        /// Belongs to it.
        Member = "member",
        /// Looks after its tags and members.
        Admin = "admin",
    }
);

role!(
    /// A role in a team.
    TeamRole, "team role", {
        /// Belongs to it.
        Member = "member",
        /// Looks after it.
        Admin = "admin",
    }
);

/// Scope that a role is held on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The whole installation.
    Platform,
    /// One organization.
    Organization(OrganizationId),
    /// One team.
    Team(TeamId),
}

impl Scope {
    /// The word for the kind of scope: `platform`, `organization` or `team`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Organization(_) => "organization",
            Self::Team(_) => "team",
        }
    }
}

/// A role together with its scope, so that a team never gets an organization's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopedRole {
    /// On the whole installation.
    Platform(PlatformRole),
    /// In one organization.
    Organization(OrganizationId, OrganizationRole),
    /// In one team.
    Team(TeamId, TeamRole),
}

impl ScopedRole {
    /// Scope that the role is held on.
    pub const fn scope(self) -> Scope {
        match self {
            Self::Platform(_) => Scope::Platform,
            Self::Organization(id, _) => Scope::Organization(id),
            Self::Team(id, _) => Scope::Team(id),
        }
    }

    /// The role's word.
    pub const fn role_str(self) -> &'static str {
        match self {
            Self::Platform(role) => role.as_str(),
            Self::Organization(_, role) => role.as_str(),
            Self::Team(_, role) => role.as_str(),
        }
    }

    /// Reads a role's word for a scope.
    pub fn parse(scope: Scope, role: &str) -> Result<Self, NameError> {
        Ok(match scope {
            Scope::Platform => Self::Platform(role.parse()?),
            Scope::Organization(id) => Self::Organization(id, role.parse()?),
            Scope::Team(id) => Self::Team(id, role.parse()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_roles_compare_higher() {
        assert!(PlatformRole::Admin > PlatformRole::Viewer && PlatformRole::Viewer > PlatformRole::User);
        assert!(OrganizationRole::Admin > OrganizationRole::Member);
        assert!(OrganizationRole::Member > OrganizationRole::Executor);
        assert!(TeamRole::Admin > TeamRole::Member);
    }

    #[test]
    fn words_read_back_and_nothing_else_does() {
        for role in OrganizationRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(*role));
        }
        for wrong in ["Admin", "admin ", "", "owner"] {
            assert!(wrong.parse::<OrganizationRole>().is_err());
        }
        assert!(ScopedRole::parse(Scope::Platform, "member").is_err());
    }
}
