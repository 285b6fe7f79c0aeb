//! Deletion of organizations in memory.

use std::collections::BTreeSet;

use super::state::{State, expect_version};
use super::{MemoryDirectory, missing};
use narthex_directory::{
    Answer, By, Deletion, Grant, Organization, OrganizationContent, OrganizationId, OrganizationToDelete,
    RefusedTokens, RemovedIdentity, Scope, StoreError, Stripe, Team, UserId, document, removed_organization, rules,
};

impl MemoryDirectory {
    pub(super) fn delete(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        deletion: &Deletion,
        by: &By,
    ) -> Answer<()> {
        let mut state = self.lock();
        let before = state.organizations.get(&organization).ok_or(missing("organization"))?;
        let identity = removed_organization(before);
        let to_delete = OrganizationToDelete {
            organization: before.clone(),
            content: state.content(organization),
            grants: state.open_in(organization).into_iter().cloned().collect(),
            teams: state.teams_of(organization).cloned().collect(),
        };
        let changes = to_delete.changes(version, deletion, by.at_ms)?;
        if let Some(identity) = identity {
            let refused = RefusedTokens {
                issued_before_ms: by.at_ms,
                all: true,
            };
            self.remember(&mut state, identity, refused);
        }
        self.delete_documents(&mut state, organization, by);
        self.revoke_keys(&mut state, organization, by);
        state.logos.remove(&organization);
        self.carry_out(&mut state, &changes, by)
    }

    fn delete_documents(&self, state: &mut State, organization: OrganizationId, by: &By) {
        let own = state
            .documents
            .values()
            .filter(|kept| kept.organization == Some(organization));
        let keys: Vec<_> = own.map(|kept| (kept.kind, kept.name.clone())).collect();
        for key in keys {
            let Some(gone) = state.documents.remove(&key) else {
                continue;
            };
            state.record(document::event(&gone, "deleted", by));
            if gone.kind.decides() {
                self.versions.raise_policy(self.versions.policy() + 1);
            }
        }
    }

    fn revoke_keys(&self, state: &mut State, organization: OrganizationId, by: &By) {
        let mut events = Vec::new();
        for key in state.machine_keys.values_mut() {
            if key.organization == organization && key.revoked_at_ms.is_none() {
                key.revoked_at_ms = Some(by.at_ms);
                events.push(rules::machine_key_event("machine_key.revoked", key, by));
                let stripe = Stripe::of_machine_key(key.hash);
                self.versions.raise_stripe(stripe, self.versions.stripe(stripe) + 1);
            }
        }
        for key in state.api_keys.values_mut() {
            if key.role.scope() == Scope::Organization(organization) && key.revoked_at_ms.is_none() {
                key.revoked_at_ms = Some(by.at_ms);
                events.push(rules::api_key_event("api_key.revoked", key, by));
                self.versions.raise_policy(self.versions.policy() + 1);
            }
        }
        for event in events {
            state.record(event);
        }
    }
}

impl State {
    /// The teams of an organization, by id.
    fn teams_of(&self, organization: OrganizationId) -> impl Iterator<Item = &Team> {
        let own = self.teams.values();
        own.filter(move |team| team.organization == Some(organization))
    }

    /// The open grants on an organization and on its teams.
    fn open_in(&self, organization: OrganizationId) -> Vec<&Grant> {
        let teams = self.teams_of(organization).map(|team| Scope::Team(team.id));
        let scopes = std::iter::once(Scope::Organization(organization)).chain(teams);
        scopes.flat_map(|scope| self.open_on(scope)).collect()
    }

    /// Number of records that end with an organization.
    pub(super) fn content(&self, organization: OrganizationId) -> OrganizationContent {
        let members: BTreeSet<UserId> = self.open_in(organization).iter().map(|grant| grant.user).collect();
        let machine_keys = self.machine_keys.values();
        let machine_keys = machine_keys.filter(|key| key.organization == organization && key.revoked_at_ms.is_none());
        let api_keys = self
            .api_keys
            .values()
            .filter(|key| key.role.scope() == Scope::Organization(organization) && key.revoked_at_ms.is_none());
        let documents = self
            .documents
            .values()
            .filter(|kept| kept.organization == Some(organization));
        OrganizationContent {
            members: members.len() as u64,
            teams: self.teams_of(organization).count() as u64,
            machine_keys: machine_keys.count() as u64,
            api_keys: api_keys.count() as u64,
            documents: documents.count() as u64,
        }
    }

    /// Deletes an organization. Its name stays taken.
    pub(super) fn delete_organization(&mut self, before: &Organization) -> Result<(), StoreError> {
        let found = self.organizations.get(&before.id).map(|found| found.version);
        expect_version(Some(before.version), found)?;
        self.drop_organization(before);
        self.organization_by_name.insert(before.name.clone(), before.id);
        Ok(())
    }

    /// Deletes a team.
    pub(super) fn delete_team(&mut self, before: &Team) -> Result<(), StoreError> {
        expect_version(
            Some(before.version),
            self.teams.get(&before.id).map(|found| found.version),
        )?;
        self.drop_team(before);
        Ok(())
    }

    /// Of these organizations the external ids of those that were deleted.
    pub(super) fn deleted_of(&self, identities: Vec<RemovedIdentity>) -> BTreeSet<String> {
        let is_deleted = |identity: &RemovedIdentity| self.removed.get(identity).is_some_and(|refused| refused.all);
        let deleted = identities.into_iter().filter(is_deleted);
        deleted
            .map(|identity| identity.external_id.as_str().to_owned())
            .collect()
    }
}
