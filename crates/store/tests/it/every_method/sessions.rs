//! The methods of `Sessions`.

use narthex_conformance::one_time::value;
use narthex_conformance::sessions::{idp, new_session};
use narthex_conformance::world::HOUR_MS;
use narthex_directory::{
    LoggedOut, LogoutMark, OneTimeKind, Page, RefreshedToken, SecretBytes, SecretHash, SessionEnd, SessionFilter,
    SessionId, SessionKind, SessionSelection, UserId,
};

use super::Caller;

impl Caller<'_> {
    pub(super) async fn sessions(&mut self) {
        let user = self.world.user("sid").await.id;
        self.told("create_user");
        let mut ids = Vec::new();
        for secret in 1..=4 {
            let session = new_session(&mut self.world, secret, (secret != 3).then_some(user));
            ids.push(session.id);
            let by = self.world.by();
            self.directory().create_session(session, by).await.unwrap();
            self.told("create_session");
        }
        let now_ms = self.world.now_ms;
        let found = self.directory().session_by_hash(SecretHash([1; 32]), now_ms).await;
        found.unwrap().unwrap();
        self.told("session_by_hash");
        assert!(self.directory().identify_session(ids[2], user).await.unwrap());
        self.told("identify_session");
        self.refreshes(ids[0]).await;
        self.listed_sessions(user).await;
        self.logouts().await;
        let selections = [
            SessionSelection::Session(ids[3]),
            SessionSelection::Sid(idp(), "s1".into()),
            SessionSelection::Subject(idp(), "ada".into()),
            SessionSelection::User(user),
        ];
        for selection in selections {
            let by = self.world.by();
            let ended = self
                .directory()
                .end_sessions(selection, SessionEnd::SignedOut, by)
                .await;
            ended.unwrap();
            self.told("end_sessions");
        }
        self.one_time_values().await;
        self.world.later(48 * HOUR_MS);
        let now_ms = self.world.now_ms;
        let deleted = self.directory().delete_lapsed_sessions(10, now_ms).await;
        assert_eq!(deleted, Ok(ids.len()));
        self.told("delete_lapsed_sessions");
    }

    async fn refreshes(&mut self, id: SessionId) {
        let now_ms = self.world.now_ms;
        let claimed = self.directory().claim_refresh(id, 1, now_ms, now_ms + 1_000).await;
        assert_eq!(claimed, Ok(Some(2)));
        self.told("claim_refresh");
        let refreshed = RefreshedToken {
            sealed: SecretBytes(vec![1]),
            token_ends_at_ms: None,
        };
        let stored = self.directory().store_refresh(id, 2, refreshed, now_ms).await;
        assert_eq!(stored, Ok(true));
        self.told("store_refresh");
        let (from, to) = (SecretHash([1; 32]), SecretHash([11; 32]));
        let rotated = self.directory().rotate_session(id, from, to, now_ms).await;
        assert_eq!(rotated, Ok(true));
        self.told("rotate_session");
        self.directory().note_session_use(id, now_ms + 60_000);
        self.directory().flush().await.unwrap();
        self.told("flush");
    }

    async fn listed_sessions(&mut self, user: UserId) {
        let every = SessionFilter::default();
        let filters = [
            every,
            SessionFilter {
                user: Some(user),
                standing_at_ms: Some(self.world.now_ms),
                ..every
            },
            SessionFilter {
                kind: Some(SessionKind::Door),
                ..every
            },
            SessionFilter {
                standing_at_ms: Some(self.world.now_ms),
                ..every
            },
        ];
        for filter in filters {
            let listed = self.directory().sessions(filter, Page::first(1)).await.unwrap();
            let next = Page::after(listed.next_cursor.unwrap(), 1);
            self.directory().sessions(filter, next).await.unwrap();
        }
        self.told("sessions");
    }

    async fn logouts(&mut self) {
        let now_ms = self.world.now_ms;
        let all = [
            LoggedOut::Sid("s1".into()),
            LoggedOut::Subject {
                subject: "ada".into(),
                issued_before_ms: now_ms,
            },
            LoggedOut::Sid("no such".into()),
        ];
        for logged_out in all {
            let mark = LogoutMark {
                issuer: idp(),
                logged_out,
                kept_until_ms: now_ms + HOUR_MS,
            };
            self.directory().refuse_tokens_of(mark).await.unwrap();
        }
        self.told("refuse_tokens_of");
        let (revocation, by) = (narthex_conformance::revocations::of_id("one", None), self.world.by());
        self.directory().revoke(revocation, by).await.unwrap();
        self.told("revoke");
        assert_eq!(self.directory().revocations(0, 5).await.unwrap().len(), 1);
        self.told("revocations");
    }

    async fn one_time_values(&mut self) {
        let kind = OneTimeKind::SignInState;
        let (value, now_ms) = (value(&self.world, kind, 1), self.world.now_ms);
        self.directory().put_once(value, 10, now_ms).await.unwrap();
        self.told("put_once");
        let taken = self.directory().take_once(kind, SecretHash([1; 32]), now_ms).await;
        assert!(taken.unwrap().is_some());
        self.told("take_once");
    }
}
