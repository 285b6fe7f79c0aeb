//! Commands for the contents of the directory. They use the store that the configuration names, on the same machine.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use narthex_admin::api::Time;

use super::{ConfigPath, Output};
use narthex_config::parse_duration;

/// Store, and format of the answer.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) config: ConfigPath,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Page of a list.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListPage {
    /// Maximum number of rows.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Cursor printed at the end of the previous page.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
    /// Show every row, however many there are.
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all_pages: bool,
}

/// `narthex organization …`
#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationCommand {
    /// List organizations.
    List {
        /// Only organizations of this realm.
        #[arg(long)]
        realm: Option<String>,
        /// Only organizations with this text in name or label, in any case.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Show an organization and its tags.
    Show {
        /// Name or id of the organization.
        organization: String,
        #[command(flatten)]
        common: Common,
    },
    /// Create an organization.
    Create {
        /// Name of the organization in paths.
        name: String,
        /// Realm of the organization. Needed only if there is more than one realm.
        #[arg(long)]
        realm: Option<String>,
        #[command(flatten)]
        fields: OrganizationFields,
        #[command(flatten)]
        common: Common,
    },
    /// Update an organization. Options that you leave out keep their values.
    Update {
        /// Name or id of the organization.
        organization: String,
        /// New name in paths.
        #[arg(long)]
        name: Option<String>,
        /// Status: `suspended` denies every request to the organization.
        #[arg(long, value_parser = ["active", "suspended"])]
        status: Option<String>,
        #[command(flatten)]
        fields: OrganizationFields,
        #[command(flatten)]
        common: Common,
    },
    /// Delete an organization. It cannot be undone, and its name stays taken.
    ///
    /// Without `--yes`, show what ends with it. Only an empty organization is deleted without `--with-content`.
    Delete {
        /// Name or id of the organization.
        organization: String,
        /// Delete its teams, keys and connections, too, and end the roles in it.
        #[arg(long)]
        with_content: bool,
        /// Reason, stored with the deletion.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        /// Confirm that the organization is to be deleted.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Let tokens that name a deleted organization create it again, under another name.
    LiftDeletion {
        /// External id that the organization had.
        external_id: String,
        /// Realm of the organization. Needed only if there is more than one realm.
        #[arg(long)]
        realm: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// List the members of an organization, their effective roles, and the sources of the roles.
    Members {
        /// Name or id of the organization.
        organization: String,
        /// Show the members at this time, such as `2026-03-01T12:00:00Z`, with the grants held then.
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
}

/// Settings of an organization.
#[derive(Debug, Clone, Args)]
pub(crate) struct OrganizationFields {
    /// Display name.
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// Issuers' id of the organization.
    #[arg(long)]
    pub(crate) external_id: Option<String>,
    /// Tags that make a user an admin of the organization, separated by commas.
    #[arg(long, value_name = "TAGS")]
    pub(crate) admin_groups: Option<String>,
    /// Tags that make a user a member of the organization, separated by commas.
    #[arg(long, value_name = "TAGS")]
    pub(crate) member_groups: Option<String>,
    /// Tags that let a user call what the organization offers, separated by commas.
    #[arg(long, value_name = "TAGS")]
    pub(crate) executor_groups: Option<String>,
    /// Sources of roles: tokens and administrators (`mixed`), or tokens only (`external_only`).
    #[arg(long, value_parser = ["mixed", "external_only"])]
    pub(crate) membership: Option<String>,
}

/// `narthex team …`
#[derive(Debug, Subcommand)]
pub(crate) enum TeamCommand {
    /// List the teams of one organization, or all teams, including those without an organization.
    List {
        /// Name or id of the organization.
        organization: Option<String>,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Show a team.
    Show {
        /// Id of the team, or the name if only one team has it.
        team: String,
        #[command(flatten)]
        common: Common,
    },
    /// Create a team in an organization.
    Create {
        /// Name or id of the organization.
        organization: String,
        /// Name of the team.
        name: String,
        /// Issuers' id of the team.
        #[arg(long)]
        external_id: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Update a team. Options that you leave out keep their values.
    Update {
        /// Id of the team, or the name if only one team has it.
        team: String,
        /// New name.
        #[arg(long)]
        name: Option<String>,
        /// Name or id of the new organization. The members of the team move with it.
        #[arg(long)]
        organization: Option<String>,
        /// Remove the team from its organization.
        #[arg(long, conflicts_with = "organization")]
        no_organization: bool,
        /// Issuers' id of the team.
        #[arg(long)]
        external_id: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// List the members of a team.
    Members {
        /// Id of the team, or the name if only one team has it.
        team: String,
        /// Show the members at this time, such as `2026-03-01T12:00:00Z`, with the grants held then.
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
}

/// `narthex grant …`
#[derive(Debug, Subcommand)]
pub(crate) enum GrantCommand {
    /// List the grants of a user: role, scope, time and source.
    List {
        /// Id of the user, or the username if only one user has it.
        user: String,
        /// Show the grants at this time, such as `2026-03-01T12:00:00Z`.
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
        /// Include closed grants.
        #[arg(long, conflicts_with = "as_of")]
        all: bool,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Grant a role by hand.
    Create {
        /// Id of the user, or the username if only one user has it.
        user: String,
        #[command(flatten)]
        scope: GrantScope,
        /// Role to grant.
        #[arg(long)]
        role: String,
        /// Lifetime of the grant, such as `30d` or `12h`. By default it stays until it is revoked.
        #[arg(long, value_name = "DURATION", value_parser = lifetime, conflicts_with = "expires_at")]
        expires_in: Option<Duration>,
        /// Time when the grant expires, such as `2027-01-01T00:00:00Z`.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        expires_at: Option<Time>,
        /// Reason, stored with the grant.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Revoke a role that was granted by hand or by a claim.
    ///
    /// Tokens never remove such a role, because claims only add. A role from a claim comes back with the next token
    /// that names the organization or team. A role from a tag goes away with the tag.
    Revoke {
        /// Id of the user, or the username if only one user has it.
        user: String,
        #[command(flatten)]
        scope: GrantScope,
        /// Reason, stored with the grant.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// Scope of a grant.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("scope").required(true).args(["platform", "organization", "team"]))]
pub(crate) struct GrantScope {
    /// Whole platform.
    #[arg(long)]
    pub(crate) platform: bool,
    /// Name or id of the organization.
    #[arg(long, value_name = "ORGANIZATION")]
    pub(crate) organization: Option<String>,
    /// Id of the team, or the name if only one team has it.
    #[arg(long, value_name = "TEAM")]
    pub(crate) team: Option<String>,
}

/// `narthex key …`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List API keys. The keys themselves are not stored.
    List {
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Create an API key and print it. It is never shown again.
    Create {
        /// Name of the key, such as its purpose.
        #[arg(default_value = "made on the host")]
        name: String,
        /// Role of the key.
        #[arg(long, value_parser = ["admin", "viewer"], default_value = "admin")]
        role: String,
        /// Limit the key to this organization: its name or id.
        #[arg(long)]
        organization: Option<String>,
        /// Lifetime of the key, such as `90d` or `12h`. By default it never expires.
        #[arg(long, value_name = "DURATION", value_parser = lifetime, conflicts_with = "expires_at")]
        expires_in: Option<Duration>,
        /// Time when the key expires, such as `2027-01-01T00:00:00Z`.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        expires_at: Option<Time>,
        #[command(flatten)]
        common: Common,
    },
    /// Revoke an API key at once.
    Revoke {
        /// Id of the key.
        key: String,
        #[command(flatten)]
        common: Common,
    },
}

/// `narthex machine-key …`
#[derive(Debug, Subcommand)]
pub(crate) enum MachineKeyCommand {
    /// List the machine keys of an organization. The keys themselves are not stored.
    List {
        /// Name or id of the organization.
        organization: String,
        #[command(flatten)]
        page: ListPage,
        #[command(flatten)]
        common: Common,
    },
    /// Show a machine key: its role, its last use and its end.
    Show {
        /// Id of the key.
        key: String,
        #[command(flatten)]
        common: Common,
    },
    /// Create a machine key and print it. It is never shown again.
    ///
    /// A program sends it to the organization's routes as `Authorization: Bearer nxk_…`.
    Create {
        /// Name or id of the organization.
        organization: String,
        /// Name of the key, such as its purpose.
        name: String,
        /// Role of the key in the organization.
        #[arg(long, value_parser = ["admin", "member", "executor"], default_value = "member")]
        role: String,
        /// Lifetime of the key, such as `30d` or `12h`. By default 90 days, at most 366.
        #[arg(long, value_name = "DURATION", value_parser = lifetime, conflicts_with = "expires_at")]
        expires_in: Option<Duration>,
        /// Time when the key expires, such as `2027-01-01T00:00:00Z`.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        expires_at: Option<Time>,
        #[command(flatten)]
        common: Common,
    },
    /// Revoke a machine key: every node refuses it within a second.
    Revoke {
        /// Id of the key.
        key: String,
        #[command(flatten)]
        common: Common,
    },
}

/// Command of `narthex console`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConsoleCommand {
    /// Print a link that signs one browser in to the console as a platform admin, once, within 15 minutes.
    Link {
        #[command(flatten)]
        common: Common,
    },
}

/// Parses a duration longer than zero.
fn lifetime(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| "write a whole number with a unit, such as `90d` or `12h`".to_owned())
}

/// Parses a moment in RFC 3339.
fn moment(text: &str) -> Result<Time, String> {
    Time::parse(text).ok_or_else(|| "write RFC 3339, such as `2027-01-01T00:00:00Z`".to_owned())
}
