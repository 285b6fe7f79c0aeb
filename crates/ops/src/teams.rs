//! Teams inside organizations.

use narthex_clock::NewIds;
use narthex_decision::Action;
use narthex_directory::{Edit, Listing, Organization, Team, TeamEdit, TeamFilter, TeamId};

use super::caller::{Caller, Permit};
use super::error::OpError;
use super::input_rules;
use super::paging::PageRequest;
use super::precondition::ExpectedVersion;

/// A team to create.
#[derive(Debug, Clone, Default)]
pub struct NewTeam {
    /// Display name.
    pub name: String,
    /// Its id at the identity provider, used exactly as given. Platform admins only.
    pub external_id: Option<String>,
}

/// Change of a team.
#[derive(Debug, Clone, Default)]
pub struct TeamChange {
    /// New name, which is never empty.
    pub name: Edit<String>,
    /// Id or name of the new organization. Platform admins only.
    pub organization: Edit<String>,
    /// Its id at the identity provider. Platform admins only.
    pub external_id: Edit<String>,
}

/// Lists the teams of all organizations, and those that belong to none yet; by default of all realms, and with any
/// external id.
///
/// # Errors
///
/// When the caller may not, a filter or the page cannot be used, or the directory fails.
pub async fn list(
    caller: &Caller,
    realm: Option<String>,
    external_id: Option<String>,
    page: PageRequest,
) -> Result<Listing<Team>, OpError> {
    let permit = caller.permit(Action::ReadMembers, None)?;
    let filter = TeamFilter {
        realm: input_rules::realm("realm", realm)?,
        organization: None,
        external_id,
    };
    Ok(permit.directory().teams(filter, page.page()?).await?)
}

/// Lists an organization's teams; by default with any external id.
///
/// # Errors
///
/// When the caller may not, there is no such organization, the page cannot be used, or the directory fails.
pub async fn list_of_organization(
    caller: &Caller,
    organization: &str,
    external_id: Option<String>,
    page: PageRequest,
) -> Result<Listing<Team>, OpError> {
    let (permit, organization) = caller.organization(Action::ReadMembers, organization).await?;
    let filter = TeamFilter {
        realm: None,
        organization: Some(organization.id),
        external_id,
    };
    Ok(permit.directory().teams(filter, page.page()?).await?)
}

/// Reads the team with this id.
///
/// # Errors
///
/// When the caller may not, or there is no such team.
pub async fn read(caller: &Caller, team: &str) -> Result<Team, OpError> {
    let (_, team) = caller.team(Action::ReadMembers, team).await?;
    Ok(team)
}

/// Checks that the caller may create this team in the organization, as [`create`] does first.
///
/// # Errors
///
/// When the caller may not, or there is no such organization.
pub async fn may_create(caller: &Caller, organization: &str, new: &NewTeam) -> Result<(), OpError> {
    creation(caller, organization, new).await.map(|_| ())
}

async fn creation<'c>(
    caller: &'c Caller,
    organization: &str,
    new: &NewTeam,
) -> Result<(Permit<'c>, Organization), OpError> {
    let (permit, organization) = caller.organization(Action::WriteMembers, organization).await?;
    if new.external_id.is_some() {
        // SECURITY: external ids are unique in the realm. An organization's admin who could take an id that the
        // identity provider means for another organization's team would lock out the members of that team.
        caller.permit(Action::RuleOrganization, Some(organization.id))?;
    }
    Ok((permit, organization))
}

/// Creates a team in an organization.
///
/// # Errors
///
/// When the caller may not, there is no such organization, a value breaks its rule, or the directory refuses or fails.
pub async fn create(caller: &Caller, organization: &str, new: NewTeam) -> Result<Team, OpError> {
    let (permit, organization) = creation(caller, organization, &new).await?;
    let new = narthex_directory::NewTeam {
        id: TeamId::new(permit.now_ms(), &mut NewIds::new()?),
        realm: organization.realm,
        organization: Some(organization.id),
        external_id: input_rules::external_id("external_id", new.external_id)?,
        name: team_name(&new.name)?,
    };
    Ok(permit.directory().create_team(new, permit.by()).await?)
}

/// Updates a team.
///
/// # Errors
///
/// When the caller may not, there is no such team or organization, the team is at another version, a value breaks its
/// rule, or the directory refuses or fails.
pub async fn update(
    caller: &Caller,
    team: &str,
    expected: &ExpectedVersion,
    change: TeamChange,
) -> Result<Team, OpError> {
    let (permit, team) = caller.team(Action::WriteMembers, team).await?;
    if input_rules::is_given(&change.organization) || input_rules::is_given(&change.external_id) {
        // SECURITY: as in the creation of a team; and a team that moved would take its members along.
        caller.permit(Action::RuleOrganization, team.organization)?;
    }
    let organization = match change.organization {
        Edit::Keep => Edit::Keep,
        Edit::Clear => Edit::Clear,
        Edit::Set(text) => Edit::Set(caller.organization(Action::RuleOrganization, &text).await?.1.id),
    };
    let edit = TeamEdit {
        name: input_rules::never_empty("name", change.name)?
            .map(|name| team_name(&name))
            .transpose()?,
        organization,
        external_id: input_rules::edited_external_id("external_id", change.external_id)?,
    };
    let expected = expected.check(team.version)?;
    Ok(permit
        .directory()
        .update_team(team.id, expected, edit, permit.by())
        .await?)
}

/// Checks a team's name, which must not be empty.
fn team_name(text: &str) -> Result<String, OpError> {
    input_rules::required("name", text, "it is empty")
}
