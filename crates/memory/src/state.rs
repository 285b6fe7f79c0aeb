//! The records, and the eleven changes carried out on them. A set of changes is made whole or not at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use narthex_directory::MachineKey;
use narthex_directory::Mark;
use narthex_directory::Scope;
use narthex_directory::StoreError;
use narthex_directory::Team;
use narthex_directory::Touch;
use narthex_directory::User;
use narthex_directory::{ApiKey, AssertionKey, SavedKeySet, SeenTag};
use narthex_directory::{ApiKeyId, GrantId, MachineKeyId, OrganizationId, TeamId, UserId};
use narthex_directory::{AuditEvent, By, RecordedEvent, Seals};
use narthex_directory::{Change, Moves};
use narthex_directory::{Document, DocumentKind};
use narthex_directory::{ExternalId, IssuerName, OrganizationName, Realm, Username};
use narthex_directory::{Grant, GrantSource};
use narthex_directory::{Logo, Organization};
use narthex_directory::{OrganizationBrief, Standing};
use narthex_directory::{RefusedTokens, RemovedIdentity};
use narthex_directory::{Stamp, Stripe, Versions};

use super::sessions::SessionTable;
use super::trail::TrailTable;
use super::webhooks::WebhookTable;

/// Record of an issuer's tokens for a user.
#[derive(Debug, Clone, Default)]
pub(super) struct IssuerState {
    pub(super) last: Option<Mark>,
    pub(super) tags: Option<Vec<String>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) user_by_external: HashMap<(Realm, ExternalId), UserId>,
    pub(super) user_by_name: HashMap<(Realm, Username), UserId>,
    pub(super) organizations: BTreeMap<OrganizationId, Organization>,
    pub(super) organization_by_name: HashMap<OrganizationName, OrganizationId>,
    pub(super) organization_by_external: HashMap<(Realm, ExternalId), OrganizationId>,
    pub(super) organizations_by_tag: BTreeMap<(Realm, String), BTreeSet<OrganizationId>>,
    pub(super) teams: BTreeMap<TeamId, Team>,
    pub(super) team_by_external: HashMap<(Realm, ExternalId), TeamId>,
    pub(super) grants: BTreeMap<GrantId, Grant>,
    pub(super) open_by_user: HashMap<UserId, BTreeSet<GrantId>>,
    pub(super) open_by_scope: BTreeMap<Scope, BTreeSet<(UserId, GrantId)>>,
    pub(super) issuers: BTreeMap<(UserId, IssuerName), IssuerState>,
    pub(super) logos: BTreeMap<OrganizationId, Logo>,
    pub(super) api_keys: BTreeMap<ApiKeyId, ApiKey>,
    pub(super) machine_keys: BTreeMap<MachineKeyId, MachineKey>,
    pub(super) assertion_keys: Vec<AssertionKey>,
    pub(super) key_sets: BTreeMap<IssuerName, SavedKeySet>,
    pub(super) events: Vec<RecordedEvent>,
    pub(super) trail: TrailTable,
    pub(super) documents: BTreeMap<(DocumentKind, String), Document>,
    pub(super) seen_tags: BTreeMap<(Realm, String), SeenTag>,
    /// Names that organizations had.
    pub(super) former_names: BTreeSet<OrganizationName>,
    pub(super) sessions: SessionTable,
    pub(super) webhooks: WebhookTable,
    /// Identities that were removed. In memory there is no file that others could read, so they need no hash.
    pub(super) removed: HashMap<RemovedIdentity, RefusedTokens>,
}

/// At most one grant is open for each of these.
type OpenKey<'a> = (UserId, Scope, &'a GrantSource);

fn open_key(grant: &Grant) -> OpenKey<'_> {
    (grant.user, grant.scope(), &grant.source)
}

impl State {
    /// Makes all changes, with their events, or none. Moves the versions.
    pub(super) fn write(&mut self, changes: &[Change], by: &By, versions: &Versions) -> Result<(), StoreError> {
        for (done, change) in changes.iter().enumerate() {
            if let Err(error) = self.make(change) {
                for change in changes.iter().take(done).rev() {
                    self.unmake(change);
                }
                return Err(error);
            }
        }
        for change in changes {
            self.record(change.event(&by.actor, by.at_ms));
        }
        for change in changes {
            if let Change::UpdateOrganization { before, after, .. } = change
                && before.name != after.name
            {
                self.former_names.insert(before.name.clone());
            }
        }
        let moves = Moves::of(changes);
        for user in &moves.users {
            let edited = changes.iter().any(|change| change.writes(*user));
            if let Some(user) = self.users.get_mut(user).filter(|_| !edited) {
                user.version += 1;
            }
            let stripe = Stripe::of(*user);
            versions.raise_stripe(stripe, versions.stripe(stripe) + 1);
        }
        if moves.policy {
            versions.raise_policy(versions.policy() + 1);
        }
        Ok(())
    }

