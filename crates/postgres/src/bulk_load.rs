//! Bulk load of an empty database by `COPY`.

use std::io::Cursor;

use futures_util::SinkExt as _;
use narthex_directory::StoreError;
use tokio_postgres::{Client, Error};

use super::connect::Connector;
use super::error::{told, unavailable};
use super::{PostgresDirectory, PostgresOptions, connect};
use narthex_tables::population::{Batch, Cell, Progress, Table};

/// Nothing else writes meanwhile; and it takes longer than a statement of the product may.
const BEGIN: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
     BEGIN; SELECT pg_advisory_xact_lock(7953764261206259713)";
/// Rows refer to rows that are written with them. Looking each of them up takes most of the time, and only a superuser may
/// leave it out.
const TRUST: &str = "SELECT set_config('session_replication_role', 'replica', true) \
     WHERE current_setting('is_superuser') = 'on'";

/// Makes the schema where needed and writes all batches in one transaction.
pub async fn bulk_load(
    options: &PostgresOptions,
    batches: impl Iterator<Item = Result<Batch, StoreError>> + Send,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    drop(PostgresDirectory::open(options).await?);
    let connector = Connector::new(options).map_err(unavailable)?;
    let (client, driver) = connect(&connector).await?;
    let filled = write(&client, batches, progress).await;
    driver.abort();
    filled
}

async fn write(
    client: &Client,
    batches: impl Iterator<Item = Result<Batch, StoreError>> + Send,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let failed = |error: Error| unavailable(told(&error));
    client.batch_execute(BEGIN).await.map_err(failed)?;
    // The events are counted from one.
    let someone = "SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM organizations) \
         OR EXISTS (SELECT 1 FROM audit_events)";
    let someone = client.query_one(someone, &[]).await.map_err(failed)?;
    if someone.try_get(0).map_err(failed)? {
        return Err(StoreError::Refused(
            "the database holds users, organizations or audit events already; name an empty one",
        ));
    }
    client.batch_execute(TRUST).await.map_err(failed)?;
    let mut done = 0;
    for batch in batches {
        let batch = batch?;
        for table in batch.tables() {
            copy(client, table).await.map_err(failed)?;
        }
        let policy = i64::try_from(batch.policy).unwrap_or(i64::MAX);
        client
            .execute(
                "UPDATE change_counters SET version = version + $1 WHERE id = 0",
                &[&policy],
            )
            .await
            .map_err(failed)?;
        done += batch.done;
        progress(done);
    }
    client.batch_execute("COMMIT").await.map_err(failed)?;
    // What the server would do by itself within a minute or so.
    client.batch_execute("VACUUM (ANALYZE)").await.map_err(failed)
}

async fn copy(client: &Client, table: &Table) -> Result<(), Error> {
    let sql = format!("COPY {} ({}) FROM STDIN", table.name, table.columns);
    let mut text = String::new();
    for row in &table.rows {
        for (index, cell) in row.iter().enumerate() {
            if index > 0 {
                text.push('\t');
            }
            push(&mut text, cell);
        }
        text.push('\n');
    }
    let mut sink = std::pin::pin!(client.copy_in::<_, Cursor<Vec<u8>>>(&sql).await?);
    sink.send(Cursor::new(text.into_bytes())).await?;
    sink.finish().await?;
    Ok(())
}

/// A value in the text format of `COPY`.
fn push(text: &mut String, cell: &Cell) {
    match cell {
        Cell::Null => text.push_str("\\N"),
        Cell::Number(number) => text.push_str(&number.to_string()),
        Cell::Flag(flag) => text.push_str(if *flag { "t" } else { "f" }),
        Cell::Text(value) => {
            for character in value.chars() {
                match character {
                    '\\' => text.push_str("\\\\"),
                    '\t' => text.push_str("\\t"),
                    '\n' => text.push_str("\\n"),
                    '\r' => text.push_str("\\r"),
                    other => text.push(other),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_separates_values_is_escaped_in_them() {
        let mut text = String::new();
        push(&mut text, &Cell::Text("a\tb\\c\nd\r".to_owned()));
        assert_eq!(text, r"a\tb\\c\nd\r");
    }
}
