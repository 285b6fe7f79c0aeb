//! A random walk through the life of sessions: its laws hold in whatever order things are done; and two stores that walk
//! the same way give the same answers.

use super::dice::Dice;
use super::one_time::value;
use super::sessions::{idp, new_session};
use super::world::{HOUR_MS, MINUTE_MS, World};
use narthex_directory::{
    Directory, EventFilter, LoggedOut, LogoutMark, OneTimeKind, Page, ProviderSession, RefreshedToken, SecretBytes,
    SecretHash, Session, SessionEnd, SessionFilter, SessionId, SessionKind, SessionSelection, UserId,
};

const SUBJECTS: [&str; 2] = ["ada", "bob"];
const SIDS: [&str; 3] = ["s1", "s2", "s3"];

/// A walk through the sessions of a directory.
#[derive(Debug)]
pub struct SessionWalk<'d> {
    pub world: World<'d>,
    dice: Dice,
    users: Vec<UserId>,
    made: Vec<SessionId>,
    secrets: u8,
}

impl<'d> SessionWalk<'d> {
    pub async fn new(directory: &'d dyn Directory, seed: u64) -> Self {
        let mut world = World::new(directory);
        let mut users = Vec::new();
        for subject in SUBJECTS {
            users.push(world.user(subject).await.id);
        }
        Self {
            world,
            dice: Dice::new(seed),
            users,
            made: Vec::new(),
            secrets: 0,
        }
    }

    /// Takes one random step, checks the laws, and returns the outcome as text.
    pub async fn step(&mut self) -> String {
        let ms = self
            .dice
            .pick(&[0, 0, 1, 700, 30_000, MINUTE_MS, 20 * MINUTE_MS, HOUR_MS]);
        self.world.later(ms);
        let before = self.all().await;
        let outcome = match self.dice.roll(13) {
            0..=2 => self.sign_in().await,
            3 | 4 => self.claim().await,
            5 | 6 => self.store().await,
            7 => self.rotate().await,
            8 => self.end().await,
            9 => self.note_use().await,
            10 => self.one_time().await,
            11 => self.log_out().await,
            _ => self.keep_house().await,
        };
        let after = self.all().await;
        self.check(&before, &after).await;
        // Printed, a session shows no secret.
        let secrets: Vec<_> = after
            .iter()
            .map(|session| (session.hash.0[0], &session.sealed.0))
            .collect();
        format!("{outcome} {after:?} {secrets:?}")
    }

    /// Everything that is left, for comparison with another store.
    pub async fn everything(&self) -> Vec<String> {
        let events = self
            .world
            .directory
            .events(EventFilter::default(), Page::first(200))
            .await;
        let versions = self.world.directory.versions();
        let events = events.unwrap().items.into_iter().map(|event| format!("{event:?}"));
        let sessions = self
            .all()
            .await
            .into_iter()
            .map(|session| format!("{session:?} {}", versions.stripe(session.stripe())));
        sessions.chain(events).chain([versions.policy().to_string()]).collect()
    }

    /// Checks the laws of a session's life.
    async fn check(&self, before: &[Session], after: &[Session]) {
        let now_ms = self.world.now_ms;
        for session in after {
            let found = self.world.directory.session_by_hash(session.hash, now_ms).await;
            let found = found.unwrap().map(|found| found.session);
            let expected = session.stands_at(now_ms).then(|| session.clone());
            assert_eq!(found, expected, "a session is found while it stands");
            if session.ended_at_ms.is_some() {
                assert!(session.sealed.0.is_empty(), "an ended session has no credential");
            }
        }
        for was in before {
            let Some(is) = after.iter().find(|session| session.id == was.id) else {
                assert!(!was.stands_at(now_ms), "only a session that is over is deleted");
                continue;
            };
            assert!(was.stands_at(now_ms) || !is.stands_at(now_ms), "none comes back");
            assert!(is.version >= was.version && is.version - was.version <= 1);
            let claimed = |session: &Session| u64::from(session.refresh_until_ms.is_some());
            assert_eq!(is.version % 2, 1 - claimed(is), "claims and results take turns");
            assert!(is.user == was.user || was.user.is_none(), "a user is for good");
        }
    }

    /// All sessions, standing or not.
    async fn all(&self) -> Vec<Session> {
        let listing = self
            .world
            .directory
            .sessions(SessionFilter::default(), Page::first(200))
            .await;
        listing.unwrap().items
    }

    fn session(&mut self) -> SessionId {
        if self.made.is_empty() {
            return SessionId::new(0, &mut self.world.ids);
        }
        self.dice.pick(&self.made)
    }

    fn secret(&mut self) -> SecretHash {
        self.secrets = self.secrets.wrapping_add(1);
        // Now and then one that is there already.
        let secret = if self.dice.chance(8) { 1 } else { self.secrets };
        SecretHash([secret; 32])
    }

    async fn hash_of(&self, id: SessionId) -> Option<SecretHash> {
        let all = self.all().await;
        all.iter().find(|session| session.id == id).map(|session| session.hash)
    }

    async fn sign_in(&mut self) -> String {
        let hash = self.secret();
        let user = self.dice.chance(2).then(|| self.dice.pick(&self.users));
        let mut session = new_session(&mut self.world, 0, user);
        session.hash = hash;
        session.kind = self.dice.pick(SessionKind::ALL);
        let (subject, sid) = (self.dice.pick(&SUBJECTS), self.dice.pick(&SIDS));
        let names_sid = !self.dice.chance(4);
        session.provider_session = ProviderSession::new(Some(subject), names_sid.then_some(sid));
        session.idle_ms = self.dice.pick(&[30 * MINUTE_MS, 2 * HOUR_MS]);
        let id = session.id;
        let made = self.world.directory.create_session(session, self.world.by()).await;
        if made.is_ok() {
            self.made.push(id);
        }
        format!("{made:?}")
    }

