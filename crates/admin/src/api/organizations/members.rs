//! `/organizations/{organization}/members`: the members of an organization, and manual grants.

use narthex_directory::{
    EffectiveMember, GrantId, Listing, Member, NewGrant, OrganizationId, Page, Scope, ScopedRole, UserId,
};

use super::{ApiError, MemberBody, Permit, input_rules};
use crate::api::response::List;
use crate::api::tag_granted::given_by_tags;
use narthex_clock::NewIds;

pub(super) mod delete;
pub(super) mod list;
pub(super) mod put;
pub(super) mod read;

/// An organization or a team, with the name that responses show.
pub(crate) struct GrantScope<'a> {
    /// The scope.
    pub(crate) scope: Scope,
    /// The organization itself, or the team's organization.
    pub(crate) home: Option<OrganizationId>,
    /// Its name.
    pub(crate) name: &'a str,
}

/// Returns the member with this id.
pub(crate) async fn member(permit: Permit<'_>, on: &GrantScope<'_>, user: &str) -> Result<MemberBody, ApiError> {
    let found = held(permit, on.scope, user_id(user)?).await?;
    found
        .map(|member| MemberBody::new(member, on.name))
        .ok_or(ApiError::Unknown { what: "member" })
}

async fn held(permit: Permit<'_>, scope: Scope, user: UserId) -> Result<Option<EffectiveMember>, ApiError> {
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

/// Returns a page of the members here. A user whose open grants give no role is left out, so the page may be shorter
/// than the limit.
pub(crate) async fn members(permit: Permit<'_>, on: &GrantScope<'_>, page: Page) -> Result<List<MemberBody>, ApiError> {
    let found = permit.directory().members(on.scope, permit.now_ms(), page).await?;
    let members = Listing {
        items: permit.grant_policy(&permit.in_force()).members(found.items).await?,
        next_cursor: found.next_cursor,
    };
    Ok(List::of(members, |member| MemberBody::new(member, on.name)))
}

fn user_id(text: &str) -> Result<UserId, ApiError> {
    ApiError::id(text, "user", "users")
}

impl GrantScope<'_> {
    /// Grants a role here by hand.
    pub(crate) async fn grant(
        &self,
        permit: Permit<'_>,
        user: &str,
        role: ScopedRole,
        why: Option<String>,
    ) -> Result<MemberBody, ApiError> {
        let id = user_id(user)?;
        let new = NewGrant {
            id: GrantId::new(permit.now_ms(), &mut NewIds::new()?),
            user: id,
            role,
            why: input_rules::why(why)?,
        };
        // SECURITY: the response shows a profile, and ids are no secret: they travel in `X-Narthex-User`. A user that
        // the organization has not met does not exist for its own admins.
        if !permit.sees(self.home, id).await? {
            return Err(ApiError::Unknown { what: "user" });
        }
        permit.directory().grant_role(new, permit.by()).await?;
        member(permit, self, user).await
    }

    /// Revokes the roles here that were granted by hand and by claims.
    pub(crate) async fn revoke(&self, permit: Permit<'_>, user: &str, why: Option<String>) -> Result<(), ApiError> {
        let user = user_id(user)?;
        let closed = permit
            .directory()
            .revoke_role(user, self.scope, input_rules::why(why)?, permit.by())
            .await?;
        if !closed.is_empty() {
            return Ok(());
        }
        let member = held(permit, self.scope, user).await?;
        let by_tags = member.and_then(|member| given_by_tags(self.scope, &member.grants));
        Err(by_tags.map_or(ApiError::Unknown { what: "role here" }, ApiError::Given))
    }
}
