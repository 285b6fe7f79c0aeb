//! `People` on PostgreSQL: the commands of administrators.

use async_trait::async_trait;
use narthex_directory::{
    Answer, By, Carrier, CarrierFilter, Change, Deletion, Edit, EditedUser, Erasure, Grant, GrantFilter, Listing, Logo,
    Member, NewGrant, NewOrganization, NewTeam, NewUser, Organization, OrganizationContent, OrganizationEdit,
    OrganizationFilter, OrganizationId, Origin, Page, People, Realm, RemovedIdentity, Scope, SeenTag, SessionEnd,
    SessionSelection, Team, TeamEdit, TeamFilter, TeamId, User, UserEdit, UserEntry, UserFilter, UserId, rules,
};

use super::PostgresDirectory;
use super::{deletion, erasure, list, organizations, sessions, usage};
use narthex_tables::consequences::{after, updated_organization, updated_team, updated_user};

#[async_trait]
impl People for PostgresDirectory {
    async fn user(&self, user: UserId) -> Answer<Option<UserEntry>> {
        Ok(list::user(&self.session().await?, user).await?)
    }

    async fn users(&self, filter: UserFilter, page: Page) -> Answer<Listing<UserEntry>> {
        Ok(list::users(&self.session().await?, &filter, &page).await?)
    }

    async fn create_user(&self, new: NewUser, by: By) -> Answer<User> {
        let user = rules::new_user(new, by.at_ms)?;
        let change = Change::CreateUser(Box::new(user.clone()));
        self.finish(self.begin().await?, &[change], &by).await?;
        Ok(user)
    }

    async fn update_user(&self, user: UserId, version: Option<u64>, edit: UserEdit, by: By) -> Answer<User> {
        let mut tx = self.begin().await?;
        let before = tx.user_in(user).await?;
        let changes = Vec::from_iter(rules::edit_user(&before, version, edit, by.at_ms)?);
        if changes.iter().any(rules::disables) {
            sessions::end_in(&mut tx, &SessionSelection::User(user), SessionEnd::Administrator, &by).await?;
        }
        self.finish(tx, &changes, &by).await?;
        Ok(after(&before, &changes, updated_user))
    }

    async fn update_users(&self, edits: Vec<EditedUser>, by: By) -> Answer<usize> {
        let tx = self.begin().await?;
        let mut changes = Vec::new();
        for EditedUser { user, version, edit } in edits {
            let before = tx.user_in(user).await?;
            changes.extend(rules::edit_user(&before, Some(version), edit, by.at_ms)?);
        }
        self.finish(tx, &changes, &by).await?;
        Ok(changes.len())
    }

    async fn erase_user(&self, user: UserId, version: Option<u64>, erasure: Erasure, by: By) -> Answer<User> {
        // SECURITY: a use that was noted before, and is written after, would bring the user's tags back.
        let _no_flush = self.flushing.lock().await;
        let mut tx = self.begin().await?;
        let before = tx.user_in(user).await?;
        let newest = self.shared.usage.newest_issued_at_ms(user);
        let changes = erasure::erase(&mut tx, (&before, version), &erasure, newest, &by).await?;
        self.finish(tx, &changes, &by).await?;
        self.shared.usage.forget_uses(user);
        Ok(after(&before, &changes, updated_user))
    }

    async fn lift_erasure(&self, identity: RemovedIdentity, by: By) -> Answer<bool> {
        let mut tx = self.begin().await?;
        let lifted = erasure::lift(&mut tx, &identity, &by).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(lifted)
    }

    async fn revoke_tokens(&self, user: UserId, by: By) -> Answer<User> {
        let mut tx = self.begin().await?;
        let before = tx.user_in(user).await?;
        // SECURITY: a session that stayed could refresh its token, and the new one would be issued after the revocation.
        sessions::end_in(&mut tx, &SessionSelection::User(user), SessionEnd::Administrator, &by).await?;
        let written = usage::newest_issued_at_ms(&tx, user).await?;
        let newest = written.max(self.shared.usage.newest_issued_at_ms(user));
        let changes = Vec::from_iter(rules::revoke_tokens(&before, newest, by.at_ms));
        self.finish(tx, &changes, &by).await?;
        Ok(after(&before, &changes, updated_user))
    }

    async fn grants(&self, filter: GrantFilter, page: Page) -> Answer<Listing<Grant>> {
        Ok(list::grants(&self.session().await?, &filter, &page).await?)
    }

    async fn grant_role(&self, new: NewGrant, by: By) -> Answer<Grant> {
        let scope = new.role.scope();
        let tx = self.begin().await?;
        let home = tx.home(scope).await?;
        let open = tx.manual_grant(new.user, scope).await?;
        let (grant, changes) = rules::give(new, open, home.as_ref(), by.at_ms)?;
        self.finish(tx, &changes, &by).await?;
        Ok(grant)
    }

    async fn revoke_role(&self, user: UserId, scope: Scope, why: Option<String>, by: By) -> Answer<Vec<Grant>> {
        let tx = self.begin().await?;
        let open = list::revocable_grants(&tx, user, scope).await?;
        if open.is_empty() {
            self.look(&tx).await?;
            return Ok(Vec::new());
        }
        let (closed, changes) = rules::close_all(open, by.at_ms, why.as_deref());
        self.finish(tx, &changes, &by).await?;
        Ok(closed)
    }

    async fn close_lapsed(&self, limit: usize, by: By) -> Answer<usize> {
        // Most of the time there is nothing to do, which needs no turn of a writer.
        if list::lapsed(&self.session().await?, by.at_ms, 1).await?.is_empty() {
            return Ok(0);
        }
        let tx = self.begin().await?;
        let lapsed = list::lapsed(&tx, by.at_ms, limit).await?;
        let changes: Vec<Change> = lapsed.into_iter().map(rules::close_lapsed).collect();
        self.finish(tx, &changes, &by).await?;
        Ok(changes.len())
    }

