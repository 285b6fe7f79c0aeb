//! `People` in memory.

use async_trait::async_trait;

use super::{MemoryDirectory, missing};
use narthex_directory::By;
use narthex_directory::Change;
use narthex_directory::Realm;
use narthex_directory::Scope;
use narthex_directory::Team;
use narthex_directory::User;
use narthex_directory::rules;
use narthex_directory::{Answer, Carrier, CarrierFilter, People};
use narthex_directory::{Deletion, OrganizationContent};
use narthex_directory::{
    Edit, EditedUser, GrantFilter, Member, NewGrant, NewOrganization, NewTeam, NewUser, OrganizationEdit,
    OrganizationFilter, SeenTag, TeamEdit, TeamFilter, UserEdit, UserEntry, UserFilter,
};
use narthex_directory::{Erasure, RemovedIdentity};
use narthex_directory::{Grant, GrantSource};
use narthex_directory::{Listing, Page};
use narthex_directory::{Logo, Organization, Origin};
use narthex_directory::{OrganizationId, TeamId, UserId};
use narthex_directory::{SessionEnd, SessionSelection};

#[async_trait]
impl People for MemoryDirectory {
    async fn user(&self, user: UserId) -> Answer<Option<UserEntry>> {
        let state = self.lock();
        Ok(state.users.get(&user).map(|user| state.entry(user)))
    }

    async fn users(&self, filter: UserFilter, page: Page) -> Answer<Listing<UserEntry>> {
        page.after_id()?;
        Ok(self.lock().users(&filter, &page))
    }

    async fn create_user(&self, new: NewUser, by: By) -> Answer<User> {
        let user = rules::new_user(new, by.at_ms)?;
        self.carry_out(&mut self.lock(), &[Change::CreateUser(Box::new(user.clone()))], &by)?;
        Ok(user)
    }

    async fn update_user(&self, user: UserId, version: Option<u64>, edit: UserEdit, by: By) -> Answer<User> {
        let mut state = self.lock();
        let before = state.users.get(&user).ok_or(missing("user"))?;
        let change = rules::edit_user(before, version, edit, by.at_ms)?;
        if change.as_ref().is_some_and(rules::disables) {
            let of_user = SessionSelection::User(user);
            self.end_sessions_in(&mut state, &of_user, SessionEnd::Administrator, &by);
        }
        self.carry_out(&mut state, change.as_slice(), &by)?;
        state.users.get(&user).cloned().ok_or(missing("user"))
    }

    async fn update_users(&self, edits: Vec<EditedUser>, by: By) -> Answer<usize> {
        let mut state = self.lock();
        let mut changes = Vec::new();
        for EditedUser { user, version, edit } in edits {
            let before = state.users.get(&user).ok_or(missing("user"))?;
            changes.extend(rules::edit_user(before, Some(version), edit, by.at_ms)?);
        }
        self.carry_out(&mut state, &changes, &by)?;
        Ok(changes.len())
    }

    async fn erase_user(&self, user: UserId, version: Option<u64>, erasure: Erasure, by: By) -> Answer<User> {
        self.erase(user, version, &erasure, &by)
    }

    async fn lift_erasure(&self, identity: RemovedIdentity, by: By) -> Answer<bool> {
        Ok(self.lift(&identity, &by))
    }

    async fn revoke_tokens(&self, user: UserId, by: By) -> Answer<User> {
        let mut state = self.lock();
        let before = state.users.get(&user).ok_or(missing("user"))?;
        let newest = state
            .newest_issued_at_ms(user)
            .max(self.usage.newest_issued_at_ms(user));
        let change = rules::revoke_tokens(before, newest, by.at_ms);
        // SECURITY: a session that stayed could refresh its token, and the new one would be issued after the revocation.
        self.end_sessions_in(
            &mut state,
            &SessionSelection::User(user),
            SessionEnd::Administrator,
            &by,
        );
        self.carry_out(&mut state, change.as_slice(), &by)?;
        state.users.get(&user).cloned().ok_or(missing("user"))
    }

    async fn grants(&self, filter: GrantFilter, page: Page) -> Answer<Listing<Grant>> {
        page.after_id()?;
        Ok(self.lock().grants(&filter, &page))
    }

    async fn grant_role(&self, new: NewGrant, by: By) -> Answer<Grant> {
        let mut state = self.lock();
        let home = state.home(new.role.scope())?;
        let open = state
            .open_grants(new.user)
            .find(|grant| grant.source == GrantSource::Manual && grant.scope() == new.role.scope());
        let (grant, changes) = rules::give(new, open.cloned(), home, by.at_ms)?;
        self.carry_out(&mut state, &changes, &by)?;
        Ok(grant)
    }

    async fn revoke_role(&self, user: UserId, scope: Scope, why: Option<String>, by: By) -> Answer<Vec<Grant>> {
        let mut state = self.lock();
        let mut open: Vec<Grant> = state
            .open_grants(user)
            .filter(|grant| grant.scope() == scope && rules::is_revocable(grant.source.kind()))
            .cloned()
            .collect();
        open.sort_by_key(|grant| grant.id);
        let (closed, changes) = rules::close_all(open, by.at_ms, why.as_deref());
        self.carry_out(&mut state, &changes, &by)?;
        Ok(closed)
    }

    async fn close_lapsed(&self, limit: usize, by: By) -> Answer<usize> {
        let mut state = self.lock();
        let mut lapsed: Vec<&Grant> = state
            .grants
            .values()
            .filter(|grant| grant.lapsed_at(by.at_ms))
            .collect();
        lapsed.sort_by_key(|grant| (grant.lapses_at_ms, grant.id));
        let changes: Vec<Change> = lapsed
            .into_iter()
            .take(limit)
            .cloned()
            .map(rules::close_lapsed)
            .collect();
        self.carry_out(&mut state, &changes, &by)?;
        Ok(changes.len())
    }

