//! `Sessions` in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;

use super::state::{State, stamp};
use super::{MemoryDirectory, missing};
use narthex_directory::StoreError;
use narthex_directory::{Answer, Sessions};
use narthex_directory::{By, Desired};
use narthex_directory::{IssuerName, Stripe};
use narthex_directory::{Listing, Page};
use narthex_directory::{LogoutMark, OneTimeKind, OneTimeValue, RefreshedToken, StandingSession};
use narthex_directory::{ProviderSession, Revocation, RevokedTokens, SessionClient};
use narthex_directory::{SESSION_KEPT_MS, Session, SessionEnd, SessionFilter, SessionSelection};
use narthex_directory::{SecretBytes, SecretHash};
use narthex_directory::{SessionId, UserId};

/// Sessions, values that are good for one use, and marks of logouts.
#[derive(Debug, Default)]
pub(super) struct SessionTable {
    by_id: BTreeMap<SessionId, Session>,
    once: HashMap<(OneTimeKind, SecretHash), OneTimeValue>,
    /// By issuer, claim and value.
    marks: BTreeMap<(IssuerName, &'static str, String), RefusedTokens>,
    /// By number.
    revocations: BTreeMap<u64, Revocation>,
}

/// Tokens that a mark refuses: see [`LogoutMark`].
#[derive(Debug, Clone, Copy)]
struct RefusedTokens {
    issued_before_ms: i64,
    kept_until_ms: i64,
}

impl SessionTable {
    /// Writes the uses that were noted.
    pub(super) fn note_uses(&mut self, uses: Vec<(SessionId, i64)>) {
        for (session, at_ms) in uses {
            let kept = self.by_id.get_mut(&session);
            if let Some(kept) = kept.filter(|kept| kept.ended_at_ms.is_none() && kept.use_is_due(at_ms)) {
                kept.last_seen_at_ms = at_ms;
            }
        }
    }

    /// Time before which a token must have been issued to be refused, in milliseconds.
    pub(super) fn refused_before_ms(&self, desired: &Desired) -> Option<i64> {
        let own = &desired.provider_session;
        let claims = [("sid", own.sid()), ("sub", own.subject())];
        let marks = claims.into_iter().filter_map(|(claim, value)| {
            let key = (desired.issuer.clone(), claim, value?.to_owned());
            self.marks.get(&key).map(|mark| mark.issued_before_ms)
        });
        marks.max()
    }

    /// Removes what the sessions and the marks of logouts say of a user. `subjects` are names of the user, each at its issuer.
    ///
    /// SECURITY: another issuer may have given the same subject to another user, whose tokens must stay refused.
    pub(super) fn forget_user(&mut self, user: UserId, mut subjects: BTreeSet<(IssuerName, String)>) {
        for session in self.by_id.values_mut().filter(|session| session.user == Some(user)) {
            let subject = session.provider_session.subject().map(str::to_owned);
            subjects.extend(session.issuer.clone().zip(subject));
            session.provider_session = ProviderSession::default();
            session.client = SessionClient::default();
        }
        self.marks.retain(|(issuer, claim, value), _| {
            *claim != "sub" || !subjects.contains(&(issuer.clone(), value.clone()))
        });
    }

    fn has_hash(&self, hash: SecretHash) -> bool {
        self.by_id.values().any(|kept| kept.hash == hash)
    }
}

fn taken() -> StoreError {
    StoreError::AlreadyExists {
        what: "session",
        field: "hash",
        owner: None,
    }
}

impl MemoryDirectory {
    fn move_stripes(&self, stripes: &[Stripe]) {
        for stripe in stripes {
            self.versions.raise_stripe(*stripe, self.versions.stripe(*stripe) + 1);
        }
    }

    /// Ends those sessions that stand. Returns how many.
    pub(super) fn end_sessions_in(
        &self,
        state: &mut State,
        selection: &SessionSelection,
        end: SessionEnd,
        by: &By,
    ) -> usize {
        let mut ended = Vec::new();
        for session in state.sessions.by_id.values_mut() {
            if selection.holds(session) && session.stands_at(by.at_ms) {
                session.ended_at_ms = Some(by.at_ms);
                session.end = Some(end);
                // SECURITY: with the session its credential goes.
                session.sealed = SecretBytes(Vec::new());
                ended.push(session.clone());
            }
        }
        for session in &ended {
            state.record(session.ended_event(end, by));
            self.move_stripes(&session.stripes());
        }
        ended.len()
    }
}

#[async_trait]
impl Sessions for MemoryDirectory {
    async fn create_session(&self, session: Session, by: By) -> Answer<()> {
        session.check()?;
        let mut state = self.lock();
        if session.user.is_some_and(|user| !state.users.contains_key(&user)) {
            return Err(missing("user"));
        }
        if state.sessions.has_hash(session.hash) || state.sessions.by_id.contains_key(&session.id) {
            return Err(taken());
        }
        state.record(session.created_event(&by));
        state.sessions.by_id.insert(session.id, session);
        Ok(())
    }

