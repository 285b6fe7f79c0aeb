//! Changes made one after the other in a transaction, for commands: each says which rule it breaks.

use narthex_directory::{
    AuditEvent, By, Change, Grant, Organization, OrganizationId, Scope, StoreError, Stripe, Team, User, UserId,
};

use super::deletion;
use super::error::{Fault, Outcome};
use super::list::{self, Key};
use super::rows::Values;
use super::session::{Then, Tx};
use super::value::{Typed, borrowed};
use super::write;
use narthex_tables::columns::scope_columns;
use narthex_tables::consequences::{EventRow, Written, missing};
use narthex_tables::rows::Columns;

/// Number of grants that one statement closes.
const CLOSED_AT_ONCE: usize = 500;

impl Tx {
    /// Makes changes, writes their events, and moves the numbers.
    pub(super) async fn write(&mut self, changes: &[Change], by: &By) -> Outcome<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let written = Written::of(changes, by);
        let closes = |change: &Change| matches!(change, Change::CloseGrant(_));
        for run in changes.chunk_by(|one, next| closes(one) && closes(next)) {
            self.make_run(run).await?;
        }
        let events: Vec<&EventRow> = written.events.iter().collect();
        self.run(write::events(&events)).await?;
        let edited = |user: &UserId| changes.iter().any(|change| change.writes(*user));
        let others: Vec<UserId> = written
            .moves
            .users
            .iter()
            .copied()
            .filter(|user| !edited(user))
            .collect();
        if !others.is_empty() {
            self.run(write::move_versions(&others)).await?;
        }
        let mut counters: Vec<i64> = written.moves.users.iter().map(|user| counter_of(*user)).collect();
        counters.extend(written.moves.policy.then_some(0));
        self.move_counters(&counters).await
    }

    /// Writes an audit event.
    pub(super) async fn record(&mut self, event: AuditEvent) -> Outcome<()> {
        self.run(write::events(&[&EventRow::of(event)])).await
    }

    /// Moves counters; one that is named several times moves as often.
    pub(super) async fn move_counters(&mut self, counters: &[i64]) -> Outcome<()> {
        let (ids, times) = tally(counters);
        if ids.is_empty() {
            return Ok(());
        }
        let rows = self.rows(write::MOVE, &[&ids, &times]).await?;
        let moved = rows.iter().map(counter).collect::<Outcome<Vec<_>>>()?;
        self.moved(moved);
        Ok(())
    }

    /// Makes one change, or any number of grants closed one after the other: an organization may have very many.
    async fn make_run(&mut self, run: &[Change]) -> Outcome<()> {
        let mut grants: Vec<&Grant> = Vec::new();
        for change in run {
            if let Change::CloseGrant(grant) = change {
                grants.push(grant);
            }
        }
        for some in grants.chunks(CLOSED_AT_ONCE) {
            self.run(write::close_grants(some)).await?;
        }
        if !grants.is_empty() {
            return Ok(());
        }
        for change in run {
            self.make(change).await?;
        }
        Ok(())
    }

    async fn make(&mut self, change: &Change) -> Outcome<()> {
        self.batch("SAVEPOINT change").await?;
        match self.try_make(change).await {
            Err(Fault::Constraint) => {
                self.batch("ROLLBACK TO change").await?;
                Err(self.broken(change).await?.into())
            }
            made => made,
        }
    }

    async fn try_make(&mut self, change: &Change) -> Outcome<()> {
        match change {
            Change::CreateUser(user) => {
                let users = [(&**user, None)];
                let values = write::new_users(&users);
                let made = self.rows(write::CREATE_USERS, &borrowed(&values)).await?;
                if made.is_empty() {
                    Err(Fault::Constraint)
                } else {
                    Ok(())
                }
            }
            Change::UpdateUser { before, after, .. } | Change::EraseUser { before, after, .. } => {
                self.run(write::update_user(before, after)).await
            }
            Change::CreateOrganization(organization) => {
                self.run(write::create_organization(organization)).await?;
                self.run(write::index_tags(organization)).await
            }
            Change::UpdateOrganization { before, after, .. } => {
                self.run(write::update_organization(before, after)).await?;
                if after.name != before.name {
                    self.run(write::keep_former_name(&before.name)).await?;
                }
                if after.tags != before.tags {
                    self.run(write::forget_tags(after.id)).await?;
                    self.run(write::index_tags(after)).await?;
                }
                Ok(())
            }
            Change::DeleteOrganization { before, at_ms, .. } => {
                self.run_all(&deletion::delete_organization(before, *at_ms), Then::GoOn)
                    .await
            }
            Change::DeleteTeam { before, at_ms } => self.run(deletion::delete_team(before, *at_ms)).await,
            Change::CreateTeam(team) => self.run(write::create_team(team)).await,
            Change::UpdateTeam { before, after } => self.run(write::update_team(before, after)).await,
            Change::OpenGrant(grant) => self.run(write::open_grants(&[&**grant])).await,
            Change::CloseGrant(grant) => self.run(write::close_grants(&[&**grant])).await,
        }
    }

    /// Finds the constraint that a change broke. It looks afterwards, in one order, so that every store gives the same
    /// answer.
    async fn broken(&self, change: &Change) -> Outcome<StoreError> {
        let exists = |what, field, owner| Ok(StoreError::AlreadyExists { what, field, owner });
        match change {
            Change::CreateUser(user)
            | Change::UpdateUser { after: user, .. }
            | Change::EraseUser { after: user, .. } => {
                let (realm, id) = (user.realm.as_str(), user.id.to_string());
                let sql = "SELECT id FROM users WHERE realm = $1 AND external_id = $2 AND id <> $3";
                let owner = self.owner(sql, [realm, user.external_id.as_str(), &id]).await?;
                if owner.is_some() {
                    return exists("user", "external_id", owner);
                }
                let sql = "SELECT id FROM users WHERE realm = $1 AND username = $2 AND id <> $3";
                let owner = self.owner(sql, [realm, user.username.as_str(), &id]).await?;
                exists("user", "username", owner)
            }
            Change::CreateOrganization(after) | Change::UpdateOrganization { after, .. } => {
                let id = after.id.to_string();
                let sql = "SELECT id FROM organizations WHERE name = $1 AND id <> $2";
                let owner = self.owner(sql, [after.name.as_str(), &id]).await?;
                if owner.is_some() {
                    return exists("organization", "name", owner);
                }
                let external_id = after.external_id.as_ref().map_or("", |id| id.as_str());
                let sql = "SELECT id FROM organizations WHERE realm = $1 AND external_id = $2 AND id <> $3";
                let owner = self.owner(sql, [after.realm.as_str(), external_id, &id]).await?;
                exists("organization", "external_id", owner)
            }
            Change::CreateTeam(team) | Change::UpdateTeam { after: team, .. } => {
                let external_id = team.external_id.as_ref().map_or("", |id| id.as_str());
                let sql = "SELECT id FROM teams WHERE realm = $1 AND external_id = $2 AND id <> $3";
                let values = [team.realm.as_str(), external_id, &team.id.to_string()];
                match self.owner(sql, values).await? {
                    None => Ok(missing("organization")),
                    owner => exists("team", "external_id", owner),
                }
            }
            Change::OpenGrant(grant) => {
                if !self.has_scope(grant.scope()).await? {
                    Ok(missing(grant.scope().kind()))
                } else if self
                    .is_there("SELECT 1 FROM users WHERE id = $1", [&*grant.user.to_string()])
                    .await?
                {
                    exists("grant", "scope", None)
                } else {
                    Ok(missing("user"))
                }
            }
            Change::DeleteOrganization { .. } | Change::DeleteTeam { .. } | Change::CloseGrant(_) => {
                Ok(StoreError::Conflict)
            }
        }
    }

    /// Returns the id of the record that holds the unique value.
    async fn owner<const N: usize>(&self, sql: &str, values: [&str; N]) -> Outcome<Option<String>> {
        let values = values.each_ref().map(|value| value as &dyn Typed);
        let row = self.row(sql, &values).await?;
        row.map(|row| Ok(Columns::of(&Values(&row), "record").text()?.to_owned()))
            .transpose()
    }

    async fn is_there<const N: usize>(&self, sql: &str, values: [&str; N]) -> Outcome<bool> {
        let values = values.each_ref().map(|value| value as &dyn Typed);
        Ok(self.row(sql, &values).await?.is_some())
    }

    async fn has_scope(&self, scope: Scope) -> Outcome<bool> {
        let (organization, team) = scope_columns(scope);
        match (organization, team) {
            (Some(id), _) => self.is_there("SELECT 1 FROM organizations WHERE id = $1", [&*id]).await,
            (None, Some(id)) => self.is_there("SELECT 1 FROM teams WHERE id = $1", [&*id]).await,
            (None, None) => Ok(true),
        }
    }

    pub(super) async fn user_in(&self, id: UserId) -> Outcome<User> {
        let found = list::user(self, id).await?;
        Ok(found.ok_or(missing("user"))?.user)
    }

    pub(super) async fn organization_in(&self, id: OrganizationId) -> Outcome<Organization> {
        let found = list::organization(self, Key::Id, &id.to_string()).await?;
        Ok(found.ok_or(missing("organization"))?)
    }

    pub(super) async fn team_in(&self, id: narthex_directory::TeamId) -> Outcome<Team> {
        Ok(list::team(self, id).await?.ok_or(missing("team"))?)
    }

    /// The organization that a scope is, or lies in.
    pub(super) async fn home(&self, scope: Scope) -> Outcome<Option<Organization>> {
        let organization = match scope {
            Scope::Platform => None,
            Scope::Organization(id) => Some(id),
            Scope::Team(id) => self.team_in(id).await?.organization,
        };
        match organization {
            Some(id) => self.organization_in(id).await.map(Some),
            None => Ok(None),
        }
    }

    /// The open manual grant of a user on a scope.
    pub(super) async fn manual_grant(&self, user: UserId, scope: Scope) -> Outcome<Option<Grant>> {
        list::manual_grant(self, user, scope).await
    }
}

/// Counter of a user's stripe.
pub(super) fn counter_of(user: UserId) -> i64 {
    i64::from(Stripe::of(user).number()) + 1
}

/// Counters, each once, and how often each was named.
pub(super) fn tally(counters: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let mut times = std::collections::BTreeMap::new();
    for id in counters {
        *times.entry(*id).or_insert(0) += 1;
    }
    times.into_iter().unzip()
}

/// A counter and its number.
pub(super) fn counter(row: &tokio_postgres::Row) -> Outcome<(i64, u64)> {
    let row = Values(row);
    let mut columns = Columns::of(&row, "counter");
    Ok((columns.integer()?, columns.number()?))
}