    async fn organizations(&self, filter: OrganizationFilter, page: Page) -> Answer<Listing<Organization>> {
        page.after_id()?;
        Ok(self.lock().organizations(&filter, &page))
    }

    async fn create_organization(&self, new: NewOrganization, by: By) -> Answer<Organization> {
        let organization = rules::new_organization(new, Origin::Api, by.at_ms)?;
        let change = Change::CreateOrganization(Box::new(organization.clone()));
        self.carry_out(&mut self.lock(), &[change], &by)?;
        Ok(organization)
    }

    async fn update_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        edit: OrganizationEdit,
        by: By,
    ) -> Answer<Organization> {
        let mut state = self.lock();
        let before = state.organizations.get(&organization).ok_or(missing("organization"))?;
        let manual = state.manual_grants(organization);
        let changes = rules::edit_organization(before, version, edit, manual, by.at_ms)?;
        self.carry_out(&mut state, &changes, &by)?;
        state
            .organizations
            .get(&organization)
            .cloned()
            .ok_or(missing("organization"))
    }

    async fn declare_organizations(&self, declared: Vec<NewOrganization>, by: By) -> Answer<usize> {
        let mut state = self.lock();
        let changes = state.declared(declared, by.at_ms)?;
        self.carry_out(&mut state, &changes, &by)?;
        Ok(changes.len())
    }

    async fn organization_content(&self, organization: OrganizationId) -> Answer<OrganizationContent> {
        Ok(self.lock().content(organization))
    }

    async fn delete_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        deletion: Deletion,
        by: By,
    ) -> Answer<()> {
        self.delete(organization, version, &deletion, &by)
    }

    async fn logo(&self, organization: OrganizationId) -> Answer<Option<Logo>> {
        Ok(self.lock().logos.get(&organization).cloned())
    }

    async fn set_logo(&self, organization: OrganizationId, logo: Option<Logo>, by: By) -> Answer<Organization> {
        let mut state = self.lock();
        let before = state.organizations.get(&organization).ok_or(missing("organization"))?;
        let changes = rules::set_logo(before, logo.is_some(), by.at_ms);
        self.carry_out(&mut state, &changes, &by)?;
        match logo {
            Some(logo) => state.logos.insert(organization, logo),
            None => state.logos.remove(&organization),
        };
        state
            .organizations
            .get(&organization)
            .cloned()
            .ok_or(missing("organization"))
    }

    async fn members(&self, scope: Scope, now_ms: i64, page: Page) -> Answer<Listing<Member>> {
        page.after_id()?;
        Ok(self.lock().members(scope, now_ms, &page))
    }

    async fn members_as_of(&self, scope: Scope, at_ms: i64, page: Page) -> Answer<Listing<Member>> {
        page.after_id()?;
        Ok(self.lock().members_as_of(scope, at_ms, &page))
    }

    async fn has_met(&self, organization: OrganizationId, user: UserId) -> Answer<bool> {
        Ok(self.lock().has_met(organization, user))
    }

    async fn carriers(&self, filter: CarrierFilter, page: Page) -> Answer<Listing<Carrier>> {
        page.after_id()?;
        Ok(self.lock().carriers(&filter, &page))
    }

    async fn count_carriers(&self, filter: CarrierFilter, most: usize) -> Answer<usize> {
        Ok(self.lock().count_carriers(&filter, most))
    }

    async fn tags_ever_seen(&self, realm: Realm, tags: Vec<String>) -> Answer<Vec<String>> {
        let state = self.lock();
        let mut seen = tags;
        seen.retain(|tag| state.seen_tags.contains_key(&(realm.clone(), tag.clone())));
        seen.sort_unstable();
        seen.dedup();
        Ok(seen)
    }

    async fn seen_tags(&self, realm: Option<Realm>, page: Page) -> Answer<Listing<SeenTag>> {
        self.lock().seen_tags(realm.as_ref(), &page)
    }

    async fn team(&self, team: TeamId) -> Answer<Option<Team>> {
        Ok(self.lock().teams.get(&team).cloned())
    }

    async fn teams(&self, filter: TeamFilter, page: Page) -> Answer<Listing<Team>> {
        page.after_id()?;
        Ok(self.lock().teams(&filter, &page))
    }

    async fn create_team(&self, new: NewTeam, by: By) -> Answer<Team> {
        let mut state = self.lock();
        let home = new
            .organization
            .map(|id| state.organizations.get(&id).ok_or(missing("organization")))
            .transpose()?;
        let team = rules::new_team(new, home, by.at_ms)?;
        self.carry_out(&mut state, &[Change::CreateTeam(Box::new(team.clone()))], &by)?;
        Ok(team)
    }

    async fn update_team(&self, team: TeamId, version: Option<u64>, edit: TeamEdit, by: By) -> Answer<Team> {
        let mut state = self.lock();
        let before = state.teams.get(&team).ok_or(missing("team"))?;
        let home = match &edit.organization {
            Edit::Set(id) => Some(state.organizations.get(id).ok_or(missing("organization"))?),
            Edit::Keep | Edit::Clear => None,
        };
        let manual = match home {
            Some(_) => state
                .open_on(Scope::Team(team))
                .filter(|grant| grant.source == GrantSource::Manual)
                .cloned()
                .collect(),
            None => Vec::new(),
        };
        let changes = rules::edit_team(before, version, edit, home, manual, by.at_ms)?;
        self.carry_out(&mut state, &changes, &by)?;
        state.teams.get(&team).cloned().ok_or(missing("team"))
    }
}
