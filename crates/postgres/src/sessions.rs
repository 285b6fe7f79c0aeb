//! `Sessions` on PostgreSQL.

use async_trait::async_trait;
use narthex_directory::{
    Answer, By, Listing, LogoutMark, OneTimeKind, OneTimeValue, Page, RefreshedToken, Revocation, SESSION_KEPT_MS,
    SESSION_USE_EVERY_MS, SecretBytes, SecretHash, Session, SessionEnd, SessionFilter, SessionId, SessionKind,
    SessionSelection, Sessions, StandingSession, StoreError, Stripe, UserId,
};

use super::edit::counter_of;
use super::error::{Fault, Outcome};
use super::list::{Query, collect};
use super::revocations;
use super::rows::read_maybe;
use super::session::{self, Command, Then, Tx, Value};
use super::snapshot::Stripes;
use super::value::Typed;
use super::{PostgresDirectory, Shared, write};
use narthex_tables::columns::{SESSION, integer};
use narthex_tables::consequences::missing;
use narthex_tables::rows::{self, Columns};

/// The first of a session's ends, as its index has it: see [`Session::lapses_at_ms`].
macro_rules! lapse {
    () => {
        "least(s.ends_at_ms, s.last_seen_at_ms + s.idle_ms, coalesce(s.refresh_until_ms, s.ends_at_ms), \
         coalesce(s.ended_at_ms, s.ends_at_ms))"
    };
}

/// Condition on a session, as `s`, that stands: see [`Session::stands_at`]. Not by the index of ends: the session is known
/// by something else, or the list is in another order.
macro_rules! stands {
    ($now_ms:literal) => {
        concat!("s.ended_at_ms IS NULL AND 0 + ", lapse!(), " > ", $now_ms)
    };
}

/// SECURITY: one statement finds the version and moves it, so of many callers, on many nodes, one wins.
const CLAIM: &str = concat!(
    "UPDATE sessions s SET refresh_until_ms = $4, version = s.version + 1 \
     WHERE s.id = $1 AND s.version = $2 AND s.refresh_until_ms IS NULL AND ",
    stands!("$3"),
    " RETURNING 1"
);
const STORE: &str = concat!(
    "UPDATE sessions s SET sealed = $3, token_ends_at_ms = $4, refresh_until_ms = NULL, version = s.version + 1 \
     WHERE s.id = $1 AND s.version = $2 AND s.refresh_until_ms IS NOT NULL AND ",
    stands!("$5"),
    " RETURNING 1"
);
const DELETE: &str = concat!(
    "DELETE FROM sessions WHERE id = ANY(ARRAY(SELECT s.id FROM sessions s WHERE ",
    lapse!(),
    " <= $1 ORDER BY ",
    lapse!(),
    ", s.id LIMIT $2)) RETURNING 1"
);

/// Number of uses that one transaction writes: other writers wait for it.
const USES_AT_ONCE: usize = 1_000;

