//! Sign-out: of this browser, or of another session of the same user.

use std::sync::Arc;

use askama::Template;
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;
use narthex_directory::{Actor, By, SessionEnd, SessionId, SessionSelection};
use narthex_engine::inbound::Inbound;
use narthex_engine::respond::{PAGE_STYLE, Refusal, framed_page, own_page};
use narthex_engine::session::{self, OpenSession, RequestSession, SessionPlace};
use narthex_engine::sign_in::SIGN_IN_PATH;
use narthex_engine::{Embedding, Engine, IssuerRuntime, Runtime, SignInTarget, check_origin};
use narthex_session::cookie;

use crate::form;
use crate::me::owner;

/// Page with a sentence, and perhaps a question.
#[derive(Template)]
#[template(path = "notice.html")]
struct Notice<'a> {
    title: &'a str,
    sentence: &'a str,
    /// `true` if the page asks whether to sign out.
    asks: bool,
    links: Vec<Link>,
    style: &'static str,
}

struct Link {
    text: &'static str,
    address: String,
}

/// Asks whether to sign out: a link alone signs no user out.
pub(crate) fn question(runtime: &Runtime, inbound: &Inbound<'_>) -> Response<Full<Bytes>> {
    let page = Notice {
        title: "Sign out?",
        sentence: "You can sign in again at any time.",
        asks: true,
        links: Vec::new(),
        style: PAGE_STYLE,
    };
    notice(&page, &session::embeddings(runtime, inbound.headers))
}

/// Builds the answer with a page, which a browser with a session in a frame shows in that frame.
fn notice(page: &Notice<'_>, embeddings: &[(&Arc<IssuerRuntime>, &Embedding)]) -> Response<Full<Bytes>> {
    let html = page.render().unwrap_or_default();
    match embeddings {
        [] => own_page(html),
        [(_, embedding), ..] => framed_page(html, embedding),
    }
}

/// Ends the session of the browser, or another one of its user.
pub(crate) async fn answer(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
    body: &[u8],
) -> Result<Response<Full<Bytes>>, Refusal> {
    // SECURITY: another site must not sign users out.
    check_origin(inbound, &[])?;
    let current = match session::of_request(engine, runtime, inbound).await? {
        RequestSession::Open(open) => Some(open),
        RequestSession::None | RequestSession::Ended => None,
    };
    let named = form::one(body, "session").and_then(|id| id.parse::<SessionId>().ok());
    if let (Some(open), Some(id)) = (
        &current,
        named.filter(|id| current.as_ref().is_some_and(|open| open.id != *id)),
    ) {
        return other(engine, open, id).await;
    }
    let at_ms = engine.clock.now_ms();
    let by = match &current {
        Some(open) => acting(engine, open, at_ms).await?,
        None => By {
            actor: Actor::System,
            at_ms,
        },
    };
    let embeddings = session::embeddings(runtime, inbound.headers);
    let mut places = vec![SessionPlace::DOOR];
    places.extend(
        embeddings
            .iter()
            .map(|(_, embedding)| SessionPlace::embedded(embedding)),
    );
    for place in places {
        session::end_of_browser(engine, inbound, (place, SessionEnd::SignedOut), by.clone()).await?;
    }
    let page = Notice {
        title: "You are signed out",
        sentence: "Your session at this application has ended. You may still be signed in at your identity provider.",
        asks: false,
        links: links(engine, runtime, current.as_deref()).await,
        style: PAGE_STYLE,
    };
    let mut response = notice(&page, &embeddings);
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookie::cleared());
    for (_, embedding) in &embeddings {
        if let Some(removed) = cookie::removed_partitioned(&embedding.cookie) {
            headers.append(header::SET_COOKIE, removed);
        }
    }
    Ok(response)
}

/// Ends another session of the same user, and goes back to the list.
async fn other(engine: &Engine, open: &OpenSession, id: SessionId) -> Result<Response<Full<Bytes>>, Refusal> {
    let at_ms = engine.clock.now_ms();
    let user = owner(engine, open, at_ms).await?;
    let by = acting(engine, open, at_ms).await?;
    // SECURITY: a user ends sessions of their own only.
    if let Some(user) = user
        && crate::me::sessions(engine, user, None)
            .await?
            .iter()
            .any(|row| row.id == id)
    {
        let one = SessionSelection::Session(id);
        let ended = engine.directory.end_sessions(one, SessionEnd::SignedOut, by).await;
        ended.map_err(|error| session::unavailable(engine, error))?;
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = http::StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_static("/.narthex/me"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn acting(engine: &Engine, open: &OpenSession, at_ms: i64) -> Result<By, Refusal> {
    let user = owner(engine, open, at_ms).await?;
    let actor = user.map_or(Actor::System, Actor::User);
    Ok(By { actor, at_ms })
}

/// Returns the links of the page after a sign-out: to sign in again, and to sign out at the issuer too.
async fn links(engine: &Engine, runtime: &Runtime, ended: Option<&OpenSession>) -> Vec<Link> {
    let mut links = Vec::new();
    if let Some(SignInTarget::Issuer(_)) = &runtime.sign_in.target {
        links.push(Link {
            text: "Sign in again",
            address: SIGN_IN_PATH.to_owned(),
        });
    }
    let sign_in = ended.and_then(|open| runtime.sign_in_at(open.issuer().as_str()));
    if let Some((_, sign_in)) = sign_in
        && let Ok(metadata) = sign_in.client.metadata(engine.clock.now_ms()).await
        && let Some(url) = &metadata.end_session_endpoint
    {
        // SPEC: OpenID Connect RP-Initiated Logout 1.0 section 2. The ID token would be in histories and logs.
        let mut url = url.url().clone();
        url.query_pairs_mut()
            .append_pair("client_id", sign_in.client.client_id());
        links.push(Link {
            text: "Sign out at the identity provider too",
            address: url.into(),
        });
    }
    links
}
