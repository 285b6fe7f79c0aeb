//! `narthex session …`

use narthex_admin::api::{List, SessionBody};
use narthex_directory::{SessionEnd, SessionFilter, SessionId, SessionKind, SessionSelection};

use super::table::Table;
use super::{AdminContext, Answer, gather};
use crate::args::{Common, ListPage, SessionCommand};
use crate::commands::terminal::{escape_line, moment};

/// Runs it.
pub(super) async fn run(command: SessionCommand) -> anyhow::Result<Answer> {
    match command {
        SessionCommand::List {
            user,
            kind,
            page,
            common,
        } => list(user.as_deref(), kind.as_deref(), page, &common).await,
        SessionCommand::End { session, common } => end(&session, &common).await,
    }
}

async fn list(user: Option<&str>, kind: Option<&str>, page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let user = match user {
        Some(text) => Some(context.user(text).await?.user.id),
        None => None,
    };
    let filter = SessionFilter {
        user,
        kind: kind.map(str::parse::<SessionKind>).transpose()?,
        standing_at_ms: Some(context.now_ms()),
    };
    let found = gather(page, |page| context.directory.sessions(filter, page)).await?;
    let places: Vec<&str> = found.items.iter().map(|session| session.kind.as_str()).collect();
    context.list(&List::of(found, SessionBody::from), |sessions| {
        let mut table = Table::new(
            ["USER", "PLACE", "ADDRESS", "SIGNED IN", "LAST USED", "ENDS", "ID"],
            "No browser is signed in.",
        );
        let or_none = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), escape_line);
        for (session, place) in sessions.iter().zip(places) {
            table.row([
                or_none(&session.user_id),
                place.to_owned(),
                or_none(&session.address),
                moment(session.created_at.0),
                moment(session.last_seen_at.0),
                moment(session.ends_at.0),
                session.id.clone(),
            ]);
        }
        table
    })
}

async fn end(session: &str, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let ended = match session.parse::<SessionId>() {
        Ok(id) => {
            let one = SessionSelection::Session(id);
            let (end, by) = (SessionEnd::Administrator, context.by());
            context.directory.end_sessions(one, end, by).await?
        }
        Err(_) => 0,
    };
    let session = escape_line(session);
    anyhow::ensure!(
        ended > 0,
        "no session with the id `{session}` stands; `narthex session list` shows them"
    );
    context.answer(&serde_json::json!({ "id": session, "ended": true }), || {
        format!("Session {session} is ended.\n")
    })
}
