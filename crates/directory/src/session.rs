//! Sessions: signed-in browsers, the values that are good for one use, and the logouts that identity providers announce.
//!
//! A session stands for one credential, which the engine seals; the directory never looks inside. A cookie holds a secret,
//! and the directory its hash. The rules of a session's life are here, once, for every store.

use narthex_names::{IssuerName, SessionId, UserId};
use serde_json::Value;

use crate::audit::{AuditEvent, By};
use crate::command::{SecretBytes, SecretHash};
use crate::desired::ProviderSession;
use crate::error::StoreError;
use crate::role::word;
use crate::rules::check_text;
use crate::versions::{Stamp, Stripe};

/// The time between two uses of a session that are recorded, in milliseconds.
pub const SESSION_USE_EVERY_MS: i64 = 60_000;
/// The longest idle limit, and the longest life of a session, in milliseconds: 366 days.
pub const SESSION_MS_MAX: i64 = 366 * 86_400_000;
/// The most bytes that are sealed with a session: a token of 16 KiB, a refresh token, mapped values of 8 KB.
pub const SESSION_BYTES_MAX: usize = 65_536;
/// Time for which a session is listed after its end, in milliseconds: a day.
pub const SESSION_KEPT_MS: i64 = 86_400_000;
/// Default limit of values of one kind that are good for one use and not used yet: some twenty megabytes.
pub const ONE_TIME_VALUES_MAX: usize = 20_000;

word!(
    /// Place in which a session is accepted. Each kind has a cookie of its own.
    SessionKind, "session kind", {
        /// At the doors.
        Door = "door",
        /// At the doors, in frames of an issuer's portal. Its issuer names the cookie.
        Embedded = "embedded",
        /// At the console.
        Console = "console",
    }
);

word!(
    /// Kind of the credential that a session stands for.
    CredentialKind, "credential kind", {
        /// A token of an issuer.
        Token = "token",
        /// An API key.
        ApiKey = "api_key",
        /// The one-time link of a new installation.
        FirstRunLink = "first_run_link",
    }
);

word!(
    /// Reason for which a session was ended before its time.
    SessionEnd, "session end", {
        /// The user signed out.
        SignedOut = "signed_out",
        /// An administrator ended it, or signed the user out everywhere.
        Administrator = "administrator",
        /// The identity provider announced the logout.
        IdentityProvider = "identity_provider",
        /// The identity provider refused to refresh the token.
        RefreshRefused = "refresh_refused",
        /// The result of a refresh was lost, and the refresh token with it.
        RefreshLost = "refresh_lost",
        /// The browser signed in again.
        Replaced = "replaced",
    }
);

word!(
    /// Kind of a value that is good for one use.
    OneTimeKind, "one-time value", {
        /// State of a sign-in that is under way.
        SignInState = "sign_in_state",
        /// Code that stands for a token in an embedded login.
        LoginCode = "login_code",
        /// Sign-in link of a new installation.
        FirstRunLink = "first_run_link",
        /// The `jti` of a logout token.
        LogoutToken = "logout_token",
        /// Use of a DPoP proof.
        DpopProof = "dpop_proof",
    }
);

