//! `Trail` in memory.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use super::MemoryDirectory;
use narthex_directory::By;
use narthex_directory::REFUSED;
use narthex_directory::rules;
use narthex_directory::{Answer, Trail};
use narthex_directory::{AuditEvent, EventFilter, RecordedEvent};
use narthex_directory::{AuditKey, ChainLink, Checkpoint};
use narthex_directory::{DAY_MS, DayChanges};
use narthex_directory::{DENIALS_KEPT_MS, DenialRecord, denial_cursor, time_key};
use narthex_directory::{Listing, Page};
use narthex_directory::{OrganizationId, UserId};
use narthex_directory::{SealKey, SealedEvent, SecretBytes};

/// Records that are kept beside the events.
#[derive(Debug, Default)]
pub(super) struct TrailTable {
    /// Oldest first.
    chain: Vec<ChainLink>,
    /// Oldest first.
    checkpoints: Vec<Checkpoint>,
    /// Newest first.
    audit_keys: Vec<AuditKey>,
    pub(super) seal_keys: HashMap<UserId, SecretBytes>,
    denials: BTreeMap<String, DenialRecord>,
}

impl TrailTable {
    fn seal_keys_of(&self, users: &[UserId]) -> Vec<SealKey> {
        let known = users.iter().filter_map(|user| {
            let secret = self.seal_keys.get(user)?.clone();
            Some(SealKey { user: *user, secret })
        });
        known.collect()
    }
}

#[async_trait]
impl Trail for MemoryDirectory {
    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>> {
        self.lock().events(&filter, &page)
    }

    async fn record(&self, event: AuditEvent) -> Answer<()> {
        self.lock().record(event);
        Ok(())
    }

    async fn chain_end(&self) -> Answer<Option<ChainLink>> {
        Ok(self.lock().trail.chain.last().copied())
    }

    async fn chain_links(&self, after: u64, limit: usize) -> Answer<Vec<ChainLink>> {
        let state = self.lock();
        let links = state.trail.chain.iter().filter(|link| link.sequence > after);
        Ok(links.take(limit).copied().collect())
    }

    async fn extend_chain(&self, after: u64, links: Vec<ChainLink>, checkpoint: Option<Checkpoint>) -> Answer<bool> {
        let mut state = self.lock();
        if state.trail.chain.last().map_or(0, |link| link.sequence) != after {
            return Ok(false);
        }
        state.trail.chain.extend(links);
        state.trail.checkpoints.extend(checkpoint);
        Ok(true)
    }

    async fn checkpoints(&self, after: u64, limit: usize) -> Answer<Vec<Checkpoint>> {
        let state = self.lock();
        let checkpoints = state.trail.checkpoints.iter();
        let found = checkpoints.filter(|checkpoint| checkpoint.sequence > after);
        Ok(found.take(limit).cloned().collect())
    }

    async fn last_checkpoint(&self) -> Answer<Option<Checkpoint>> {
        Ok(self.lock().trail.checkpoints.last().cloned())
    }

    async fn audit_keys(&self) -> Answer<Vec<AuditKey>> {
        Ok(self.lock().trail.audit_keys.clone())
    }

    async fn create_audit_key(&self, key: AuditKey, by: By) -> Answer<Vec<AuditKey>> {
        let mut state = self.lock();
        if state.trail.audit_keys.is_empty() {
            state.record(rules::audit_key_event(&key.kid, &by));
            state.trail.audit_keys.push(key);
        }
        Ok(state.trail.audit_keys.clone())
    }

    async fn seal_keys(&self, users: Vec<UserId>) -> Answer<Vec<SealKey>> {
        Ok(self.lock().trail.seal_keys_of(&users))
    }

    async fn create_seal_keys(&self, keys: Vec<SealKey>) -> Answer<Vec<SealKey>> {
        let mut state = self.lock();
        let users: Vec<UserId> = keys.iter().map(|key| key.user).collect();
        for key in keys {
            state.trail.seal_keys.entry(key.user).or_insert(key.secret);
        }
        Ok(state.trail.seal_keys_of(&users))
    }

