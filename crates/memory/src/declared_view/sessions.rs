//! `Sessions` of a view: those of the directory beneath. Declarations change nothing about them.

use async_trait::async_trait;
use narthex_directory::{Answer, By, Listing, Page, SecretBytes, SecretHash, SessionId, Sessions, UserId};
use narthex_directory::{
    LogoutMark, OneTimeKind, OneTimeValue, RefreshedToken, Revocation, Session, SessionEnd, SessionFilter,
    SessionSelection, StandingSession,
};

use super::DeclaredView;

#[async_trait]
impl Sessions for DeclaredView {
    async fn create_session(&self, session: Session, by: By) -> Answer<()> {
        self.inner.create_session(session, by).await
    }

    async fn session_by_hash(&self, hash: SecretHash, now_ms: i64) -> Answer<Option<StandingSession>> {
        self.inner.session_by_hash(hash, now_ms).await
    }

    fn note_session_use(&self, session: SessionId, at_ms: i64) {
        self.inner.note_session_use(session, at_ms);
    }

    async fn identify_session(&self, session: SessionId, user: UserId) -> Answer<bool> {
        self.inner.identify_session(session, user).await
    }

    async fn claim_refresh(&self, session: SessionId, version: u64, now_ms: i64, until_ms: i64) -> Answer<Option<u64>> {
        self.inner.claim_refresh(session, version, now_ms, until_ms).await
    }

    async fn store_refresh(
        &self,
        session: SessionId,
        version: u64,
        refreshed: RefreshedToken,
        now_ms: i64,
    ) -> Answer<bool> {
        self.inner.store_refresh(session, version, refreshed, now_ms).await
    }

    async fn rotate_session(&self, session: SessionId, from: SecretHash, to: SecretHash, now_ms: i64) -> Answer<bool> {
        self.inner.rotate_session(session, from, to, now_ms).await
    }

    async fn end_sessions(&self, selection: SessionSelection, end: SessionEnd, by: By) -> Answer<usize> {
        self.inner.end_sessions(selection, end, by).await
    }

    async fn sessions(&self, filter: SessionFilter, page: Page) -> Answer<Listing<Session>> {
        self.inner.sessions(filter, page).await
    }

    async fn delete_lapsed_sessions(&self, limit: usize, now_ms: i64) -> Answer<usize> {
        self.inner.delete_lapsed_sessions(limit, now_ms).await
    }

    async fn put_once(&self, value: OneTimeValue, most: usize, now_ms: i64) -> Answer<()> {
        self.inner.put_once(value, most, now_ms).await
    }

    async fn take_once(&self, kind: OneTimeKind, hash: SecretHash, now_ms: i64) -> Answer<Option<SecretBytes>> {
        self.inner.take_once(kind, hash, now_ms).await
    }

    async fn refuse_tokens_of(&self, mark: LogoutMark) -> Answer<()> {
        self.inner.refuse_tokens_of(mark).await
    }

    async fn revoke(&self, revocation: Revocation, by: By) -> Answer<()> {
        self.inner.revoke(revocation, by).await
    }

    async fn revocations(&self, after: u64, limit: usize) -> Answer<Vec<(u64, Revocation)>> {
        self.inner.revocations(after, limit).await
    }
}
