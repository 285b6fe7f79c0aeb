//! `/organizations/{organization}/members`: who belongs to an organization, and roles given by hand.

use narthex_directory::{
    GrantId, Listing, Member, NewGrant, OrganizationId, Page, Scope, ScopedRole, UserId, WeighedMember,
};

use super::{ApiError, MemberBody, Permit, tidy};
use crate::api::answer::List;
use crate::api::by_tags::given_by_tags;
use narthex_clock::NewIds;

pub(super) mod delete;
pub(super) mod list;
pub(super) mod put;
pub(super) mod read;

/// An organization or a team, by the name that it is shown under.
pub(crate) struct GrantScope<'a> {
    /// Which.
    pub(crate) scope: Scope,
    /// The organization that it is or lies in.
    pub(crate) home: Option<OrganizationId>,
    /// Its name.
    pub(crate) name: &'a str,
}

/// The member with this id.
pub(crate) async fn member(permit: Permit<'_>, on: &GrantScope<'_>, user: &str) -> Result<MemberBody, ApiError> {
    let found = held(permit, on.scope, user_id(user)?).await?;
    found
        .map(|member| MemberBody::new(member, on.name))
        .ok_or(ApiError::Unknown { what: "member" })
}

async fn held(permit: Permit<'_>, scope: Scope, user: UserId) -> Result<Option<WeighedMember>, ApiError> {
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
    Ok(permit.scales(&permit.in_force()).members(vec![member]).await?.pop())
}

/// A page of those who belong here. Whoever is given no role by what is open is left out, so it may be shorter than asked for.
pub(crate) async fn members(permit: Permit<'_>, on: &GrantScope<'_>, page: Page) -> Result<List<MemberBody>, ApiError> {
    let found = permit.directory().members(on.scope, permit.now_ms(), page).await?;
    let members = Listing {
        items: permit.scales(&permit.in_force()).members(found.items).await?,
        next_cursor: found.next_cursor,
    };
    Ok(List::of(members, |member| MemberBody::new(member, on.name)))
}

fn user_id(text: &str) -> Result<UserId, ApiError> {
    ApiError::id(text, "user", "users")
}

impl GrantScope<'_> {
    /// Gives a role here by hand.
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
            why: tidy::why(why)?,
        };
        // SECURITY: the answer shows a profile, and ids are no secret: they travel in `X-Narthex-User`. A user whom the
        // organization has not met is none to its own admins.
        if !permit.sees(self.home, id).await? {
            return Err(ApiError::Unknown { what: "user" });
        }
        permit.directory().grant_role(new, permit.by()).await?;
        member(permit, self, user).await
    }

    /// Takes the roles away here that were given by hand and by claims.
    pub(crate) async fn revoke(&self, permit: Permit<'_>, user: &str, why: Option<String>) -> Result<(), ApiError> {
        let user = user_id(user)?;
        let closed = permit
            .directory()
            .revoke_role(user, self.scope, tidy::why(why)?, permit.by())
            .await?;
        if !closed.is_empty() {
            return Ok(());
        }
        let member = held(permit, self.scope, user).await?;
        let by_tags = member.and_then(|member| given_by_tags(self.scope, &member.grants));
        Err(by_tags.map_or(ApiError::Unknown { what: "role here" }, ApiError::Given))
    }
}
