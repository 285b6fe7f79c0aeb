//! Erasure of users on PostgreSQL.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use narthex_directory::{
    By, Change, Desired, Erasure, RefusedTokens, RemovedIdentity, RemovedKind, SecretBytes, SessionEnd,
    SessionSelection, Snapshot, User, UserId, erase_user, rules, without_personal_values,
};

use super::error::Outcome;
use super::list::collect;
use super::rows::{Values, read_maybe};
use super::session::{Command, Session, Tx, Value};
use super::snapshot::Reader;
use super::{sessions, usage};
use narthex_tables::columns::{EVENT, GRANT, integer, object_to_json};
use narthex_tables::erasure::{IDENTITIES, erased_user, identity_hash};
use narthex_tables::rows::{self, Columns};

/// Number of events that one statement cleans.
const CLEANED_AT_ONCE: usize = 500;

/// Cache of the key of the hashes, so that a first use costs no further look before the first erasure, and one after it.
///
/// INVARIANT: the erasure that makes the key moves the policy number in the same transaction. Where that number has not
/// moved, there is still no key; and a key that was made stays.
#[derive(Debug, Default)]
pub(super) struct KeyCache(Mutex<Option<KnownKey>>);

/// State of the key at a policy number.
#[derive(Debug, Clone)]
struct KnownKey {
    policy: u64,
    key: Option<SecretBytes>,
}

impl KeyCache {
    async fn key(&self, session: &Session, policy: u64) -> Outcome<Option<SecretBytes>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.key.is_some() || known.policy == policy) {
            return Ok(known.key);
        }
        let key = key(session).await?;
        let known = KnownKey {
            policy,
            key: key.clone(),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(key)
    }
}

/// The key of the hashes; `None` before the first erasure.
async fn key(session: &Session) -> Outcome<Option<SecretBytes>> {
    let sql = "SELECT secret FROM erasure_keys WHERE name = $1";
    let found = session.row(sql, &[&IDENTITIES]).await?;
    read_maybe(found.as_ref(), |row| {
        Ok(SecretBytes(Columns::of(row, "erasure key").bytes()?.to_vec()))
    })
}

impl Reader<'_> {
    /// Adds to a snapshot what was removed: the tokens that are refused because their user was erased, and the deleted
    /// organizations that the token names.
    ///
    /// INVARIANT: asked after the user was looked for. A user who is erased meanwhile was there then, and the plan loses its
    /// snapshot; one who was not there is remembered here already.
    pub(super) async fn with_refused(&self, desired: &Desired, mut snapshot: Snapshot) -> Outcome<Snapshot> {
        if snapshot.standing.is_none() {
            snapshot.erased = refused(self, &erased_user(desired), snapshot.policy).await?;
        }
        let unknown = snapshot.unknown_organizations(desired);
        snapshot.deleted_organizations = self.deleted(&unknown, snapshot.policy).await?;
        Ok(snapshot)
    }

    /// Of these organizations the external ids of those that were deleted: one look, however many there are.
    async fn deleted(&self, organizations: &[RemovedIdentity], policy: u64) -> Outcome<BTreeSet<String>> {
        if organizations.is_empty() {
            return Ok(BTreeSet::new());
        }
        let Some(key) = self.erasure_key.key(self.session, policy).await? else {
            return Ok(BTreeSet::new());
        };
        let hashes: Vec<String> = organizations.iter().map(|own| identity_hash(&key.0, own)).collect();
        let sql = "SELECT hash FROM removed_identities WHERE kind = $1 AND refuses_all AND hash = ANY($2)";
        let kind = RemovedKind::Organization.as_str();
        let rows = self.session.rows(sql, &[&kind, &hashes]).await?;
        let mut deleted = BTreeSet::new();
        for row in &rows {
            let hash = Columns::of(&Values(row), "removed identity").text()?.to_owned();
            let found = organizations.iter().zip(&hashes).filter(|(_, own)| **own == hash);
            deleted.extend(found.map(|(identity, _)| identity.external_id.as_str().to_owned()));
        }
        Ok(deleted)
    }
}

/// Tokens of an identity that are refused because it was removed; `policy` is the policy number at which its user was not
/// there.
async fn refused(reader: &Reader<'_>, identity: &RemovedIdentity, policy: u64) -> Outcome<Option<RefusedTokens>> {
    match reader.erasure_key.key(reader.session, policy).await? {
        Some(key) => {
            let hash = identity_hash(&key.0, identity);
            refused_by_hash(reader.session, identity.kind.as_str(), &hash).await
        }
        None => Ok(None),
    }
}

async fn refused_by_hash(session: &Session, kind: &str, hash: &str) -> Outcome<Option<RefusedTokens>> {
    let sql = "SELECT issued_before_ms, refuses_all FROM removed_identities WHERE kind = $1 AND hash = $2";
    let found = session.row(sql, &[&kind, &hash]).await?;
    read_maybe(found.as_ref(), |row| {
        let mut columns = Columns::of(row, "removed identity");
        Ok(RefusedTokens {
            issued_before_ms: columns.integer()?,
            all: columns.flag()?,
        })
    })
}

