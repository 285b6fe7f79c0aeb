//! Enumerations of the API, as JSON and OpenAPI know them. Each has a twin in the directory, which knows nothing of
//! JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! wire_enums {
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

wire_enums! {
    /// A role on the whole platform.
    PlatformRole for narthex_directory::PlatformRole {
        /// Any known user.
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
        /// Belongs to the organization.
        Member,
        /// Manages its tags and members.
        Admin,
    }

    /// A scheme of a webhook's signatures (Standard Webhooks).
    SignatureScheme for narthex_ops::webhooks::SignatureScheme {
        /// HMAC-SHA256 with a secret that sender and receiver share.
        V1,
        /// Ed25519 with a private key that Narthex alone has.
        V1a,
    }

    /// A role in a team.
    TeamRole for narthex_directory::TeamRole {
        /// Belongs to the team.
        Member,
        /// Manages its members.
        Admin,
    }

    /// Status of a user.
    UserStatus for narthex_directory::UserStatus {
        /// Tokens of the user are accepted.
        Active,
        /// The user is refused, whatever the token says.
        Disabled,
    }

    /// Status of an organization.
    OrganizationStatus for narthex_directory::OrganizationStatus {
        /// The roles in it count.
        Active,
        /// Its members keep their grants and are refused while it is suspended.
        Suspended,
    }

    /// Sources that may grant roles in an organization.
    Membership for narthex_directory::MembershipRule {
        /// Tokens and administrators.
        Mixed,
        /// Tokens only: the organization takes no manual grants.
        ExternalOnly,
    }

    /// Origin of a record, which decides where it may be edited.
    Origin for narthex_directory::Origin {
        /// An administrator, through the API or the command line.
        Api,
        /// A token's claims.
        Claim,
        /// The configuration file; the record is read-only elsewhere.
        Config,
    }

    /// Source of a grant.
    Source for narthex_directory::SourceKind {
        /// An administrator, manually.
        Manual,
        /// A claim of a token.
        Claim,
        /// A permission tag.
        Tag,
        /// A permission tag that a tag pattern of its issuer matches.
        Pattern,
    }

    /// Place in which a session is accepted.
    SessionKind for narthex_directory::SessionKind {
        /// At the doors.
        Door,
        /// At the doors, in frames of an issuer's portal.
        Embedded,
        /// At the console.
        Console,
    }

    /// Kind of the credential that a browser signed in with.
    CredentialKind for narthex_directory::CredentialKind {
        /// A token of an issuer.
        Token,
        /// An API key.
        ApiKey,
        /// A one-time sign-in link.
        FirstRunLink,
    }

    /// Kind of a record that a search finds.
    FoundKind for narthex_ops::search::FoundKind {
        /// A user.
        User,
        /// An organization.
        Organization,
        /// A team.
        Team,
        /// An issuer.
        Issuer,
        /// A permission tag that tokens carried.
        Tag,
        /// A refused request of the last hour.
        Denial,
    }

    /// Order of the audit trail.
    EventOrder for narthex_directory::EventOrder {
        /// The newest event comes first, for reading.
        NewestFirst,
        /// The oldest event comes first, for replay.
        OldestFirst,
    }
}
