//! `Keyring` in memory.

use async_trait::async_trait;

use super::MemoryDirectory;
use narthex_directory::By;
use narthex_directory::Scope;
use narthex_directory::StoreError;
use narthex_directory::Stripe;
use narthex_directory::rules;
use narthex_directory::{Answer, Keyring};
use narthex_directory::{ApiKey, AssertionKey, SavedKeySet, SecretHash};
use narthex_directory::{ApiKeyId, MachineKeyId, OrganizationId};
use narthex_directory::{Listing, Page};
use narthex_directory::{MachineKey, MachineKeyUse};

#[async_trait]
impl Keyring for MemoryDirectory {
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

    async fn create_machine_key(&self, key: MachineKey, by: By) -> Answer<()> {
        let mut state = self.lock();
        state.home(Scope::Organization(key.organization))?;
        if state
            .machine_keys
            .values()
            .any(|kept| kept.hash == key.hash || kept.id == key.id)
        {
            return Err(StoreError::AlreadyExists {
                what: "machine key",
                field: "hash",
                owner: None,
            });
        }
        state.record(rules::machine_key_event("machine_key.created", &key, &by));
        state.machine_keys.insert(key.id, key);
        Ok(())
    }

    async fn machine_key(&self, hash: SecretHash) -> Answer<Option<MachineKey>> {
        Ok(self.lock().machine_keys.values().find(|key| key.hash == hash).cloned())
    }

    async fn machine_key_of_id(&self, key: MachineKeyId) -> Answer<Option<MachineKey>> {
        Ok(self.lock().machine_keys.get(&key).cloned())
    }

    async fn machine_keys(&self, organization: OrganizationId, page: Page) -> Answer<Listing<MachineKey>> {
        page.after_id()?;
        Ok(self.lock().machine_keys(organization, &page))
    }

    async fn revoke_machine_key(&self, key: MachineKeyId, by: By) -> Answer<bool> {
        let mut state = self.lock();
        let open = state.machine_keys.get_mut(&key);
        let Some(kept) = open.filter(|key| key.revoked_at_ms.is_none()) else {
            return Ok(false);
        };
        kept.revoked_at_ms = Some(by.at_ms);
        let stripe = Stripe::of_machine_key(kept.hash);
        let event = rules::machine_key_event("machine_key.revoked", kept, &by);
        state.record(event);
        self.versions.raise_stripe(stripe, self.versions.stripe(stripe) + 1);
        Ok(true)
    }

    async fn note_machine_key_uses(&self, uses: Vec<MachineKeyUse>) -> Answer<usize> {
        let mut state = self.lock();
        let mut recorded = 0;
        for MachineKeyUse { key, at_ms } in uses {
            let kept = state.machine_keys.get_mut(&key).filter(|key| key.use_is_due(at_ms));
            if let Some(kept) = kept {
                kept.last_used_at_ms = Some(at_ms);
                recorded += 1;
            }
        }
        Ok(recorded)
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
}
