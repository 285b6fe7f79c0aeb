//! Lookup of the records that a command is about, inside its transaction.

use narthex_directory::{Organization, OrganizationId, Scope, User, UserId};

use super::error::Outcome;
use super::list::{self, Key};
use super::writer::Tx;
use narthex_tables::consequences::missing;

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
