//! A directory as it will be once the organizations of a configuration are declared, with nothing written: for explaining
//! with a configuration that no server has applied yet.

mod documents;
mod sessions;
mod trail;
mod webhooks;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;

use narthex_directory::By;
use narthex_directory::Change;
use narthex_directory::Grant;
use narthex_directory::Mark;
use narthex_directory::Scope;
use narthex_directory::Team;
use narthex_directory::User;
use narthex_directory::{Answer, Carrier, CarrierFilter, Directory, Keyring, People, TokenSync};
use narthex_directory::{
    ApiKey, AssertionKey, EditedUser, GrantFilter, Member, NewGrant, NewOrganization, NewTeam, NewUser,
    OrganizationEdit, OrganizationFilter, SavedKeySet, SecretHash, SeenTag, TeamEdit, TeamFilter, UserEdit, UserEntry,
    UserFilter,
};
use narthex_directory::{ApiKeyId, MachineKeyId, OrganizationId, TeamId, UserId};
use narthex_directory::{Declaring, met};
use narthex_directory::{Deletion, OrganizationContent};
use narthex_directory::{Desired, DesiredTags};
use narthex_directory::{Detail, Lookups, NearMiss, OrganizationBrief, Snapshot, Standing, TagMatch};
use narthex_directory::{Erasure, RemovedIdentity};
use narthex_directory::{IssuerName, OrganizationName, Realm};
use narthex_directory::{Listing, Page};
use narthex_directory::{Logo, Organization, OrganizationStatus, Origin};
use narthex_directory::{MachineKey, MachineKeyUse};
use narthex_directory::{Stamp, Versions};
use narthex_directory::{SyncPlan, Touch};
use narthex_directory::{is_near, settle};

/// View of a directory as if declarations were carried out. Reads show the declarations; writes go unchanged to the
/// directory beneath.
pub struct DeclaredView {
    inner: Arc<dyn Directory>,
    /// The organizations as they are declared.
    declared: HashMap<OrganizationId, Organization>,
    names: HashSet<OrganizationName>,
}

impl std::fmt::Debug for DeclaredView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeclaredView")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl DeclaredView {
    /// The directory as these declarations would make it.
    ///
    /// # Errors
    ///
    /// A declaration that [`People::declare_organizations`] would refuse, or a store that does not answer.
    pub async fn new(inner: Arc<dyn Directory>, organizations: Vec<NewOrganization>, at_ms: i64) -> Answer<Self> {
        let names = organizations.iter().map(|new| new.name.clone()).collect();
        let mut declaring = Declaring::new(at_ms);
        for new in organizations {
            let met = met(&*inner, &new).await?;
            declaring.add(new, met)?;
        }
        let mut declared = HashMap::new();
        for change in declaring.finish(&[]) {
            match change {
                Change::CreateOrganization(organization) => declared.insert(organization.id, *organization),
                Change::UpdateOrganization { after, .. } => declared.insert(after.id, *after),
                _ => None,
            };
        }
        Ok(Self { inner, declared, names })
    }

    /// Number of organizations that are not yet as they are declared.
    pub fn pending(&self) -> usize {
        self.declared.len()
    }

    /// The organization as it will be.
    fn seen(&self, mut organization: Organization) -> Organization {
        if let Some(declared) = self.declared.get(&organization.id) {
            return declared.clone();
        }
        // One that is declared no longer is suspended.
        if organization.origin == Origin::Config && !self.names.contains(&organization.name) {
            organization.status = OrganizationStatus::Suspended;
        }
        organization
    }

    /// The state of an organization as it will be.
    async fn refresh(&self, brief: &mut OrganizationBrief) -> Answer<()> {
        if let Some(organization) = self.organization(brief.id).await? {
            *brief = (&organization).into();
        }
        Ok(())
    }

    /// The declared organizations of a realm, in the order of their ids.
    fn of_realm(&self, realm: &Realm) -> Vec<&Organization> {
        let mut found: Vec<&Organization> = self.declared.values().filter(|found| found.realm == *realm).collect();
        found.sort_by_key(|organization| organization.id);
        found
    }

    /// Lays the declared organizations over those that a store looked up.
    fn look_up(&self, desired: &Desired, declared: &[&Organization], snapshot: &mut Snapshot) {
        let lookups = Lookups::of(desired);
        let found = std::mem::take(&mut snapshot.looked_up);
        let others = found.into_iter().filter(|found| !self.declared.contains_key(&found.id));
        let declared = declared.iter().filter(|found| lookups.names(found));
        snapshot.looked_up = others.map(|found| self.seen(found)).collect();
        snapshot.looked_up.extend(declared.map(|found| (*found).clone()));
        snapshot.looked_up.sort_by_key(|found| found.id);
        let is_taken =
            |name: &String| OrganizationName::new(name.as_str()).is_ok_and(|name| self.names.contains(&name));
        snapshot
            .names_taken
            .extend(lookups.suggested.into_iter().filter(is_taken));
    }

    /// The declared organizations that a filter asks for.
    fn filtered(&self, filter: &OrganizationFilter) -> Vec<Organization> {
        let holds = |organization: &&Organization| {
            let text = |wanted: &str| {
                let wanted = wanted.to_ascii_lowercase();
                organization.name.as_str().to_ascii_lowercase().contains(&wanted)
                    || organization.label.to_ascii_lowercase().contains(&wanted)
            };
            filter.realm.as_ref().is_none_or(|realm| organization.realm == *realm)
                && filter.external_id.as_ref().is_none_or(|wanted| {
                    organization
                        .external_id
                        .as_ref()
                        .is_some_and(|known_as| known_as.as_str() == wanted)
                })
                && filter
                    .tag
                    .as_ref()
                    .is_none_or(|tag| organization.tags.role_of(tag).is_some())
                && filter.q.as_deref().is_none_or(text)
        };
        self.declared.values().filter(holds).cloned().collect()
    }
}

