//! `Trail` on PostgreSQL.

use async_trait::async_trait;
use narthex_directory::{
    Answer, AuditEvent, AuditKey, By, ChainLink, Checkpoint, DayChanges, DenialRecord, EventFilter, EventOrder,
    Listing, OrganizationId, Page, RecordedEvent, SealKey, SealedEvent, Trail, UserId,
};

use super::PostgresDirectory;
use super::audit_chain;
use super::audit_retention;
use super::denials;
use super::error::Outcome;
use super::list::Query;
use super::seals;
use super::session::Session;
use narthex_tables::columns::EVENT;
use narthex_tables::rows;

#[async_trait]
impl Trail for PostgresDirectory {
    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>> {
        Ok(events(&self.session().await?, &filter, &page).await?)
    }

    async fn record(&self, event: AuditEvent) -> Answer<()> {
        let mut tx = self.begin().await?;
        tx.record(event).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn chain_end(&self) -> Answer<Option<ChainLink>> {
        Ok(audit_chain::end(&self.session().await?).await?)
    }

    async fn chain_links(&self, after: u64, limit: usize) -> Answer<Vec<ChainLink>> {
        Ok(audit_chain::links(&self.session().await?, after, limit).await?)
    }

    async fn extend_chain(&self, after: u64, links: Vec<ChainLink>, checkpoint: Option<Checkpoint>) -> Answer<bool> {
        let mut tx = self.begin().await?;
        if !audit_chain::extend(&mut tx, after, &links, checkpoint.as_ref()).await? {
            return Ok(false);
        }
        tx.commit(&self.shared.versions).await?;
        Ok(true)
    }

    async fn checkpoints(&self, after: u64, limit: usize) -> Answer<Vec<Checkpoint>> {
        Ok(audit_chain::checkpoints(&self.session().await?, after, limit).await?)
    }

    async fn last_checkpoint(&self) -> Answer<Option<Checkpoint>> {
        Ok(audit_chain::last_checkpoint(&self.session().await?).await?)
    }

    async fn audit_keys(&self) -> Answer<Vec<AuditKey>> {
        Ok(audit_chain::keys(&self.session().await?).await?)
    }

    async fn create_audit_key(&self, key: AuditKey, by: By) -> Answer<Vec<AuditKey>> {
        let mut tx = self.begin().await?;
        let keys = audit_chain::create_key(&mut tx, &key, &by).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(keys)
    }

    async fn seal_keys(&self, users: Vec<UserId>) -> Answer<Vec<SealKey>> {
        Ok(seals::keys(&self.session().await?, &users).await?)
    }

    async fn create_seal_keys(&self, keys: Vec<SealKey>) -> Answer<Vec<SealKey>> {
        let mut tx = self.begin().await?;
        let keys = seals::create_keys(&mut tx, &keys).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(keys)
    }

    async fn seal_events(&self, events: Vec<SealedEvent>) -> Answer<()> {
        let mut tx = self.begin().await?;
        seals::seal(&mut tx, &events).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn cut_trail(&self, cut: Checkpoint, event: AuditEvent) -> Answer<u64> {
        let mut tx = self.begin().await?;
        let events = audit_retention::cut(&mut tx, &cut, event).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(events)
    }

    async fn delete_refusals(&self, before_ms: i64, limit: usize, event: AuditEvent) -> Answer<usize> {
        let mut tx = self.begin().await?;
        let deleted = audit_retention::delete_refusals(&mut tx, before_ms, limit, event).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(deleted)
    }

    async fn role_changes_per_day(&self, organization: OrganizationId, from_ms: i64) -> Answer<Vec<DayChanges>> {
        Ok(audit_chain::role_changes_per_day(&self.session().await?, organization, from_ms).await?)
    }

    async fn keep_denials(&self, denials: Vec<DenialRecord>, now_ms: i64) -> Answer<()> {
        Ok(denials::keep(&self.session().await?, &denials, now_ms).await?)
    }

    async fn denial(&self, request_id: String, now_ms: i64) -> Answer<Option<DenialRecord>> {
        Ok(denials::of_request(&self.session().await?, request_id, now_ms).await?)
    }

    async fn denials(&self, now_ms: i64, page: Page) -> Answer<Listing<DenialRecord>> {
        Ok(denials::list(&self.session().await?, now_ms, &page).await?)
    }
}

async fn events(session: &Session, filter: &EventFilter, page: &Page) -> Outcome<Listing<RecordedEvent>> {
    let mut query = Query::new(&format!("SELECT {EVENT} FROM audit_events e"));
    query.text("e.user_id = ?", filter.user.map(|id| id.to_string()));
    query.text("e.organization_id = ?", filter.organization.map(|id| id.to_string()));
    query.text("e.action = ?", filter.action.clone());
    query.text("(e.actor_name = ? OR e.actor_kind = ?)", filter.actor.clone());
    query.text("strpos(lower(e.detail), ?) > 0", filter.needle());
    query.number("e.at_ms >= ?", filter.from_ms);
    query.number("e.at_ms < ?", filter.until_ms);
    let cursor = page.after_number()?;
    let order = match filter.order {
        EventOrder::NewestFirst => {
            query.number("e.sequence < ?", cursor);
            "e.sequence DESC"
        }
        EventOrder::OldestFirst => {
            query.number("e.sequence > ?", cursor);
            "e.sequence"
        }
    };
    let items = query.list(session, order, page, rows::event).await?;
    Ok(Listing::cut(items, page, |recorded: &RecordedEvent| {
        recorded.sequence.to_string()
    }))
}
