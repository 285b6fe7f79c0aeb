//! The chain kept up with the trail of a store.

use std::collections::{BTreeMap, BTreeSet};

use narthex_directory::{
    AuditKey, By, ChainHash, ChainLink, Checkpoint, Cursor, EventFilter, EventOrder, PAGE_LIMIT_MAX, Page,
    RecordedEvent, SealKey, SealedEvent, SecretBytes, StoreError, Trail, UserId,
};
use thiserror::Error;

use crate::canonical::canonical;
use crate::chain::link;
use crate::checkpoint::{CheckpointKey, KeyError};
use crate::seal::{KeySource, seals};

/// Largest number of events without a checkpoint.
pub const CHECKPOINT_EVENTS: u64 = 1_000;
/// Longest time for which the last events stay without a checkpoint, in milliseconds: ten minutes.
pub const CHECKPOINT_AFTER_MS: i64 = 10 * 60 * 1_000;

/// Error of a keeper that cannot begin.
#[derive(Debug, Error)]
pub enum KeeperError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key in the store cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Keeper of the chain: it adds the seals and links that events lack, and checkpoints. Every node has one. Of several that are at it
/// at once, the store lets one extend the chain; the others see the longer chain at their next turn.
#[derive(Debug)]
pub struct ChainKeeper {
    key: CheckpointKey,
    /// The keys of seals to come.
    seal_keys: KeySource,
    /// The last checkpoint that was seen.
    signed: Option<Checkpoint>,
}

impl ChainKeeper {
    /// Reads the key of checkpoints, and makes it from the first seed if there is none yet. The keys of seals are made from
    /// the second one.
    ///
    /// SECURITY: both must be random, and be used for nothing else.
    ///
    /// # Errors
    ///
    /// [`KeeperError`].
    pub async fn open(
        trail: &dyn Trail,
        [seed, seal_seed]: [[u8; CheckpointKey::SEED_BYTES]; 2],
        by: By,
    ) -> Result<Self, KeeperError> {
        let mut keys = trail.audit_keys().await?;
        if keys.is_empty() {
            let fresh = CheckpointKey::from_seed(&seed)?;
            let key = AuditKey {
                kid: fresh.kid().to_owned(),
                private: SecretBytes(seed.to_vec()),
                public_jwk: canonical(&fresh.public_jwk()),
                created_at_ms: by.at_ms,
            };
            keys = trail.create_audit_key(key, by).await?;
        }
        let newest = keys.first().ok_or(KeyError::Damaged)?;
        Ok(Self {
            key: CheckpointKey::from_seed(&newest.private.0)?,
            seal_keys: KeySource::new(seal_seed),
            signed: None,
        })
    }

    /// The key that signs.
    pub const fn key(&self) -> &CheckpointKey {
        &self.key
    }

    /// Gives the key up.
    pub fn into_key(self) -> CheckpointKey {
        self.key
    }

    /// Adds the links of the next events, at most 200, and a checkpoint if one is due. Returns true if there may be more to
    /// add.
    ///
    /// # Errors
    ///
    /// [`StoreError`], after which the next call tries again.
    pub async fn advance(&mut self, trail: &dyn Trail, now_ms: i64) -> Result<bool, StoreError> {
        let end = trail.chain_end().await?.unwrap_or(BEGINNING);
        let events = self.sealed_events(trail, end.sequence).await?;
        let mut last = end;
        let mut links = Vec::with_capacity(events.len());
        for recorded in &events {
            last = link(last.hash, recorded);
            links.push(last);
        }
        let checkpoint = self.checkpoint(trail, last, now_ms).await?;
        if links.is_empty() && checkpoint.is_none() {
            return Ok(false);
        }
        let more = links.len() == PAGE_LIMIT_MAX;
        if !trail.extend_chain(end.sequence, links, checkpoint.clone()).await? {
            return Ok(false);
        }
        self.signed = checkpoint.or_else(|| self.signed.take());
        Ok(more)
    }

