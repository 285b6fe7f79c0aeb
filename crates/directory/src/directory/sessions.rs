//! Store operations on sessions, on values that are good for one use, and on the logouts of identity providers.

use async_trait::async_trait;
use narthex_names::{SessionId, UserId};

use crate::audit::By;
use crate::command::{SecretBytes, SecretHash};
use crate::directory::Answer;
use crate::page::{Listing, Page};
use crate::revocation::Revocation;
use crate::session::{
    LogoutMark, OneTimeKind, OneTimeValue, RefreshedToken, Session, SessionEnd, SessionFilter, SessionSelection,
    StandingSession,
};

/// Sessions: signed-in browsers.
///
/// A session that is ended, or whose secret changes, moves its [`Session::stripes`], so that cached answers and streams end
/// on every node.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Stores a new session.
    async fn create_session(&self, session: Session, by: By) -> Answer<()>;

    /// The session with this hash, if it stands at `now_ms`: see [`Session::stands_at`].
    async fn session_by_hash(&self, hash: SecretHash, now_ms: i64) -> Answer<Option<StandingSession>>;

    /// Notes that a session was used. Does not wait and does not write; [`TokenSync::flush`](crate::TokenSync::flush) does,
    /// at most one use of a session within a minute.
    fn note_session_use(&self, session: SessionId, at_ms: i64);

    /// Records the user of a session that has none yet. `false` if there is no such session, or it has ended.
    async fn identify_session(&self, session: SessionId, user: UserId) -> Answer<bool>;

    /// Claims the refresh of a session's token until `until_ms`, if the session stands, is at `version` and no refresh is
    /// under way. Of many callers, on many nodes, one is given the version to store the result under; the others read the
    /// session again. A claim whose result is not stored in time ends the session.
    async fn claim_refresh(&self, session: SessionId, version: u64, now_ms: i64, until_ms: i64) -> Answer<Option<u64>>;

    /// Stores the result of a refresh under the version that the claim gave. `false`, and nothing is stored, where the
    /// session has ended meanwhile or the claim has lapsed.
    async fn store_refresh(
        &self,
        session: SessionId,
        version: u64,
        refreshed: RefreshedToken,
        now_ms: i64,
    ) -> Answer<bool>;

    /// Gives a session that stands another secret. `false` if it does not stand, or its secret is not `from`.
    async fn rotate_session(&self, session: SessionId, from: SecretHash, to: SecretHash, now_ms: i64) -> Answer<bool>;

    /// Ends those sessions that stand at `by.at_ms`. Returns how many.
    async fn end_sessions(&self, selection: SessionSelection, end: SessionEnd, by: By) -> Answer<usize>;

    /// Sessions, by id, those included that ended within the last day.
    async fn sessions(&self, filter: SessionFilter, page: Page) -> Answer<Listing<Session>>;

    /// Deletes up to `limit` sessions that ended or lapsed more than a day before `now_ms`, those that lapsed first before
    /// others; and all one-time values, logout marks and revocations that have expired. Returns the number of sessions.
    async fn delete_lapsed_sessions(&self, limit: usize, now_ms: i64) -> Answer<usize>;

    /// Stores a value that is good for one use. [`StoreError::AlreadyExists`](crate::StoreError::AlreadyExists) if one of
    /// this kind and hash is there and has not expired; [`StoreError::Unavailable`](crate::StoreError::Unavailable) if
    /// `most` of the kind are there (by default [`ONE_TIME_VALUES_MAX`](crate::ONE_TIME_VALUES_MAX)). With `usize::MAX` they
    /// are not counted, which takes time that grows with their number.
    async fn put_once(&self, value: OneTimeValue, most: usize, now_ms: i64) -> Answer<()>;

    /// Takes such a value, unless it has expired. Of many callers, on many nodes, one gets it.
    async fn take_once(&self, kind: OneTimeKind, hash: SecretHash, now_ms: i64) -> Answer<Option<SecretBytes>>;

    /// Refuses the tokens of a session that the identity provider has ended. Takes effect with the next snapshot. The users
    /// are those of the sessions with the same `sid` or `sub`: cached answers about them end, on every node; where there is
    /// no such session, those about all users do. Marks of one claim join: the later time counts.
    async fn refuse_tokens_of(&self, mark: LogoutMark) -> Answer<()>;

    /// Revokes tokens. Cached answers about all users end, on every node; a node that asks for the revocations then learns of
    /// it. Revocations of the same tokens join: the later times count, and the number is a new one.
    async fn revoke(&self, revocation: Revocation, by: By) -> Answer<()>;

    /// Revocations with their numbers, after number `after`, in order, at most `limit`. A later revocation has a higher number.
    async fn revocations(&self, after: u64, limit: usize) -> Answer<Vec<(u64, Revocation)>>;
}
