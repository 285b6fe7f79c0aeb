//! Seals of personal values in events, and their keys.

use narthex_directory::{SealKey, SealedEvent, UserId};
use rusqlite::{Connection, params};

use super::error::Outcome;
use super::list::collect;
use super::writer::Tx;
use narthex_tables::audit_chain::{SEAL_KEY, seal_key};
use narthex_tables::columns::{integer, object_to_json};

pub(super) fn keys(connection: &Connection, users: &[UserId]) -> Outcome<Vec<SealKey>> {
    let sql = format!("SELECT {SEAL_KEY} FROM seal_keys k WHERE k.user_id = ?1");
    let mut keys = Vec::new();
    for user in users {
        keys.extend(collect(connection, &sql, [user.to_string()], seal_key)?);
    }
    Ok(keys)
}

pub(super) fn create_keys(tx: &Tx<'_>, keys: &[SealKey]) -> Outcome<Vec<SealKey>> {
    let mut statement =
        tx.prepare_cached("INSERT INTO seal_keys (user_id, secret) VALUES (?1, ?2) ON CONFLICT (user_id) DO NOTHING")?;
    for key in keys {
        statement.execute(params![key.user.to_string(), key.secret.0])?;
    }
    let users: Vec<UserId> = keys.iter().map(|key| key.user).collect();
    self::keys(tx, &users)
}

/// SECURITY: an erasure deletes the key in the transaction that removes the values, so a key that is still there is that of
/// values that are.
pub(super) fn seal(tx: &Tx<'_>, events: &[SealedEvent]) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO audit_seals (sequence, seals) \
         SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM seal_keys k WHERE k.user_id = ?3 AND k.secret = ?4) \
         ON CONFLICT (sequence) DO NOTHING",
    )?;
    for event in events {
        let user = event.key.user.to_string();
        let seals = object_to_json(&event.seals.to_json());
        statement.execute(params![integer(event.sequence), seals, user, event.key.secret.0])?;
    }
    Ok(())
}
