//! Machine keys on `SQLite`.

use narthex_directory::{
    By, Listing, MACHINE_KEY_USE_EVERY_MS, MachineKey, MachineKeyId, MachineKeyUse, OrganizationId, Page, SecretHash,
    StoreError, Stripe, rules,
};
use rusqlite::{Connection, params};

use super::change;
use super::error::{Fault, Outcome};
use super::list::{Query, collect};
use super::lookup::organization_in;
use super::writer::Tx;
use narthex_tables::columns::MACHINE_KEY;
use narthex_tables::rows;

pub(super) fn create(tx: &mut Tx<'_>, key: &MachineKey, by: &By) -> Outcome<()> {
    organization_in(tx, key.organization)?;
    let mut statement = tx.prepare_cached(
        "INSERT INTO machine_keys (id, organization_id, name, hash, role, created_at_ms, expires_at_ms, revoked_at_ms, \
         last_used_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let made = statement.execute(params![
        key.id.to_string(),
        key.organization.to_string(),
        key.name,
        key.hash.0,
        key.role.as_str(),
        key.created_at_ms,
        key.expires_at_ms,
        key.revoked_at_ms,
        key.last_used_at_ms,
    ]);
    drop(statement);
    match made.map_err(Fault::from) {
        Ok(_) => change::record(tx, rules::machine_key_event("machine_key.created", key, by)),
        Err(Fault::Constraint) => Err(StoreError::AlreadyExists {
            what: "machine key",
            field: "hash",
            owner: None,
        }
        .into()),
        Err(fault) => Err(fault),
    }
}

pub(super) fn of_hash(connection: &Connection, hash: SecretHash) -> Outcome<Option<MachineKey>> {
    let sql = format!("SELECT {MACHINE_KEY} FROM machine_keys k WHERE k.hash = ?1");
    Ok(collect(connection, &sql, [&hash.0[..]], rows::machine_key)?.pop())
}

pub(super) fn of_id(connection: &Connection, key: MachineKeyId) -> Outcome<Option<MachineKey>> {
    let sql = format!("SELECT {MACHINE_KEY} FROM machine_keys k WHERE k.id = ?1");
    Ok(collect(connection, &sql, [key.to_string()], rows::machine_key)?.pop())
}

pub(super) fn list(connection: &Connection, organization: OrganizationId, page: &Page) -> Outcome<Listing<MachineKey>> {
    let mut query = Query::new(&format!("SELECT {MACHINE_KEY} FROM machine_keys k"));
    query.and("k.organization_id = ?", Some(organization.to_string()));
    query.after("k.id", page)?;
    let items = query.list(connection, "k.id", page, rows::machine_key)?;
    Ok(Listing::cut(items, page, |key: &MachineKey| key.id.to_string()))
}

/// Revokes a key. Returns false if none was open.
pub(super) fn revoke(tx: &mut Tx<'_>, key: MachineKeyId, by: &By) -> Outcome<bool> {
    let mut statement =
        tx.prepare_cached("UPDATE machine_keys SET revoked_at_ms = ?2 WHERE id = ?1 AND revoked_at_ms IS NULL")?;
    let revoked = statement.execute(params![key.to_string(), by.at_ms])?;
    drop(statement);
    if revoked == 0 {
        return Ok(false);
    }
    let Some(key) = of_id(tx, key)? else {
        return Ok(false);
    };
    change::record(tx, rules::machine_key_event("machine_key.revoked", &key, by))?;
    tx.move_stripe(Stripe::of_machine_key(key.hash))?;
    Ok(true)
}

/// Records uses, unless one of the same minute is recorded.
pub(super) fn note_uses(tx: &Tx<'_>, uses: &[MachineKeyUse]) -> Outcome<usize> {
    let mut statement = tx.prepare_cached(
        "UPDATE machine_keys SET last_used_at_ms = ?2 WHERE id = ?1 \
         AND (last_used_at_ms IS NULL OR abs(?2 - last_used_at_ms) >= ?3)",
    )?;
    let mut recorded = 0;
    for MachineKeyUse { key, at_ms } in uses {
        recorded += statement.execute(params![key.to_string(), at_ms, MACHINE_KEY_USE_EVERY_MS])?;
    }
    Ok(recorded)
}
