//! Erasure of users on `SQLite`.

use narthex_directory::{
    By, Change, Erasure, Grant, RecordedEvent, RefusedTokens, RemovedIdentity, RemovedKind, SessionEnd,
    SessionSelection, UserId, erase_user, rules, without_personal_values,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::error::Outcome;
use super::list::collect;
use super::lookup::user_in;
use super::writer::Tx;
use super::{change, sessions};
use narthex_tables::columns::{EVENT, GRANT, object_to_json};
use narthex_tables::erasure::{IDENTITIES, identity_hash};
use narthex_tables::rows;

/// Removes the personal values of a user from everything but its record, and remembers its identity. Returns the changes
/// that erase the record and close the grants.
pub(super) fn erase(
    tx: &mut Tx<'_>,
    (user, version): (UserId, Option<u64>),
    erasure: &Erasure,
    newest_noted_ms: Option<i64>,
    by: &By,
) -> Outcome<Vec<Change>> {
    tx.delete_securely()?;
    let before = user_in(tx, user)?;
    let newest = change::newest_issued_at_ms(tx, user)?.max(newest_noted_ms);
    let open = open_grants(tx, user)?;
    let (changes, refused) = erase_user(&before, version, open, (erasure, newest), by.at_ms)?;
    let identity = RemovedIdentity {
        kind: RemovedKind::User,
        realm: before.realm,
        external_id: before.external_id,
    };
    remember(tx, &identity, refused, &erasure.new_key.0)?;
    sessions::end_in(tx, &SessionSelection::User(user), SessionEnd::Administrator, by)?;
    let id = user.to_string();
    // The marks of logouts name the user as the identity provider does. SECURITY: another issuer may have given the same
    // subject to another user, whose tokens must stay refused.
    tx.prepare_cached(
        "DELETE FROM logout_marks WHERE claim = 'sub' AND ((issuer, value) IN \
         (SELECT s.issuer, s.subject FROM sessions s WHERE s.user_id = ?1) \
         OR (value = ?2 AND issuer IN (SELECT i.issuer FROM user_issuers i WHERE i.user_id = ?1)))",
    )?
    .execute(params![id, identity.external_id.as_str()])?;
    for sql in [
        "UPDATE sessions SET subject = NULL, sid = NULL, user_agent = NULL, address = NULL WHERE user_id = ?1",
        "UPDATE grants SET why = NULL, revoked_why = NULL, token_jti = NULL WHERE user_id = ?1",
        "DELETE FROM user_issuers WHERE user_id = ?1",
    ] {
        tx.prepare_cached(sql)?.execute([&id])?;
    }
    clean_trail(tx, &id)?;
    Ok(changes)
}

fn open_grants(tx: &Tx<'_>, user: UserId) -> Outcome<Vec<Grant>> {
    let sql = format!("SELECT {GRANT} FROM grants g WHERE g.user_id = ?1 AND g.revoked_at_ms IS NULL ORDER BY g.id");
    collect(tx, &sql, [user.to_string()], rows::grant)
}

/// Removes the personal values from the events about a user, and the key of their seals.
fn clean_trail(tx: &Tx<'_>, user: &str) -> Outcome<()> {
    tx.prepare_cached("DELETE FROM seal_keys WHERE user_id = ?1")?
        .execute([user])?;
    let sql = format!("SELECT {EVENT} FROM audit_events e WHERE e.user_id = ?1 ORDER BY e.sequence");
    let events: Vec<RecordedEvent> = collect(tx, &sql, [user], rows::event)?;
    let mut statement =
        tx.prepare_cached("UPDATE audit_events SET detail = ?2, token_jti = NULL WHERE sequence = ?1")?;
    for RecordedEvent { sequence, event, .. } in events {
        let detail = without_personal_values(&event.action, event.detail);
        let sequence = narthex_tables::columns::integer(sequence);
        statement.execute(params![sequence, object_to_json(&detail)])?;
    }
    Ok(())
}

/// The key of the hashes; `None` before the first erasure.
fn key(connection: &Connection) -> Outcome<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT secret FROM erasure_keys WHERE name = ?1")?;
    Ok(statement.query_row([IDENTITIES], |row| row.get(0)).optional()?)
}

/// Remembers an identity, and makes the key if there is none yet.
pub(super) fn remember(
    tx: &mut Tx<'_>,
    identity: &RemovedIdentity,
    refused: RefusedTokens,
    new_key: &[u8],
) -> Outcome<()> {
    let key = if let Some(key) = key(tx)? {
        key
    } else {
        tx.prepare_cached("INSERT INTO erasure_keys (name, secret) VALUES (?1, ?2)")?
            .execute(params![IDENTITIES, new_key])?;
        // The other stores' nodes ask for the key again after a change of policy; all stores count alike.
        tx.move_policy()?;
        new_key.to_vec()
    };
    let hash = identity_hash(&key, identity);
    let kind = identity.kind.as_str();
    let refused = refused_by_hash(tx, kind, &hash)?.map_or(refused, |kept| kept.join(refused));
    tx.prepare_cached(
        "INSERT INTO removed_identities (kind, hash, issued_before_ms, refuses_all) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (kind, hash) DO UPDATE SET \
         issued_before_ms = excluded.issued_before_ms, refuses_all = excluded.refuses_all",
    )?
    .execute(params![kind, hash, refused.issued_before_ms, refused.all])?;
    Ok(())
}

/// Tokens of an identity that are refused because it was removed.
pub(super) fn refused(connection: &Connection, identity: &RemovedIdentity) -> Outcome<Option<RefusedTokens>> {
    match key(connection)? {
        Some(key) => refused_by_hash(connection, identity.kind.as_str(), &identity_hash(&key, identity)),
        None => Ok(None),
    }
}

fn refused_by_hash(connection: &Connection, kind: &str, hash: &str) -> Outcome<Option<RefusedTokens>> {
    let mut statement = connection
        .prepare_cached("SELECT issued_before_ms, refuses_all FROM removed_identities WHERE kind = ?1 AND hash = ?2")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(RefusedTokens {
            issued_before_ms: row.get(0)?,
            all: row.get(1)?,
        })
    };
    Ok(statement.query_row([kind, hash], read).optional()?)
}

/// Lets tokens bring a removed identity back. Returns false if none of them was refused.
pub(super) fn lift(tx: &mut Tx<'_>, identity: &RemovedIdentity, by: &By) -> Outcome<bool> {
    let Some(key) = key(tx)? else {
        return Ok(false);
    };
    let rows = tx
        .prepare_cached(
            "UPDATE removed_identities SET refuses_all = 0 WHERE kind = ?1 AND hash = ?2 AND refuses_all = 1",
        )?
        .execute([identity.kind.as_str(), &identity_hash(&key, identity)])?;
    if rows > 0 {
        // A token that named the organization was agreed on without it.
        if identity.kind == RemovedKind::Organization {
            tx.move_policy()?;
        }
        change::record(tx, rules::lifted_event(identity, by))?;
    }
    Ok(rows > 0)
}
