//! `Keyring` on `SQLite`.

use async_trait::async_trait;
use narthex_directory::{
    API_KEY_USE_EVERY_MS, Answer, ApiKey, ApiKeyId, AssertionKey, By, Keyring, Listing, MachineKey, MachineKeyId,
    MachineKeyUse, OrganizationId, Page, SavedKeySet, SecretHash, StoreError, rules,
};
use rusqlite::{Connection, params};

use super::SqliteDirectory;
use super::change;
use super::error::{Fault, Outcome};
use super::list::{Query, collect};
use super::lookup::home;
use super::machine_keys;
use super::writer::Tx;
use narthex_tables::columns::{API_KEY, ASSERTION_KEY, KEY_SET, scope_columns};
use narthex_tables::rows;

#[async_trait]
impl Keyring for SqliteDirectory {
    async fn create_api_key(&self, key: ApiKey, by: By) -> Answer<()> {
        let work = move |tx: &mut Tx<'_>| {
            home(tx, key.role.scope())?;
            create_api_key(tx, &key)?;
            change::record(tx, rules::api_key_event("api_key.created", &key, &by))
        };
        self.writer.write(work).await
    }

    async fn api_key(&self, hash: SecretHash) -> Answer<Option<ApiKey>> {
        self.readers.read(move |connection| api_key(connection, hash)).await
    }

    async fn api_keys(&self, page: Page) -> Answer<Listing<ApiKey>> {
        self.readers.read(move |connection| api_keys(connection, &page)).await
    }

    async fn revoke_api_key(&self, key: ApiKeyId, by: By) -> Answer<bool> {
        let work = move |tx: &mut Tx<'_>| {
            let Some(key) = revoke_api_key(tx, key, by.at_ms)? else {
                return Ok(false);
            };
            change::record(tx, rules::api_key_event("api_key.revoked", &key, &by))?;
            tx.move_policy()?;
            Ok(true)
        };
        self.writer.write(work).await
    }

    async fn note_api_key_use(&self, key: ApiKeyId, at_ms: i64) -> Answer<bool> {
        let work = move |tx: &mut Tx<'_>| note_api_key_use(tx, key, at_ms);
        self.writer.write(work).await
    }

    async fn create_machine_key(&self, key: MachineKey, by: By) -> Answer<()> {
        self.writer.write(move |tx| machine_keys::create(tx, &key, &by)).await
    }

    async fn machine_key(&self, hash: SecretHash) -> Answer<Option<MachineKey>> {
        self.readers
            .read(move |connection| machine_keys::of_hash(connection, hash))
            .await
    }

    async fn machine_key_of_id(&self, key: MachineKeyId) -> Answer<Option<MachineKey>> {
        self.readers
            .read(move |connection| machine_keys::of_id(connection, key))
            .await
    }

    async fn machine_keys(&self, organization: OrganizationId, page: Page) -> Answer<Listing<MachineKey>> {
        self.readers
            .read(move |connection| machine_keys::list(connection, organization, &page))
            .await
    }

    async fn revoke_machine_key(&self, key: MachineKeyId, by: By) -> Answer<bool> {
        self.writer.write(move |tx| machine_keys::revoke(tx, key, &by)).await
    }

    async fn note_machine_key_uses(&self, uses: Vec<MachineKeyUse>) -> Answer<usize> {
        self.writer.write(move |tx| machine_keys::note_uses(tx, &uses)).await
    }

    async fn assertion_keys(&self) -> Answer<Vec<AssertionKey>> {
        self.readers.read(assertion_keys).await
    }

    async fn rotate_assertion_key(&self, key: AssertionKey, newer_than_ms: i64, by: By) -> Answer<Vec<AssertionKey>> {
        self.writer
            .write(move |tx| rotate_assertion_key(tx, &key, newer_than_ms, &by))
            .await
    }

    async fn key_sets(&self) -> Answer<Vec<SavedKeySet>> {
        self.readers.read(key_sets).await
    }

    async fn save_key_set(&self, set: SavedKeySet) -> Answer<()> {
        self.writer.write(move |tx| save_key_set(tx, &set)).await
    }
}

fn create_api_key(tx: &Tx<'_>, key: &ApiKey) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO api_keys (id, name, hash, organization_id, team_id, role, created_at_ms, expires_at_ms, \
         revoked_at_ms, last_used_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let (organization, team) = scope_columns(key.role.scope());
    let made = statement.execute(params![
        key.id.to_string(),
        key.name,
        key.hash.0,
        organization,
        team,
        key.role.role_str(),
        key.created_at_ms,
        key.expires_at_ms,
        key.revoked_at_ms,
        key.last_used_at_ms,
    ]);
    match made.map_err(Fault::from) {
        Ok(_) => Ok(()),
        Err(Fault::Constraint) => Err(StoreError::AlreadyExists {
            what: "api key",
            field: "hash",
            owner: None,
        }
        .into()),
        Err(fault) => Err(fault),
    }
}