    /// Reads the events after number `after`, and adds the seals that they lack. Ends before an event that got none: another
    /// node is at it, or its user was erased just now.
    async fn sealed_events(&mut self, trail: &dyn Trail, after: u64) -> Result<Vec<RecordedEvent>, StoreError> {
        let events = next_events(trail, after).await?;
        let bare = events.iter().filter(|recorded| recorded.needs_seals());
        let users: BTreeSet<UserId> = bare.filter_map(|recorded| recorded.event.user).collect();
        if users.is_empty() {
            return Ok(events);
        }
        let keys = self.keys_of(trail, users).await?;
        // SECURITY: read again, after the keys. A user who was erased before has no values any more; one who is erased from
        // now on has another key then or none, and the store keeps no seals with this one.
        let events = next_events(trail, after).await?;
        let bare = events.iter().filter(|recorded| recorded.needs_seals());
        let sealed = bare.filter_map(|recorded| {
            let key = keys.get(&recorded.event.user?)?;
            Some(SealedEvent {
                sequence: recorded.sequence,
                key: key.clone(),
                seals: seals(&key.secret, recorded),
            })
        });
        let sealed: Vec<SealedEvent> = sealed.collect();
        let mut events = if sealed.is_empty() {
            events
        } else {
            trail.seal_events(sealed).await?;
            next_events(trail, after).await?
        };
        let ready = events.iter().take_while(|recorded| !recorded.needs_seals()).count();
        events.truncate(ready);
        Ok(events)
    }

    /// Reads the keys of these users' seals, and makes those that lack.
    async fn keys_of(
        &mut self,
        trail: &dyn Trail,
        users: BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, SealKey>, StoreError> {
        let known = trail.seal_keys(users.iter().copied().collect()).await?;
        let mut keys: BTreeMap<UserId, SealKey> = known.into_iter().map(|key| (key.user, key)).collect();
        let without = users.into_iter().filter(|user| !keys.contains_key(user));
        let fresh: Vec<SealKey> = without
            .map(|user| SealKey {
                user,
                secret: self.seal_keys.fresh(),
            })
            .collect();
        if !fresh.is_empty() {
            let made = trail.create_seal_keys(fresh).await?;
            keys.extend(made.into_iter().map(|key| (key.user, key)));
        }
        Ok(keys)
    }

    /// Adds every link that lacks, so that an export ends with the newest event.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn catch_up(&mut self, trail: &dyn Trail, now_ms: i64) -> Result<(), StoreError> {
        while self.advance(trail, now_ms).await? {}
        Ok(())
    }

    /// Returns a checkpoint of this link, if one is due.
    async fn checkpoint(
        &mut self,
        trail: &dyn Trail,
        last: ChainLink,
        now_ms: i64,
    ) -> Result<Option<Checkpoint>, StoreError> {
        if !is_due(self.signed.as_ref(), last, now_ms) {
            return Ok(None);
        }
        // Another node may have signed meanwhile.
        self.signed = trail.last_checkpoint().await?;
        let due = is_due(self.signed.as_ref(), last, now_ms);
        Ok(due.then(|| self.key.checkpoint(last, now_ms)))
    }
}

/// Reads the events after number `after`, at most 200.
async fn next_events(trail: &dyn Trail, after: u64) -> Result<Vec<RecordedEvent>, StoreError> {
    let filter = EventFilter {
        order: EventOrder::OldestFirst,
        ..EventFilter::default()
    };
    let page = Page::after(Cursor::new(after.to_string()), PAGE_LIMIT_MAX);
    Ok(trail.events(filter, page).await?.items)
}

/// Stands for the end of an empty chain.
const BEGINNING: ChainLink = ChainLink {
    sequence: 0,
    hash: ChainHash::GENESIS,
};

/// Tests whether a link needs a checkpoint, given the last one.
fn is_due(signed: Option<&Checkpoint>, last: ChainLink, now_ms: i64) -> bool {
    let Some(signed) = signed else {
        return last.sequence > 0;
    };
    let unsigned = last.sequence.saturating_sub(signed.sequence);
    let age_ms = now_ms.saturating_sub(signed.at_ms);
    unsigned >= CHECKPOINT_EVENTS || (unsigned > 0 && age_ms >= CHECKPOINT_AFTER_MS)
}