#[async_trait]
impl Sessions for PostgresDirectory {
    async fn create_session(&self, session: Session, by: By) -> Answer<()> {
        session.check()?;
        let mut tx = self.begin().await?;
        create(&mut tx, &session, &by).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn session_by_hash(&self, hash: SecretHash, now_ms: i64) -> Answer<Option<StandingSession>> {
        // INVARIANT: the numbers are read before the session is: see `Stripes`.
        let (policy, stripes) = (self.shared.versions.policy(), Stripes::now(&self.shared.versions));
        let sql = format!("SELECT {SESSION} FROM sessions s WHERE s.hash = $1");
        let found = self.session().await?.row(&sql, &[&&hash.0[..]]).await?;
        let session = read_maybe(found.as_ref(), rows::session)?;
        let standing = session.filter(|session| session.stands_at(now_ms));
        Ok(standing.map(|session| StandingSession {
            stamp: stripes.stamp(session.stripe(), policy),
            session,
        }))
    }

    fn note_session_use(&self, session: SessionId, at_ms: i64) {
        self.shared.session_uses.note(session, at_ms);
    }

    async fn identify_session(&self, session: SessionId, user: UserId) -> Answer<bool> {
        let sql =
            "UPDATE sessions SET user_id = $2 WHERE id = $1 AND user_id IS NULL AND ended_at_ms IS NULL RETURNING 1";
        let values: [&dyn Typed; 2] = [&session.to_string(), &user.to_string()];
        match self.session().await?.row(sql, &values).await {
            Err(Fault::Constraint) => Err(missing("user")),
            found => Ok(found?.is_some()),
        }
    }

    async fn claim_refresh(&self, session: SessionId, version: u64, now_ms: i64, until_ms: i64) -> Answer<Option<u64>> {
        let values: [&dyn Typed; 4] = [&session.to_string(), &integer(version), &now_ms, &until_ms];
        let claimed = self.session().await?.row(CLAIM, &values).await?;
        Ok(claimed.map(|_| version.saturating_add(1)))
    }

    async fn store_refresh(
        &self,
        session: SessionId,
        version: u64,
        refreshed: RefreshedToken,
        now_ms: i64,
    ) -> Answer<bool> {
        refreshed.check()?;
        let values: [&dyn Typed; 5] = [
            &session.to_string(),
            &integer(version),
            &refreshed.sealed.0,
            &refreshed.token_ends_at_ms,
            &now_ms,
        ];
        Ok(self.session().await?.row(STORE, &values).await?.is_some())
    }

    async fn rotate_session(&self, session: SessionId, from: SecretHash, to: SecretHash, now_ms: i64) -> Answer<bool> {
        let mut tx = self.begin().await?;
        let Some(rotated) = rotate(&tx, session, (from, to), now_ms).await? else {
            return Ok(false);
        };
        tx.move_counters(&counters(&rotated)).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(true)
    }

    async fn end_sessions(&self, selection: SessionSelection, end: SessionEnd, by: By) -> Answer<usize> {
        let mut tx = self.begin().await?;
        let ended = end_in(&mut tx, &selection, end, &by).await?;
        if ended == 0 {
            // Another node may just have ended them, and this one must honour that at once.
            self.look(&tx).await?;
        }
        tx.commit(&self.shared.versions).await?;
        Ok(ended)
    }

    async fn sessions(&self, filter: SessionFilter, page: Page) -> Answer<Listing<Session>> {
        Ok(list(&self.session().await?, &filter, &page).await?)
    }

    async fn delete_lapsed_sessions(&self, limit: usize, now_ms: i64) -> Answer<usize> {
        let mut tx = self.begin().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values: [&dyn Typed; 2] = [&now_ms.saturating_sub(SESSION_KEPT_MS), &limit];
        let deleted = tx.rows(DELETE, &values).await?.len();
        let marks = "DELETE FROM logout_marks WHERE kept_until_ms <= $1";
        tx.run_all(
            &[
                expired_values(now_ms),
                Command::new(marks, vec![Box::new(now_ms)]),
                Command::new(revocations::DELETE_EXPIRED, vec![Box::new(now_ms)]),
            ],
            Then::Commit,
        )
        .await?;
        tx.commit(&self.shared.versions).await?;
        Ok(deleted)
    }

    async fn put_once(&self, value: OneTimeValue, most: usize, now_ms: i64) -> Answer<()> {
        let mut tx = self.begin().await?;
        put_once(&mut tx, &value, most, now_ms).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn take_once(&self, kind: OneTimeKind, hash: SecretHash, now_ms: i64) -> Answer<Option<SecretBytes>> {
        // SECURITY: one statement takes it, so no two callers get it.
        let sql = "DELETE FROM one_time_values WHERE kind = $1 AND hash = $2 RETURNING sealed, expires_at_ms";
        let values: [&dyn Typed; 2] = [&kind.as_str(), &&hash.0[..]];
        let found = self.session().await?.row(sql, &values).await?;
        let taken = read_maybe(found.as_ref(), |row| {
            let mut columns = Columns::of(row, "one-time value");
            Ok((SecretBytes(columns.bytes()?.to_vec()), columns.integer()?))
        })?;
        let good = taken.filter(|(_, expires_at_ms)| *expires_at_ms > now_ms);
        Ok(good.map(|(sealed, _)| sealed))
    }

    async fn refuse_tokens_of(&self, mark: LogoutMark) -> Answer<()> {
        mark.check()?;
        let mut tx = self.begin().await?;
        refuse(&mut tx, &mark).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn revoke(&self, revocation: Revocation, by: By) -> Answer<()> {
        let event = revocation.event(&by)?;
        let mut tx = self.begin().await?;
        revocations::revoke(&mut tx, &revocation, event).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn revocations(&self, after: u64, limit: usize) -> Answer<Vec<(u64, Revocation)>> {
        Ok(revocations::list(&self.session().await?, after, limit).await?)
    }
}

/// Turns a broken constraint into the error of the one field that can break it.
fn taken<T>(made: Outcome<T>) -> Outcome<T> {
    match made {
        Err(Fault::Constraint) => Err(StoreError::AlreadyExists {
            what: "session",
            field: "hash",
            owner: None,
        }
        .into()),
        made => made,
    }
}

/// Counters of the stripes that move with a session.
fn counters(session: &Session) -> Vec<i64> {
    let stripes = session.stripes().into_iter();
    stripes.map(|stripe: Stripe| i64::from(stripe.number()) + 1).collect()
}

async fn create(tx: &mut Tx, session: &Session, by: &By) -> Outcome<()> {
    if let Some(user) = session.user {
        tx.user_in(user).await?;
    }
    let text = |text: Option<&str>| text.map(str::to_owned);
    let issuer = session.issuer.as_ref().map(ToString::to_string);
    let command = Command::new(
        "INSERT INTO sessions (id, kind, hash, issuer, user_id, subject, sid, credential, sealed, user_agent, address, \
         created_at_ms, last_seen_at_ms, idle_ms, ends_at_ms, token_ends_at_ms, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        vec![
            Box::new(session.id.to_string()),
            Box::new(session.kind.as_str()),
            Box::new(session.hash.0.to_vec()),
            Box::new(issuer),
            Box::new(session.user.map(|user| user.to_string())),
            Box::new(text(session.provider_session.subject())),
            Box::new(text(session.provider_session.sid())),
            Box::new(session.credential.as_str()),
            Box::new(session.sealed.0.clone()),
            Box::new(session.client.user_agent.clone()),
            Box::new(session.client.address.clone()),
            Box::new(session.created_at_ms),
            Box::new(session.last_seen_at_ms),
            Box::new(session.idle_ms),
            Box::new(session.ends_at_ms),
            Box::new(session.token_ends_at_ms),
            Box::new(integer(session.version)),
        ],
    );
    taken(tx.run(command).await)?;
    tx.record(session.created_event(by)).await
}

/// Gives a session another secret. Returns it as it is now, if it stands.
async fn rotate(
    tx: &Tx,
    session: SessionId,
    (from, to): (SecretHash, SecretHash),
    now_ms: i64,
) -> Outcome<Option<Session>> {
    let stands = stands!("$4");
    let sql =
        format!("UPDATE sessions s SET hash = $3 WHERE s.id = $1 AND s.hash = $2 AND {stands} RETURNING {SESSION}");
    let values: [&dyn Typed; 4] = [&session.to_string(), &&from.0[..], &&to.0[..], &now_ms];
    let rotated = taken(tx.row(&sql, &values).await)?;
    read_maybe(rotated.as_ref(), rows::session)
}

/// The condition on sessions, as `s`, that selects them; and its values.
fn condition(selection: &SessionSelection) -> (&'static str, Vec<Value<'static>>) {
    match selection {
        SessionSelection::Session(id) => ("s.id = $1", values([id.to_string()])),
        SessionSelection::User(user) => ("s.user_id = $1", values([user.to_string()])),
        SessionSelection::Sid(issuer, sid) => (
            "s.sid = $1 AND s.issuer = $2",
            values([without_nul(sid), issuer.to_string()]),
        ),
        SessionSelection::Subject(issuer, subject) => (
            "s.subject = $1 AND s.issuer = $2",
            values([without_nul(subject), issuer.to_string()]),
        ),
        SessionSelection::SubjectWithoutSid(issuer, subject) => (
            "s.subject = $1 AND s.issuer = $2 AND s.sid IS NULL",
            values([without_nul(subject), issuer.to_string()]),
        ),
    }
}

fn values<const N: usize>(texts: [String; N]) -> Vec<Value<'static>> {
    let boxed = texts.map(|text| -> Value<'static> { Box::new(text) });
    boxed.into()
}

/// A claim's value to look for. PostgreSQL refuses to be asked for a text with U+0000, which no session has.
fn without_nul(text: &str) -> String {
    if text.contains('\0') {
        String::new()
    } else {
        text.to_owned()
    }
}

/// Ends those sessions that stand. Returns how many.
pub(super) async fn end_in(tx: &mut Tx, selection: &SessionSelection, end: SessionEnd, by: &By) -> Outcome<usize> {
    let (condition, values) = condition(selection);
    let sql = format!("SELECT {SESSION} FROM sessions s WHERE {condition} ORDER BY s.id");
    let mut standing = collect(tx, &sql, &values, rows::session).await?;
    standing.retain(|session| session.stands_at(by.at_ms));
    if standing.is_empty() {
        return Ok(0);
    }
    let ids: Vec<String> = standing.iter().map(|session| session.id.to_string()).collect();
    // SECURITY: with the session its credential goes.
    let command = Command::new(
        "UPDATE sessions SET ended_at_ms = $2, end_reason = $3, sealed = ''::bytea WHERE id = ANY($1)",
        vec![Box::new(ids), Box::new(by.at_ms), Box::new(end.as_str())],
    );
    tx.run(command).await?;
    for session in &standing {
        tx.record(session.ended_event(end, by)).await?;
    }
    let moved: Vec<i64> = standing.iter().flat_map(counters).collect();
    tx.move_counters(&moved).await?;
    Ok(standing.len())
}

async fn list(connection: &session::Session, filter: &SessionFilter, page: &Page) -> Outcome<Listing<Session>> {
    let mut query = Query::new(&format!("SELECT {SESSION} FROM sessions s"));
    query.text("s.user_id = ?", filter.user.map(|user| user.to_string()));
    query.text("s.kind = ?", filter.kind.map(SessionKind::as_str));
    query.number(stands!("?"), filter.standing_at_ms);
    query.after("s.id", page)?;
    let items = query.list(connection, "s.id", page, rows::session).await?;
    Ok(Listing::cut(items, page, |session: &Session| session.id.to_string()))
}

fn expired_values(now_ms: i64) -> Command<'static> {
    Command::new(
        "DELETE FROM one_time_values WHERE expires_at_ms <= $1",
        vec![Box::new(now_ms)],
    )
}

async fn put_once(tx: &mut Tx, value: &OneTimeValue, most: usize, now_ms: i64) -> Outcome<()> {
    tx.run(expired_values(now_ms)).await?;
    let kind = value.kind.as_str();
    let command = Command::new(
        "INSERT INTO one_time_values (kind, hash, sealed, expires_at_ms) VALUES ($1, $2, $3, $4)",
        vec![
            Box::new(kind),
            Box::new(value.hash.0.to_vec()),
            Box::new(value.sealed.0.clone()),
            Box::new(value.expires_at_ms),
        ],
    );
    match tx.run(command).await {
        Err(Fault::Constraint) => return Err(OneTimeValue::taken().into()),
        made => made?,
    }
    if most == usize::MAX {
        return Ok(());
    }
    let counted = tx
        .row("SELECT count(*) FROM one_time_values WHERE kind = $1", &[&kind])
        .await?;
    let count = read_maybe(counted.as_ref(), |row| Columns::of(row, "one-time value").number())?;
    if count.is_some_and(|count| usize::try_from(count).is_ok_and(|count| count <= most)) {
        Ok(())
    } else {
        Err(OneTimeValue::full(value.kind).into())
    }
}

async fn refuse(tx: &mut Tx, mark: &LogoutMark) -> Outcome<()> {
    let command = Command::new(
        "INSERT INTO logout_marks (issuer, claim, value, issued_before_ms, kept_until_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (issuer, claim, value) DO UPDATE SET \
         issued_before_ms = greatest(logout_marks.issued_before_ms, excluded.issued_before_ms), \
         kept_until_ms = greatest(logout_marks.kept_until_ms, excluded.kept_until_ms)",
        vec![
            Box::new(mark.issuer.as_str()),
            Box::new(mark.claim()),
            Box::new(mark.value()),
            Box::new(mark.issued_before_ms()),
            Box::new(mark.kept_until_ms),
        ],
    );
    tx.run(command).await?;
    let (condition, values) = condition(&mark.sessions());
    let sql =
        format!("SELECT DISTINCT s.user_id FROM sessions s WHERE {condition} AND s.user_id IS NOT NULL ORDER BY 1");
    let users: Vec<UserId> = collect(tx, &sql, &values, |row| Columns::of(row, "session").parse()).await?;
    if users.is_empty() {
        return tx.move_counters(&[0]).await;
    }
    // A plan that was made before the mark no longer holds, and is made again.
    tx.run(write::move_versions(&users)).await?;
    let moved: Vec<i64> = users.iter().map(|user| counter_of(*user)).collect();
    tx.move_counters(&moved).await
}

/// Writes the uses that were noted, unless one of the same minute is recorded.
pub(super) async fn write_uses(shared: &Shared, uses: &[(SessionId, i64)]) -> Outcome<()> {
    for uses in uses.chunks(USES_AT_ONCE) {
        let ids: Vec<String> = uses.iter().map(|(session, _)| session.to_string()).collect();
        let times: Vec<i64> = uses.iter().map(|(_, at_ms)| *at_ms).collect();
        let command = Command::new(
            "UPDATE sessions SET last_seen_at_ms = n.at_ms FROM unnest($1::text[], $2::bigint[]) AS n (id, at_ms) \
             WHERE sessions.id = ANY($1) AND sessions.id = n.id AND sessions.ended_at_ms IS NULL \
             AND abs(n.at_ms - sessions.last_seen_at_ms) >= $3",
            vec![Box::new(ids), Box::new(times), Box::new(SESSION_USE_EVERY_MS)],
        );
        let mut tx = Tx::begin(shared).await?;
        tx.run_all(&[command], Then::Commit).await?;
        tx.commit(&shared.versions).await?;
    }
    Ok(())
}
