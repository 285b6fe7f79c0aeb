//! The directory in memory: the specification of every other store, and enough for tests and a playground.

mod reads;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::state::State;
use crate::audit::{AuditEvent, By, EventFilter, RecordedEvent};
use crate::change::Change;
use crate::command::{
    ApiKey, AssertionKey, Edit, GrantFilter, Member, NewGrant, NewOrganization, NewTeam, NewUser, OrganizationEdit,
    OrganizationFilter, SavedKeySet, SecretHash, SeenTag, TeamEdit, TeamFilter, UserEdit, UserEntry, UserFilter,
};
use crate::desired::Desired;
use crate::directory::{Answer, Carrier, CarrierFilter, Directory};
use crate::document::{self, Document, DocumentAt, DocumentKind, NewDocument};
use crate::error::StoreError;
use crate::grant::{Grant, GrantSource};
use crate::id::{ApiKeyId, OrganizationId, TeamId, UserId};
use crate::name::{IssuerName, OrganizationName, Realm};
use crate::order::Mark;
use crate::organization::{Logo, Organization, Origin};
use crate::page::{Listing, Page};
use crate::plan::{SyncPlan, Touch};
use crate::role::Scope;
use crate::rules;
use crate::snapshot::{Detail, Snapshot, Standing};
use crate::team::Team;
use crate::usage_buffer::UsageBuffer;
use crate::user::User;
use crate::versions::{Stamp, Stripe, Versions};

/// A directory that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryDirectory {
    state: Mutex<State>,
    usage: UsageBuffer,
    versions: Arc<Versions>,
}

impl MemoryDirectory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the changes of a command.
    fn carry_out(&self, state: &mut State, changes: &[Change], by: &By) -> Answer<()> {
        state.write(changes, by, &self.versions)
    }
}

fn missing(what: &'static str) -> StoreError {
    StoreError::NotFound { what }
}

#[async_trait]
impl Directory for MemoryDirectory {
    async fn snapshot(&self, desired: &Desired, detail: Detail) -> Answer<Snapshot> {
        let mut snapshot = self.lock().snapshot(desired, detail, &self.versions);
        snapshot.overlay(&self.usage, &desired.issuer);
        Ok(snapshot)
    }

    async fn apply(&self, plan: Arc<SyncPlan>) -> Answer<Stamp> {
        let mut state = self.lock();
        let touch = &plan.touch;
        let found = state.users.get(&touch.user).map(|user| user.version);
        let holds = found == plan.expects.user_version
            && plan.expects.policy.is_none_or(|policy| policy == self.versions.policy())
            // A newer token of this user may have been used since the snapshot, one that changed nothing too.
            && !self.usage.has_newer(touch)
            && state.issuer_follows(touch);
        if !holds {
            return Err(StoreError::Conflict);
        }
        let by = By {
            actor: plan.actor(),
            at_ms: touch.at_ms,
        };
        self.carry_out(&mut state, &plan.changes, &by)
            .map_err(|error| match error {
                StoreError::AlreadyExists { .. } | StoreError::NotFound { .. } => StoreError::Conflict,
                error => error,
            })?;
        state.note(touch);
        self.usage.note_applied(&plan);
        let stripe = Stripe::of(touch.user);
        Ok(Stamp {
            policy: self.versions.policy(),
            stripe,
            user: self.versions.stripe(stripe),
        })
    }

    fn touch(&self, touch: &Touch) -> bool {
        self.usage.note(touch)
    }

    fn note_newest(&self, user: UserId, issuer: &IssuerName, mark: Mark) -> bool {
        self.usage.note_newest(user, issuer, mark)
    }

    async fn flush(&self) -> Answer<usize> {
        let mut state = self.lock();
        let noted = self.usage.take();
        for touch in &noted.due {
            state.note(touch);
        }
        for (user, issuer, mark) in &noted.marks {
            state.note_issuer(*user, issuer, Some(*mark), None);
        }
        for seen in noted.tags {
            let key = (seen.realm.clone(), seen.tag.clone());
            let kept = state.seen_tags.entry(key).or_insert_with(|| seen.clone());
            kept.last_seen_at_ms = kept.last_seen_at_ms.max(seen.last_seen_at_ms);
        }
        self.usage.settle(Ok(()));
        Ok(noted.due.len())
    }

