//! Commands for users.

use clap::Subcommand;

use super::directory::{Common, ListPage};

/// `narthex user …`
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List users.
    List {
        /// Only users of this realm.
        #[arg(long)]
        realm: Option<String>,
        /// Only the users with this external id.
        #[arg(long)]
        external_id: Option<String>,
        /// Only the users with this username.
        #[arg(long)]
        username: Option<String>,
        /// Only the users with this e-mail address.
        #[arg(long)]
        email: Option<String>,
        /// Only the users with this text in username, external id, e-mail address or name, in any case.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Show a user and the effective roles.
    Show {
        /// Id of the user, or the username if only one user has it.
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Create a user by hand, before a token does. Later tokens find the user only by realm and external id.
    Create {
        /// Identity provider's id of the user, compared exactly.
        external_id: String,
        /// Realm of the user. Needed only if there is more than one realm.
        #[arg(long)]
        realm: Option<String>,
        /// Username. By default the external id.
        #[arg(long)]
        username: Option<String>,
        /// E-mail address.
        #[arg(long)]
        email: Option<String>,
        /// Display name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Change the external id of a user, for example when the identity provider changes.
    ///
    /// Tokens with the new id belong to the user from then on, and tokens with the former one no longer do.
    SetExternalId {
        /// Id of the user, or the username if only one user has it.
        user: String,
        /// New external id, compared exactly.
        external_id: String,
        /// Reason, stored with the change.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Change the external ids of many users by a list, all or none. Without `--apply`, show what it would do.
    ///
    /// Each line has the present external id, a tab, and the new one. Both are used exactly as written.
    ExternalIds {
        /// File with the list, or `-` for standard input.
        file: String,
        /// Realm of the users. Needed only if there is more than one realm.
        #[arg(long)]
        realm: Option<String>,
        /// Carry the list out.
        #[arg(long)]
        apply: bool,
        /// Reason, stored with each change.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Erase a user: remove the personal values from the record, the audit trail and later exports. It cannot be undone.
    ///
    /// Grants keep their ids and times under a pseudonym. Tokens that were issued before the erasure, or without `iat`, are
    /// refused; a later one creates the user anew, unless the user is disabled.
    Erase {
        /// Id of the user, or the username if only one user has it.
        user: String,
        /// Refuse every later token of the user, until `lift-erasure`.
        #[arg(long)]
        refuse_later_tokens: bool,
        /// Reason, stored with the erasure. Name no person in it: it stays.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        /// Confirm that the user is to be erased.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Take the tokens of an erased user again, if all of them are refused. The next one creates the user anew.
    LiftErasure {
        /// External id that the user had.
        external_id: String,
        /// Realm of the user. Needed only if there is more than one realm.
        #[arg(long)]
        realm: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Disable a user: refuse every request until the user is enabled again.
    Disable {
        /// Id of the user, or the username if only one user has it.
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Enable a disabled user.
    Enable {
        /// Id of the user, or the username if only one user has it.
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Revoke every token issued to a user until now: sign the user out everywhere.
    ///
    /// `iat` counts whole seconds, so a token issued later in the same second is refused too. If the identity
    /// provider's clock runs ahead, the newest token used so far sets the limit instead of the current time. Tokens
    /// without `iat` are all refused from then on, new ones too; `--undo` accepts them again.
    RevokeTokens {
        /// Id of the user, or the username if only one user has it.
        user: String,
        /// Accept older tokens again, and tokens without `iat`.
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        common: Common,
    },
}