fn api_key(connection: &Connection, hash: SecretHash) -> Outcome<Option<ApiKey>> {
    let sql = format!("SELECT {API_KEY} FROM api_keys k WHERE k.hash = ?1");
    Ok(collect(connection, &sql, [&hash.0[..]], rows::api_key)?.pop())
}

/// Records a use, unless one of the same minute is recorded.
fn note_api_key_use(tx: &Tx<'_>, key: ApiKeyId, at_ms: i64) -> Outcome<bool> {
    let mut statement = tx.prepare_cached(
        "UPDATE api_keys SET last_used_at_ms = ?2 WHERE id = ?1 \
         AND (last_used_at_ms IS NULL OR abs(?2 - last_used_at_ms) >= ?3)",
    )?;
    Ok(statement.execute(params![key.to_string(), at_ms, API_KEY_USE_EVERY_MS])? > 0)
}

/// Revokes a key. Returns it as it is now, if it was still open.
pub(super) fn revoke_api_key(tx: &Tx<'_>, key: ApiKeyId, at_ms: i64) -> Outcome<Option<ApiKey>> {
    let mut statement =
        tx.prepare_cached("UPDATE api_keys SET revoked_at_ms = ?2 WHERE id = ?1 AND revoked_at_ms IS NULL")?;
    if statement.execute(params![key.to_string(), at_ms])? == 0 {
        return Ok(None);
    }
    let sql = format!("SELECT {API_KEY} FROM api_keys k WHERE k.id = ?1");
    Ok(collect(tx, &sql, [key.to_string()], rows::api_key)?.pop())
}

fn api_keys(connection: &Connection, page: &Page) -> Outcome<Listing<ApiKey>> {
    let mut query = Query::new(&format!("SELECT {API_KEY} FROM api_keys k"));
    query.after("k.id", page)?;
    let items = query.list(connection, "k.id", page, rows::api_key)?;
    Ok(Listing::cut(items, page, |key: &ApiKey| key.id.to_string()))
}

fn assertion_keys(connection: &Connection) -> Outcome<Vec<AssertionKey>> {
    let sql = format!("SELECT {ASSERTION_KEY} FROM assertion_keys ORDER BY created_at_ms DESC, kid DESC");
    collect(connection, &sql, [], rows::assertion_key)
}

fn rotate_assertion_key(
    tx: &mut Tx<'_>,
    key: &AssertionKey,
    newer_than_ms: i64,
    by: &By,
) -> Outcome<Vec<AssertionKey>> {
    let newest = assertion_keys(tx)?.first().map(|key| key.created_at_ms);
    if newest.is_none_or(|newest| newest <= newer_than_ms) {
        let mut statement = tx.prepare_cached(
            "INSERT INTO assertion_keys (kid, private, public_jwk, created_at_ms, signs_until_ms, published_until_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let made = statement.execute(params![
            key.kid,
            key.private.0,
            key.public_jwk,
            key.created_at_ms,
            key.signs_until_ms,
            key.published_until_ms,
        ]);
        match made.map_err(Fault::from) {
            Ok(_) => change::record(tx, rules::assertion_key_event(&key.kid, by))?,
            Err(Fault::Constraint) => {
                return Err(StoreError::AlreadyExists {
                    what: "assertion key",
                    field: "kid",
                    owner: None,
                }
                .into());
            }
            Err(fault) => return Err(fault),
        }
    }
    tx.prepare_cached("DELETE FROM assertion_keys WHERE published_until_ms <= ?1")?
        .execute([by.at_ms])?;
    assertion_keys(tx)
}

fn key_sets(connection: &Connection) -> Outcome<Vec<SavedKeySet>> {
    let sql = format!("SELECT {KEY_SET} FROM key_sets ORDER BY issuer");
    collect(connection, &sql, [], rows::key_set)
}

fn save_key_set(tx: &Tx<'_>, set: &SavedKeySet) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO key_sets (issuer, source, body, fetched_at_ms) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (issuer) DO UPDATE SET source = excluded.source, body = excluded.body, \
         fetched_at_ms = excluded.fetched_at_ms",
    )?;
    statement.execute(params![set.issuer.as_str(), set.source, set.body, set.fetched_at_ms])?;
    Ok(())
}
