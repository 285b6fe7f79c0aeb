//! `Sessions` on `SQLite`.

use async_trait::async_trait;
use narthex_directory::{
    Answer, By, Listing, LogoutMark, OneTimeKind, OneTimeValue, Page, RefreshedToken, Revocation, SESSION_KEPT_MS,
    SESSION_USE_EVERY_MS, SecretBytes, SecretHash, Session, SessionEnd, SessionFilter, SessionId, SessionSelection,
    Sessions, Stamp, StandingSession, StoreError, Stripe, UserId,
};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::SqliteDirectory;
use super::change::{self, counter};
use super::error::{Fault, Outcome};
use super::list::{Query, collect};
use super::revocations;
use super::writer::Tx;
use narthex_tables::columns::{SESSION, integer};
use narthex_tables::consequences::missing;
use narthex_tables::rows::{self, Columns};

/// The first of a session's ends, as its index has it: see [`Session::lapses_at_ms`].
macro_rules! lapse {
    () => {
        "min(s.ends_at_ms, s.last_seen_at_ms + s.idle_ms, coalesce(s.refresh_until_ms, s.ends_at_ms), \
         coalesce(s.ended_at_ms, s.ends_at_ms))"
    };
}

/// Condition on a session, as `s`, that stands: see [`Session::stands_at`].
macro_rules! stands {
    ($now_ms:literal) => {
        concat!("s.ended_at_ms IS NULL AND 0 + ", lapse!(), " > ", $now_ms)
    };
}

#[async_trait]
impl Sessions for SqliteDirectory {
    async fn create_session(&self, session: Session, by: By) -> Answer<()> {
        session.check()?;
        self.writer.write(move |tx| create(tx, &session, &by)).await
    }

    async fn session_by_hash(&self, hash: SecretHash, now_ms: i64) -> Answer<Option<StandingSession>> {
        self.readers
            .read(move |connection| standing(connection, hash, now_ms))
            .await
    }

    fn note_session_use(&self, session: SessionId, at_ms: i64) {
        self.session_uses.note(session, at_ms);
    }

    async fn identify_session(&self, session: SessionId, user: UserId) -> Answer<bool> {
        self.writer.write(move |tx| identify(tx, session, user)).await
    }