    async fn seal_events(&self, events: Vec<SealedEvent>) -> Answer<()> {
        let mut state = self.lock();
        for sealed in events {
            if state.trail.seal_keys.get(&sealed.key.user) != Some(&sealed.key.secret) {
                continue;
            }
            let place = state
                .events
                .binary_search_by_key(&sealed.sequence, |recorded| recorded.sequence);
            let found = place.ok().and_then(|place| state.events.get_mut(place));
            if let Some(recorded) = found.filter(|recorded| recorded.seals.0.is_empty()) {
                recorded.seals = sealed.seals;
            }
        }
        Ok(())
    }

    async fn cut_trail(&self, cut: Checkpoint, mut event: AuditEvent) -> Answer<u64> {
        let mut state = self.lock();
        let is_link = |link: &ChainLink| (link.sequence, link.hash) == (cut.sequence, cut.hash);
        let events = state.events.iter().filter(|recorded| recorded.sequence <= cut.sequence);
        let events = events.count() as u64;
        if events == 0 || !state.trail.chain.iter().any(is_link) {
            return Ok(0);
        }
        event.detail.insert("events".to_owned(), events.into());
        state.record(event);
        state.events.retain(|recorded| recorded.sequence > cut.sequence);
        state.trail.chain.retain(|link| link.sequence >= cut.sequence);
        state.trail.checkpoints.retain(|known| known.sequence > cut.sequence);
        state.trail.checkpoints.insert(0, cut);
        Ok(events)
    }

    async fn delete_refusals(&self, before_ms: i64, limit: usize, mut event: AuditEvent) -> Answer<usize> {
        let mut state = self.lock();
        let linked = state.trail.chain.last().map_or(0, |link| link.sequence);
        let old = state.events.iter().filter(|recorded| {
            recorded.event.action == REFUSED && recorded.event.at_ms < before_ms && recorded.sequence <= linked
        });
        let old: Vec<u64> = old.map(|recorded| recorded.sequence).take(limit).collect();
        if !old.is_empty() {
            event.detail.insert("events".to_owned(), old.len().into());
            state.record(event);
            let is_old = |sequence: u64| old.binary_search(&sequence).is_ok();
            state.events.retain(|recorded| !is_old(recorded.sequence));
            state.trail.checkpoints.retain(|known| !is_old(known.sequence));
        }
        Ok(old.len())
    }

    async fn role_changes_per_day(&self, organization: OrganizationId, from_ms: i64) -> Answer<Vec<DayChanges>> {
        let state = self.lock();
        let mut days: BTreeMap<i64, u64> = BTreeMap::new();
        for RecordedEvent { event, .. } in &state.events {
            let is_change = matches!(event.action.as_str(), "grant.opened" | "grant.closed");
            if is_change && event.organization == Some(organization) && event.at_ms >= from_ms {
                *days.entry(event.at_ms / DAY_MS).or_default() += 1;
            }
        }
        let days = days.into_iter().map(|(day, changes)| DayChanges { day, changes });
        Ok(days.collect())
    }

    async fn keep_denials(&self, denials: Vec<DenialRecord>, now_ms: i64) -> Answer<()> {
        let mut state = self.lock();
        state.trail.denials.retain(|_, denial| is_recent(denial, now_ms));
        for denial in denials {
            state.trail.denials.entry(denial.request_id.clone()).or_insert(denial);
        }
        Ok(())
    }

    async fn denial(&self, request_id: String, now_ms: i64) -> Answer<Option<DenialRecord>> {
        let state = self.lock();
        let found = state.trail.denials.get(&request_id);
        Ok(found.filter(|denial| is_recent(denial, now_ms)).cloned())
    }

    async fn denials(&self, now_ms: i64, page: Page) -> Answer<Listing<DenialRecord>> {
        let after = page.after_pair()?;
        let before = |denial: &DenialRecord| {
            let place = (time_key(denial.at_ms), denial.request_id.clone());
            after.as_ref().is_none_or(|after| place < *after)
        };
        let state = self.lock();
        let recent = state.trail.denials.values().filter(|denial| is_recent(denial, now_ms));
        let mut items: Vec<DenialRecord> = recent.filter(|denial| before(denial)).cloned().collect();
        items.sort_by(|a, b| (b.at_ms, &b.request_id).cmp(&(a.at_ms, &a.request_id)));
        items.truncate(page.limit() + 1);
        Ok(Listing::cut(items, &page, denial_cursor))
    }
}

fn is_recent(denial: &DenialRecord, now_ms: i64) -> bool {
    denial.at_ms > now_ms.saturating_sub(DENIALS_KEPT_MS)
}
