//! Machine keys on PostgreSQL.

use narthex_directory::{
    By, Listing, MACHINE_KEY_USE_EVERY_MS, MachineKey, MachineKeyId, MachineKeyUse, OrganizationId, Page, SecretHash,
    Stripe, rules,
};

use super::error::Outcome;
use super::keyring::taken;
use super::list::Query;
use super::rows::read_maybe;
use super::session::{Command, Session, Tx};
use super::value::Typed;
use narthex_tables::columns::MACHINE_KEY;
use narthex_tables::rows;

/// Records uses, unless one of the same minute is recorded. The rows are locked in the order of their ids, so that nodes
/// which record at once do not wait for each other.
const NOTE_USES: &str = "WITH due AS (SELECT k.id, u.at_ms FROM unnest($1::text[], $2::bigint[]) AS u (id, at_ms) \
     JOIN machine_keys k ON k.id = u.id \
     WHERE k.last_used_at_ms IS NULL OR abs(u.at_ms - k.last_used_at_ms) >= $3 ORDER BY k.id FOR UPDATE OF k) \
     UPDATE machine_keys k SET last_used_at_ms = due.at_ms FROM due WHERE k.id = due.id RETURNING 1";

pub(super) async fn create(tx: &mut Tx, key: &MachineKey, by: &By) -> Outcome<()> {
    tx.organization_in(key.organization).await?;
    let command = Command::new(
        "INSERT INTO machine_keys (id, organization_id, name, hash, role, created_at_ms, expires_at_ms, revoked_at_ms, \
         last_used_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        vec![
            Box::new(key.id.to_string()),
            Box::new(key.organization.to_string()),
            Box::new(key.name.clone()),
            Box::new(key.hash.0.to_vec()),
            Box::new(key.role.as_str()),
            Box::new(key.created_at_ms),
            Box::new(key.expires_at_ms),
            Box::new(key.revoked_at_ms),
            Box::new(key.last_used_at_ms),
        ],
    );
    taken(tx.run(command).await, "machine key", "hash")?;
    tx.record(rules::machine_key_event("machine_key.created", key, by))
        .await
}

pub(super) async fn of_hash(session: &Session, hash: SecretHash) -> Outcome<Option<MachineKey>> {
    let sql = format!("SELECT {MACHINE_KEY} FROM machine_keys k WHERE k.hash = $1");
    let found = session.row(&sql, &[&&hash.0[..]]).await?;
    read_maybe(found.as_ref(), rows::machine_key)
}

pub(super) async fn of_id(session: &Session, key: MachineKeyId) -> Outcome<Option<MachineKey>> {
    let sql = format!("SELECT {MACHINE_KEY} FROM machine_keys k WHERE k.id = $1");
    let found = session.row(&sql, &[&key.to_string()]).await?;
    read_maybe(found.as_ref(), rows::machine_key)
}

pub(super) async fn list(session: &Session, organization: OrganizationId, page: &Page) -> Outcome<Listing<MachineKey>> {
    let mut query = Query::new(&format!("SELECT {MACHINE_KEY} FROM machine_keys k"));
    query.text("k.organization_id = ?", Some(organization.to_string()));
    query.after("k.id", page)?;
    let items = query.list(session, "k.id", page, rows::machine_key).await?;
    Ok(Listing::cut(items, page, |key: &MachineKey| key.id.to_string()))
}

/// Revokes a key. Returns false if none was open.
pub(super) async fn revoke(tx: &mut Tx, key: MachineKeyId, by: &By) -> Outcome<bool> {
    let sql = format!(
        "UPDATE machine_keys k SET revoked_at_ms = $2 WHERE k.id = $1 AND k.revoked_at_ms IS NULL \
         RETURNING {MACHINE_KEY}"
    );
    let found = tx.row(&sql, &[&key.to_string(), &by.at_ms]).await?;
    let Some(key) = read_maybe(found.as_ref(), rows::machine_key)? else {
        return Ok(false);
    };
    tx.record(rules::machine_key_event("machine_key.revoked", &key, by))
        .await?;
    let counter = i64::from(Stripe::of_machine_key(key.hash).number()) + 1;
    tx.move_counters(&[counter]).await?;
    Ok(true)
}

pub(super) async fn note_uses(session: &Session, uses: &[MachineKeyUse]) -> Outcome<usize> {
    let ids: Vec<String> = uses.iter().map(|it| it.key.to_string()).collect();
    let times: Vec<i64> = uses.iter().map(|it| it.at_ms).collect();
    let values: [&dyn Typed; 3] = [&ids, &times, &MACHINE_KEY_USE_EVERY_MS];
    Ok(session.rows(NOTE_USES, &values).await?.len())
}
