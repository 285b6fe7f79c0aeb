//! `/organizations/{organization}/members`: who belongs to an organization, and roles given by hand.

use narthex_directory::{GrantId, Member, NewGrant, Scope, ScopedRole, UserId};

use super::{ApiError, MemberBody, Permit, tidy};
use crate::clock::NewIds;

pub(super) mod delete;
pub(super) mod list;
pub(super) mod put;
pub(super) mod read;

/// An organization or a team, by the name that it is shown under.
pub(crate) struct GrantScope<'a> {
    /// Which.
    pub(crate) scope: Scope,
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

async fn held(permit: Permit<'_>, scope: Scope, user: UserId) -> Result<Option<Member>, ApiError> {
    let Some(standing) = permit.directory().standing(user).await? else {
        return Ok(None);
    };
    let now_ms = permit.now_ms();
    let mut grants = standing.grants;
    grants.retain(|grant| grant.scope() == scope && grant.held_at(now_ms));
    let role = grants.iter().map(|grant| grant.role).max();
    Ok(role.map(|role| Member {
        user: standing.user,
        role,
        grants,
    }))
}

fn user_id(text: &str) -> Result<UserId, ApiError> {
    text.parse().map_err(|_| ApiError::Unknown { what: "user" })
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
        let id = GrantId::new(permit.now_ms(), &mut NewIds::new()?);
        let new = NewGrant {
            id,
            user: user_id(user)?,
            role,
            why: tidy::why(why)?,
        };
        permit.directory().grant_role(new, permit.by()).await?;
        member(permit, self, user).await
    }

    /// Takes the role away here that was given by hand.
    pub(crate) async fn revoke(&self, permit: Permit<'_>, user: &str, why: Option<String>) -> Result<(), ApiError> {
        let closed = permit
            .directory()
            .revoke_role(user_id(user)?, self.scope, tidy::why(why)?, permit.by())
            .await?;
        closed.map(|_| ()).ok_or_else(no_manual_role)
    }
}

/// There is nothing that a person gave and could take away.
fn no_manual_role() -> ApiError {
    ApiError::Unknown {
        what: "role that was given by hand; what tokens give goes away with their tags",
    }
}
