//! `People` on `SQLite`: the commands of administrators.

use std::sync::Arc;

use async_trait::async_trait;
use narthex_directory::{
    Answer, By, Carrier, CarrierFilter, Change, Deletion, Edit, EditedUser, Erasure, Grant, GrantFilter, Listing, Logo,
    Member, NewGrant, NewOrganization, NewTeam, NewUser, Organization, OrganizationContent, OrganizationEdit,
    OrganizationFilter, OrganizationId, Origin, Page, People, Realm, RemovedIdentity, Scope, SeenTag, SessionEnd,
    SessionSelection, Team, TeamEdit, TeamFilter, TeamId, User, UserEdit, UserEntry, UserFilter, UserId, rules,
};

use super::SqliteDirectory;
use super::lookup::{home, organization_in, user_in};
use super::writer::Tx;
use super::{change, deletion, erasure, list, organizations, sessions};
use narthex_tables::consequences::{after, missing, updated_organization, updated_team, updated_user};

#[async_trait]
impl People for SqliteDirectory {
    async fn user(&self, user: UserId) -> Answer<Option<UserEntry>> {
        self.readers
            .read(move |connection| list::user(connection, &user.to_string()))
            .await
    }

    async fn users(&self, filter: UserFilter, page: Page) -> Answer<Listing<UserEntry>> {
        self.readers
            .read(move |connection| list::users(connection, &filter, &page))
            .await
    }

    async fn create_user(&self, new: NewUser, by: By) -> Answer<User> {
        let user = rules::new_user(new, by.at_ms)?;
        self.edit(by, |_| Ok((user.clone(), vec![Change::CreateUser(Box::new(user))])))
            .await
    }

