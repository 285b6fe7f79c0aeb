//! Keys, logos, what was noted, and what else is kept beside users and organizations.

use narthex_directory::{
    API_KEY_USE_EVERY_MS, ApiKey, ApiKeyId, AssertionKey, By, Change, Declaring, Logo, Met, NewOrganization, Noted,
    OrganizationId, SavedKeySet, SecretHash, StoreError, rules,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::change::{note, record, see};
use super::error::{Fault, Outcome, corrupt};
use super::list::{self, Key};
use super::marks;
use super::rows::{self, Columns};
use super::writer::Tx;
use narthex_tables::record::{API_KEY, scope_columns};

/// All numbers that other processes may have moved.
pub(super) fn counters(connection: &Connection) -> Outcome<Vec<(i64, u64)>> {
    let mut statement = connection.prepare_cached("SELECT id, version FROM change_counters")?;
    let counters = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(counters.collect::<Result<_, _>>()?)
}

/// Writes what was noted since the last time. Returns the batches that its marks are in.
pub(super) fn write_noted(tx: &Tx<'_>, noted: &Noted) -> Outcome<Vec<i64>> {
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

/// Returns the changes that bring the declared organizations to their declared state.
pub(super) fn declare(tx: &Tx<'_>, declared: Vec<NewOrganization>, at_ms: i64) -> Outcome<Vec<Change>> {
    let mut declaring = Declaring::new(at_ms);
    for new in declared {
        let named = list::organization(tx, Key::Name, new.name.as_str())?;
        let manual = match &named {
            Some(named) => list::manual_grants(tx, &named.id.to_string())?,
            None => Vec::new(),
        };
        let known_as = match &new.external_id {
            Some(external_id) => list::organization_known_as(tx, &new.realm, external_id)?,
            None => None,
        };
        let met = Met {
            named,
            manual,
            known_as,
        };
        declaring.add(new, met)?;
    }
    Ok(declaring.finish(&list::declared(tx)?))
}

pub(super) fn logo(connection: &Connection, organization: OrganizationId) -> Outcome<Option<Logo>> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM organization_logos WHERE organization_id = ?1")?;
    let bytes: Option<Vec<u8>> = statement
        .query_row([organization.to_string()], |row| row.get(0))
        .optional()?;
    bytes
        .map(|bytes| Logo::new(bytes).ok_or_else(|| corrupt("logo", "it is neither PNG nor JPEG")))
        .transpose()
}

pub(super) fn create_api_key(tx: &Tx<'_>, key: &ApiKey) -> Outcome<()> {
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

pub(super) fn api_key(connection: &Connection, hash: SecretHash) -> Outcome<Option<ApiKey>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {API_KEY} FROM api_keys k WHERE k.hash = ?1"))?;
    let mut found = statement.query([&hash.0[..]])?;
    found.next()?.map(rows::api_key).transpose()
}

/// Records a use, unless one of the same minute is recorded.
pub(super) fn note_api_key_use(tx: &Tx<'_>, key: ApiKeyId, at_ms: i64) -> Outcome<bool> {
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
    let mut statement = tx.prepare_cached(&format!("SELECT {API_KEY} FROM api_keys k WHERE k.id = ?1"))?;
    let mut found = statement.query([key.to_string()])?;
    found.next()?.map(rows::api_key).transpose()
}

pub(super) fn assertion_keys(connection: &Connection) -> Outcome<Vec<AssertionKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT kid, private, public_jwk, created_at_ms, signs_until_ms, published_until_ms FROM assertion_keys \
         ORDER BY created_at_ms DESC, kid DESC",
    )?;
    let mut found = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = found.next()? {
        keys.push(rows::assertion_key(row)?);
    }
    Ok(keys)
}

pub(super) fn rotate_assertion_key(
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
            Ok(_) => record(tx, rules::assertion_key_event(&key.kid, by))?,
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

pub(super) fn key_sets(connection: &Connection) -> Outcome<Vec<SavedKeySet>> {
    let mut statement =
        connection.prepare_cached("SELECT issuer, source, body, fetched_at_ms FROM key_sets ORDER BY issuer")?;
    let mut found = statement.query([])?;
    let mut sets = Vec::new();
    while let Some(row) = found.next()? {
        let mut columns = Columns::of(row, "key set");
        sets.push(SavedKeySet {
            issuer: columns.name()?,
            source: columns.text()?.to_owned(),
            body: columns.bytes()?.to_vec(),
            fetched_at_ms: columns.integer()?,
        });
    }
    Ok(sets)
}

pub(super) fn save_key_set(tx: &Tx<'_>, set: &SavedKeySet) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO key_sets (issuer, source, body, fetched_at_ms) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (issuer) DO UPDATE SET source = excluded.source, body = excluded.body, \
         fetched_at_ms = excluded.fetched_at_ms",
    )?;
    statement.execute(params![set.issuer.as_str(), set.source, set.body, set.fetched_at_ms])?;
    Ok(())
}