    async fn standing(&self, user: UserId) -> Answer<Option<Standing>> {
        Ok(self.lock().standing(user, &self.versions))
    }

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
        self.carry_out(&mut state, change.as_slice(), &by)?;
        state.users.get(&user).cloned().ok_or(missing("user"))
    }

    async fn revoke_tokens(&self, user: UserId, by: By) -> Answer<User> {
        let mut state = self.lock();
        let before = state.users.get(&user).ok_or(missing("user"))?;
        let newest = state
            .newest_issued_at_ms(user)
            .max(self.usage.newest_issued_at_ms(user));
        let change = rules::revoke_tokens(before, newest, by.at_ms);
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

    async fn organization(&self, organization: OrganizationId) -> Answer<Option<Organization>> {
        Ok(self.lock().organizations.get(&organization).cloned())
    }

    async fn organization_named(&self, name: OrganizationName) -> Answer<Option<Organization>> {
        let state = self.lock();
        let id = state.organization_by_name.get(&name);
        Ok(id.and_then(|id| state.organizations.get(id)).cloned())
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

    async fn create_api_key(&self, key: ApiKey, by: By) -> Answer<()> {
        let mut state = self.lock();
        state.home(key.role.scope())?;
        if state
            .api_keys
            .values()
            .any(|kept| kept.hash == key.hash || kept.id == key.id)
        {
            return Err(StoreError::AlreadyExists {
                what: "api key",
                field: "hash",
                owner: None,
            });
        }
        state.record(rules::api_key_event("api_key.created", &key, &by));
        state.api_keys.insert(key.id, key);
        Ok(())
    }

    async fn api_key(&self, hash: SecretHash) -> Answer<Option<ApiKey>> {
        Ok(self.lock().api_keys.values().find(|key| key.hash == hash).cloned())
    }

    async fn api_keys(&self, page: Page) -> Answer<Listing<ApiKey>> {
        page.after_id()?;
        Ok(self.lock().api_keys(&page))
    }

    async fn revoke_api_key(&self, key: ApiKeyId, by: By) -> Answer<bool> {
        let mut state = self.lock();
        let Some(kept) = state.api_keys.get_mut(&key).filter(|key| key.revoked_at_ms.is_none()) else {
            return Ok(false);
        };
        kept.revoked_at_ms = Some(by.at_ms);
        let event = rules::api_key_event("api_key.revoked", kept, &by);
        state.record(event);
        self.versions.raise_policy(self.versions.policy() + 1);
        Ok(true)
    }

    async fn note_api_key_use(&self, key: ApiKeyId, at_ms: i64) -> Answer<bool> {
        let mut state = self.lock();
        let kept = state.api_keys.get_mut(&key).filter(|key| key.use_is_due(at_ms));
        Ok(kept.is_some_and(|key| key.last_used_at_ms.replace(at_ms) != Some(at_ms)))
    }

    async fn assertion_keys(&self) -> Answer<Vec<AssertionKey>> {
        Ok(self.lock().assertion_keys.clone())
    }

    async fn rotate_assertion_key(&self, key: AssertionKey, newer_than_ms: i64, by: By) -> Answer<Vec<AssertionKey>> {
        let mut state = self.lock();
        if state
            .assertion_keys
            .first()
            .is_none_or(|newest| newest.created_at_ms <= newer_than_ms)
        {
            if state.assertion_keys.iter().any(|kept| kept.kid == key.kid) {
                return Err(StoreError::AlreadyExists {
                    what: "assertion key",
                    field: "kid",
                    owner: None,
                });
            }
            state.record(rules::assertion_key_event(&key.kid, &by));
            state.assertion_keys.push(key);
            state
                .assertion_keys
                .sort_by(|a, b| (b.created_at_ms, &b.kid).cmp(&(a.created_at_ms, &a.kid)));
        }
        state.assertion_keys.retain(|key| key.published_until_ms > by.at_ms);
        Ok(state.assertion_keys.clone())
    }

    async fn key_sets(&self) -> Answer<Vec<SavedKeySet>> {
        Ok(self.lock().key_sets.values().cloned().collect())
    }

    async fn save_key_set(&self, set: SavedKeySet) -> Answer<()> {
        self.lock().key_sets.insert(set.issuer.clone(), set);
        Ok(())
    }

    async fn document(&self, kind: DocumentKind, name: String) -> Answer<Option<Document>> {
        Ok(self.lock().documents.get(&(kind, name)).cloned())
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        organization: Option<OrganizationId>,
        page: Page,
    ) -> Answer<Listing<Document>> {
        Ok(self.lock().documents(kind, organization, &page))
    }

    async fn save_document(&self, new: NewDocument, at: DocumentAt, by: By) -> Answer<Document> {
        let mut state = self.lock();
        if new
            .organization
            .is_some_and(|id| !state.organizations.contains_key(&id))
        {
            return Err(missing("organization"));
        }
        let key = (new.kind, new.name.clone());
        let before = state.documents.get(&key);
        let done = if before.is_some() { "updated" } else { "created" };
        let saved = new.over(before, at, by.at_ms)?;
        state.record(document::event(&saved, done, &by));
        state.documents.insert(key, saved.clone());
        if saved.kind.decides() {
            self.versions.raise_policy(self.versions.policy() + 1);
        }
        Ok(saved)
    }

    async fn delete_document(&self, kind: DocumentKind, name: String, at: DocumentAt, by: By) -> Answer<bool> {
        let mut state = self.lock();
        let key = (kind, name);
        document::check(kind, state.documents.get(&key), at)?;
        let Some(gone) = state.documents.remove(&key) else {
            return Ok(false);
        };
        state.record(document::event(&gone, "deleted", &by));
        if kind.decides() {
            self.versions.raise_policy(self.versions.policy() + 1);
        }
        Ok(true)
    }

    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>> {
        self.lock().events(&filter, &page)
    }

    async fn record(&self, event: AuditEvent) -> Answer<()> {
        self.lock().record(event);
        Ok(())
    }

    async fn seen_tags(&self, realm: Option<Realm>, page: Page) -> Answer<Listing<SeenTag>> {
        self.lock().seen_tags(realm.as_ref(), &page)
    }

    fn versions(&self) -> &Arc<Versions> {
        &self.versions
    }

    async fn poll_versions(&self) -> Answer<()> {
        Ok(())
    }

    async fn health(&self) -> Answer<()> {
        Ok(())
    }
}