    async fn update_user(&self, user: UserId, version: Option<u64>, edit: UserEdit, by: By) -> Answer<User> {
        let own = by.clone();
        let work = move |tx: &mut Tx<'_>| {
            let before = user_in(tx, user)?;
            let changes = Vec::from_iter(rules::edit_user(&before, version, edit, own.at_ms)?);
            if changes.iter().any(rules::disables) {
                sessions::end_in(tx, &SessionSelection::User(user), SessionEnd::Administrator, &own)?;
            }
            Ok((after(&before, &changes, updated_user), changes))
        };
        self.edit(by, work).await
    }

    async fn update_users(&self, edits: Vec<EditedUser>, by: By) -> Answer<usize> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let mut changes = Vec::new();
            for EditedUser { user, version, edit } in edits {
                let before = user_in(tx, user)?;
                changes.extend(rules::edit_user(&before, Some(version), edit, at_ms)?);
            }
            Ok((changes.len(), changes))
        };
        self.edit(by, work).await
    }

    async fn erase_user(&self, user: UserId, version: Option<u64>, erasure: Erasure, by: By) -> Answer<User> {
        let (own, usage) = (by.clone(), Arc::clone(&self.usage));
        let work = move |tx: &mut Tx<'_>| {
            let newest = usage.newest_issued_at_ms(user);
            let changes = erasure::erase(tx, (user, version), &erasure, newest, &own)?;
            let before = user_in(tx, user)?;
            Ok((after(&before, &changes, updated_user), changes))
        };
        // SECURITY: a use that was noted before, and is written after, would bring the user's tags back.
        let _no_flush = self.flushing.lock().await;
        let erased = self.edit(by, work).await?;
        self.usage.forget_uses(user);
        Ok(erased)
    }

    async fn lift_erasure(&self, identity: RemovedIdentity, by: By) -> Answer<bool> {
        self.writer.write(move |tx| erasure::lift(tx, &identity, &by)).await
    }

    async fn revoke_tokens(&self, user: UserId, by: By) -> Answer<User> {
        let (own, usage) = (by.clone(), Arc::clone(&self.usage));
        let work = move |tx: &mut Tx<'_>| {
            let before = user_in(tx, user)?;
            // SECURITY: a session that stayed could refresh its token, and the new one would be issued after the revocation.
            sessions::end_in(tx, &SessionSelection::User(user), SessionEnd::Administrator, &own)?;
            let newest = change::newest_issued_at_ms(tx, user)?.max(usage.newest_issued_at_ms(user));
            let changes = Vec::from_iter(rules::revoke_tokens(&before, newest, own.at_ms));
            Ok((after(&before, &changes, updated_user), changes))
        };
        self.edit(by, work).await
    }

    async fn grants(&self, filter: GrantFilter, page: Page) -> Answer<Listing<Grant>> {
        self.readers
            .read(move |connection| list::grants(connection, &filter, &page))
            .await
    }

    async fn grant_role(&self, new: NewGrant, by: By) -> Answer<Grant> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let scope = new.role.scope();
            let home = home(tx, scope)?;
            let open = list::manual_grant(tx, &new.user.to_string(), scope)?;
            Ok(rules::give(new, open, home.as_ref(), at_ms)?)
        };
        self.edit(by, work).await
    }

    async fn revoke_role(&self, user: UserId, scope: Scope, why: Option<String>, by: By) -> Answer<Vec<Grant>> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let open = list::revocable_grants(tx, &user.to_string(), scope)?;
            Ok(rules::close_all(open, at_ms, why.as_deref()))
        };
        self.edit(by, work).await
    }

    async fn close_lapsed(&self, limit: usize, by: By) -> Answer<usize> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let lapsed = list::lapsed(tx, at_ms, limit)?;
            let changes: Vec<Change> = lapsed.into_iter().map(rules::close_lapsed).collect();
            Ok((changes.len(), changes))
        };
        self.edit(by, work).await
    }

    async fn organizations(&self, filter: OrganizationFilter, page: Page) -> Answer<Listing<Organization>> {
        self.readers
            .read(move |connection| list::organizations(connection, &filter, &page))
            .await
    }

    async fn create_organization(&self, new: NewOrganization, by: By) -> Answer<Organization> {
        let organization = rules::new_organization(new, Origin::Api, by.at_ms)?;
        let change = Change::CreateOrganization(Box::new(organization.clone()));
        self.edit(by, |_| Ok((organization, vec![change]))).await
    }

    async fn update_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        edit: OrganizationEdit,
        by: By,
    ) -> Answer<Organization> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let before = organization_in(tx, organization)?;
            let manual = list::manual_grants(tx, &organization.to_string())?;
            let changes = rules::edit_organization(&before, version, edit, manual, at_ms)?;
            Ok((after(&before, &changes, updated_organization), changes))
        };
        self.edit(by, work).await
    }

    async fn declare_organizations(&self, declared: Vec<NewOrganization>, by: By) -> Answer<usize> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let changes = organizations::declare(tx, declared, at_ms)?;
            Ok((changes.len(), changes))
        };
        self.edit(by, work).await
    }

    async fn organization_content(&self, organization: OrganizationId) -> Answer<OrganizationContent> {
        self.readers
            .read(move |connection| deletion::content(connection, organization))
            .await
    }

    async fn delete_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        terms: Deletion,
        by: By,
    ) -> Answer<()> {
        let own = by.clone();
        let work = move |tx: &mut Tx<'_>| Ok(((), deletion::delete(tx, (organization, version), &terms, &own)?));
        self.edit(by, work).await
    }

    async fn logo(&self, organization: OrganizationId) -> Answer<Option<Logo>> {
        self.readers
            .read(move |connection| organizations::logo(connection, organization))
            .await
    }

    async fn set_logo(&self, organization: OrganizationId, logo: Option<Logo>, by: By) -> Answer<Organization> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let before = organization_in(tx, organization)?;
            organizations::keep_logo(tx, organization, logo.as_ref().map(Logo::bytes))?;
            let changes = rules::set_logo(&before, logo.is_some(), at_ms);
            Ok((after(&before, &changes, updated_organization), changes))
        };
        self.edit(by, work).await
    }

    async fn members(&self, scope: Scope, now_ms: i64, page: Page) -> Answer<Listing<Member>> {
        self.readers
            .read(move |connection| list::members(connection, scope, now_ms, &page))
            .await
    }

    async fn members_as_of(&self, scope: Scope, at_ms: i64, page: Page) -> Answer<Listing<Member>> {
        self.readers
            .read(move |connection| list::members_as_of(connection, scope, at_ms, &page))
            .await
    }

    async fn has_met(&self, organization: OrganizationId, user: UserId) -> Answer<bool> {
        self.readers
            .read(move |connection| list::has_met(connection, organization, user))
            .await
    }

    async fn carriers(&self, filter: CarrierFilter, page: Page) -> Answer<Listing<Carrier>> {
        self.readers
            .read(move |connection| list::carriers(connection, &filter, &page))
            .await
    }

    async fn count_carriers(&self, filter: CarrierFilter, most: usize) -> Answer<usize> {
        self.readers
            .read(move |connection| list::count_carriers(connection, &filter, most))
            .await
    }

    async fn tags_ever_seen(&self, realm: Realm, tags: Vec<String>) -> Answer<Vec<String>> {
        self.readers
            .read(move |connection| list::tags_ever_seen(connection, realm.as_str(), &tags))
            .await
    }

    async fn seen_tags(&self, realm: Option<Realm>, page: Page) -> Answer<Listing<SeenTag>> {
        let after = page.after_pair()?;
        let read = move |connection: &rusqlite::Connection| {
            list::seen_tags(connection, realm.as_ref().map(Realm::as_str), after.as_ref(), &page)
        };
        self.readers.read(read).await
    }

    async fn team(&self, team: TeamId) -> Answer<Option<Team>> {
        self.readers
            .read(move |connection| list::team(connection, &team.to_string()))
            .await
    }

    async fn teams(&self, filter: TeamFilter, page: Page) -> Answer<Listing<Team>> {
        self.readers
            .read(move |connection| list::teams(connection, &filter, &page))
            .await
    }

    async fn create_team(&self, new: NewTeam, by: By) -> Answer<Team> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let home = new.organization.map(|id| organization_in(tx, id)).transpose()?;
            let team = rules::new_team(new, home.as_ref(), at_ms)?;
            Ok((team.clone(), vec![Change::CreateTeam(Box::new(team))]))
        };
        self.edit(by, work).await
    }

    async fn update_team(&self, team: TeamId, version: Option<u64>, edit: TeamEdit, by: By) -> Answer<Team> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let before = list::team(tx, &team.to_string())?.ok_or(missing("team"))?;
            let home = match &edit.organization {
                Edit::Set(id) => Some(organization_in(tx, *id)?),
                Edit::Keep | Edit::Clear => None,
            };
            let manual = match &home {
                Some(_) => list::manual_team_grants(tx, &team.to_string())?,
                None => Vec::new(),
            };
            let changes = rules::edit_team(&before, version, edit, home.as_ref(), manual, at_ms)?;
            Ok((after(&before, &changes, updated_team), changes))
        };
        self.edit(by, work).await
    }
}