    async fn claim(&mut self) -> String {
        let (id, version) = (self.session(), 1 + self.dice.roll(4));
        let (now_ms, until_ms) = (self.world.now_ms, self.world.now_ms + MINUTE_MS);
        let claimed = self.world.directory.claim_refresh(id, version, now_ms, until_ms).await;
        if matches!(claimed, Ok(Some(_))) {
            let again = self.world.directory.claim_refresh(id, version, now_ms, until_ms).await;
            assert_eq!(again, Ok(None), "one caller wins");
        }
        format!("{claimed:?}")
    }

    async fn store(&mut self) -> String {
        let (id, version) = (self.session(), 1 + self.dice.roll(4));
        let refreshed = RefreshedToken {
            sealed: SecretBytes(vec![self.secrets]),
            token_ends_at_ms: self.dice.chance(2).then_some(self.world.now_ms + HOUR_MS),
        };
        let now_ms = self.world.now_ms;
        let stored = self.world.directory.store_refresh(id, version, refreshed, now_ms).await;
        format!("{stored:?}")
    }

    async fn rotate(&mut self) -> String {
        let (id, to) = (self.session(), self.secret());
        let own = self.hash_of(id).await.filter(|_| !self.dice.chance(4));
        let from = own.unwrap_or(SecretHash([255; 32]));
        let now_ms = self.world.now_ms;
        let rotated = self.world.directory.rotate_session(id, from, to, now_ms).await;
        format!("{rotated:?}")
    }

    async fn end(&mut self) -> String {
        let selection = match self.dice.roll(5) {
            0 => SessionSelection::User(self.dice.pick(&self.users)),
            1 => SessionSelection::Sid(idp(), self.dice.pick(&SIDS).to_owned()),
            2 => SessionSelection::Subject(idp(), self.dice.pick(&SUBJECTS).to_owned()),
            3 => SessionSelection::SubjectWithoutSid(idp(), self.dice.pick(&SUBJECTS).to_owned()),
            _ => SessionSelection::Session(self.session()),
        };
        let end = self.dice.pick(SessionEnd::ALL);
        let ended = self
            .world
            .directory
            .end_sessions(selection.clone(), end, self.world.by())
            .await;
        let all = self.all().await;
        let mut left = all.iter().filter(|session| selection.holds(session));
        let now_ms = self.world.now_ms;
        assert!(
            left.all(|session| !session.stands_at(now_ms)),
            "those selected are over"
        );
        format!("{ended:?}")
    }

    async fn note_use(&mut self) -> String {
        let id = self.session();
        let user = self.dice.pick(&self.users);
        let standing = self.hash_of(id).await;
        let now_ms = self.world.now_ms;
        if let Some(hash) = standing
            && let Ok(Some(_)) = self.world.directory.session_by_hash(hash, now_ms).await
        {
            self.world.directory.note_session_use(id, now_ms);
            self.world.directory.flush().await.unwrap();
        }
        if self.dice.chance(2) {
            return format!("{:?}", self.world.directory.identify_session(id, user).await);
        }
        String::new()
    }

    async fn one_time(&mut self) -> String {
        let (kind, secret) = (self.dice.pick(OneTimeKind::ALL), self.dice.pick(&[1, 2, 3]));
        let now_ms = self.world.now_ms;
        if self.dice.chance(2) {
            let value = value(&self.world, kind, secret);
            return format!("{:?}", self.world.directory.put_once(value, 2, now_ms).await);
        }
        let hash = SecretHash([secret; 32]);
        let taken = self.world.directory.take_once(kind, hash, now_ms).await;
        let again = self.world.directory.take_once(kind, hash, now_ms).await;
        assert_eq!(again, Ok(None), "a value is taken once");
        format!("{:?}", taken.map(|taken| taken.map(|sealed| sealed.0)))
    }

    async fn log_out(&mut self) -> String {
        let logged_out = if self.dice.chance(2) {
            LoggedOut::Sid(self.dice.pick(&SIDS).to_owned())
        } else {
            LoggedOut::Subject {
                subject: self.dice.pick(&SUBJECTS).to_owned(),
                issued_before_ms: self.world.now_ms,
            }
        };
        let mark = LogoutMark {
            issuer: idp(),
            logged_out,
            kept_until_ms: self.world.now_ms + HOUR_MS,
        };
        let marked = self.world.directory.refuse_tokens_of(mark).await;
        let mut outcome = format!("{marked:?}");
        for (subject, sid) in [("ada", "s1"), ("bob", "s2")] {
            let mut token = self.world.token(subject);
            token.provider_session = ProviderSession::new(Some(subject), Some(sid));
            token.issued_at_ms = Some(self.world.now_ms - MINUTE_MS);
            outcome += &format!(
                " {:?}",
                self.world.try_sync(&token).await.map(|synced| synced.principal)
            );
        }
        outcome
    }

    async fn keep_house(&mut self) -> String {
        if self.dice.chance(4) {
            self.world.later(24 * HOUR_MS);
        }
        let limit = self.dice.pick(&[1, 100]);
        let now_ms = self.world.now_ms;
        let deleted = self.world.directory.delete_lapsed_sessions(limit, now_ms).await;
        format!("{deleted:?}")
    }
}
