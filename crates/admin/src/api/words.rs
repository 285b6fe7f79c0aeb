//! The words of the API's closed lists, as JSON and OpenAPI know them. Each has a twin in the directory, which knows
//! nothing of JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident for $twin:path { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
            #[serde(rename_all = "snake_case")]
            pub enum $name {
                $($(#[$variant_doc])* $variant),+
            }

            impl From<$twin> for $name {
                fn from(word: $twin) -> Self {
                    match word {
                        $(<$twin>::$variant => Self::$variant),+
                    }
                }
            }

            impl From<$name> for $twin {
                fn from(word: $name) -> Self {
                    match word {
                        $($name::$variant => Self::$variant),+
                    }
                }
            }
        )+
    };
}

words! {
    /// A role on the whole installation.
    PlatformRole for narthex_directory::PlatformRole {
        /// Everybody who is known.
        User,
        /// Reads everything, changes nothing.
        Viewer,
        /// Reads and changes everything.
        Admin,
    }

    /// A role in an organization.
    OrganizationRole for narthex_directory::OrganizationRole {
        /// May use what the organization offers.
        Executor,
        /// Belongs to it.
        Member,
        /// Looks after its tags and members.
        Admin,
    }

    /// A role in a team.
    TeamRole for narthex_directory::TeamRole {
        /// Belongs to it.
        Member,
        /// Looks after it.
        Admin,
    }

    /// Whether a user may come in at all.
    UserStatus for narthex_directory::UserStatus {
        /// As usual.
        Active,
        /// Refused whatever the token says.
        Disabled,
    }

    /// Whether an organization is open.
    OrganizationStatus for narthex_directory::OrganizationStatus {
        /// As usual.
        Active,
        /// Its members keep their grants and are refused while this lasts.
        Suspended,
    }

    /// Who may say who belongs to an organization.
    Membership for narthex_directory::MembershipRule {
        /// Tokens and people.
        Mixed,
        /// Tokens only: it takes no manual grants.
        ExternalOnly,
    }

    /// Where a record was made, and so where it may be edited.
    Origin for narthex_directory::Origin {
        /// By a person, through the API or the command line.
        Api,
        /// By a token's claims.
        Claim,
        /// In the configuration file; read-only elsewhere.
        Config,
    }

    /// Who said that a grant holds.
    Source for narthex_directory::SourceKind {
        /// A person, by hand.
        Manual,
        /// A claim of a token.
        Claim,
        /// A permission tag.
        Tag,
    }

    /// Which end of the audit trail to begin at.
    EventOrder for narthex_directory::EventOrder {
        /// For people.
        NewestFirst,
        /// For replay.
        OldestFirst,
    }
}