    async fn organizations(&self, filter: OrganizationFilter, page: Page) -> Answer<Listing<Organization>> {
        Ok(list::organizations(&self.session().await?, &filter, &page).await?)
    }

    async fn create_organization(&self, new: NewOrganization, by: By) -> Answer<Organization> {
        let organization = rules::new_organization(new, Origin::Api, by.at_ms)?;
        let change = Change::CreateOrganization(Box::new(organization.clone()));
        self.finish(self.begin().await?, &[change], &by).await?;
        Ok(organization)
    }

    async fn update_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        edit: OrganizationEdit,
        by: By,
    ) -> Answer<Organization> {
        let tx = self.begin().await?;
        let before = tx.organization_in(organization).await?;
        let manual = list::manual_grants(&tx, organization).await?;
        let changes = rules::edit_organization(&before, version, edit, manual, by.at_ms)?;
        self.finish(tx, &changes, &by).await?;
        Ok(after(&before, &changes, updated_organization))
    }

    async fn declare_organizations(&self, declared: Vec<NewOrganization>, by: By) -> Answer<usize> {
        let tx = self.begin().await?;
        let changes = organizations::declare(&tx, declared, by.at_ms).await?;
        self.finish(tx, &changes, &by).await?;
        Ok(changes.len())
    }

    async fn organization_content(&self, organization: OrganizationId) -> Answer<OrganizationContent> {
        Ok(deletion::content(&self.session().await?, organization).await?)
    }

    async fn delete_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        terms: Deletion,
        by: By,
    ) -> Answer<()> {
        let mut tx = self.begin().await?;
        let changes = deletion::delete(&mut tx, (organization, version), &terms, &by).await?;
        self.finish(tx, &changes, &by).await
    }

    async fn logo(&self, organization: OrganizationId) -> Answer<Option<Logo>> {
        Ok(organizations::logo(&self.session().await?, organization).await?)
    }

    async fn set_logo(&self, organization: OrganizationId, logo: Option<Logo>, by: By) -> Answer<Organization> {
        let mut tx = self.begin().await?;
        let before = tx.organization_in(organization).await?;
        let bytes = logo.as_ref().map(|logo| logo.bytes().to_vec());
        organizations::keep_logo(&mut tx, organization, bytes).await?;
        let changes = rules::set_logo(&before, logo.is_some(), by.at_ms);
        self.finish(tx, &changes, &by).await?;
        Ok(after(&before, &changes, updated_organization))
    }

    async fn members(&self, scope: Scope, now_ms: i64, page: Page) -> Answer<Listing<Member>> {
        Ok(list::members(&self.session().await?, scope, now_ms, &page).await?)
    }

    async fn members_as_of(&self, scope: Scope, at_ms: i64, page: Page) -> Answer<Listing<Member>> {
        Ok(list::members_as_of(&self.session().await?, scope, at_ms, &page).await?)
    }

    async fn has_met(&self, organization: OrganizationId, user: UserId) -> Answer<bool> {
        Ok(list::has_met(&self.session().await?, organization, user).await?)
    }

    async fn carriers(&self, filter: CarrierFilter, page: Page) -> Answer<Listing<Carrier>> {
        Ok(list::carriers(&self.session().await?, &filter, &page).await?)
    }

    async fn count_carriers(&self, filter: CarrierFilter, most: usize) -> Answer<usize> {
        Ok(list::count_carriers(&self.session().await?, &filter, most).await?)
    }

    async fn tags_ever_seen(&self, realm: Realm, tags: Vec<String>) -> Answer<Vec<String>> {
        Ok(list::tags_ever_seen(&self.session().await?, realm.as_str(), tags).await?)
    }

    async fn seen_tags(&self, realm: Option<Realm>, page: Page) -> Answer<Listing<SeenTag>> {
        let after = page.after_pair()?;
        let realm = realm.as_ref().map(Realm::as_str);
        Ok(list::seen_tags(&self.session().await?, realm, after.as_ref(), &page).await?)
    }

    async fn team(&self, team: TeamId) -> Answer<Option<Team>> {
        Ok(list::team(&self.session().await?, team).await?)
    }

    async fn teams(&self, filter: TeamFilter, page: Page) -> Answer<Listing<Team>> {
        Ok(list::teams(&self.session().await?, &filter, &page).await?)
    }

    async fn create_team(&self, new: NewTeam, by: By) -> Answer<Team> {
        let tx = self.begin().await?;
        let home = match new.organization {
            Some(id) => Some(tx.organization_in(id).await?),
            None => None,
        };
        let team = rules::new_team(new, home.as_ref(), by.at_ms)?;
        self.finish(tx, &[Change::CreateTeam(Box::new(team.clone()))], &by)
            .await?;
        Ok(team)
    }

    async fn update_team(&self, team: TeamId, version: Option<u64>, edit: TeamEdit, by: By) -> Answer<Team> {
        let tx = self.begin().await?;
        let before = tx.team_in(team).await?;
        let (home, manual) = match &edit.organization {
            Edit::Set(id) => (
                Some(tx.organization_in(*id).await?),
                list::manual_team_grants(&tx, team).await?,
            ),
            Edit::Keep | Edit::Clear => (None, Vec::new()),
        };
        let changes = rules::edit_team(&before, version, edit, home.as_ref(), manual, by.at_ms)?;
        self.finish(tx, &changes, &by).await?;
        Ok(after(&before, &changes, updated_team))
    }
}
