//! The commands on what the directory holds. They work on the store that the configuration names, on the same machine.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use narthex_admin::api::Time;

use super::{ConfigPath, Output};
use narthex_config::parse_duration;

/// Which store, and in which form to answer.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) config: ConfigPath,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Which part of a list.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListPage {
    /// How many at the most.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Where the last part of the list ended.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

/// `narthex organization …`
#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationCommand {
    /// List organizations.
    List {
        /// Only of this realm.
        #[arg(long)]
        realm: Option<String>,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Show one, with its tags.
    Show {
        /// Its name or id.
        organization: String,
        #[command(flatten)]
        common: Common,
    },
    /// Make one.
    Create {
        /// Its name in paths.
        name: String,
        /// Its realm. Needed only where there is more than one.
        #[arg(long)]
        realm: Option<String>,
        #[command(flatten)]
        fields: OrganizationFields,
        #[command(flatten)]
        common: Common,
    },
    /// Change one. What is not given stays.
    Update {
        /// Its name or id.
        organization: String,
        /// Another name in paths.
        #[arg(long)]
        name: Option<String>,
        /// Whether it can be reached.
        #[arg(long, value_parser = ["active", "suspended"])]
        status: Option<String>,
        #[command(flatten)]
        fields: OrganizationFields,
        #[command(flatten)]
        common: Common,
    },
    /// List its members with their effective roles and where they come from.
    Members {
        /// Its name or id.
        organization: String,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
}

/// What can be said about an organization.
#[derive(Debug, Clone, Args)]
pub(crate) struct OrganizationFields {
    /// Its name for people.
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// The id that issuers know it by.
    #[arg(long)]
    pub(crate) external_id: Option<String>,
    /// Tags that make a user an admin of it, with commas between.
    #[arg(long, value_name = "TAGS")]
    pub(crate) admin_groups: Option<String>,
    /// Tags that make a user a member of it, with commas between.
    #[arg(long, value_name = "TAGS")]
    pub(crate) member_groups: Option<String>,
    /// Tags that let a user call what it offers, with commas between.
    #[arg(long, value_name = "TAGS")]
    pub(crate) executor_groups: Option<String>,
    /// Whether roles may also be given by hand.
    #[arg(long, value_parser = ["mixed", "external_only"])]
    pub(crate) membership: Option<String>,
}

/// `narthex user …`
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List users.
    List {
        /// Only of this realm.
        #[arg(long)]
        realm: Option<String>,
        /// Only with this external id.
        #[arg(long)]
        external_id: Option<String>,
        /// Only with this username.
        #[arg(long)]
        username: Option<String>,
        /// Only with this e-mail address.
        #[arg(long)]
        email: Option<String>,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Show one, with effective roles.
    Show {
        /// The user's id, or the username if only one user has it.
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Make one by hand, before a token does. It is found by realm and external id, and by nothing else.
    Create {
        /// What the identity provider calls it, taken exactly.
        external_id: String,
        /// Its realm. Needed only where there is more than one.
        #[arg(long)]
        realm: Option<String>,
        /// Its username; by default the external id.
        #[arg(long)]
        username: Option<String>,
        /// Its e-mail address.
        #[arg(long)]
        email: Option<String>,
        /// Its name for people.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Refuse everything the user sends, until enabled again.
    Disable {
        /// The user's id, or the username if only one user has it.
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Undo `disable`.
    Enable {
        /// The user's id, or the username if only one user has it.
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Refuse every token issued until now: sign out everywhere.
    ///
    /// `iat` counts whole seconds, so a token issued later within this second is refused too; a second later all is well. Where
    /// the identity provider's clock runs ahead, that is so from the newest token that was used.
    /// Tokens that do not say when they were issued (no `iat`) are all refused from then on, new ones too; `--undo` lets them
    /// in again.
    RevokeTokens {
        /// The user's id, or the username if only one user has it.
        user: String,
        /// Accept older tokens again, and those without `iat`.
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        common: Common,
    },
}

/// `narthex team …`
#[derive(Debug, Subcommand)]
pub(crate) enum TeamCommand {
    /// List teams: those of one organization, or all, those in no organization among them.
    List {
        /// The organization's name or id.
        organization: Option<String>,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Show one.
    Show {
        /// The team's id.
        team: String,
        #[command(flatten)]
        common: Common,
    },
    /// Make one in an organization.
    Create {
        /// The organization's name or id.
        organization: String,
        /// The team's name.
        name: String,
        /// The id that issuers know it by.
        #[arg(long)]
        external_id: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Change one. What is not given stays.
    Update {
        /// The team's id.
        team: String,
        /// Another name.
        #[arg(long)]
        name: Option<String>,
        /// Another organization: its name or id. The team's people come along.
        #[arg(long)]
        organization: Option<String>,
        /// Take it out of its organization.
        #[arg(long, conflicts_with = "organization")]
        no_organization: bool,
        /// The id that issuers know it by.
        #[arg(long)]
        external_id: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// List its members.
    Members {
        /// The team's id.
        team: String,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
}

/// `narthex grant …`
#[derive(Debug, Subcommand)]
pub(crate) enum GrantCommand {
    /// List a user's grants: what, since when, from where.
    List {
        /// The user's id, or the username if only one user has it.
        user: String,
        /// As they were at this time, such as `2026-03-01T12:00:00Z`.
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
        /// Closed ones too.
        #[arg(long, conflicts_with = "as_of")]
        all: bool,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Give a role by hand.
    Create {
        /// The user's id, or the username if only one user has it.
        user: String,
        #[command(flatten)]
        scope: GrantScope,
        /// The role there.
        #[arg(long)]
        role: String,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Take a role away that was given by hand or by a claim.
    ///
    /// Claims only add, so no token takes such a role away; it comes back with the next token that names the organization or
    /// team. What tags give goes away with the tag.
    Revoke {
        /// The user's id, or the username if only one user has it.
        user: String,
        #[command(flatten)]
        scope: GrantScope,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// What a grant is on.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("scope").required(true).args(["platform", "organization", "team"]))]
pub(crate) struct GrantScope {
    /// On the platform.
    #[arg(long)]
    pub(crate) platform: bool,
    /// On this organization: its name or id.
    #[arg(long, value_name = "ORGANIZATION")]
    pub(crate) organization: Option<String>,
    /// On this team: its id.
    #[arg(long, value_name = "TEAM")]
    pub(crate) team: Option<String>,
}

/// `narthex key …`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List API keys. What they were made of is not kept.
    List {
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Make one and print it, this once.
    Create {
        /// What it is for.
        #[arg(default_value = "made on the host")]
        name: String,
        /// What it may do.
        #[arg(long, value_parser = ["admin", "viewer"], default_value = "admin")]
        role: String,
        /// Only for this organization: its name or id.
        #[arg(long)]
        organization: Option<String>,
        /// Stops working after this time, such as `90d` or `12h`. By default never.
        #[arg(long, value_name = "DURATION", value_parser = lifetime, conflicts_with = "expires_at")]
        expires_in: Option<Duration>,
        /// Stops working at this time, such as `2027-01-01T00:00:00Z`.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        expires_at: Option<Time>,
        #[command(flatten)]
        common: Common,
    },
    /// Refuse one from now on.
    Revoke {
        /// The key's id.
        key: String,
        #[command(flatten)]
        common: Common,
    },
}

/// A duration that lasts.
fn lifetime(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| "write a whole number with a unit, such as `90d` or `12h`".to_owned())
}

/// A moment.
fn moment(text: &str) -> Result<Time, String> {
    Time::parse(text).ok_or_else(|| "write RFC 3339, such as `2027-01-01T00:00:00Z`".to_owned())
}