    async fn session_by_hash(&self, hash: SecretHash, now_ms: i64) -> Answer<Option<StandingSession>> {
        let state = self.lock();
        let found = state.sessions.by_id.values().find(|kept| kept.hash == hash);
        let standing = found.filter(|session| session.stands_at(now_ms));
        Ok(standing.map(|session| StandingSession {
            session: session.clone(),
            stamp: stamp(session.stripe(), &self.versions),
        }))
    }

    fn note_session_use(&self, session: SessionId, at_ms: i64) {
        self.session_uses.note(session, at_ms);
    }

    async fn identify_session(&self, session: SessionId, user: UserId) -> Answer<bool> {
        let mut state = self.lock();
        let is_known = state.users.contains_key(&user);
        let kept = state.sessions.by_id.get_mut(&session);
        let Some(kept) = kept.filter(|kept| kept.user.is_none() && kept.ended_at_ms.is_none()) else {
            return Ok(false);
        };
        if !is_known {
            return Err(missing("user"));
        }
        kept.user = Some(user);
        Ok(true)
    }

    async fn claim_refresh(&self, session: SessionId, version: u64, now_ms: i64, until_ms: i64) -> Answer<Option<u64>> {
        let mut state = self.lock();
        let kept = state.sessions.by_id.get_mut(&session);
        Ok(kept.filter(|kept| kept.may_be_claimed(version, now_ms)).map(|kept| {
            kept.refresh_until_ms = Some(until_ms);
            kept.version += 1;
            kept.version
        }))
    }

    async fn store_refresh(
        &self,
        session: SessionId,
        version: u64,
        refreshed: RefreshedToken,
        now_ms: i64,
    ) -> Answer<bool> {
        refreshed.check()?;
        let mut state = self.lock();
        let kept = state.sessions.by_id.get_mut(&session);
        let Some(kept) = kept.filter(|kept| kept.awaits_refresh(version, now_ms)) else {
            return Ok(false);
        };
        kept.sealed = refreshed.sealed;
        kept.token_ends_at_ms = refreshed.token_ends_at_ms;
        kept.refresh_until_ms = None;
        kept.version += 1;
        Ok(true)
    }

    async fn rotate_session(&self, session: SessionId, from: SecretHash, to: SecretHash, now_ms: i64) -> Answer<bool> {
        let mut state = self.lock();
        let is_taken = to != from && state.sessions.has_hash(to);
        let kept = state.sessions.by_id.get_mut(&session);
        let Some(kept) = kept.filter(|kept| kept.hash == from && kept.stands_at(now_ms)) else {
            return Ok(false);
        };
        if is_taken {
            return Err(taken());
        }
        kept.hash = to;
        self.move_stripes(&kept.stripes());
        Ok(true)
    }

    async fn end_sessions(&self, selection: SessionSelection, end: SessionEnd, by: By) -> Answer<usize> {
        Ok(self.end_sessions_in(&mut self.lock(), &selection, end, &by))
    }

    async fn sessions(&self, filter: SessionFilter, page: Page) -> Answer<Listing<Session>> {
        let after = page.after_id()?;
        let state = self.lock();
        let found = state.sessions.by_id.values().filter(|session| {
            filter.admits(session) && after.is_none_or(|after| session.id.to_string().as_str() > after)
        });
        let items = found.take(page.limit() + 1).cloned().collect();
        Ok(Listing::cut(items, &page, |session: &Session| session.id.to_string()))
    }

