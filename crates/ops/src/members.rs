//! Members of organizations and teams, and manual grants. Both kinds of group work alike.

use narthex_clock::NewIds;
use narthex_decision::Action;
use narthex_directory::{
    EffectiveMember, GrantId, Listing, Member, NewGrant, Organization, OrganizationId, OrganizationRole, Page, Scope,
    ScopedRole, Team, TeamRole, UserFilter, UserId,
};

use super::caller::{Caller, Permit};
use super::error::OpError;
use super::input_rules;
use super::paging::PageRequest;
use super::tag_granted::given_by_tags;

/// A group of users, as the caller names it.
#[derive(Debug, Clone, Copy)]
pub enum Group<'a> {
    /// The organization with this id or name.
    Organization(&'a str),
    /// The team with this id.
    Team(&'a str),
}

/// A role in a group.
#[derive(Debug, Clone, Copy)]
pub enum GroupRole<'a> {
    /// A role in the organization with this id or name.
    Organization(&'a str, OrganizationRole),
    /// A role in the team with this id.
    Team(&'a str, TeamRole),
}

/// Terms of a manual grant.
#[derive(Debug, Clone, Default)]
pub struct GrantTerms {
    /// Time at which it expires, in milliseconds since the epoch; `None` for one that stays until it is revoked.
    pub expires_at_ms: Option<i64>,
    /// Reason, recorded with the grant.
    pub why: Option<String>,
}

impl GrantTerms {
    /// Builds the grant of a role on these terms.
    pub(super) fn grant(self, permit: Permit<'_>, user: UserId, role: ScopedRole) -> Result<NewGrant, OpError> {
        let now_ms = permit.now_ms();
        if self.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            return Err(OpError::invalid(
                "expires_at",
                "it has passed already; name a time to come",
            ));
        }
        Ok(NewGrant {
            id: GrantId::new(now_ms, &mut NewIds::new()?),
            user,
            role,
            expires_at_ms: self.expires_at_ms,
            why: input_rules::why(self.why)?,
        })
    }
}

/// A member of a group.
#[derive(Debug, Clone)]
pub struct GroupMember {
    /// Name of the group.
    pub group: String,
    /// The user, its effective role, and its open grants.
    pub member: EffectiveMember,
}

/// A page of the members of a group.
#[derive(Debug, Clone)]
pub struct GroupMembers {
    /// Name of the group.
    pub group: String,
    /// The members.
    pub members: Listing<EffectiveMember>,
}

/// A group that was found.
pub(super) struct GroupScope {
    pub(super) scope: Scope,
    /// The organization itself, or the team's organization.
    pub(super) home: Option<OrganizationId>,
    pub(super) name: String,
}

impl From<Organization> for GroupScope {
    fn from(organization: Organization) -> Self {
        Self {
            scope: Scope::Organization(organization.id),
            home: Some(organization.id),
            name: organization.name.to_string(),
        }
    }
}

impl From<Team> for GroupScope {
    fn from(team: Team) -> Self {
        Self {
            scope: Scope::Team(team.id),
            home: team.organization,
            name: team.name,
        }
    }
}

pub(super) async fn find<'c>(
    caller: &'c Caller,
    action: Action,
    group: Group<'_>,
) -> Result<(Permit<'c>, GroupScope), OpError> {
    match group {
        Group::Organization(text) => {
            let (permit, organization) = caller.organization(action, text).await?;
            Ok((permit, organization.into()))
        }
        Group::Team(text) => {
            let (permit, team) = caller.team(action, text).await?;
            Ok((permit, team.into()))
        }
    }
}

/// Lists the members of a group, sorted by user id. A user whose open grants give no role is left out, so the page may
/// be shorter than the limit.
///
/// # Errors
///
/// When the caller may not, there is no such group, the page cannot be used, or the directory fails.
pub async fn list(caller: &Caller, group: Group<'_>, page: PageRequest) -> Result<GroupMembers, OpError> {
    let (permit, on) = find(caller, Action::ReadMembers, group).await?;
    let (now_ms, page) = (permit.now_ms(), page.page()?);
    let Listing { items, next_cursor } = permit.directory().members(on.scope, now_ms, page).await?;
    let members = Listing {
        items: permit.grant_policy(&permit.in_force()).members(items).await?,
        next_cursor,
    };
    Ok(GroupMembers {
        group: on.name,
        members,
    })
}

/// Reads the member of a group with this user id.
///
/// # Errors
///
/// When the caller may not, there is no such group or member, or the directory fails.
pub async fn read(caller: &Caller, group: Group<'_>, user: &str) -> Result<GroupMember, OpError> {
    let (permit, on) = find(caller, Action::ReadMembers, group).await?;
    let user = user_id(user)?;
    member(permit, on, user).await
}

async fn member(permit: Permit<'_>, on: GroupScope, user: UserId) -> Result<GroupMember, OpError> {
    let member = effective(permit, on.scope, user).await?;
    Ok(GroupMember {
        group: on.name,
        member: member.ok_or(OpError::Unknown { what: "member" })?,
    })
}

/// Returns the user as a member of this scope; `None` if its grants give no role there.
pub(super) async fn effective(
    permit: Permit<'_>,
    scope: Scope,
    user: UserId,
) -> Result<Option<EffectiveMember>, OpError> {
    let Some(standing) = permit.directory().standing(user).await? else {
        return Ok(None);
    };
    let now_ms = permit.now_ms();
    let mut grants = standing.grants;
    grants.retain(|grant| grant.scope() == scope && grant.counts_at(now_ms));
    let Some(role) = grants.iter().map(|grant| grant.role).max() else {
        return Ok(None);
    };
    let member = Member {
        user: standing.user,
        role,
        grants,
    };
    Ok(permit
        .grant_policy(&permit.in_force())
        .members(vec![member])
        .await?
        .pop())
}