/// Removes the personal values of a user from everything but its record, and remembers its identity. Returns the changes
/// that erase the record and close the grants.
pub(super) async fn erase(
    tx: &mut Tx,
    (before, version): (&User, Option<u64>),
    erasure: &Erasure,
    newest_noted_ms: Option<i64>,
    by: &By,
) -> Outcome<Vec<Change>> {
    let user = before.id;
    let newest = usage::newest_issued_at_ms(tx, user).await?.max(newest_noted_ms);
    let sql = format!("SELECT {GRANT} FROM grants g WHERE g.user_id = $1 AND g.revoked_at_ms IS NULL ORDER BY g.id");
    let id: [Value<'_>; 1] = [Box::new(user.to_string())];
    let open = collect(tx, &sql, &id, rows::grant).await?;
    let (changes, refused) = erase_user(before, version, open, (erasure, newest), by.at_ms)?;
    let identity = RemovedIdentity {
        kind: RemovedKind::User,
        realm: before.realm.clone(),
        external_id: before.external_id.clone(),
    };
    remember(tx, &identity, refused, &erasure.new_key).await?;
    sessions::end_in(tx, &SessionSelection::User(user), SessionEnd::Administrator, by).await?;
    // The marks of logouts name the user as the identity provider does. SECURITY: another issuer may have given the same
    // subject to another user, whose tokens must stay refused.
    let marks = Command::new(
        "DELETE FROM logout_marks WHERE claim = 'sub' AND ((issuer, value) IN \
         (SELECT s.issuer, s.subject FROM sessions s WHERE s.user_id = $1) \
         OR (value = $2 AND issuer IN (SELECT i.issuer FROM user_issuers i WHERE i.user_id = $1)))",
        vec![
            Box::new(user.to_string()),
            Box::new(identity.external_id.as_str().to_owned()),
        ],
    );
    tx.run(marks).await?;
    for sql in [
        "UPDATE sessions SET subject = NULL, sid = NULL, user_agent = NULL, address = NULL WHERE user_id = $1",
        "UPDATE grants SET why = NULL, revoked_why = NULL, token_jti = NULL WHERE user_id = $1",
        "DELETE FROM user_issuers WHERE user_id = $1",
    ] {
        tx.run(Command::new(sql, vec![Box::new(user.to_string())])).await?;
    }
    clean_trail(tx, user).await?;
    Ok(changes)
}

/// Removes the personal values from the events about a user, and the key of their seals.
async fn clean_trail(tx: &mut Tx, user: UserId) -> Outcome<()> {
    let key = Command::new(
        "DELETE FROM seal_keys WHERE user_id = $1",
        vec![Box::new(user.to_string())],
    );
    tx.run(key).await?;
    let sql = format!("SELECT {EVENT} FROM audit_events e WHERE e.user_id = $1 ORDER BY e.sequence");
    let id: [Value<'_>; 1] = [Box::new(user.to_string())];
    let events = collect(tx, &sql, &id, rows::event).await?;
    for some in events.chunks(CLEANED_AT_ONCE) {
        let sequences: Vec<i64> = some.iter().map(|recorded| integer(recorded.sequence)).collect();
        let details: Vec<String> = some
            .iter()
            .map(|recorded| {
                let event = &recorded.event;
                object_to_json(&without_personal_values(&event.action, event.detail.clone()))
            })
            .collect();
        let command = Command::new(
            "UPDATE audit_events e SET detail = n.detail, token_jti = NULL \
             FROM unnest($1::bigint[], $2::text[]) AS n (sequence, detail) WHERE e.sequence = n.sequence",
            vec![Box::new(sequences), Box::new(details)],
        );
        tx.run(command).await?;
    }
    Ok(())
}

/// Remembers an identity, and makes the key if there is none yet.
pub(super) async fn remember(
    tx: &mut Tx,
    identity: &RemovedIdentity,
    refused: RefusedTokens,
    new_key: &SecretBytes,
) -> Outcome<()> {
    let key = if let Some(key) = key(tx).await? {
        key
    } else {
        let command = Command::new(
            "INSERT INTO erasure_keys (name, secret) VALUES ($1, $2)",
            vec![Box::new(IDENTITIES), Box::new(new_key.0.clone())],
        );
        tx.run(command).await?;
        tx.move_counters(&[0]).await?;
        new_key.clone()
    };
    let hash = identity_hash(&key.0, identity);
    let kind = identity.kind.as_str();
    let kept = refused_by_hash(tx, kind, &hash).await?;
    let refused = kept.map_or(refused, |kept| kept.join(refused));
    let command = Command::new(
        "INSERT INTO removed_identities (kind, hash, issued_before_ms, refuses_all) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (kind, hash) DO UPDATE SET \
         issued_before_ms = excluded.issued_before_ms, refuses_all = excluded.refuses_all",
        vec![
            Box::new(kind),
            Box::new(hash),
            Box::new(refused.issued_before_ms),
            Box::new(refused.all),
        ],
    );
    tx.run(command).await
}

/// Lets tokens bring a removed identity back. Returns false if none of them was refused.
pub(super) async fn lift(tx: &mut Tx, identity: &RemovedIdentity, by: &By) -> Outcome<bool> {
    let Some(key) = key(tx).await? else {
        return Ok(false);
    };
    let sql = "UPDATE removed_identities SET refuses_all = false \
               WHERE kind = $1 AND hash = $2 AND refuses_all RETURNING 1::bigint";
    let hash = identity_hash(&key.0, identity);
    let found = tx.row(sql, &[&identity.kind.as_str(), &hash]).await?;
    if found.is_some() {
        // A token that named the organization was agreed on without it.
        if identity.kind == RemovedKind::Organization {
            tx.move_counters(&[0]).await?;
        }
        tx.record(rules::lifted_event(identity, by)).await?;
    }
    Ok(found.is_some())
}
