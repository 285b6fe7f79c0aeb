//! `Trail` on `SQLite`.

use async_trait::async_trait;
use narthex_directory::{
    Answer, AuditEvent, AuditKey, By, ChainLink, Checkpoint, DayChanges, DenialRecord, EventFilter, EventOrder,
    Listing, OrganizationId, Page, RecordedEvent, SealKey, SealedEvent, Trail, UserId,
};
use rusqlite::Connection;

use super::SqliteDirectory;
use super::audit_chain;
use super::audit_retention;
use super::change;
use super::denials;
use super::error::Outcome;
use super::list::Query;
use super::seals;
use narthex_tables::columns::EVENT;
use narthex_tables::rows;

#[async_trait]
impl Trail for SqliteDirectory {
    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>> {
        self.readers
            .read(move |connection| events(connection, &filter, &page))
            .await
    }

    async fn record(&self, event: AuditEvent) -> Answer<()> {
        self.writer.write(move |tx| change::record(tx, event)).await
    }

    async fn chain_end(&self) -> Answer<Option<ChainLink>> {
        self.readers.read(audit_chain::end).await
    }

    async fn chain_links(&self, after: u64, limit: usize) -> Answer<Vec<ChainLink>> {
        self.readers
            .read(move |connection| audit_chain::links(connection, after, limit))
            .await
    }

    async fn extend_chain(&self, after: u64, links: Vec<ChainLink>, checkpoint: Option<Checkpoint>) -> Answer<bool> {
        self.writer
            .write(move |tx| audit_chain::extend(tx, after, &links, checkpoint.as_ref()))
            .await
    }

    async fn checkpoints(&self, after: u64, limit: usize) -> Answer<Vec<Checkpoint>> {
        self.readers
            .read(move |connection| audit_chain::checkpoints(connection, after, limit))
            .await
    }

    async fn last_checkpoint(&self) -> Answer<Option<Checkpoint>> {
        self.readers.read(audit_chain::last_checkpoint).await
    }

    async fn audit_keys(&self) -> Answer<Vec<AuditKey>> {
        self.readers.read(audit_chain::keys).await
    }

    async fn create_audit_key(&self, key: AuditKey, by: By) -> Answer<Vec<AuditKey>> {
        self.writer
            .write(move |tx| audit_chain::create_key(tx, &key, &by))
            .await
    }

    async fn seal_keys(&self, users: Vec<UserId>) -> Answer<Vec<SealKey>> {
        self.readers
            .read(move |connection| seals::keys(connection, &users))
            .await
    }

    async fn create_seal_keys(&self, keys: Vec<SealKey>) -> Answer<Vec<SealKey>> {
        self.writer.write(move |tx| seals::create_keys(tx, &keys)).await
    }

    async fn seal_events(&self, events: Vec<SealedEvent>) -> Answer<()> {
        self.writer.write(move |tx| seals::seal(tx, &events)).await
    }

    async fn cut_trail(&self, cut: Checkpoint, event: AuditEvent) -> Answer<u64> {
        self.writer.write(move |tx| audit_retention::cut(tx, &cut, event)).await
    }

    async fn delete_refusals(&self, before_ms: i64, limit: usize, event: AuditEvent) -> Answer<usize> {
        self.writer
            .write(move |tx| audit_retention::delete_refusals(tx, before_ms, limit, event))
            .await
    }

    async fn role_changes_per_day(&self, organization: OrganizationId, from_ms: i64) -> Answer<Vec<DayChanges>> {
        self.readers
            .read(move |connection| audit_chain::role_changes_per_day(connection, organization, from_ms))
            .await
    }

    async fn keep_denials(&self, denials: Vec<DenialRecord>, now_ms: i64) -> Answer<()> {
        self.writer.write(move |tx| denials::keep(tx, &denials, now_ms)).await
    }

    async fn denial(&self, request_id: String, now_ms: i64) -> Answer<Option<DenialRecord>> {
        self.readers
            .read(move |connection| denials::of_request(connection, &request_id, now_ms))
            .await
    }

    async fn denials(&self, now_ms: i64, page: Page) -> Answer<Listing<DenialRecord>> {
        self.readers
            .read(move |connection| denials::list(connection, now_ms, &page))
            .await
    }
}

fn events(connection: &Connection, filter: &EventFilter, page: &Page) -> Outcome<Listing<RecordedEvent>> {
    let mut query = Query::new(&format!("SELECT {EVENT} FROM audit_events e"));
    query.and("e.user_id = ?", filter.user.map(|id| id.to_string()));
    query.and("e.organization_id = ?", filter.organization.map(|id| id.to_string()));
    query.and("e.action = ?", filter.action.clone());
    query.and("(e.actor_name = ? OR e.actor_kind = ?)", filter.actor.clone());
    query.and("instr(lower(e.detail), ?) > 0", filter.needle());
    query.and("e.at_ms >= ?", filter.from_ms);
    query.and("e.at_ms < ?", filter.until_ms);
    let cursor = page.after_number()?;
    let order = match filter.order {
        EventOrder::NewestFirst => {
            query.and("e.sequence < ?", cursor);
            "e.sequence DESC"
        }
        EventOrder::OldestFirst => {
            query.and("e.sequence > ?", cursor);
            "e.sequence"
        }
    };
    let items = query.list(connection, order, page, rows::event)?;
    Ok(Listing::cut(items, page, |recorded: &RecordedEvent| {
        recorded.sequence.to_string()
    }))
}