    pub(super) fn record(&mut self, event: AuditEvent) {
        let sequence = self.events.last().map_or(0, |newest| newest.sequence) + 1;
        self.events.push(RecordedEvent {
            sequence,
            event,
            seals: Seals::default(),
        });
    }

    fn make(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::CreateUser(user) => self.put_user(None, user),
            Change::UpdateUser { before, after, .. } | Change::EraseUser { before, after, .. } => {
                self.put_user(Some(before), after)
            }
            Change::CreateOrganization(organization) => self.put_organization(None, organization),
            Change::UpdateOrganization { before, after, .. } => self.put_organization(Some(before), after),
            Change::DeleteOrganization { before, .. } => self.delete_organization(before),
            Change::DeleteTeam { before, .. } => self.delete_team(before),
            Change::CreateTeam(team) => self.put_team(None, team),
            Change::UpdateTeam { before, after } => self.put_team(Some(before), after),
            Change::OpenGrant(grant) => self.open(grant),
            Change::CloseGrant(grant) => self.close(grant),
        }
    }

    fn unmake(&mut self, change: &Change) {
        match change {
            Change::CreateUser(user) => self.drop_user(user),
            Change::CreateOrganization(organization) => self.drop_organization(organization),
            Change::DeleteOrganization { before, .. } => self.index_organization(before),
            Change::DeleteTeam { before, .. } => self.index_team(before),
            Change::CreateTeam(team) => self.drop_team(team),
            Change::UpdateUser { before, after, .. } | Change::EraseUser { before, after, .. } => {
                self.drop_user(after);
                self.index_user(before);
            }
            Change::UpdateOrganization { before, after, .. } => {
                self.drop_organization(after);
                self.index_organization(before);
            }
            Change::UpdateTeam { before, after } => {
                self.drop_team(after);
                self.index_team(before);
            }
            Change::OpenGrant(grant) => {
                self.unindex_grant(grant);
                self.grants.remove(&grant.id);
            }
            Change::CloseGrant(grant) => {
                let mut open = (**grant).clone();
                open.revoked_at_ms = None;
                open.revoked_why = None;
                self.index_grant(open);
            }
        }
    }

    fn put_user(&mut self, before: Option<&User>, after: &User) -> Result<(), StoreError> {
        expect_version(
            before.map(|user| user.version),
            self.users.get(&after.id).map(|user| user.version),
        )?;
        let key = (after.realm.clone(), after.external_id.clone());
        taken(self.user_by_external.get(&key), after.id, "user", "external_id")?;
        let key = (after.realm.clone(), after.username.clone());
        taken(self.user_by_name.get(&key), after.id, "user", "username")?;
        if let Some(before) = before {
            self.drop_user(before);
        }
        self.index_user(after);
        Ok(())
    }

    fn index_user(&mut self, user: &User) {
        self.user_by_external
            .insert((user.realm.clone(), user.external_id.clone()), user.id);
        self.user_by_name
            .insert((user.realm.clone(), user.username.clone()), user.id);
        self.users.insert(user.id, user.clone());
    }

    fn drop_user(&mut self, user: &User) {
        self.user_by_external
            .remove(&(user.realm.clone(), user.external_id.clone()));
        self.user_by_name.remove(&(user.realm.clone(), user.username.clone()));
        self.users.remove(&user.id);
    }

    fn put_organization(&mut self, before: Option<&Organization>, after: &Organization) -> Result<(), StoreError> {
        let found = self
            .organizations
            .get(&after.id)
            .map(|organization| organization.version);
        expect_version(before.map(|organization| organization.version), found)?;
        taken(
            self.organization_by_name.get(&after.name),
            after.id,
            "organization",
            "name",
        )?;
        if let Some(external_id) = &after.external_id {
            let key = (after.realm.clone(), external_id.clone());
            taken(
                self.organization_by_external.get(&key),
                after.id,
                "organization",
                "external_id",
            )?;
        }
        if let Some(before) = before {
            self.drop_organization(before);
        }
        self.index_organization(after);
        Ok(())
    }

    fn index_organization(&mut self, organization: &Organization) {
        let id = organization.id;
        self.organization_by_name.insert(organization.name.clone(), id);
        if let Some(external_id) = &organization.external_id {
            self.organization_by_external
                .insert((organization.realm.clone(), external_id.clone()), id);
        }
        for (tag, _) in organization.tags.roles() {
            let key = (organization.realm.clone(), tag.to_string());
            self.organizations_by_tag.entry(key).or_default().insert(id);
        }
        self.organizations.insert(id, organization.clone());
    }

    pub(super) fn drop_organization(&mut self, organization: &Organization) {
        self.organization_by_name.remove(&organization.name);
        if let Some(external_id) = &organization.external_id {
            self.organization_by_external
                .remove(&(organization.realm.clone(), external_id.clone()));
        }
        for (tag, _) in organization.tags.roles() {
            if let Some(listing) = self
                .organizations_by_tag
                .get_mut(&(organization.realm.clone(), tag.to_string()))
            {
                listing.remove(&organization.id);
            }
        }
        self.organizations.remove(&organization.id);
    }

    fn put_team(&mut self, before: Option<&Team>, after: &Team) -> Result<(), StoreError> {
        expect_version(
            before.map(|team| team.version),
            self.teams.get(&after.id).map(|team| team.version),
        )?;
        if after
            .organization
            .is_some_and(|organization| !self.organizations.contains_key(&organization))
        {
            return Err(StoreError::NotFound { what: "organization" });
        }
        if let Some(external_id) = &after.external_id {
            let key = (after.realm.clone(), external_id.clone());
            taken(self.team_by_external.get(&key), after.id, "team", "external_id")?;
        }
        if let Some(before) = before {
            self.drop_team(before);
        }
        self.index_team(after);
        Ok(())
    }

    fn index_team(&mut self, team: &Team) {
        if let Some(external_id) = &team.external_id {
            self.team_by_external
                .insert((team.realm.clone(), external_id.clone()), team.id);
        }
        self.teams.insert(team.id, team.clone());
    }

    pub(super) fn drop_team(&mut self, team: &Team) {
        if let Some(external_id) = &team.external_id {
            self.team_by_external.remove(&(team.realm.clone(), external_id.clone()));
        }
        self.teams.remove(&team.id);
    }

    fn open(&mut self, grant: &Grant) -> Result<(), StoreError> {
        let exists = match grant.scope() {
            Scope::Platform => true,
            Scope::Organization(id) => self.organizations.contains_key(&id),
            Scope::Team(id) => self.teams.contains_key(&id),
        };
        if !exists || !self.users.contains_key(&grant.user) {
            return Err(StoreError::NotFound {
                what: if exists { "user" } else { grant.scope().kind() },
            });
        }
        if self
            .open_grants(grant.user)
            .any(|open| open_key(open) == open_key(grant))
        {
            return Err(StoreError::AlreadyExists {
                what: "grant",
                field: "scope",
                owner: None,
            });
        }
        self.index_grant(grant.clone());
        Ok(())
    }

    fn close(&mut self, grant: &Grant) -> Result<(), StoreError> {
        if self
            .grants
            .get(&grant.id)
            .is_none_or(|kept| kept.revoked_at_ms.is_some())
        {
            return Err(StoreError::Conflict);
        }
        self.unindex_grant(grant);
        self.grants.insert(grant.id, grant.clone());
        Ok(())
    }

    fn index_grant(&mut self, grant: Grant) {
        self.open_by_user.entry(grant.user).or_default().insert(grant.id);
        self.open_by_scope
            .entry(grant.scope())
            .or_default()
            .insert((grant.user, grant.id));
        self.grants.insert(grant.id, grant);
    }

    fn unindex_grant(&mut self, grant: &Grant) {
        if let Some(open) = self.open_by_user.get_mut(&grant.user) {
            open.remove(&grant.id);
        }
        if let Some(open) = self.open_by_scope.get_mut(&grant.scope()) {
            open.remove(&(grant.user, grant.id));
        }
    }

    /// A user's open grants, by id.
    pub(super) fn open_grants(&self, user: UserId) -> impl Iterator<Item = &Grant> {
        let open = self.open_by_user.get(&user);
        open.into_iter().flatten().filter_map(|id| self.grants.get(id))
    }

    /// The open grants on a scope, by user and id.
    pub(super) fn open_on(&self, scope: Scope) -> impl Iterator<Item = &Grant> {
        let open = self.open_by_scope.get(&scope);
        open.into_iter().flatten().filter_map(|(_, id)| self.grants.get(id))
    }

    /// The open manual grants on an organization and on its teams.
    pub(super) fn manual_grants(&self, organization: OrganizationId) -> Vec<Grant> {
        let teams = self
            .teams
            .values()
            .filter(|team| team.organization == Some(organization));
        let scopes = std::iter::once(Scope::Organization(organization)).chain(teams.map(|team| Scope::Team(team.id)));
        let manual = scopes
            .flat_map(|scope| self.open_on(scope))
            .filter(|grant| grant.source == GrantSource::Manual);
        manual.cloned().collect()
    }

    /// The organization that a scope is, or lies in.
    pub(super) fn home(&self, scope: Scope) -> Result<Option<&Organization>, StoreError> {
        let organization = match scope {
            Scope::Platform => None,
            Scope::Organization(id) => Some(id),
            Scope::Team(id) => {
                self.teams
                    .get(&id)
                    .ok_or(StoreError::NotFound { what: "team" })?
                    .organization
            }
        };
        let missing = StoreError::NotFound { what: "organization" };
        organization
            .map(|id| self.organizations.get(&id).ok_or(missing))
            .transpose()
    }

    pub(super) fn standing(&self, user: UserId, versions: &Versions) -> Option<Standing> {
        let user = self.users.get(&user)?.clone();
        let grants: Vec<Grant> = self.open_grants(user.id).cloned().collect();
        let scopes: BTreeSet<Scope> = grants.iter().map(Grant::scope).collect();
        let mut organizations = Vec::new();
        let mut teams = Vec::new();
        for scope in scopes {
            match scope {
                Scope::Platform => {}
                Scope::Organization(id) => {
                    organizations.extend(self.organizations.get(&id).map(OrganizationBrief::from));
                }
                Scope::Team(id) => teams.extend(self.teams.get(&id).cloned()),
            }
        }
        let stamp = stamp(Stripe::of(user.id), versions);
        Some(Standing {
            user,
            grants,
            organizations,
            teams,
            stamp,
        })
    }

    /// Writes down what a token asserts.
    pub(super) fn note(&mut self, touch: &Touch) {
        if let Some(user) = self.users.get_mut(&touch.user) {
            user.last_seen_at_ms = user.last_seen_at_ms.max(Some(touch.at_ms));
        }
        self.note_issuer(touch.user, &touch.issuer, touch.mark, touch.tags.as_ref());
        for id in &touch.asserted {
            if let Some(grant) = self.grants.get_mut(id).filter(|grant| grant.revoked_at_ms.is_none()) {
                grant.asserted_at_ms = grant.asserted_at_ms.max(touch.at_ms);
                grant.lapses_at_ms = touch.lapses_at_ms;
            }
        }
    }

    /// Writes down a token's mark, and its tags if it counts.
    pub(super) fn note_issuer(
        &mut self,
        user: UserId,
        issuer: &IssuerName,
        mark: Option<Mark>,
        tags: Option<&Vec<String>>,
    ) {
        let state = self.issuers.entry((user, issuer.clone())).or_default();
        let counts = follows(mark, state.last);
        state.last = Mark::join_maybe(state.last, mark);
        if let Some(tags) = tags.filter(|_| counts) {
            state.tags = Some(tags.clone());
        }
    }

    /// Tests whether a token may still take the place of the last one of its issuer.
    pub(super) fn issuer_follows(&self, touch: &Touch) -> bool {
        let state = self.issuers.get(&(touch.user, touch.issuer.clone()));
        follows(touch.mark, state.and_then(|state| state.last))
    }

    /// The newest `iat` of a user's tokens of any issuer, in milliseconds.
    pub(super) fn newest_issued_at_ms(&self, user: UserId) -> Option<i64> {
        let own = self.issuers.iter().filter(|((of, _), _)| *of == user);
        own.filter_map(|(_, state)| Some(state.last?.newest_issued_at_ms)).max()
    }
}

/// The numbers of a stripe now.
pub(super) fn stamp(stripe: Stripe, versions: &Versions) -> Stamp {
    Stamp {
        policy: versions.policy(),
        stripe,
        user: versions.stripe(stripe),
    }
}

/// An undated token takes no dated one's place.
fn follows(mark: Option<Mark>, last: Option<Mark>) -> bool {
    mark.map_or(last.is_none(), |mark| mark.follows(last.as_ref()))
}

pub(super) fn expect_version(expected: Option<u64>, found: Option<u64>) -> Result<(), StoreError> {
    if expected == found {
        Ok(())
    } else {
        Err(StoreError::Conflict)
    }
}

fn taken<I: PartialEq + Copy + ToString>(
    owner: Option<&I>,
    own: I,
    what: &'static str,
    field: &'static str,
) -> Result<(), StoreError> {
    match owner {
        Some(owner) if *owner != own => Err(StoreError::AlreadyExists {
            what,
            field,
            owner: Some(owner.to_string()),
        }),
        _ => Ok(()),
    }
}