/// Facts of the client that signed in, for the list of sessions. They prove nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionClient {
    /// The user agent, shortened by the caller.
    pub user_agent: Option<String>,
    /// The address.
    pub address: Option<String>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Place in which it is accepted.
    pub kind: SessionKind,
    /// The SHA-256 of the cookie's secret. A secret is 256 random bits, so nothing slower is needed.
    pub hash: SecretHash,
    /// The issuer of its token, where it has one.
    pub issuer: Option<IssuerName>,
    /// The user, once known.
    pub user: Option<UserId>,
    /// Session at the identity provider.
    pub provider_session: ProviderSession,
    /// Kind of the credential that it stands for.
    pub credential: CredentialKind,
    /// The credential and what belongs to it, as the engine sealed them.
    pub sealed: SecretBytes,
    /// Facts of the client.
    pub client: SessionClient,
    /// Time of creation, in milliseconds.
    pub created_at_ms: i64,
    /// Time of the last use, in milliseconds, to the minute: see [`SESSION_USE_EVERY_MS`].
    pub last_seen_at_ms: i64,
    /// Time without use after which it ends, in milliseconds, counted from the last use that is recorded.
    pub idle_ms: i64,
    /// Time at which it ends at the latest, in milliseconds.
    pub ends_at_ms: i64,
    /// Time at which its credential ends, in milliseconds; `None` for one that does not. The session can outlive it by a
    /// refresh only, which is the engine's to see to.
    pub token_ends_at_ms: Option<i64>,
    /// Counts the claims of a refresh and their results; starts at 1.
    pub version: u64,
    /// Time until which a caller that refreshes the token has the claim to it, in milliseconds.
    pub refresh_until_ms: Option<i64>,
    /// Time at which it was ended, in milliseconds.
    pub ended_at_ms: Option<i64>,
    /// Reason for which it was ended.
    pub end: Option<SessionEnd>,
}

impl Session {
    /// Tests whether the session stands: neither ended, nor idle too long, nor past its end, nor with a refresh whose result
    /// did not come in time.
    ///
    /// SECURITY: the result of a refresh that is lost is lost for good, because the identity provider has taken the refresh
    /// token back with it. So the session is over when the claim lapses, whatever becomes of the caller that had it.
    pub fn stands_at(&self, now_ms: i64) -> bool {
        self.ended_at_ms.is_none() && self.lapses_at_ms() > now_ms
    }

    /// Time at which the session has ended or ends if it is not used again, in milliseconds. Stores have the same as an
    /// expression with an index.
    pub fn lapses_at_ms(&self) -> i64 {
        let idle = self.last_seen_at_ms.saturating_add(self.idle_ms);
        let ends = [self.refresh_until_ms, self.ended_at_ms];
        ends.into_iter().flatten().fold(self.ends_at_ms.min(idle), i64::min)
    }

    /// Tests whether a use now is to be recorded. Also where the last one is in the future: a clock was set back.
    pub fn use_is_due(&self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.last_seen_at_ms).unsigned_abs() >= SESSION_USE_EVERY_MS.unsigned_abs()
    }

    /// Tests whether a caller that has seen `version` may refresh the token now.
    pub fn may_be_claimed(&self, version: u64, now_ms: i64) -> bool {
        self.version == version && self.refresh_until_ms.is_none() && self.stands_at(now_ms)
    }

    /// Tests whether the result of the claim that gave `version` may be stored now.
    pub fn awaits_refresh(&self, version: u64, now_ms: i64) -> bool {
        self.version == version && self.refresh_until_ms.is_some() && self.stands_at(now_ms)
    }

    /// Stripe that a cached answer of this session rests on: that of its user, or, while that is not known, its own.
    pub fn stripe(&self) -> Stripe {
        self.user.map_or_else(|| Stripe::of_session(self.id), Stripe::of)
    }

    /// Stripes that move when the session ends or its secret changes, each once: an answer may have been cached before the
    /// user was known.
    pub fn stripes(&self) -> Vec<Stripe> {
        let own = Stripe::of_session(self.id);
        let of_user = self.user.map(Stripe::of).filter(|stripe| *stripe != own);
        std::iter::once(own).chain(of_user).collect()
    }

    /// Checks a session to be stored. For stores.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] or [`StoreError::Invalid`] for the rule that it breaks.
    pub fn check(&self) -> Result<(), StoreError> {
        let needs_issuer = self.kind == SessionKind::Embedded || self.credential == CredentialKind::Token;
        let life_ms = self.ends_at_ms.saturating_sub(self.created_at_ms);
        let refused = match self {
            _ if needs_issuer && self.issuer.is_none() => "an embedded session, and one of a token, needs its issuer",
            _ if !(1..=SESSION_MS_MAX).contains(&self.idle_ms) || !(1..=SESSION_MS_MAX).contains(&life_ms) => {
                "the limits of a session are between a millisecond and 366 days; change `[session]`"
            }
            _ if self.sealed.0.len() > SESSION_BYTES_MAX => {
                "the token, its refresh token and the mapped values of a session have more than 64 KiB; have the identity \
                 provider issue smaller tokens"
            }
            _ if self.version != 1 || self.refresh_until_ms.is_some() || self.ended_at_ms.is_some() => {
                "a new session has neither ended nor been refreshed"
            }
            _ => return self.check_client(),
        };
        Err(StoreError::Refused(refused))
    }

    fn check_client(&self) -> Result<(), StoreError> {
        let fields = [
            ("user_agent", &self.client.user_agent),
            ("address", &self.client.address),
        ];
        for (field, text) in fields {
            if let Some(text) = text {
                check_text(field, text)?;
            }
        }
        Ok(())
    }

    /// The event of a session created. For stores.
    pub fn created_event(&self, by: &By) -> AuditEvent {
        self.tell_of(AuditEvent::new("session.created", by.actor.clone(), by.at_ms))
    }

    /// The event of a session ended. For stores.
    pub fn ended_event(&self, end: SessionEnd, by: &By) -> AuditEvent {
        let mut event = self.tell_of(AuditEvent::new("session.ended", by.actor.clone(), by.at_ms));
        event.detail.insert("why".to_owned(), end.as_str().into());
        event
    }

    fn tell_of(&self, mut event: AuditEvent) -> AuditEvent {
        event.user = self.user;
        let mut set = |name: &str, value: Value| event.detail.insert(name.to_owned(), value);
        set("session", self.id.to_string().into());
        set("kind", self.kind.as_str().into());
        set("credential", self.credential.as_str().into());
        if let Some(issuer) = &self.issuer {
            set("issuer", issuer.as_str().into());
        }
        event
    }
}