/// Grants a role in a group by hand. It replaces an earlier grant by hand, and grants from tokens stay beside it.
///
/// # Errors
///
/// When the caller may not, there is no such group or user, the terms cannot be used, the organization takes no manual
/// grants, or the directory fails.
pub async fn grant(
    caller: &Caller,
    role: GroupRole<'_>,
    user: &str,
    terms: GrantTerms,
) -> Result<GroupMember, OpError> {
    let (permit, role, on) = match role {
        GroupRole::Organization(text, role) => {
            let (permit, organization) = caller.organization(Action::WriteMembers, text).await?;
            let role = ScopedRole::Organization(organization.id, role);
            (permit, role, GroupScope::from(organization))
        }
        GroupRole::Team(text, role) => {
            let (permit, team) = caller.team(Action::WriteMembers, text).await?;
            (permit, ScopedRole::Team(team.id, role), GroupScope::from(team))
        }
    };
    let user = user_id(user)?;
    let new = terms.grant(permit, user, role)?;
    // SECURITY: the answer shows a profile, and ids are no secret: they travel in `X-Narthex-User`. A user that the
    // organization has not met does not exist for its own admins.
    if !permit.sees(on.home, user).await? {
        return Err(OpError::Unknown { what: "user" });
    }
    permit.directory().grant_role(new, permit.by()).await?;
    member(permit, on, user).await
}

/// Grants a role in an organization by hand, as [`grant`] does, to the user that a person means by this text: an id, a
/// username, an external id or an e-mail address of the organization's realm.
///
/// # Errors
///
/// As [`grant`]; and when no user that the caller may know of is meant, or more than one.
pub async fn grant_to_named(
    caller: &Caller,
    organization: &str,
    role: OrganizationRole,
    person: &str,
    terms: GrantTerms,
) -> Result<GroupMember, OpError> {
    let (permit, found) = caller.organization(Action::WriteMembers, organization).await?;
    let user = named(permit, &found, person).await?;
    let role = GroupRole::Organization(organization, role);
    grant(caller, role, &user.to_string(), terms).await
}

/// Grants a role in a team by hand, as [`grant_to_named`] does in an organization.
///
/// # Errors
///
/// As [`grant_to_named`]; and when the team belongs to no organization.
pub async fn grant_in_team_to_named(
    caller: &Caller,
    team: &str,
    role: TeamRole,
    person: &str,
    terms: GrantTerms,
) -> Result<GroupMember, OpError> {
    let (permit, found) = caller.team(Action::WriteMembers, team).await?;
    let home = match found.organization {
        Some(id) => permit.directory().organization(id).await?,
        None => None,
    };
    let home = home.ok_or(OpError::Unknown { what: "organization" })?;
    let user = named(permit, &home, person).await?;
    grant(caller, GroupRole::Team(team, role), &user.to_string(), terms).await
}

/// Returns the user that a person means by this text. What is unique is tried before what is not.
///
/// SECURITY: the caller is told only of users that the caller may see; any other is answered as if there were none.
async fn named(permit: Permit<'_>, organization: &Organization, person: &str) -> Result<UserId, OpError> {
    let text = input_rules::required("person", person, "it is empty; name a person")?;
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let of_realm = || UserFilter {
        realm: Some(organization.realm.clone()),
        ..UserFilter::default()
    };
    let filters = [
        UserFilter {
            username: Some(text.clone()),
            ..of_realm()
        },
        UserFilter {
            external_id: Some(text.clone()),
            ..of_realm()
        },
        UserFilter {
            email: Some(text.clone()),
            ..of_realm()
        },
    ];
    for filter in filters {
        let mut seen = Vec::new();
        for entry in permit.directory().users(filter, Page::default()).await?.items {
            if permit.sees(Some(organization.id), entry.user.id).await? {
                seen.push(entry.user.id);
            }
        }
        match seen.as_slice() {
            [] => {}
            [only] => return Ok(*only),
            _ => {
                let detail = "more than one person has this e-mail address; name the username or the external ID";
                return Err(OpError::invalid("person", detail));
            }
        }
    }
    let detail = "no person of this realm has this username, external ID or e-mail address";
    Err(OpError::invalid("person", detail))
}

/// Revokes the roles in a group that were granted by hand and by claims.
///
/// # Errors
///
/// When the caller may not, there is no such group, the user has no role there or only tags give it, or the directory
/// fails.
pub async fn revoke(caller: &Caller, group: Group<'_>, user: &str, why: Option<String>) -> Result<(), OpError> {
    let (permit, on) = find(caller, Action::WriteMembers, group).await?;
    let user = user_id(user)?;
    revoke_here(permit, on.scope, user, why).await
}

/// Revokes the roles on a scope that were granted by hand and by claims.
pub(super) async fn revoke_here(
    permit: Permit<'_>,
    scope: Scope,
    user: UserId,
    why: Option<String>,
) -> Result<(), OpError> {
    let closed = permit
        .directory()
        .revoke_role(user, scope, input_rules::why(why)?, permit.by())
        .await?;
    if !closed.is_empty() {
        return Ok(());
    }
    let member = effective(permit, scope, user).await?;
    let by_tags = member.and_then(|member| given_by_tags(scope, &member.grants));
    Err(by_tags.map_or(OpError::Unknown { what: "role here" }, OpError::Given))
}

fn user_id(text: &str) -> Result<UserId, OpError> {
    input_rules::id(text, "user", "users")
}
