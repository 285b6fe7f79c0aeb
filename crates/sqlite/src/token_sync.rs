//! `TokenSync` on `SQLite`: the writes of plans and of uses, and the numbers that tell what is stale.

use std::sync::Arc;

use async_trait::async_trait;
use narthex_directory::{
    Answer, By, Desired, Detail, IssuerName, Mark, Organization, OrganizationId, OrganizationName, Snapshot, Stamp,
    Standing, StoreError, Stripe, SyncPlan, TokenSync, Touch, UserId, Versions,
};
use rusqlite::{Connection, params};

use super::SqliteDirectory;
use super::change::{self, note, see};
use super::error::Outcome;
use super::list::{self, Key};
use super::writer::Tx;
use super::{marks, sessions, snapshot};
use narthex_tables::consequences::{Written, raise};
use narthex_usage::{Noted, UsageBuffer};

#[async_trait]
impl TokenSync for SqliteDirectory {
    async fn snapshot(&self, desired: &Desired, detail: Detail) -> Answer<Snapshot> {
        let (asked, cache) = (desired.clone(), Arc::clone(&self.tag_cache));
        let mut snapshot = self
            .readers
            .read(move |connection| snapshot::snapshot(connection, &cache, &asked, detail))
            .await?;
        self.usage.overlay(&mut snapshot, &desired.issuer);
        Ok(snapshot)
    }

    async fn apply(&self, plan: Arc<SyncPlan>) -> Answer<Stamp> {
        let usage = Arc::clone(&self.usage);
        let noted = Arc::clone(&plan);
        // Computed here, to keep work off the one thread that writes.
        let written = Written::of(
            &plan.changes,
            &By {
                actor: plan.actor(),
                at_ms: plan.touch.at_ms,
            },
        );
        let stamp = self
            .writer
            .write(move |tx| apply_plan(tx, &plan, &written, &usage))
            .await?;
        self.usage.note_applied(&noted);
        Ok(stamp)
    }

    fn touch(&self, touch: &Touch) -> bool {
        self.usage.note(touch)
    }

    fn note_newest(&self, user: UserId, issuer: &IssuerName, mark: Mark) -> bool {
        self.usage.note_newest(user, issuer, mark)
    }

    async fn flush(&self) -> Answer<usize> {
        // One flush at a time: the entries that it takes go on counting until they are known to be written.
        let mut batches = self.flushing.lock().await;
        let noted = Arc::new(self.usage.take());
        if !noted.is_empty() {
            let write = Arc::clone(&noted);
            let written = self.writer.write(move |tx| write_noted(tx, &write)).await;
            self.usage.settle(if written.is_ok() {
                Ok(())
            } else {
                Err(noted.as_ref().clone())
            });
            batches.extend(written?);
        }
        if self.usage.keeps_many() {
            self.write_out(&mut batches).await?;
        }
        self.flush_session_uses().await?;
        Ok(noted.due.len())
    }

    async fn flush_last(&self) -> Answer<()> {
        self.flush().await?;
        self.write_out(&mut *self.flushing.lock().await).await
    }

    async fn standing(&self, user: UserId) -> Answer<Option<Standing>> {
        self.readers
            .read(move |connection| snapshot::standing(connection, user))
            .await
    }

    async fn organization(&self, organization: OrganizationId) -> Answer<Option<Organization>> {
        self.readers
            .read(move |connection| list::organization(connection, Key::Id, &organization.to_string()))
            .await
    }

    async fn organization_named(&self, name: OrganizationName) -> Answer<Option<Organization>> {
        self.readers
            .read(move |connection| list::organization(connection, Key::Name, name.as_str()))
            .await
    }

    fn versions(&self) -> &Arc<Versions> {
        &self.versions
    }

    async fn poll_versions(&self) -> Answer<()> {
        self.place.check()?;
        let counters = self.readers.read(counters).await?;
        raise(&self.versions, &counters);
        Ok(())
    }

    async fn health(&self) -> Answer<()> {
        self.place.check()?;
        self.readers.read(|connection| change::counter(connection, 0)).await?;
        self.writer.write(|tx| change::counter(tx, 0)).await.map(drop)
    }

    fn writes_fail(&self) -> bool {
        self.writer.is_failing()
    }
}

impl SqliteDirectory {
    async fn flush_session_uses(&self) -> Answer<()> {
        let uses = Arc::new(self.session_uses.take());
        if uses.is_empty() {
            return Ok(());
        }
        let write = Arc::clone(&uses);
        let written = self.writer.write(move |tx| sessions::write_uses(tx, &write)).await;
        if written.is_err() {
            self.session_uses.give_back(uses.to_vec());
        }
        written
    }
}

/// All numbers that other processes may have moved.
pub(super) fn counters(connection: &Connection) -> Outcome<Vec<(i64, u64)>> {
    let mut statement = connection.prepare_cached("SELECT id, version FROM change_counters")?;
    let counters = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(counters.collect::<Result<_, _>>()?)
}

/// Writes what was noted since the last time. Returns the batches that its marks are in.
fn write_noted(tx: &Tx<'_>, noted: &Noted) -> Outcome<Vec<i64>> {
    for touch in &noted.due {
        see(tx, touch)?;
        note(tx, touch)?;
    }
    let mut statement = tx.prepare_cached(
        "INSERT INTO seen_tags (realm, tag, first_seen_at_ms, last_seen_at_ms) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (realm, tag) DO UPDATE SET last_seen_at_ms = max(last_seen_at_ms, excluded.last_seen_at_ms)",
    )?;
    for seen in &noted.tags {
        statement.execute(params![
            seen.realm.as_str(),
            seen.tag,
            seen.first_seen_at_ms,
            seen.last_seen_at_ms
        ])?;
    }
    marks::write_in_short(tx, &noted.marks)
}

/// Makes the changes of a plan, if what it expects still holds.
fn apply_plan(tx: &mut Tx<'_>, plan: &SyncPlan, written: &Written, usage: &UsageBuffer) -> Outcome<Stamp> {
    let touch = &plan.touch;
    let policy = change::counter(tx, 0)?;
    // A plan that creates its user finds out by the unique index whether that is still right.
    let known = plan.expects.user_version.is_none() || change::version_of(tx, touch.user)? == plan.expects.user_version;
    let holds = known
        && plan.expects.policy.is_none_or(|expected| expected == policy)
        // A newer token of this user may have been used since the snapshot, one that changed nothing too.
        && !usage.has_newer(touch);
    if !holds {
        return Err(StoreError::Conflict.into());
    }
    change::write(tx, &plan.changes, written).map_err(|fault| match StoreError::from(fault) {
        StoreError::AlreadyExists { .. } | StoreError::NotFound { .. } => StoreError::Conflict,
        error => error,
    })?;
    if plan.expects.user_version.is_some() {
        change::see(tx, touch)?;
    }
    change::note_plan(tx, touch)?;
    let stripe = Stripe::of(touch.user);
    Ok(Stamp {
        policy,
        stripe,
        user: change::counter(tx, i64::from(stripe.number()) + 1)?,
    })
}