    async fn delete_lapsed_sessions(&self, limit: usize, now_ms: i64) -> Answer<usize> {
        let mut state = self.lock();
        let table = &mut state.sessions;
        let until_ms = now_ms.saturating_sub(SESSION_KEPT_MS);
        let mut lapsed: Vec<(i64, SessionId)> = table
            .by_id
            .values()
            .filter(|session| session.lapses_at_ms() <= until_ms)
            .map(|session| (session.lapses_at_ms(), session.id))
            .collect();
        lapsed.sort_unstable();
        lapsed.truncate(limit);
        for (_, id) in &lapsed {
            table.by_id.remove(id);
        }
        table.once.retain(|_, value| value.expires_at_ms > now_ms);
        table.marks.retain(|_, mark| mark.kept_until_ms > now_ms);
        // The newest one stays: its number must not be given again.
        let newest = table.revocations.last_key_value().map(|(newest, _)| *newest);
        let is_kept = |revocation: &Revocation| revocation.kept_until_ms.is_none_or(|until_ms| until_ms > now_ms);
        table
            .revocations
            .retain(|number, revocation| Some(*number) == newest || is_kept(revocation));
        Ok(lapsed.len())
    }

    async fn put_once(&self, value: OneTimeValue, most: usize, now_ms: i64) -> Answer<()> {
        let mut state = self.lock();
        let once = &mut state.sessions.once;
        once.retain(|_, kept| kept.expires_at_ms > now_ms);
        let key = (value.kind, value.hash);
        if once.contains_key(&key) {
            return Err(OneTimeValue::taken());
        }
        if once.keys().filter(|(kind, _)| *kind == value.kind).count() >= most {
            return Err(OneTimeValue::full(value.kind));
        }
        once.insert(key, value);
        Ok(())
    }

    async fn take_once(&self, kind: OneTimeKind, hash: SecretHash, now_ms: i64) -> Answer<Option<SecretBytes>> {
        let taken = self.lock().sessions.once.remove(&(kind, hash));
        let good = taken.filter(|value| value.expires_at_ms > now_ms);
        Ok(good.map(|value| value.sealed))
    }

    async fn refuse_tokens_of(&self, mark: LogoutMark) -> Answer<()> {
        mark.check()?;
        let mut state = self.lock();
        let key = (mark.issuer.clone(), mark.claim(), mark.value().to_owned());
        let refused = RefusedTokens {
            issued_before_ms: mark.issued_before_ms(),
            kept_until_ms: mark.kept_until_ms,
        };
        let kept = state.sessions.marks.entry(key).or_insert(refused);
        kept.issued_before_ms = kept.issued_before_ms.max(refused.issued_before_ms);
        kept.kept_until_ms = kept.kept_until_ms.max(refused.kept_until_ms);
        let selection = mark.sessions();
        let of_these = state.sessions.by_id.values().filter(|session| selection.holds(session));
        let mut users: Vec<UserId> = of_these.filter_map(|session| session.user).collect();
        users.sort_unstable();
        users.dedup();
        if users.is_empty() {
            self.versions.raise_policy(self.versions.policy() + 1);
        }
        for id in users {
            // A plan that was made before the mark no longer holds, and is made again.
            if let Some(user) = state.users.get_mut(&id) {
                user.version += 1;
            }
            self.move_stripes(&[Stripe::of(id)]);
        }
        Ok(())
    }

    async fn revoke(&self, mut revocation: Revocation, by: By) -> Answer<()> {
        let event = revocation.event(&by)?;
        let mut state = self.lock();
        let table = &mut state.sessions.revocations;
        let number = table.last_key_value().map_or(0, |(newest, _)| *newest) + 1;
        let key = |of: &Revocation| (of.issuer.clone(), of.parts().0, of.parts().1.to_owned());
        let same = table.iter().find(|(_, known)| key(known) == key(&revocation));
        if let Some(known) = same.map(|(known, _)| *known).and_then(|known| table.remove(&known)) {
            revocation = joined(&known, revocation);
        }
        table.insert(number, revocation);
        state.record(event);
        self.versions.raise_policy(self.versions.policy() + 1);
        Ok(())
    }

    async fn revocations(&self, after: u64, limit: usize) -> Answer<Vec<(u64, Revocation)>> {
        let state = self.lock();
        let newer = state.sessions.revocations.range(after.saturating_add(1)..);
        let newer = newer.map(|(number, revocation)| (*number, revocation.clone()));
        Ok(newer.take(limit).collect())
    }
}

/// Joins two revocations of the same tokens: the later times count.
fn joined(known: &Revocation, revocation: Revocation) -> Revocation {
    let kept = known.kept_until_ms.zip(revocation.kept_until_ms);
    let tokens = match (&known.tokens, revocation.tokens) {
        (RevokedTokens::IssuedBefore(known), RevokedTokens::IssuedBefore(before)) => {
            RevokedTokens::IssuedBefore(before.max(*known))
        }
        (_, tokens) => tokens,
    };
    Revocation {
        tokens,
        kept_until_ms: kept.map(|(known, kept)| known.max(kept)),
        ..revocation
    }
}
