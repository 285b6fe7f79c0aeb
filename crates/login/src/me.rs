//! The sessions of a user, for the page about itself.

use jiff::Timestamp;
use narthex_directory::{Page, Session, SessionFilter, SessionId, UserId};
use narthex_engine::Engine;
use narthex_engine::respond::Refusal;
use narthex_engine::session::{self, OpenSession};

/// A session of a user, for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Time of the sign-in, in milliseconds.
    pub began_at_ms: i64,
    /// Time of the last use, in milliseconds, to the minute.
    pub last_seen_at_ms: i64,
    /// User agent and address, as far as they are known.
    pub client: String,
    /// True if it is the session of the request.
    pub current: bool,
}

impl SessionRow {
    /// Returns the time of the sign-in in words, such as `3 Dec 2026, 09:41 UTC`.
    pub fn began(&self) -> String {
        let time = Timestamp::from_millisecond(self.began_at_ms).ok();
        time.map_or_else(String::new, |time| time.strftime("%-d %b %Y, %H:%M UTC").to_string())
    }
}

/// Returns the sessions of a user that stand, at most as many as one page of the directory has.
///
/// # Errors
///
/// `store.unavailable`.
pub async fn sessions(
    engine: &Engine,
    user: UserId,
    current: Option<&OpenSession>,
) -> Result<Vec<SessionRow>, Refusal> {
    let filter = SessionFilter {
        user: Some(user),
        kind: None,
        standing_at_ms: Some(engine.clock.now_ms()),
    };
    let found = engine.directory.sessions(filter, Page::default()).await;
    let found = found.map_err(|error| session::unavailable(engine, error))?;
    let row = |session: Session| SessionRow {
        id: session.id,
        began_at_ms: session.created_at_ms,
        last_seen_at_ms: session.last_seen_at_ms,
        current: current.is_some_and(|current| current.id == session.id),
        client: [session.client.user_agent, session.client.address]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", "),
    };
    Ok(found.items.into_iter().map(row).collect())
}

/// Returns the user of an open session.
pub(crate) async fn owner(engine: &Engine, open: &OpenSession, now_ms: i64) -> Result<Option<UserId>, Refusal> {
    let found = engine.directory.session_by_hash(open.hash, now_ms).await;
    let found = found.map_err(|error| session::unavailable(engine, error))?;
    Ok(found.and_then(|found| found.session.user))
}