    async fn claim_refresh(&self, session: SessionId, version: u64, now_ms: i64, until_ms: i64) -> Answer<Option<u64>> {
        let work = move |tx: &mut Tx<'_>| {
            let mut statement = tx.prepare_cached(concat!(
                "UPDATE sessions AS s SET refresh_until_ms = ?4, version = version + 1 \
                 WHERE s.id = ?1 AND s.version = ?2 AND s.refresh_until_ms IS NULL AND ",
                stands!("?3")
            ))?;
            let rows = statement.execute(params![session.to_string(), integer(version), now_ms, until_ms])?;
            Ok((rows > 0).then(|| version.saturating_add(1)))
        };
        self.writer.write(work).await
    }

    async fn store_refresh(
        &self,
        session: SessionId,
        version: u64,
        refreshed: RefreshedToken,
        now_ms: i64,
    ) -> Answer<bool> {
        refreshed.check()?;
        let work = move |tx: &mut Tx<'_>| {
            let mut statement = tx.prepare_cached(concat!(
                "UPDATE sessions AS s SET sealed = ?3, token_ends_at_ms = ?4, refresh_until_ms = NULL, \
                 version = version + 1 \
                 WHERE s.id = ?1 AND s.version = ?2 AND s.refresh_until_ms IS NOT NULL AND ",
                stands!("?5")
            ))?;
            let rows = statement.execute(params![
                session.to_string(),
                integer(version),
                refreshed.sealed.0,
                refreshed.token_ends_at_ms,
                now_ms,
            ])?;
            Ok(rows > 0)
        };
        self.writer.write(work).await
    }

    async fn rotate_session(&self, session: SessionId, from: SecretHash, to: SecretHash, now_ms: i64) -> Answer<bool> {
        self.writer
            .write(move |tx| rotate(tx, session, (from, to), now_ms))
            .await
    }

    async fn end_sessions(&self, selection: SessionSelection, end: SessionEnd, by: By) -> Answer<usize> {
        self.writer.write(move |tx| end_in(tx, &selection, end, &by)).await
    }

    async fn sessions(&self, filter: SessionFilter, page: Page) -> Answer<Listing<Session>> {
        self.readers
            .read(move |connection| list(connection, &filter, &page))
            .await
    }

    async fn delete_lapsed_sessions(&self, limit: usize, now_ms: i64) -> Answer<usize> {
        self.writer.write(move |tx| delete_lapsed(tx, limit, now_ms)).await
    }

    async fn put_once(&self, value: OneTimeValue, most: usize, now_ms: i64) -> Answer<()> {
        self.writer.write(move |tx| put_once(tx, &value, most, now_ms)).await
    }

    async fn take_once(&self, kind: OneTimeKind, hash: SecretHash, now_ms: i64) -> Answer<Option<SecretBytes>> {
        let work = move |tx: &mut Tx<'_>| {
            // SECURITY: one statement takes it, so no two callers get it.
            let mut statement = tx.prepare_cached(
                "DELETE FROM one_time_values WHERE kind = ?1 AND hash = ?2 RETURNING sealed, expires_at_ms",
            )?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?));
            let taken = statement.query_row(params![kind.as_str(), hash.0], read).optional()?;
            let good = taken.filter(|(_, expires_at_ms)| *expires_at_ms > now_ms);
            Ok(good.map(|(sealed, _)| SecretBytes(sealed)))
        };
        self.writer.write(work).await
    }

    async fn refuse_tokens_of(&self, mark: LogoutMark) -> Answer<()> {
        mark.check()?;
        self.writer.write(move |tx| refuse(tx, &mark)).await
    }

    async fn revoke(&self, revocation: Revocation, by: By) -> Answer<()> {
        let event = revocation.event(&by)?;
        self.writer
            .write(move |tx| revocations::revoke(tx, &revocation, event))
            .await
    }

    async fn revocations(&self, after: u64, limit: usize) -> Answer<Vec<(u64, Revocation)>> {
        self.readers
            .read(move |connection| revocations::list(connection, after, limit))
            .await
    }
}

/// Turns a broken constraint into the error of the one field that can break it.
fn taken<T>(made: rusqlite::Result<T>) -> Outcome<T> {
    made.map_err(|error| match Fault::from(error) {
        Fault::Constraint => StoreError::AlreadyExists {
            what: "session",
            field: "hash",
            owner: None,
        }
        .into(),
        fault => fault,
    })
}

