//! Bulk load of an empty file.

use narthex_directory::StoreError;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::error::unavailable;
use super::open::{Options, open_writer};
use narthex_tables::population::{Batch, Cell, Progress, Table};

/// A file that was not finished is thrown away.
const BEGIN: &str = "PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE";

/// Makes the schema where needed and writes all batches in one transaction.
pub fn bulk_load(
    options: &Options,
    batches: impl Iterator<Item = Result<Batch, StoreError>>,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let connection = open_writer(options)?;
    connection.execute_batch(BEGIN).map_err(unavailable)?;
    // The events are counted from one.
    let someone = "SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM organizations) \
         OR EXISTS (SELECT 1 FROM audit_events)";
    if connection
        .query_row(someone, [], |row| row.get(0))
        .map_err(unavailable)?
    {
        return Err(StoreError::Refused(
            "the file holds users, organizations or audit events already; name a new one",
        ));
    }
    let mut done = 0;
    for batch in batches {
        let batch = batch?;
        for table in batch.tables() {
            insert(&connection, table).map_err(unavailable)?;
        }
        let policy = i64::try_from(batch.policy).unwrap_or(i64::MAX);
        connection
            .execute(
                "UPDATE change_counters SET version = version + ?1 WHERE id = 0",
                [policy],
            )
            .map_err(unavailable)?;
        done += batch.done;
        progress(done);
    }
    connection
        .execute_batch("COMMIT; PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)")
        .map_err(unavailable)
}

fn insert(connection: &Connection, table: &Table) -> rusqlite::Result<()> {
    let width = table.columns.split(',').count();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES (?{})",
        table.name,
        table.columns,
        ", ?".repeat(width.saturating_sub(1))
    );
    let mut statement = connection.prepare_cached(&sql)?;
    for row in &table.rows {
        statement.execute(params_from_iter(row.iter().map(value)))?;
    }
    Ok(())
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Number(number) => Value::Integer(*number),
        Cell::Flag(flag) => Value::Integer(i64::from(*flag)),
        Cell::Text(text) => Value::Text(text.clone()),
    }
}
