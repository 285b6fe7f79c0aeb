//! The schema: migrations, and the refusal of what a newer program wrote.
//!
//! All of it is one transaction, without a prepared statement: so it goes through a pooler as well.

use narthex_directory::StoreError;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Transaction};

use super::error::{told, unavailable};
use narthex_tables::PendingMigration;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The oldest server that is supported.
const SERVER: i32 = 15;
/// Of several nodes that start at once, one migrates and the others wait for it: 'narthex' and a 2.
const LOCK: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'; \
     SELECT pg_advisory_xact_lock(7953764261206259714)";
/// The table of `refinery`, which earlier versions of this program migrate with and the SQLite store still does.
const HISTORY: &str = "CREATE TABLE IF NOT EXISTS refinery_schema_history \
     (version INT4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))";
const APPLIED: &str = "SELECT version, name::text, checksum::text FROM refinery_schema_history ORDER BY version";
const NOTE: &str = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
     VALUES ($1, $2, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), $3)";

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
pub fn known_version() -> i64 {
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
    let tx = client.transaction().await.map_err(|error| failed(&error))?;
    tx.batch_execute(LOCK).await.map_err(|error| failed(&error))?;
    if applied_version(tx.client()).await? == known_version() {
        return Ok(());
    }
    run(&tx)
        .await
        .map_err(|error| unavailable(format!("the schema could not be brought up to date: {error}")))?;
    tx.commit().await.map_err(|error| failed(&error))
}

/// Runs the migrations that are not there yet.
async fn run(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.batch_execute(HISTORY).await.map_err(|error| failed(&error))?;
    let mut applied = Vec::new();
    for row in tx.query_typed(APPLIED, &[]).await.map_err(|error| failed(&error))? {
        let version: i32 = row.try_get(0).map_err(|error| failed(&error))?;
        let name: String = row.try_get(1).map_err(|error| failed(&error))?;
        let checksum: String = row.try_get(2).map_err(|error| failed(&error))?;
        applied.push((version, name, checksum));
    }
    let runner = embedded::migrations::runner();
    let mut known: Vec<_> = runner.get_migrations().iter().collect();
    known.sort_by_key(|migration| migration.version());
    for (version, name, checksum) in &applied {
        let same = known.iter().any(|migration| {
            migration.version() == *version && migration.name() == name && migration.checksum().to_string() == *checksum
        });
        if !same {
            return Err(unavailable(format!(
                "its step {version} (`{name}`) is not of this program"
            )));
        }
    }
    for migration in known {
        if applied.iter().any(|(version, ..)| *version == migration.version()) {
            continue;
        }
        let sql = migration.sql().unwrap_or_default();
        tx.batch_execute(sql).await.map_err(|error| failed(&error))?;
        let checksum = migration.checksum().to_string();
        let values: [(&(dyn ToSql + Sync), Type); 3] = [
            (&migration.version(), Type::INT4),
            (&migration.name(), Type::TEXT),
            (&checksum, Type::TEXT),
        ];
        tx.execute_typed(NOTE, &values).await.map_err(|error| failed(&error))?;
    }
    Ok(())
}

async fn check_server(client: &Client) -> Result<(), StoreError> {
    let row = client
        .query_typed_one("SELECT current_setting('server_version_num')::int", &[])
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
        .query_typed_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[])
        .await
        .and_then(|row| row.try_get::<_, bool>(0))
        .map_err(|error| failed(&error))?;
    if !there {
        return Ok(0);
    }
    let found = client
        .query_typed_one(
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