/// A session that stands, with the version numbers that it was read at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingSession {
    /// The session.
    pub session: Session,
    /// Numbers of [`Session::stripe`], never newer than the session: an answer that rests on it is cached under them.
    pub stamp: Stamp,
}

/// Result of a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshedToken {
    /// The credential and what belongs to it, as the engine sealed them.
    pub sealed: SecretBytes,
    /// Time at which the new token ends, in milliseconds.
    pub token_ends_at_ms: Option<i64>,
}

impl RefreshedToken {
    /// Checks a result to be stored. For stores.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] if it has more than [`SESSION_BYTES_MAX`] bytes.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.sealed.0.len() > SESSION_BYTES_MAX {
            return Err(StoreError::Refused(
                "the refreshed token of a session and what belongs to it have more than 64 KiB; have the identity provider \
                 issue smaller tokens",
            ));
        }
        Ok(())
    }
}

/// Sessions to end together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionSelection {
    /// One session.
    Session(SessionId),
    /// Those of a user.
    User(UserId),
    /// Those of an issuer and one `sid` of its identity provider.
    Sid(IssuerName, String),
    /// Those of an issuer and one `sub` of its identity provider.
    Subject(IssuerName, String),
    /// Those of an issuer and one `sub` whose tokens named no `sid`: they cannot be told apart.
    SubjectWithoutSid(IssuerName, String),
}

impl SessionSelection {
    /// Tests whether a session is one of them. For stores.
    pub fn holds(&self, session: &Session) -> bool {
        let of_issuer = |issuer: &IssuerName| session.issuer.as_ref() == Some(issuer);
        let own = &session.provider_session;
        match self {
            Self::Session(id) => session.id == *id,
            Self::User(user) => session.user == Some(*user),
            Self::Sid(issuer, sid) => of_issuer(issuer) && own.sid() == Some(sid.as_str()),
            Self::Subject(issuer, subject) => of_issuer(issuer) && own.subject() == Some(subject.as_str()),
            Self::SubjectWithoutSid(issuer, subject) => {
                of_issuer(issuer) && own.subject() == Some(subject.as_str()) && own.sid().is_none()
            }
        }
    }
}

/// Filter of a list of sessions. All conditions that are given must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionFilter {
    /// Of this user.
    pub user: Option<UserId>,
    /// Of this kind.
    pub kind: Option<SessionKind>,
    /// Standing at this time, in milliseconds.
    pub standing_at_ms: Option<i64>,
}