fn create(tx: &Tx<'_>, session: &Session, by: &By) -> Outcome<()> {
    if let Some(user) = session.user
        && change::version_of(tx, user)?.is_none()
    {
        return Err(missing("user").into());
    }
    let mut statement = tx.prepare_cached(
        "INSERT INTO sessions (id, kind, hash, issuer, user_id, subject, sid, credential, sealed, user_agent, address, \
         created_at_ms, last_seen_at_ms, idle_ms, ends_at_ms, token_ends_at_ms, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?;
    let made = statement.execute(params![
        session.id.to_string(),
        session.kind.as_str(),
        session.hash.0,
        session.issuer.as_ref().map(narthex_directory::IssuerName::as_str),
        session.user.map(|user| user.to_string()),
        session.provider_session.subject(),
        session.provider_session.sid(),
        session.credential.as_str(),
        session.sealed.0,
        session.client.user_agent,
        session.client.address,
        session.created_at_ms,
        session.last_seen_at_ms,
        session.idle_ms,
        session.ends_at_ms,
        session.token_ends_at_ms,
        integer(session.version),
    ]);
    taken(made)?;
    change::record(tx, session.created_event(by))
}

fn standing(connection: &Connection, hash: SecretHash, now_ms: i64) -> Outcome<Option<StandingSession>> {
    let sql = format!("SELECT {SESSION} FROM sessions s WHERE s.hash = ?1");
    let found = collect(connection, &sql, [&hash.0[..]], rows::session)?.pop();
    let Some(session) = found.filter(|session| session.stands_at(now_ms)) else {
        return Ok(None);
    };
    let stripe = session.stripe();
    let stamp = Stamp {
        policy: counter(connection, 0)?,
        stripe,
        user: counter(connection, i64::from(stripe.number()) + 1)?,
    };
    Ok(Some(StandingSession { session, stamp }))
}

fn identify(tx: &Tx<'_>, session: SessionId, user: UserId) -> Outcome<bool> {
    let mut statement = tx
        .prepare_cached("UPDATE sessions SET user_id = ?2 WHERE id = ?1 AND user_id IS NULL AND ended_at_ms IS NULL")?;
    let made = statement.execute([session.to_string(), user.to_string()]);
    match made.map_err(Fault::from) {
        Ok(rows) => Ok(rows > 0),
        Err(Fault::Constraint) => Err(missing("user").into()),
        Err(fault) => Err(fault),
    }
}

fn rotate(tx: &mut Tx<'_>, session: SessionId, (from, to): (SecretHash, SecretHash), now_ms: i64) -> Outcome<bool> {
    let id = session.to_string();
    let mut statement = tx.prepare_cached(concat!(
        "UPDATE sessions AS s SET hash = ?3 WHERE s.id = ?1 AND s.hash = ?2 AND ",
        stands!("?4")
    ))?;
    let rows = taken(statement.execute(params![id, from.0, to.0, now_ms]))?;
    drop(statement);
    let sql = format!("SELECT {SESSION} FROM sessions s WHERE s.id = ?1");
    let rotated = collect(tx, &sql, [&id], rows::session)?.pop().filter(|_| rows > 0);
    for stripe in rotated.iter().flat_map(Session::stripes) {
        tx.move_stripe(stripe)?;
    }
    Ok(rotated.is_some())
}

/// The condition on sessions, as `s`, that selects them; and its values.
fn condition(selection: &SessionSelection) -> (&'static str, Vec<String>) {
    match selection {
        SessionSelection::Session(id) => ("s.id = ?1", vec![id.to_string()]),
        SessionSelection::User(user) => ("s.user_id = ?1", vec![user.to_string()]),
        SessionSelection::Sid(issuer, sid) => ("s.sid = ?1 AND s.issuer = ?2", vec![sid.clone(), issuer.to_string()]),
        SessionSelection::Subject(issuer, subject) => (
            "s.subject = ?1 AND s.issuer = ?2",
            vec![subject.clone(), issuer.to_string()],
        ),
        SessionSelection::SubjectWithoutSid(issuer, subject) => (
            "s.subject = ?1 AND s.issuer = ?2 AND s.sid IS NULL",
            vec![subject.clone(), issuer.to_string()],
        ),
    }
}

/// Ends those sessions that stand. Returns how many.
pub(super) fn end_in(tx: &mut Tx<'_>, selection: &SessionSelection, end: SessionEnd, by: &By) -> Outcome<usize> {
    let (condition, values) = condition(selection);
    let sql = format!("SELECT {SESSION} FROM sessions s WHERE {condition} ORDER BY s.id");
    let mut standing = collect(tx, &sql, params_from_iter(values), rows::session)?;
    standing.retain(|session| session.stands_at(by.at_ms));
    for session in &standing {
        // SECURITY: with the session its credential goes.
        tx.prepare_cached("UPDATE sessions SET ended_at_ms = ?2, end_reason = ?3, sealed = x'' WHERE id = ?1")?
            .execute(params![session.id.to_string(), by.at_ms, end.as_str()])?;
        change::record(tx, session.ended_event(end, by))?;
        for stripe in session.stripes() {
            tx.move_stripe(stripe)?;
        }
    }
    Ok(standing.len())
}

fn list(connection: &Connection, filter: &SessionFilter, page: &Page) -> Outcome<Listing<Session>> {
    let mut query = Query::new(&format!("SELECT {SESSION} FROM sessions s"));
    query.and("s.user_id = ?", filter.user.map(|user| user.to_string()));
    query.and("s.kind = ?", filter.kind.map(|kind| kind.as_str().to_owned()));
    // Not by the index of ends, which is in another order than the list.
    query.and(stands!("?"), filter.standing_at_ms);
    query.after("s.id", page)?;
    let items = query.list(connection, "s.id", page, rows::session)?;
    Ok(Listing::cut(items, page, |session: &Session| session.id.to_string()))
}

fn delete_lapsed(tx: &Tx<'_>, limit: usize, now_ms: i64) -> Outcome<usize> {
    let mut statement = tx.prepare_cached(concat!(
        "DELETE FROM sessions WHERE id IN (SELECT s.id FROM sessions s WHERE ",
        lapse!(),
        " <= ?1 ORDER BY ",
        lapse!(),
        ", s.id LIMIT ?2)"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let deleted = statement.execute([now_ms.saturating_sub(SESSION_KEPT_MS), limit])?;
    delete_expired_values(tx, now_ms)?;
    tx.prepare_cached("DELETE FROM logout_marks WHERE kept_until_ms <= ?1")?
        .execute([now_ms])?;
    revocations::delete_expired(tx, now_ms)?;
    Ok(deleted)
}

fn delete_expired_values(tx: &Tx<'_>, now_ms: i64) -> Outcome<()> {
    tx.prepare_cached("DELETE FROM one_time_values WHERE expires_at_ms <= ?1")?
        .execute([now_ms])?;
    Ok(())
}

fn put_once(tx: &Tx<'_>, value: &OneTimeValue, most: usize, now_ms: i64) -> Outcome<()> {
    delete_expired_values(tx, now_ms)?;
    let mut statement =
        tx.prepare_cached("INSERT INTO one_time_values (kind, hash, sealed, expires_at_ms) VALUES (?1, ?2, ?3, ?4)")?;
    let kind = value.kind.as_str();
    let made = statement.execute(params![kind, value.hash.0, value.sealed.0, value.expires_at_ms]);
    match made.map_err(Fault::from) {
        Ok(_) => {}
        Err(Fault::Constraint) => return Err(OneTimeValue::taken().into()),
        Err(fault) => return Err(fault),
    }
    if most == usize::MAX {
        return Ok(());
    }
    let mut statement = tx.prepare_cached("SELECT count(*) FROM one_time_values WHERE kind = ?1")?;
    let count: i64 = statement.query_row([kind], |row| row.get(0))?;
    if usize::try_from(count).is_ok_and(|count| count <= most) {
        Ok(())
    } else {
        Err(OneTimeValue::full(value.kind).into())
    }
}

fn refuse(tx: &mut Tx<'_>, mark: &LogoutMark) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO logout_marks (issuer, claim, value, issued_before_ms, kept_until_ms) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (issuer, claim, value) DO UPDATE SET \
         issued_before_ms = max(issued_before_ms, excluded.issued_before_ms), \
         kept_until_ms = max(kept_until_ms, excluded.kept_until_ms)",
    )?;
    statement.execute(params![
        mark.issuer.as_str(),
        mark.claim(),
        mark.value(),
        mark.issued_before_ms(),
        mark.kept_until_ms,
    ])?;
    drop(statement);
    let (condition, values) = condition(&mark.sessions());
    let sql =
        format!("SELECT DISTINCT s.user_id FROM sessions s WHERE {condition} AND s.user_id IS NOT NULL ORDER BY 1");
    let users: Vec<UserId> = collect(tx, &sql, params_from_iter(values), |row| {
        Columns::of(row, "session").parse()
    })?;
    if users.is_empty() {
        return tx.move_policy();
    }
    for user in users {
        // A plan that was made before the mark no longer holds, and is made again.
        tx.prepare_cached("UPDATE users SET version = version + 1 WHERE id = ?1")?
            .execute([user.to_string()])?;
        tx.move_stripe(Stripe::of(user))?;
    }
    Ok(())
}

/// Writes the uses that were noted, unless one of the same minute is recorded.
pub(super) fn write_uses(tx: &Tx<'_>, uses: &[(SessionId, i64)]) -> Outcome<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE sessions SET last_seen_at_ms = ?2 WHERE id = ?1 AND ended_at_ms IS NULL \
         AND abs(?2 - last_seen_at_ms) >= ?3",
    )?;
    for (session, at_ms) in uses {
        statement.execute(params![session.to_string(), at_ms, SESSION_USE_EVERY_MS])?;
    }
    Ok(())
}
