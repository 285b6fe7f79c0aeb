//! Seals of personal values in events, and their keys.

use narthex_directory::{SealKey, SealedEvent, UserId};

use super::error::Outcome;
use super::list::collect;
use super::session::{Command, Session, Tx, Value};
use narthex_tables::audit_chain::{SEAL_KEY, seal_key};
use narthex_tables::columns::{integer, object_to_json};

pub(super) async fn keys(session: &Session, users: &[UserId]) -> Outcome<Vec<SealKey>> {
    let sql = format!("SELECT {SEAL_KEY} FROM seal_keys k WHERE k.user_id = ANY($1) ORDER BY k.user_id");
    let users: Vec<String> = users.iter().map(ToString::to_string).collect();
    let values: [Value<'_>; 1] = [Box::new(users)];
    collect(session, &sql, &values, seal_key).await
}

pub(super) async fn create_keys(tx: &mut Tx, keys: &[SealKey]) -> Outcome<Vec<SealKey>> {
    let users: Vec<String> = keys.iter().map(|key| key.user.to_string()).collect();
    let secrets: Vec<Vec<u8>> = keys.iter().map(|key| key.secret.0.clone()).collect();
    tx.run(Command::new(
        "INSERT INTO seal_keys (user_id, secret) SELECT * FROM unnest($1::text[], $2::bytea[]) \
         ON CONFLICT (user_id) DO NOTHING",
        vec![Box::new(users), Box::new(secrets)],
    ))
    .await?;
    let users: Vec<UserId> = keys.iter().map(|key| key.user).collect();
    self::keys(tx, &users).await
}

/// SECURITY: an erasure deletes the key in the transaction that removes the values, and of these transactions one waits for
/// the other. So a key that is still there is that of values that are.
pub(super) async fn seal(tx: &mut Tx, events: &[SealedEvent]) -> Outcome<()> {
    let sequences: Vec<i64> = events.iter().map(|event| integer(event.sequence)).collect();
    let seals = events.iter().map(|event| object_to_json(&event.seals.to_json()));
    let seals: Vec<String> = seals.collect();
    let users: Vec<String> = events.iter().map(|event| event.key.user.to_string()).collect();
    let secrets: Vec<Vec<u8>> = events.iter().map(|event| event.key.secret.0.clone()).collect();
    tx.run(Command::new(
        "INSERT INTO audit_seals (sequence, seals) SELECT n.sequence, n.seals \
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[]) AS n (sequence, seals, user_id, secret) \
         JOIN seal_keys k ON k.user_id = n.user_id AND k.secret = n.secret ON CONFLICT (sequence) DO NOTHING",
        vec![Box::new(sequences), Box::new(seals), Box::new(users), Box::new(secrets)],
    ))
    .await
}