impl SessionFilter {
    /// Tests whether the filter admits a session.
    pub fn admits(&self, session: &Session) -> bool {
        self.user.is_none_or(|user| session.user == Some(user))
            && self.kind.is_none_or(|kind| session.kind == kind)
            && self.standing_at_ms.is_none_or(|now_ms| session.stands_at(now_ms))
    }
}

/// A value that is good for one use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeValue {
    /// Its kind.
    pub kind: OneTimeKind,
    /// The SHA-256 of the secret that it is taken by.
    pub hash: SecretHash,
    /// Its content, as the engine sealed it.
    pub sealed: SecretBytes,
    /// Time from which it is good for nothing, in milliseconds.
    pub expires_at_ms: i64,
}

impl OneTimeValue {
    /// The error where too many of one kind are not used yet. For stores.
    pub fn full(kind: OneTimeKind) -> StoreError {
        StoreError::Unavailable(format!(
            "too many values of the kind `{kind}` wait for their use; they expire by themselves, try again in some minutes"
        ))
    }

    /// The error where one of this kind and hash is there already. For stores.
    pub const fn taken() -> StoreError {
        StoreError::AlreadyExists {
            what: "one-time value",
            field: "hash",
            owner: None,
        }
    }
}

/// Tokens whose session the identity provider has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggedOut {
    /// All tokens of one `sid`.
    Sid(String),
    /// The tokens of one `sub` that were issued before a time, in milliseconds, and those that do not say when.
    Subject {
        /// The `sub`.
        subject: String,
        /// The time.
        issued_before_ms: i64,
    },
}

/// Mark of a logout that an identity provider announced (OpenID Connect Back-Channel Logout 1.0): tokens to refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutMark {
    /// The issuer.
    pub issuer: IssuerName,
    /// The tokens.
    pub logged_out: LoggedOut,
    /// Time by which the last of these tokens has expired, in milliseconds: the mark is kept until then.
    pub kept_until_ms: i64,
}

impl LogoutMark {
    /// Word for the claim that it names: `sid` or `sub`.
    pub const fn claim(&self) -> &'static str {
        match self.logged_out {
            LoggedOut::Sid(_) => "sid",
            LoggedOut::Subject { .. } => "sub",
        }
    }

    /// The claim's value.
    pub fn value(&self) -> &str {
        match &self.logged_out {
            LoggedOut::Sid(value) | LoggedOut::Subject { subject: value, .. } => value,
        }
    }

    /// Time before which a token must have been issued to be refused, in milliseconds. Of a `sid` all are.
    pub const fn issued_before_ms(&self) -> i64 {
        match self.logged_out {
            LoggedOut::Sid(_) => i64::MAX,
            LoggedOut::Subject { issued_before_ms, .. } => issued_before_ms,
        }
    }

    /// The sessions of those tokens.
    pub fn sessions(&self) -> SessionSelection {
        let issuer = self.issuer.clone();
        match &self.logged_out {
            LoggedOut::Sid(sid) => SessionSelection::Sid(issuer, sid.clone()),
            LoggedOut::Subject { subject, .. } => SessionSelection::Subject(issuer, subject.clone()),
        }
    }

    /// Checks a mark to be stored. For stores.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a claim that no token can have: see [`ProviderSession::new`].
    pub fn check(&self) -> Result<(), StoreError> {
        check_text(self.claim(), self.value())
    }
}

#[cfg(test)]
mod tests {
    use narthex_names::CountingIds;
    use proptest::prelude::*;

    use super::*;
    use crate::audit::Actor;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn session() -> Session {
        Session {
            id: SessionId::new(NOW_MS, &mut CountingIds(0)),
            kind: SessionKind::Door,
            hash: SecretHash([1; 32]),
            issuer: Some(IssuerName::new("idp").unwrap()),
            user: Some(UserId::new(NOW_MS, &mut CountingIds(7))),
            provider_session: ProviderSession::new(Some("ada"), Some("s1")),
            credential: CredentialKind::Token,
            sealed: SecretBytes(b"sealed".to_vec()),
            client: SessionClient::default(),
            created_at_ms: NOW_MS,
            last_seen_at_ms: NOW_MS,
            idle_ms: 3_600_000,
            ends_at_ms: NOW_MS + 43_200_000,
            token_ends_at_ms: Some(NOW_MS + 300_000),
            version: 1,
            refresh_until_ms: None,
            ended_at_ms: None,
            end: None,
        }
    }