#[async_trait]
impl TokenSync for DeclaredView {
    async fn snapshot(&self, desired: &Desired, detail: Detail) -> Answer<Snapshot> {
        let mut snapshot = self.inner.snapshot(desired, detail).await?;
        let declared = self.of_realm(&desired.realm);
        if let Some(wanted) = &desired.organization {
            let is_it = |organization: &&&Organization| organization.external_id.as_ref() == Some(&wanted.external_id);
            snapshot.organization = match declared.iter().find(is_it) {
                Some(found) => Some((*found).clone()),
                None => snapshot.organization.map(|found| self.seen(found)),
            };
            let suggested = wanted.suggested_name();
            snapshot.organization_name_taken |= suggested.is_some_and(|name| self.names.contains(&name));
        }
        for brief in snapshot
            .standing
            .iter_mut()
            .flat_map(|standing| &mut standing.organizations)
        {
            self.refresh(brief).await?;
        }
        self.look_up(desired, &declared, &mut snapshot);
        let DesiredTags::Exactly(tags) = &desired.tags else {
            return Ok(snapshot);
        };
        let elsewhere = |id: &OrganizationId| !self.declared.contains_key(id);
        snapshot.tag_matches.retain(|met| elsewhere(&met.organization.id));
        snapshot.near_misses.retain(|miss| {
            miss.organization
                .as_ref()
                .is_none_or(|organization| elsewhere(&organization.id))
        });
        for found in &mut snapshot.tag_matches {
            self.refresh(&mut found.organization).await?;
        }
        for organization in declared {
            for tag in tags {
                snapshot
                    .tag_matches
                    .extend(organization.tags.role_of(tag).map(|role| TagMatch {
                        tag: tag.clone(),
                        organization: organization.into(),
                        role,
                    }));
                let near = organization.tags.roles().into_iter().map(|(listed, _)| listed.as_str());
                let near = near.filter(|listed| detail == Detail::Explain && is_near(tag, listed));
                snapshot.near_misses.extend(near.map(|listed| NearMiss {
                    tag: tag.clone(),
                    listed: listed.to_owned(),
                    organization: Some(organization.into()),
                }));
            }
        }
        snapshot
            .tag_matches
            .sort_by(|one, other| (&one.tag, one.organization.id).cmp(&(&other.tag, other.organization.id)));
        snapshot.tag_matches.dedup();
        snapshot.near_misses = settle(snapshot.near_misses);
        Ok(snapshot)
    }

    async fn apply(&self, plan: Arc<SyncPlan>) -> Answer<Stamp> {
        self.inner.apply(plan).await
    }

    fn touch(&self, touch: &Touch) -> bool {
        self.inner.touch(touch)
    }

    fn note_newest(&self, user: UserId, issuer: &IssuerName, mark: Mark) -> bool {
        self.inner.note_newest(user, issuer, mark)
    }

    async fn flush(&self) -> Answer<usize> {
        self.inner.flush().await
    }

    async fn flush_last(&self) -> Answer<()> {
        self.inner.flush_last().await
    }

