//! Gather, decide, apply: the only ways to a [`Principal`].

use std::sync::Arc;

use narthex_names::{NewId, UserId};

use crate::active_issuers::ActiveIssuers;
use crate::desired::{Desired, SyncMode, SyncPolicy};
use crate::directory::TokenSync;
use crate::effective_grants::{GrantPolicy, Shown};
use crate::error::{Refusal, StoreError, SyncError};
use crate::order::Mark;
use crate::plan::{SyncPlan, plan};
use crate::principal::Principal;
use crate::single_organization::narrow;
use crate::snapshot::{Detail, Snapshot, Standing};
use crate::user::UserStatus;

/// Limit of plans in one sync: the first, and three more where each lost its snapshot (product section 5).
const ATTEMPTS: usize = 4;

/// Reason for refusing a token that cannot be remembered.
const FULL: &str = "the newest tokens of too many users wait to be written";

/// A principal, and what was done to get it.
#[derive(Debug, Clone)]
pub struct Synced {
    /// The principal: who the directory agrees this is.
    pub principal: Arc<Principal>,
    /// The plan that was carried out (or, observed, only made).
    pub plan: Arc<SyncPlan>,
}

/// Brings the directory in step with a token, and gives the principal as it stands then. A plan that lost its
/// snapshot is planned again, three times at the most. `policy` is the token's issuer's; `issuers` are all that are active,
/// for what tokens of the others gave.
pub async fn sync(
    directory: &dyn TokenSync,
    desired: &Desired,
    policy: &SyncPolicy,
    issuers: &ActiveIssuers,
    now_ms: i64,
    ids: &mut dyn NewId,
) -> Result<Synced, SyncError> {
    for _ in 0..ATTEMPTS {
        let snapshot = gather(directory, desired, policy, Detail::Sync).await?;
        let plan = Arc::new(plan(desired, &snapshot, policy, now_ms, ids)?);
        // Where the user would only have been created, there is no user that an observed token could speak for.
        let mut standing = plan.after().cloned().ok_or(Refusal::NotProvisioned)?;
        if plan.is_empty() && !plan.observed {
            // What is known of the order already needs no room.
            let is_known = Mark::join_maybe(snapshot.last, plan.touch.mark) == snapshot.last;
            if !directory.touch(&plan.touch) && !is_known {
                return Err(SyncError::Store(StoreError::Unavailable(FULL.to_owned())));
            }
        } else if !plan.observed {
            match directory.apply(Arc::clone(&plan)).await {
                Ok(stamp) => standing.stamp.user = stamp.user,
                Err(StoreError::Conflict) => continue,
                Err(error) => return Err(SyncError::Store(error)),
            }
        }
        let grant_policy =
            GrantPolicy::new(directory, issuers, now_ms).showing(Some(Shown::of(desired, policy, &plan)));
        let principal = principal(grant_policy, standing, now_ms).await?;
        return Ok(Synced { principal, plan });
    }
    Err(SyncError::Contended)
}

/// Returns what [`sync`] would do and whom it would give, with nothing written: explain. Also shows the tags that
/// nearly match, and plans as if the issuer's mode were `enforce`, so that an observed issuer can be looked at too.
pub async fn rehearse(
    directory: &dyn TokenSync,
    desired: &Desired,
    policy: &SyncPolicy,
    issuers: &ActiveIssuers,
    now_ms: i64,
    ids: &mut dyn NewId,
) -> Result<Synced, SyncError> {
    let snapshot = gather(directory, desired, policy, Detail::Explain).await?;
    let enforced = SyncPolicy {
        mode: SyncMode::Enforce,
        ..policy.clone()
    };
    let mut plan = plan(desired, &snapshot, &enforced, now_ms, ids)?;
    plan.observed = policy.mode == SyncMode::Observe;
    let standing = plan.after().cloned().ok_or(Refusal::NotProvisioned)?;
    let grant_policy = GrantPolicy::new(directory, issuers, now_ms).showing(Some(Shown::of(desired, policy, &plan)));
    Ok(Synced {
        principal: principal(grant_policy, standing, now_ms).await?,
        plan: Arc::new(plan),
    })
}

/// Reads what planning needs. The organization of an issuer of one is read last: if it has changed, the policy number has moved.
async fn gather(
    directory: &dyn TokenSync,
    desired: &Desired,
    policy: &SyncPolicy,
    detail: Detail,
) -> Result<Snapshot, SyncError> {
    let mut snapshot = directory.snapshot(desired, detail).await.map_err(SyncError::Store)?;
    if let Some(name) = &policy.organization {
        let only = directory.organization_named(name.clone()).await;
        narrow(&mut snapshot, desired, only.map_err(SyncError::Store)?);
    }
    Ok(snapshot)
}

/// Returns the principal of a user who is known by id: for a session, or for an administrator who looks at the user.
/// `issuers` are the active ones.
pub async fn load(
    directory: &dyn TokenSync,
    user: UserId,
    issuers: &ActiveIssuers,
    now_ms: i64,
) -> Result<Arc<Principal>, SyncError> {
    let standing = directory.standing(user).await.map_err(SyncError::Store)?;
    let standing = standing.ok_or(Refusal::NotProvisioned)?;
    // SECURITY: a disabled user has no principal, by whichever door.
    if standing.user.status == UserStatus::Disabled {
        return Err(Refusal::Disabled { user }.into());
    }
    principal(GrantPolicy::new(directory, issuers, now_ms), standing, now_ms).await
}

/// A principal has what its grants give now, and no grant that gives nothing.
async fn principal(
    mut grant_policy: GrantPolicy<'_>,
    mut standing: Standing,
    now_ms: i64,
) -> Result<Arc<Principal>, SyncError> {
    grant_policy.know_teams(&standing.teams);
    let mut counted = Vec::with_capacity(standing.grants.len());
    for mut grant in standing.grants {
        let gives = grant_policy.effective_role(&standing.user.realm, &grant).await;
        if let Ok(role) = gives.map_err(SyncError::Store)? {
            grant.role = role;
            counted.push(grant);
        }
    }
    standing.grants = counted;
    Ok(Arc::new(Principal::of(standing, now_ms)))
}
