//! `narthex audit roles`: the holders of roles at a time.

use narthex_admin::api::{HeldRoleBody, List};
use narthex_admin::ops::as_of::PastRole;
use narthex_audit::{HeldRole, ROLES_CSV_HEADER, held_roles, origin, roles_csv};
use narthex_directory::{Listing, Scope, ScopedRole};

use super::grant::moment_of;
use super::table::Table;
use super::{AdminContext, Answer, gather};
use crate::args::ListPage;
use crate::commands::terminal::moment;
use crate::commands::{print, tell};

/// Options of the command.
pub(super) struct PastRolesAsked {
    /// The time, as it was written.
    pub(super) as_of: Option<String>,
    /// Name or id of the organization.
    pub(super) organization: Option<String>,
    /// Id of the team.
    pub(super) team: Option<String>,
    /// True for a table for spreadsheets.
    pub(super) csv: bool,
}

/// Prints them.
pub(super) async fn list(context: &AdminContext, asked: &PastRolesAsked, page: ListPage) -> anyhow::Result<Answer> {
    let at_ms = match &asked.as_of {
        Some(text) => moment_of("--as-of", text)?,
        None => context.now_ms(),
    };
    let (scope, name) = scope(context, asked).await?;
    let found = gather(page, |page| held_roles(&*context.directory, scope, at_ms, page)).await?;
    if asked.csv {
        return csv(&found);
    }
    let mut table = Table::new(
        ["USERNAME", "ROLE THEN", "ROLE NOW", "FROM", "SINCE", "UNTIL"],
        "No roles.",
    );
    let mut list = List {
        items: Vec::new(),
        next_cursor: found.next_cursor.map(|cursor| cursor.to_string()),
    };
    for held in found.items {
        let past = past(context, scope, held).await?;
        for row in rows(&past) {
            table.row(row);
        }
        list.items.push(HeldRoleBody::new(past, name.as_deref()));
    }
    context.list(&list, |_| table)
}

/// The scope that was asked for, and its name.
async fn scope(context: &AdminContext, asked: &PastRolesAsked) -> anyhow::Result<(Scope, Option<String>)> {
    if let Some(text) = &asked.organization {
        let organization = context.organization(text).await?;
        return Ok((
            Scope::Organization(organization.id),
            Some(organization.name.to_string()),
        ));
    }
    if let Some(text) = &asked.team {
        let team = context.team(text).await?;
        return Ok((Scope::Team(team.id), Some(team.name)));
    }
    Ok((Scope::Platform, None))
}

/// Adds what the grants give now, as a server with this configuration decides.
async fn past(context: &AdminContext, scope: Scope, held: HeldRole) -> anyhow::Result<PastRole> {
    let mut policy = context.grant_policy();
    let grants = held.grants.iter().map(|held| held.grant.clone()).collect();
    let effective = policy.effective_grants(&held.user.realm, grants).await?;
    let now: Option<ScopedRole> = match context.directory.standing(held.user.id).await? {
        Some(standing) => {
            let here = standing.grants.into_iter().filter(|grant| grant.scope() == scope);
            let open = policy.effective_grants(&held.user.realm, here.collect()).await?;
            open.iter().filter_map(|effective| effective.gives.ok()).max()
        }
        None => None,
    };
    Ok(PastRole { held, effective, now })
}

/// One row for each grant.
fn rows(past: &PastRole) -> Vec<[String; 6]> {
    let role = |role: ScopedRole| role.role_str().to_owned();
    let row = |held: &narthex_audit::HeldGrant| {
        [
            past.held.user.username.to_string(),
            role(past.held.role),
            past.now.map_or("none".to_owned(), role),
            origin(held),
            moment(held.grant.granted_at_ms),
            held.grant.revoked_at_ms.map(moment).unwrap_or_default(),
        ]
    };
    past.held.grants.iter().map(row).collect()
}

fn csv(found: &Listing<HeldRole>) -> anyhow::Result<Answer> {
    print(ROLES_CSV_HEADER)?;
    for held in &found.items {
        print(&roles_csv(held))?;
    }
    if let Some(cursor) = &found.next_cursor {
        tell(&format!("There is more: add `--cursor {cursor}`."));
    }
    Ok(Answer::Yes)
}
