//! `Trail` on `SQLite`.

use async_trait::async_trait;
use narthex_directory::{Answer, AuditEvent, EventFilter, EventOrder, Listing, Page, RecordedEvent, Trail};
use rusqlite::Connection;

use super::SqliteDirectory;
use super::change;
use super::error::Outcome;
use super::list::Query;
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
}

fn events(connection: &Connection, filter: &EventFilter, page: &Page) -> Outcome<Listing<RecordedEvent>> {
    let mut query = Query::new(&format!("SELECT {EVENT} FROM audit_events e"));
    query.and("e.user_id = ?", filter.user.map(|id| id.to_string()));
    query.and("e.organization_id = ?", filter.organization.map(|id| id.to_string()));
    query.and("e.action = ?", filter.action.clone());
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
