//! `/sessions`: the browsers that are signed in to the console.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::routing::{get, post};
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, page, see};
use narthex_console_frame::wording::time::Moment;
use narthex_console_frame::wording::{access, browser};
use narthex_decision::Action;
use narthex_directory::{CredentialKind, Listing, Session, UserId};
use narthex_ops::sessions::SessionQuery;
use narthex_ops::{OpError, sessions, users};

use super::notice::{self, Notice};

pub(super) fn routes() -> Router {
    Router::new()
        .route("/sessions", get(list))
        .route("/sessions/end-others", post(end_others))
        .route("/sessions/{id}/end", post(end))
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    own: Vec<Row>,
    /// `true` if the caller has other sessions than the present one.
    has_others: bool,
    /// Sessions of others; `None` for a caller who may not see them.
    others: Option<Vec<Row>>,
    pager: Option<Pager>,
}

struct Row {
    /// Name and address of the person; `None` for a credential without one.
    person: Option<(String, String)>,
    browser: String,
    address: Option<String>,
    signed_in_with: String,
    began: Moment,
    last_seen: Moment,
    ends: Moment,
    is_this: bool,
    /// Address of the form that ends it.
    end: Option<String>,
}

/// Shows the sessions: the caller's own, and those of others to callers of the platform.
async fn list(visit: Visit) -> Answer {
    let caller = visit.caller();
    let own = sessions::own(caller).await?;
    let (others, pager) = if visit.may(Action::ReadUsers, None) {
        let query = visit.query();
        let Listing { items, next_cursor } = sessions::list(caller, SessionQuery::CONSOLE, query.page()).await?;
        let pager = Pager::new("/sessions", query, &[], items.len(), next_cursor.as_ref());
        let others = items
            .into_iter()
            .filter(|session| own.iter().all(|mine| mine.id != session.id));
        let others: Vec<Session> = others.collect();
        let names = names(&visit, &others).await?;
        let may_end = visit.may(Action::WriteUsers, None);
        let rows = others.iter().map(|session| row(&visit, session, &names, may_end));
        (Some(rows.collect()), Some(pager))
    } else {
        (None, None)
    };
    let none = HashMap::new();
    page(&SessionsPage {
        frame: visit.frame(),
        notice: Notice::of(visit.query()),
        has_others: own.iter().any(|session| Some(session.id) != caller.session()),
        own: own.iter().map(|session| row(&visit, session, &none, true)).collect(),
        others,
        pager,
    })
}

/// Returns the names of the users of sessions.
async fn names(visit: &Visit, sessions: &[Session]) -> Result<HashMap<UserId, String>, Failed> {
    let mut names = HashMap::new();
    for id in sessions.iter().filter_map(|session| session.user) {
        if names.contains_key(&id) {
            continue;
        }
        match users::read(visit.caller(), &id.to_string()).await {
            Ok(entry) => names.insert(id, access::name(&entry.user).to_owned()),
            Err(OpError::Unknown { .. }) => None,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(names)
}

fn row(visit: &Visit, session: &Session, names: &HashMap<UserId, String>, may_end: bool) -> Row {
    let is_this = Some(session.id) == visit.caller().session();
    let name = session.user.and_then(|id| Some((id, names.get(&id)?)));
    Row {
        person: name.map(|(id, name)| (name.clone(), paths::user(id))),
        browser: browser::describe(session.client.user_agent.as_deref()),
        address: session.client.address.clone(),
        signed_in_with: match (session.credential, &session.issuer) {
            (CredentialKind::ApiKey, _) => "API key".to_owned(),
            (CredentialKind::FirstRunLink, _) => "Sign-in link".to_owned(),
            (CredentialKind::Token, Some(issuer)) => format!("Token of {issuer}"),
            (CredentialKind::Token, None) => "Token".to_owned(),
        },
        began: visit.moment(session.created_at_ms),
        last_seen: visit.moment(session.last_seen_at_ms),
        ends: visit.moment(session.ends_at_ms),
        is_this,
        end: (may_end && !is_this).then(|| format!("/sessions/{}/end", session.id)),
    }
}

/// Ends one session.
async fn end(visit: Visit, Named(id): Named) -> Answer {
    sessions::end(visit.caller(), &id).await?;
    Ok(see(&notice::after("/sessions", "session-ended")))
}

/// Ends the caller's own sessions but the present one.
async fn end_others(visit: Visit) -> Answer {
    sessions::end_others(visit.caller()).await?;
    Ok(see(&notice::after("/sessions", "session-ended")))
}
