//! Errors of the directory. A [`Refusal`] is an answer (the person may not), a [`StoreError`] means that no answer
//! could be given or that a command cannot be carried out.

use narthex_names::{NameError, OrganizationName, TeamId, UserId};

use crate::declaration::DeclarationConflict;

/// Reason for which the directory does not accept this identity. A value, not a failure: answered 401 or 403 by its
/// reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another user of the realm has this username.
    #[error(
        "another user of the realm (`{owner}`) already has this username; change one of the two, nothing is merged"
    )]
    UsernameConflict {
        /// The user who has it.
        owner: UserId,
    },
    /// The team that the claims name belongs to another organization.
    #[error("the team `{team}` belongs to another organization; a team is never moved by a token")]
    TeamConflict {
        /// The team.
        team: TeamId,
    },
    /// The user does not exist and this issuer may not create users.
    #[error("no such user, and this issuer does not create users; create the user or set `provision`")]
    NotProvisioned,
    /// The user is disabled.
    #[error("the user is disabled; an administrator can enable the user again")]
    Disabled {
        /// The user.
        user: UserId,
    },
    /// The token was issued before the user's tokens were revoked.
    #[error("the token was issued before the user was signed out everywhere")]
    TokenRevoked {
        /// The user.
        user: UserId,
    },
    /// The user's tokens were revoked, and the token does not say when it was issued.
    #[error(
        "the user was signed out everywhere, and since then tokens without `iat` are all refused, new ones too; have the \
         issuer put `iat` into its tokens, or an administrator accept older tokens again (`tokens_not_before`)"
    )]
    TokenUndated {
        /// The user.
        user: UserId,
    },
    /// The identity provider has ended the session that the token is of.
    #[error("the identity provider has ended the session of this token; sign in again for a new one")]
    LoggedOut {
        /// The user, where the directory knows one.
        user: Option<UserId>,
    },
    /// The user was erased, and the token was issued before, or no token of the user is taken any more.
    #[error("{}", erased(*all))]
    Erased {
        /// True if every token of the user is refused.
        all: bool,
    },
    /// More tags than a token may carry.
    #[error("the token carries {found} permission tags, and the most is {limit}")]
    TooManyTags {
        /// Number of tags in the token.
        found: usize,
        /// Largest number of tags.
        limit: usize,
    },
}

const fn erased(all: bool) -> &'static str {
    if all {
        "the user was erased, and every token of the user is refused; a platform admin can lift that"
    } else {
        "the user was erased, and the token was issued before that or does not say when; sign in again for a new one"
    }
}

impl Refusal {
    /// The stable code (product section 8).
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UsernameConflict { .. } => "identity.username_conflict",
            Self::TeamConflict { .. } => "identity.team_conflict",
            Self::NotProvisioned => "identity.not_provisioned",
            Self::Disabled { .. } => "identity.disabled",
            Self::TokenRevoked { .. } | Self::TokenUndated { .. } | Self::LoggedOut { .. } | Self::Erased { .. } => {
                "token.revoked"
            }
            Self::TooManyTags { .. } => "tags.malformed",
        }
    }

    /// The user whose token it is, where the directory knows one.
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::Disabled { user } | Self::TokenRevoked { user } | Self::TokenUndated { user } => Some(*user),
            Self::LoggedOut { user } => *user,
            Self::UsernameConflict { .. }
            | Self::TeamConflict { .. }
            | Self::NotProvisioned
            | Self::Erased { .. }
            | Self::TooManyTags { .. } => None,
        }
    }

    /// The problem in the words of this case, as the caller may be told it: the first half of a sentence, without a remedy.
    /// `None` where the reason's own words say as much.
    pub fn caller_problem(&self) -> Option<String> {
        match self {
            Self::TokenUndated { .. } => Some(
                "the user was signed out everywhere, and the token does not say when it was issued (`iat`)".to_owned(),
            ),
            Self::TooManyTags { .. } => Some(self.to_string()),
            _ => None,
        }
    }

    /// The remedy in the words of this case, as the second half of that sentence; `None` where the reason's own is right.
    pub const fn caller_remedy(&self) -> Option<&'static str> {
        match self {
            Self::TokenUndated { .. } | Self::Erased { all: true } => Some("ask the administrator"),
            Self::TooManyTags { .. } => Some("ask for a token with fewer of them"),
            _ => None,
        }
    }
}

/// Refusal or failure of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The records that the plan was made from have changed: read again and plan again.
    #[error("the directory changed while the plan was made")]
    Conflict,
    /// The record is not at the version the caller saw.
    #[error("the {what} has changed since it was read (version {found}, not {expected}); read it again")]
    VersionMismatch {
        /// The kind of record.
        what: &'static str,
        /// The version the caller saw.
        expected: u64,
        /// The version it has.
        found: u64,
    },
    /// Something unique is taken.
    #[error("another {what}{} already has this `{field}`", owner.as_deref().map_or_else(String::new, |id| format!(" (`{id}`)")))]
    AlreadyExists {
        /// The kind of record.
        what: &'static str,
        /// The field.
        field: &'static str,
        /// Id of the record that has it, where a person may look for it by that.
        owner: Option<String>,
    },
    /// There is no such record.
    #[error("no such {what}")]
    NotFound {
        /// The kind of record.
        what: &'static str,
    },
    /// The organization is declared in the configuration file.
    #[error("organization `{name}` is declared in the configuration; change it there")]
    DeclaredInConfiguration {
        /// The organization.
        name: OrganizationName,
    },
    /// An organization that the configuration declares meets another one.
    #[error("{0}")]
    Declaration(Box<DeclarationConflict>),
    /// The organization takes no manual grants.
    #[error("the organization `{organization}` is `external_only` and takes no roles by hand; use its tags")]
    ExternalOnly {
        /// The organization.
        organization: OrganizationName,
    },
    /// A value of a command breaks its rule.
    #[error("{0}")]
    Invalid(#[from] NameError),
    /// A command that contradicts itself or the record, in words.
    #[error("{0}")]
    Refused(&'static str),
    /// A cursor that the list it was sent to did not give.
    #[error("the cursor was not given by this list; begin again without one")]
    Cursor,
    /// The store cannot answer now.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The file of the store is not at its place any more: nothing is written until it is.
    #[error("the store's file `{0}` was moved, replaced or deleted; put it back, or start again with another one")]
    Gone(String),
    /// The database was written by a newer version of this program.
    #[error("the database has schema version {found}, this program knows {known}; run the newer program")]
    SchemaNewer {
        /// The version of the database.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// A row that this program cannot read.
    #[error("the database holds a {what} that cannot be read: {why}")]
    Corrupt {
        /// The kind of record.
        what: &'static str,
        /// The fault.
        why: String,
    },
}

impl StoreError {
    /// Tests whether the same call may succeed later without an administrator's intervention (answered 503).
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Conflict | Self::Unavailable(_) | Self::Gone(_))
    }
}

/// Reason for which [`crate::sync`] or [`crate::load`] gave no principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// The directory says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The directory kept changing: the first plan and three more lost their snapshot. Answered 503.
    #[error("the directory kept changing; try again")]
    Contended,
}
