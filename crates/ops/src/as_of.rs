//! Roles at a past time: members of an organization or a team, and holders of platform roles.

pub use narthex_audit::{HeldGrant, ROLES_CSV_HEADER, origin, roles_csv};
use narthex_audit::{HeldRole, held_roles};
use narthex_decision::Action;
use narthex_directory::{DAY_MS, DayChanges, EffectiveGrant, Listing, Scope, ScopedRole};

use super::caller::Caller;
use super::error::OpError;
use super::members::{self, Group, GroupScope};
use super::paging::PageRequest;

/// Scope whose roles are asked for, as the caller names it.
#[derive(Debug, Clone, Copy)]
pub enum RoleScope<'a> {
    /// The platform.
    Platform,
    /// An organization or a team.
    Group(Group<'a>),
}

/// A role that was held.
#[derive(Debug, Clone)]
pub struct PastRole {
    /// The user, the role and its grants.
    pub held: HeldRole,
    /// The grants again, in the same order, each with the role that it gives now.
    pub effective: Vec<EffectiveGrant>,
    /// The highest role that the user's grants give there now; `None` for none.
    pub now: Option<ScopedRole>,
}

/// A page of the roles that were held on a scope.
#[derive(Debug, Clone)]
pub struct PastRoles {
    /// Name of the organization or team; `None` for the platform.
    pub scope_name: Option<String>,
    /// The roles, by user id.
    pub roles: Listing<PastRole>,
}

/// Lists the users who held a role on a scope at a time (by default now), with the grants that gave it: those whose own times
/// include it, whatever is configured now. A user whom the caller may not see is left out, so a page may be shorter than the
/// limit.
///
/// # Errors
///
/// When the caller may not, there is no such group, the page cannot be used, or the directory fails.
pub async fn list(
    caller: &Caller,
    scope: RoleScope<'_>,
    at_ms: Option<i64>,
    page: PageRequest,
) -> Result<PastRoles, OpError> {
    let (permit, home, scope, scope_name) = match scope {
        RoleScope::Platform => (caller.permit(Action::ReadUsers, None)?, None, Scope::Platform, None),
        RoleScope::Group(group) => {
            let (permit, GroupScope { scope, home, name }) = members::find(caller, Action::ReadMembers, group).await?;
            (permit, home, scope, Some(name))
        }
    };
    let at_ms = at_ms.unwrap_or_else(|| permit.now_ms());
    let Listing { items, next_cursor } = held_roles(permit.directory(), scope, at_ms, page.page()?).await?;
    let in_force = permit.in_force();
    let mut roles = Vec::with_capacity(items.len());
    for held in items {
        // SECURITY: an organization's own admins do not see users who had only a manual grant that has ended.
        if permit.sees(home, held.user.id).await? {
            let now = members::effective(permit, scope, held.user.id).await?;
            let grants = held.grants.iter().map(|held| held.grant.clone()).collect();
            let effective = permit
                .grant_policy(&in_force)
                .effective_grants(&held.user.realm, grants)
                .await?;
            roles.push(PastRole {
                now: now.map(|member| member.role),
                effective,
                held,
            });
        }
    }
    Ok(PastRoles {
        scope_name,
        roles: Listing {
            items: roles,
            next_cursor,
        },
    })
}

/// Largest number of days whose changes are counted at once.
pub const DAYS_MAX: i64 = 366;

/// Counts the roles in an organization that were granted or closed on each of the last `days` days, today included, by day.
/// Days without any are left out.
///
/// # Errors
///
/// When the caller may not, there is no such organization, the number of days is out of range, or the directory fails.
pub async fn changes_per_day(caller: &Caller, organization: &str, days: i64) -> Result<Vec<DayChanges>, OpError> {
    let (permit, organization) = caller.organization(Action::ReadMembers, organization).await?;
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(OpError::invalid("days", format!("ask for 1 to {DAYS_MAX} days")));
    }
    let first = permit.now_ms().div_euclid(DAY_MS) - (days - 1);
    let changes = permit
        .directory()
        .role_changes_per_day(organization.id, first.saturating_mul(DAY_MS));
    Ok(changes.await?)
}
