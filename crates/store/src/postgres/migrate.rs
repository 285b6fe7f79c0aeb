//! The schema: migrations, and the refusal of what a newer program wrote.

use narthex_directory::StoreError;
use tokio_postgres::Client;

use super::error::{told, unavailable};
use crate::PendingMigration;

mod embedded {
    refinery::embed_migrations!("migrations/postgres");
}

/// The oldest server that is supported.
const SERVER: i32 = 15;
/// Of several nodes that start at once, one migrates and the others wait for it: 'narthex' and a 2.
const LOCK: &str = "SET lock_timeout = '60s'; SELECT pg_advisory_lock(7953764261206259714)";

fn failed(error: &tokio_postgres::Error) -> StoreError {
    unavailable(told(error))
}

fn known() -> Vec<PendingMigration> {
    let all = embedded::migrations::runner();
    let mut known: Vec<PendingMigration> = all
        .get_migrations()
        .iter()
        .map(|migration| PendingMigration {
            version: migration.version().into(),
            name: migration.name().to_owned(),
            sql: migration.sql().unwrap_or_default().to_owned(),
        })
        .collect();
    known.sort_by_key(|migration| migration.version);
    known
}

/// The newest schema that this program knows.
pub(crate) fn known_version() -> i64 {
    known().last().map_or(0, |migration| migration.version)
}

/// The migrations that a database lacks. Refuses a schema that is newer than this program.
pub(super) async fn pending(client: &Client) -> Result<Vec<PendingMigration>, StoreError> {
    check_server(client).await?;
    let applied = applied_version(client).await?;
    Ok(known()
        .into_iter()
        .filter(|migration| migration.version > applied)
        .collect())
}

/// Brings the schema up to date.
pub(super) async fn migrate(client: &mut Client) -> Result<(), StoreError> {
    check_server(client).await?;
    if applied_version(client).await? == known_version() {
        return Ok(());
    }
    // The lock is the connection's, and goes with it.
    client.batch_execute(LOCK).await.map_err(|error| failed(&error))?;
    if applied_version(client).await? == known_version() {
        return Ok(());
    }
    let runner = embedded::migrations::runner()
        .set_abort_divergent(true)
        .set_abort_missing(true);
    let done = runner.run_async(client).await;
    done.map(drop)
        .map_err(|error| unavailable(format!("the schema could not be brought up to date: {error}")))
}

async fn check_server(client: &Client) -> Result<(), StoreError> {
    let row = client
        .query_one("SELECT current_setting('server_version_num')::int", &[])
        .await
        .map_err(|error| failed(&error))?;
    let version: i32 = row.try_get(0).map_err(|error| failed(&error))?;
    if version / 10_000 < SERVER {
        return Err(unavailable(format!(
            "the server is PostgreSQL {}; {SERVER} is the oldest that is supported",
            version / 10_000
        )));
    }
    Ok(())
}

/// The schema's version, 0 if there is none.
async fn applied_version(client: &Client) -> Result<i64, StoreError> {
    let there = client
        .query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[])
        .await
        .and_then(|row| row.try_get::<_, bool>(0))
        .map_err(|error| failed(&error))?;
    if !there {
        return Ok(0);
    }
    let found = client
        .query_one(
            "SELECT coalesce(max(version), 0)::bigint FROM refinery_schema_history",
            &[],
        )
        .await
        .and_then(|row| row.try_get::<_, i64>(0))
        .map_err(|error| failed(&error))?;
    let known = known_version();
    if found > known {
        Err(StoreError::SchemaNewer { found, known })
    } else {
        Ok(found)
    }
}
