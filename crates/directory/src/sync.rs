//! Gather, decide, apply: the only ways to a [`Principal`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::desired::{Desired, SyncMode, SyncPolicy};
use crate::directory::Directory;
use crate::error::{Refusal, StoreError, SyncError};
use crate::grant::GrantSource;
use crate::id::{NewId, OrganizationId, UserId};
use crate::name::IssuerName;
use crate::organization::Organization;
use crate::plan::{SyncPlan, plan};
use crate::principal::Principal;
use crate::role::ScopedRole;
use crate::snapshot::{Detail, Standing, TagMatch};
use crate::tag::TagList;
use crate::user::UserStatus;

/// How often a plan that lost its snapshot is planned anew.
const ATTEMPTS: usize = 4;

/// A principal, and what was done to get it.
#[derive(Debug, Clone)]
pub struct Synced {
    /// Who the directory agrees this is.
    pub principal: Arc<Principal>,
    /// The plan that was carried out (or, observed, only made).
    pub plan: Arc<SyncPlan>,
}

/// Brings the directory in step with a token, and gives the principal as it stands then. A plan that lost its
/// snapshot is planned again, three times at the most.
pub async fn sync(
    directory: &dyn Directory,
    desired: &Desired,
    policy: &SyncPolicy,
    now_ms: i64,
    ids: &mut dyn NewId,
) -> Result<Synced, SyncError> {
    for _ in 0..ATTEMPTS {
        let snapshot = directory
            .snapshot(desired, Detail::Sync)
            .await
            .map_err(SyncError::Store)?;
        let plan = Arc::new(plan(desired, &snapshot, policy, now_ms, ids)?);
        // Where the user would only have been created, an observed token has nobody to speak for.
        let mut standing = plan.after().cloned().ok_or(Refusal::NotProvisioned)?;
        if plan.is_empty() && !plan.observed {
            directory.touch(&plan.touch);
        } else if !plan.observed {
            match directory.apply(Arc::clone(&plan)).await {
                Ok(stamp) => standing.stamp.user = stamp.user,
                Err(StoreError::Conflict) => continue,
                Err(error) => return Err(SyncError::Store(error)),
            }
        }
        let shown = Shown::of(desired, policy, &plan);
        let principal = principal(directory, standing, Some(shown), now_ms).await?;
        return Ok(Synced { principal, plan });
    }
    Err(SyncError::Contended)
}

/// What [`sync`] would do and whom it would give, with nothing written: explain. Also shows the tags that nearly match, and
/// plans as if the issuer's mode were `enforce`, so that an observed issuer can be looked at too.
pub async fn rehearse(
    directory: &dyn Directory,
    desired: &Desired,
    policy: &SyncPolicy,
    now_ms: i64,
    ids: &mut dyn NewId,
) -> Result<Synced, SyncError> {
    let snapshot = directory
        .snapshot(desired, Detail::Explain)
        .await
        .map_err(SyncError::Store)?;
    let enforced = SyncPolicy {
        mode: SyncMode::Enforce,
        ..policy.clone()
    };
    let mut plan = plan(desired, &snapshot, &enforced, now_ms, ids)?;
    plan.observed = policy.mode == SyncMode::Observe;
    let standing = plan.after().cloned().ok_or(Refusal::NotProvisioned)?;
    Ok(Synced {
        principal: principal(directory, standing, Some(Shown::of(desired, policy, &plan)), now_ms).await?,
        plan: Arc::new(plan),
    })
}

/// The principal of a user who is known by id: a session, an administrator's look at somebody. Which tags make platform
/// admins is an issuer's configuration, which is not known here: such a role counts until a token closes it.
pub async fn load(directory: &dyn Directory, user: UserId, now_ms: i64) -> Result<Arc<Principal>, SyncError> {
    let standing = directory.standing(user).await.map_err(SyncError::Store)?;
    let standing = standing.ok_or(Refusal::NotProvisioned)?;
    // SECURITY: a disabled user has no principal, by whichever door.
    if standing.user.status == UserStatus::Disabled {
        return Err(Refusal::Disabled.into());
    }
    principal(directory, standing, None, now_ms).await
}

/// What the token at hand shows of the tags that count now.
struct Shown<'s> {
    issuer: &'s IssuerName,
    /// Its issuer's tags that make platform admins.
    platform: &'s TagList,
    /// What its tags meet.
    matches: &'s [TagMatch],
}

impl<'s> Shown<'s> {
    fn of(desired: &'s Desired, policy: &'s SyncPolicy, plan: &'s SyncPlan) -> Self {
        Self {
            issuer: &desired.issuer,
            platform: &policy.platform_admin_tags,
            matches: &plan.tag_matches,
        }
    }
}

/// SECURITY: a tag gives what an organization lists it for now, whichever token brought it. Grants are closed by the next
/// token that speaks of them; until then others may come that do not: an older one, another issuer's, one without a list
/// of tags. So what the token at hand does not confirm is looked up. Which tags make platform admins is configuration, and
/// what the token's own issuer no longer lists gives nothing either.
async fn principal(
    directory: &dyn Directory,
    mut standing: Standing,
    shown: Option<Shown<'_>>,
    now_ms: i64,
) -> Result<Arc<Principal>, SyncError> {
    let mut looked_up: HashMap<OrganizationId, Option<Organization>> = HashMap::new();
    let mut listed = Vec::with_capacity(standing.grants.len());
    for mut grant in standing.grants {
        let GrantSource::Tag { issuer, tag } = &grant.source else {
            listed.push(grant);
            continue;
        };
        let ScopedRole::Organization(id, role) = grant.role else {
            let unlisted = |shown: &Shown<'_>| *shown.issuer == *issuer && !shown.platform.contains(tag);
            if !shown.as_ref().is_some_and(unlisted) {
                listed.push(grant);
            }
            continue;
        };
        let confirms = |found: &TagMatch| found.organization.id == id && found.tag == *tag && found.role >= role;
        if !shown.as_ref().is_some_and(|shown| shown.matches.iter().any(confirms)) {
            let organization = match looked_up.entry(id) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(directory.organization(id).await.map_err(SyncError::Store)?),
            };
            let Some(now) = organization.as_ref().and_then(|found| found.tags.role_of(tag)) else {
                continue;
            };
            grant.role = ScopedRole::Organization(id, role.min(now));
        }
        listed.push(grant);
    }
    standing.grants = listed;
    Ok(Arc::new(Principal::of(standing, now_ms)))
}