    async fn standing(&self, user: UserId) -> Answer<Option<Standing>> {
        let mut standing = self.inner.standing(user).await?;
        for brief in standing.iter_mut().flat_map(|standing| &mut standing.organizations) {
            self.refresh(brief).await?;
        }
        Ok(standing)
    }

    async fn organization(&self, organization: OrganizationId) -> Answer<Option<Organization>> {
        if let Some(declared) = self.declared.get(&organization) {
            return Ok(Some(declared.clone()));
        }
        let found = self.inner.organization(organization).await?;
        Ok(found.map(|found| self.seen(found)))
    }

    async fn organization_named(&self, name: OrganizationName) -> Answer<Option<Organization>> {
        if let Some(declared) = self.declared.values().find(|declared| declared.name == name) {
            return Ok(Some(declared.clone()));
        }
        let found = self.inner.organization_named(name).await?;
        Ok(found.map(|found| self.seen(found)))
    }

    fn versions(&self) -> &Arc<Versions> {
        self.inner.versions()
    }

    async fn poll_versions(&self) -> Answer<()> {
        self.inner.poll_versions().await
    }

    async fn health(&self) -> Answer<()> {
        self.inner.health().await
    }

    fn writes_fail(&self) -> bool {
        self.inner.writes_fail()
    }
}

#[async_trait]
impl People for DeclaredView {
    async fn user(&self, user: UserId) -> Answer<Option<UserEntry>> {
        self.inner.user(user).await
    }

    async fn users(&self, filter: UserFilter, page: Page) -> Answer<Listing<UserEntry>> {
        self.inner.users(filter, page).await
    }

    async fn create_user(&self, new: NewUser, by: By) -> Answer<User> {
        self.inner.create_user(new, by).await
    }

    async fn update_user(&self, user: UserId, version: Option<u64>, edit: UserEdit, by: By) -> Answer<User> {
        self.inner.update_user(user, version, edit, by).await
    }

    async fn update_users(&self, edits: Vec<EditedUser>, by: By) -> Answer<usize> {
        self.inner.update_users(edits, by).await
    }

    async fn erase_user(&self, user: UserId, version: Option<u64>, erasure: Erasure, by: By) -> Answer<User> {
        self.inner.erase_user(user, version, erasure, by).await
    }

    async fn lift_erasure(&self, identity: RemovedIdentity, by: By) -> Answer<bool> {
        self.inner.lift_erasure(identity, by).await
    }

    async fn revoke_tokens(&self, user: UserId, by: By) -> Answer<User> {
        self.inner.revoke_tokens(user, by).await
    }

    async fn grants(&self, filter: GrantFilter, page: Page) -> Answer<Listing<Grant>> {
        self.inner.grants(filter, page).await
    }

    async fn grant_role(&self, new: NewGrant, by: By) -> Answer<Grant> {
        self.inner.grant_role(new, by).await
    }

    async fn revoke_role(&self, user: UserId, scope: Scope, why: Option<String>, by: By) -> Answer<Vec<Grant>> {
        self.inner.revoke_role(user, scope, why, by).await
    }

    async fn close_lapsed(&self, limit: usize, by: By) -> Answer<usize> {
        self.inner.close_lapsed(limit, by).await
    }

    /// Declared organizations come first, beyond what the page asks for.
    async fn organizations(&self, filter: OrganizationFilter, page: Page) -> Answer<Listing<Organization>> {
        let first = page.after_id()?.is_none();
        let mut items = if first { self.filtered(&filter) } else { Vec::new() };
        let found = self.inner.organizations(filter, page).await?;
        let others = found
            .items
            .into_iter()
            .filter(|found| !self.declared.contains_key(&found.id));
        items.extend(others.map(|found| self.seen(found)));
        Ok(Listing {
            items,
            next_cursor: found.next_cursor,
        })
    }

    async fn create_organization(&self, new: NewOrganization, by: By) -> Answer<Organization> {
        self.inner.create_organization(new, by).await
    }

