//! `Keyring` on PostgreSQL.

use async_trait::async_trait;
use narthex_directory::{
    API_KEY_USE_EVERY_MS, Answer, ApiKey, ApiKeyId, AssertionKey, By, Keyring, Listing, MachineKey, MachineKeyId,
    MachineKeyUse, OrganizationId, Page, SavedKeySet, SecretHash, StoreError, rules,
};

use super::PostgresDirectory;
use super::error::{Fault, Outcome};
use super::list::{Query, collect};
use super::machine_keys;
use super::rows::read_maybe;
use super::session::{Command, Session, Tx};
use super::value::Typed;
use narthex_tables::columns::{API_KEY, ASSERTION_KEY, KEY_SET, scope_columns};
use narthex_tables::rows;

#[async_trait]
impl Keyring for PostgresDirectory {
    async fn create_api_key(&self, key: ApiKey, by: By) -> Answer<()> {
        let mut tx = self.begin().await?;
        tx.home(key.role.scope()).await?;
        create_api_key(&mut tx, &key).await?;
        tx.record(rules::api_key_event("api_key.created", &key, &by)).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn api_key(&self, hash: SecretHash) -> Answer<Option<ApiKey>> {
        Ok(api_key(&self.session().await?, hash).await?)
    }

    async fn api_keys(&self, page: Page) -> Answer<Listing<ApiKey>> {
        Ok(api_keys(&self.session().await?, &page).await?)
    }

    async fn revoke_api_key(&self, key: ApiKeyId, by: By) -> Answer<bool> {
        let mut tx = self.begin().await?;
        let Some(key) = revoke_api_key(&tx, key, by.at_ms).await? else {
            return Ok(false);
        };
        tx.record(rules::api_key_event("api_key.revoked", &key, &by)).await?;
        tx.move_counters(&[0]).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(true)
    }

    async fn note_api_key_use(&self, key: ApiKeyId, at_ms: i64) -> Answer<bool> {
        Ok(note_api_key_use(&self.session().await?, key, at_ms).await?)
    }

    async fn create_machine_key(&self, key: MachineKey, by: By) -> Answer<()> {
        let mut tx = self.begin().await?;
        machine_keys::create(&mut tx, &key, &by).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn machine_key(&self, hash: SecretHash) -> Answer<Option<MachineKey>> {
        Ok(machine_keys::of_hash(&self.session().await?, hash).await?)
    }

    async fn machine_key_of_id(&self, key: MachineKeyId) -> Answer<Option<MachineKey>> {
        Ok(machine_keys::of_id(&self.session().await?, key).await?)
    }

    async fn machine_keys(&self, organization: OrganizationId, page: Page) -> Answer<Listing<MachineKey>> {
        Ok(machine_keys::list(&self.session().await?, organization, &page).await?)
    }

    async fn revoke_machine_key(&self, key: MachineKeyId, by: By) -> Answer<bool> {
        let mut tx = self.begin().await?;
        if !machine_keys::revoke(&mut tx, key, &by).await? {
            return Ok(false);
        }
        tx.commit(&self.shared.versions).await?;
        Ok(true)
    }

    async fn note_machine_key_uses(&self, uses: Vec<MachineKeyUse>) -> Answer<usize> {
        Ok(machine_keys::note_uses(&self.session().await?, &uses).await?)
    }

    async fn assertion_keys(&self) -> Answer<Vec<AssertionKey>> {
        Ok(assertion_keys(&self.session().await?).await?)
    }

    async fn rotate_assertion_key(&self, key: AssertionKey, newer_than_ms: i64, by: By) -> Answer<Vec<AssertionKey>> {
        let mut tx = self.begin().await?;
        let keys = rotate_assertion_key(&mut tx, &key, newer_than_ms, &by).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(keys)
    }

    async fn key_sets(&self) -> Answer<Vec<SavedKeySet>> {
        Ok(key_sets(&self.session().await?).await?)
    }

    async fn save_key_set(&self, set: SavedKeySet) -> Answer<()> {
        Ok(save_key_set(&self.session().await?, &set).await?)
    }
}

/// Turns a broken constraint into the error of the one field that can break it.
pub(super) fn taken(made: Outcome<()>, what: &'static str, field: &'static str) -> Outcome<()> {
    match made {
        Err(Fault::Constraint) => Err(StoreError::AlreadyExists {
            what,
            field,
            owner: None,
        }
        .into()),
        made => made,
    }
}

async fn create_api_key(tx: &mut Tx, key: &ApiKey) -> Outcome<()> {
    let (organization, team) = scope_columns(key.role.scope());
    let command = Command::new(
        "INSERT INTO api_keys (id, name, hash, organization_id, team_id, role, created_at_ms, expires_at_ms, \
         revoked_at_ms, last_used_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        vec![
            Box::new(key.id.to_string()),
            Box::new(key.name.clone()),
            Box::new(key.hash.0.to_vec()),
            Box::new(organization),
            Box::new(team),
            Box::new(key.role.role_str()),
            Box::new(key.created_at_ms),
            Box::new(key.expires_at_ms),
            Box::new(key.revoked_at_ms),
            Box::new(key.last_used_at_ms),
        ],
    );
    taken(tx.run(command).await, "api key", "hash")
}

async fn api_key(session: &Session, hash: SecretHash) -> Outcome<Option<ApiKey>> {
    let sql = format!("SELECT {API_KEY} FROM api_keys k WHERE k.hash = $1");
    let found = session.row(&sql, &[&&hash.0[..]]).await?;
    read_maybe(found.as_ref(), rows::api_key)
}

/// Records a use, unless one of the same minute is recorded.
async fn note_api_key_use(session: &Session, key: ApiKeyId, at_ms: i64) -> Outcome<bool> {
    let sql = "UPDATE api_keys SET last_used_at_ms = $2 WHERE id = $1 \
               AND (last_used_at_ms IS NULL OR abs($2 - last_used_at_ms) >= $3) RETURNING 1";
    let values: [&dyn Typed; 3] = [&key.to_string(), &at_ms, &API_KEY_USE_EVERY_MS];
    Ok(session.row(sql, &values).await?.is_some())
}

/// Revokes a key. Returns it as it is now, if it was still open.
pub(super) async fn revoke_api_key(tx: &Tx, key: ApiKeyId, at_ms: i64) -> Outcome<Option<ApiKey>> {
    let sql = format!(
        "UPDATE api_keys k SET revoked_at_ms = $2 WHERE k.id = $1 AND k.revoked_at_ms IS NULL RETURNING {API_KEY}"
    );
    let found = tx.row(&sql, &[&key.to_string(), &at_ms]).await?;
    read_maybe(found.as_ref(), rows::api_key)
}

async fn api_keys(session: &Session, page: &Page) -> Outcome<Listing<ApiKey>> {
    let mut query = Query::new(&format!("SELECT {API_KEY} FROM api_keys k"));
    query.after("k.id", page)?;
    let items = query.list(session, "k.id", page, rows::api_key).await?;
    Ok(Listing::cut(items, page, |key: &ApiKey| key.id.to_string()))
}

async fn assertion_keys(session: &Session) -> Outcome<Vec<AssertionKey>> {
    let sql = format!("SELECT {ASSERTION_KEY} FROM assertion_keys ORDER BY created_at_ms DESC, kid DESC");
    collect(session, &sql, &[], rows::assertion_key).await
}

async fn rotate_assertion_key(
    tx: &mut Tx,
    key: &AssertionKey,
    newer_than_ms: i64,
    by: &By,
) -> Outcome<Vec<AssertionKey>> {
    let newest = assertion_keys(tx).await?.first().map(|key| key.created_at_ms);
    if newest.is_none_or(|newest| newest <= newer_than_ms) {
        let command = Command::new(
            "INSERT INTO assertion_keys (kid, private, public_jwk, created_at_ms, signs_until_ms, published_until_ms) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            vec![
                Box::new(key.kid.clone()),
                Box::new(key.private.0.clone()),
                Box::new(key.public_jwk.clone()),
                Box::new(key.created_at_ms),
                Box::new(key.signs_until_ms),
                Box::new(key.published_until_ms),
            ],
        );
        taken(tx.run(command).await, "assertion key", "kid")?;
        tx.record(rules::assertion_key_event(&key.kid, by)).await?;
    }
    let old = "DELETE FROM assertion_keys WHERE published_until_ms <= $1";
    tx.run(Command::new(old, vec![Box::new(by.at_ms)])).await?;
    assertion_keys(tx).await
}

async fn key_sets(session: &Session) -> Outcome<Vec<SavedKeySet>> {
    let sql = format!("SELECT {KEY_SET} FROM key_sets ORDER BY issuer");
    collect(session, &sql, &[], rows::key_set).await
}

/// Writes one row that nothing else depends on: it needs no place in the order of writers.
async fn save_key_set(session: &Session, set: &SavedKeySet) -> Outcome<()> {
    let sql = "INSERT INTO key_sets (issuer, source, body, fetched_at_ms) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (issuer) DO UPDATE SET source = excluded.source, body = excluded.body, \
               fetched_at_ms = excluded.fetched_at_ms";
    let values: [&dyn Typed; 4] = [&set.issuer.as_str(), &set.source, &set.body, &set.fetched_at_ms];
    session.rows(sql, &values).await?;
    Ok(())
}
