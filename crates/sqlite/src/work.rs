//! Pieces of work: reading the records that a command is about, inside its transaction.

use narthex_directory::{
    Organization, OrganizationId, Scope, Stamp, StoreError, Stripe, SyncPlan, UsageBuffer, User, UserId,
};

use super::change;
use super::error::Outcome;
use super::list::{self, Key};
use super::writer::Tx;
use narthex_tables::record::{Written, missing};

pub(super) fn user_in(tx: &Tx<'_>, id: UserId) -> Outcome<User> {
    Ok(list::user(tx, &id.to_string())?.ok_or(missing("user"))?.user)
}

pub(super) fn organization_in(tx: &Tx<'_>, id: OrganizationId) -> Outcome<Organization> {
    Ok(list::organization(tx, Key::Id, &id.to_string())?.ok_or(missing("organization"))?)
}

/// The organization that a scope is, or lies in.
pub(super) fn home(tx: &Tx<'_>, scope: Scope) -> Outcome<Option<Organization>> {
    let organization = match scope {
        Scope::Platform => None,
        Scope::Organization(id) => Some(id),
        Scope::Team(id) => list::team(tx, &id.to_string())?.ok_or(missing("team"))?.organization,
    };
    organization.map(|id| organization_in(tx, id)).transpose()
}

/// Makes the changes of a plan, if what it expects still holds.
pub(super) fn apply(tx: &mut Tx<'_>, plan: &SyncPlan, written: &Written, usage: &UsageBuffer) -> Outcome<Stamp> {
    let touch = &plan.touch;
    let policy = change::counter(tx, 0)?;
    // A plan that creates its user finds out by the unique index whether that is still right.
    let known = plan.expects.user_version.is_none() || change::version_of(tx, touch.user)? == plan.expects.user_version;
    let holds = known
        && plan.expects.policy.is_none_or(|expected| expected == policy)
        // A newer token of this user may have been used since the snapshot, one that changed nothing too.
        && !usage.has_newer(touch);
    if !holds {
        return Err(StoreError::Conflict.into());
    }
    change::write(tx, &plan.changes, written).map_err(|fault| match StoreError::from(fault) {
        StoreError::AlreadyExists { .. } | StoreError::NotFound { .. } => StoreError::Conflict,
        error => error,
    })?;
    if plan.expects.user_version.is_some() {
        change::see(tx, touch)?;
    }
    change::note_plan(tx, touch)?;
    let stripe = Stripe::of(touch.user);
    Ok(Stamp {
        policy,
        stripe,
        user: change::counter(tx, i64::from(stripe.number()) + 1)?,
    })
}