    async fn update_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        edit: OrganizationEdit,
        by: By,
    ) -> Answer<Organization> {
        self.inner.update_organization(organization, version, edit, by).await
    }

    async fn declare_organizations(&self, declared: Vec<NewOrganization>, by: By) -> Answer<usize> {
        self.inner.declare_organizations(declared, by).await
    }

    async fn organization_content(&self, organization: OrganizationId) -> Answer<OrganizationContent> {
        self.inner.organization_content(organization).await
    }

    async fn delete_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        deletion: Deletion,
        by: By,
    ) -> Answer<()> {
        self.inner
            .delete_organization(organization, version, deletion, by)
            .await
    }

    async fn logo(&self, organization: OrganizationId) -> Answer<Option<Logo>> {
        self.inner.logo(organization).await
    }

    async fn set_logo(&self, organization: OrganizationId, logo: Option<Logo>, by: By) -> Answer<Organization> {
        self.inner.set_logo(organization, logo, by).await
    }

    async fn members(&self, scope: Scope, now_ms: i64, page: Page) -> Answer<Listing<Member>> {
        self.inner.members(scope, now_ms, page).await
    }

    async fn members_as_of(&self, scope: Scope, at_ms: i64, page: Page) -> Answer<Listing<Member>> {
        self.inner.members_as_of(scope, at_ms, page).await
    }

    async fn has_met(&self, organization: OrganizationId, user: UserId) -> Answer<bool> {
        self.inner.has_met(organization, user).await
    }

    async fn carriers(&self, filter: CarrierFilter, page: Page) -> Answer<Listing<Carrier>> {
        self.inner.carriers(filter, page).await
    }

    async fn count_carriers(&self, filter: CarrierFilter, most: usize) -> Answer<usize> {
        self.inner.count_carriers(filter, most).await
    }

    async fn tags_ever_seen(&self, realm: Realm, tags: Vec<String>) -> Answer<Vec<String>> {
        self.inner.tags_ever_seen(realm, tags).await
    }

    async fn seen_tags(&self, realm: Option<Realm>, page: Page) -> Answer<Listing<SeenTag>> {
        self.inner.seen_tags(realm, page).await
    }

    async fn team(&self, team: TeamId) -> Answer<Option<Team>> {
        self.inner.team(team).await
    }

    async fn teams(&self, filter: TeamFilter, page: Page) -> Answer<Listing<Team>> {
        self.inner.teams(filter, page).await
    }

    async fn create_team(&self, new: NewTeam, by: By) -> Answer<Team> {
        self.inner.create_team(new, by).await
    }

    async fn update_team(&self, team: TeamId, version: Option<u64>, edit: TeamEdit, by: By) -> Answer<Team> {
        self.inner.update_team(team, version, edit, by).await
    }
}

#[async_trait]
impl Keyring for DeclaredView {
    async fn create_api_key(&self, key: ApiKey, by: By) -> Answer<()> {
        self.inner.create_api_key(key, by).await
    }

    async fn api_key(&self, hash: SecretHash) -> Answer<Option<ApiKey>> {
        self.inner.api_key(hash).await
    }

    async fn api_keys(&self, page: Page) -> Answer<Listing<ApiKey>> {
        self.inner.api_keys(page).await
    }

    async fn revoke_api_key(&self, key: ApiKeyId, by: By) -> Answer<bool> {
        self.inner.revoke_api_key(key, by).await
    }

    async fn note_api_key_use(&self, key: ApiKeyId, at_ms: i64) -> Answer<bool> {
        self.inner.note_api_key_use(key, at_ms).await
    }

    async fn create_machine_key(&self, key: MachineKey, by: By) -> Answer<()> {
        self.inner.create_machine_key(key, by).await
    }

    async fn machine_key(&self, hash: SecretHash) -> Answer<Option<MachineKey>> {
        self.inner.machine_key(hash).await
    }

    async fn machine_key_of_id(&self, key: MachineKeyId) -> Answer<Option<MachineKey>> {
        self.inner.machine_key_of_id(key).await
    }

    async fn machine_keys(&self, organization: OrganizationId, page: Page) -> Answer<Listing<MachineKey>> {
        self.inner.machine_keys(organization, page).await
    }

    async fn revoke_machine_key(&self, key: MachineKeyId, by: By) -> Answer<bool> {
        self.inner.revoke_machine_key(key, by).await
    }

    async fn note_machine_key_uses(&self, uses: Vec<MachineKeyUse>) -> Answer<usize> {
        self.inner.note_machine_key_uses(uses).await
    }

    async fn assertion_keys(&self) -> Answer<Vec<AssertionKey>> {
        self.inner.assertion_keys().await
    }

    async fn rotate_assertion_key(&self, key: AssertionKey, newer_than_ms: i64, by: By) -> Answer<Vec<AssertionKey>> {
        self.inner.rotate_assertion_key(key, newer_than_ms, by).await
    }

    async fn key_sets(&self) -> Answer<Vec<SavedKeySet>> {
        self.inner.key_sets().await
    }

    async fn save_key_set(&self, set: SavedKeySet) -> Answer<()> {
        self.inner.save_key_set(set).await
    }
}