    #[test]
    fn a_session_stands_until_the_first_of_its_ends() {
        let session = session();
        assert!(session.stands_at(NOW_MS + 3_599_999) && !session.stands_at(NOW_MS + 3_600_000));
        let used = Session {
            last_seen_at_ms: NOW_MS + 43_000_000,
            ..session.clone()
        };
        assert!(used.stands_at(NOW_MS + 43_199_999) && !used.stands_at(NOW_MS + 43_200_000));
        let lost = Session {
            refresh_until_ms: Some(NOW_MS + 10_000),
            ..session.clone()
        };
        assert!(lost.stands_at(NOW_MS + 9_999) && !lost.stands_at(NOW_MS + 10_000));
        let ended = Session {
            ended_at_ms: Some(NOW_MS),
            ..session
        };
        assert!(!ended.stands_at(NOW_MS) && !ended.stands_at(NOW_MS - 1_000));
    }

    #[test]
    fn a_session_moves_the_stripes_of_its_user_and_of_itself() {
        let known = session();
        let unknown = Session {
            user: None,
            ..known.clone()
        };
        assert_eq!(unknown.stripes(), [unknown.stripe()]);
        assert_eq!(known.stripes(), [unknown.stripe(), known.stripe()]);
    }

    #[test]
    fn a_session_that_breaks_a_rule_is_refused() {
        assert_eq!(session().check(), Ok(()));
        let broken: [fn(&mut Session); 7] = [
            |session| session.issuer = None,
            |session| session.idle_ms = 0,
            |session| session.ends_at_ms = session.created_at_ms,
            |session| session.idle_ms = SESSION_MS_MAX + 1,
            |session| session.sealed = SecretBytes(vec![0; SESSION_BYTES_MAX + 1]),
            |session| session.ended_at_ms = Some(NOW_MS),
            |session| session.client.user_agent = Some("a\u{0}b".to_owned()),
        ];
        for (index, break_it) in broken.into_iter().enumerate() {
            let mut session = session();
            break_it(&mut session);
            assert!(session.check().is_err(), "{index}");
        }
    }

    /// Claims that no mark can name count as absent, so that no token makes a store fail.
    #[test]
    fn a_claim_that_no_logout_can_name_counts_as_absent() {
        let long = "a".repeat(257);
        for text in ["", " ", "a\u{0}b", long.as_str()] {
            assert_eq!(ProviderSession::new(Some(text), Some(text)), ProviderSession::default());
            let mark = LogoutMark {
                issuer: IssuerName::new("idp").unwrap(),
                logged_out: LoggedOut::Sid(text.to_owned()),
                kept_until_ms: NOW_MS,
            };
            assert!(mark.check().is_err());
        }
    }

    #[test]
    fn events_hold_no_secret() {
        let by = By {
            actor: Actor::System,
            at_ms: NOW_MS,
        };
        let event = session().ended_event(SessionEnd::RefreshLost, &by);
        let mut names: Vec<&str> = event.detail.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["credential", "issuer", "kind", "session", "why"]);
    }

    proptest! {
        #[test]
        fn a_claim_and_its_result_exclude_each_other(version in 1_u64..4, seen in 1_u64..4, until in -5_i64..5, claimed: bool) {
            let session = Session {
                version,
                refresh_until_ms: claimed.then_some(NOW_MS + until),
                ..session()
            };
            let (may, awaits) = (session.may_be_claimed(seen, NOW_MS), session.awaits_refresh(seen, NOW_MS));
            prop_assert!(!(may && awaits));
            prop_assert_eq!(may, !claimed && version == seen);
            prop_assert_eq!(awaits, claimed && version == seen && until > 0);
        }
    }
}
