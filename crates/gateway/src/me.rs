//! `GET /.narthex/me`: the caller's identity and roles, with the source of each role, as JSON or as a page.

mod page;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};
use http_body_util::Full;
use narthex_decision::Reason;
use narthex_directory::{Actor, Grant, IssuerName, Principal, ScopedRole};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::server::ClientRequest;
use narthex_engine::Embedding;
use narthex_engine::Engine;
use narthex_engine::ProofUse;
use narthex_engine::Runtime;
use narthex_engine::access_log::OwnLine;
use narthex_engine::credentials;
use narthex_engine::event::Event;
use narthex_engine::http_rules;
use narthex_engine::inbound::{Door, Inbound};
use narthex_engine::pipeline;
use narthex_engine::respond::{self, Format, Refusal};
use narthex_engine::session::{self, OpenSession, RequestSession};
use narthex_engine::sign_in::SignInOffer;
use narthex_login::SessionRow;

/// Answers a caller about itself.
pub(crate) async fn answer(
    engine: &Engine,
    runtime: &Runtime,
    ClientRequest { request, sender }: ClientRequest<'_>,
) -> Response<Full<Bytes>> {
    let started = Instant::now();
    let proof = ProofUse::default();
    let inbound = &Inbound {
        method: request.method(),
        path: request.uri().path().as_bytes(),
        query: request.uri().query(),
        host: http_rules::host_of(request),
        headers: request.headers(),
        door: Door::Me,
        route: None,
        sender: Some(sender),
        proof: Some(&proof),
    };
    let mut described = principal(engine, runtime, inbound).await;
    if !engine.stands(runtime).await {
        described = principal(engine, &engine.runtime.load(), inbound).await;
    }
    match described {
        Ok(UserDescription {
            principal,
            context,
            sessions,
            issuer,
            embedding,
        }) => {
            engine.metrics.decided(Door::Me, None, started.elapsed());
            let told = (&context, sessions.as_slice());
            let mut response = shown(&principal, told, inbound.format(engine), embedding.as_ref());
            if runtime.access_log {
                let request_id = engine.request_ids.next();
                let line = OwnLine {
                    door: Door::Me.as_str(),
                    request_id: &request_id,
                    method: inbound.method,
                    path: request.uri().path(),
                    client: inbound.client(),
                    issuer: issuer.as_ref(),
                    actor: Some(&Actor::User(principal.user().id)),
                    started,
                };
                line.end(response.status());
                respond::set_request_id(&mut response, &request_id);
            }
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response.headers_mut().insert(header::VARY, respond::VARY);
            response
                .headers_mut()
                .insert(header::X_CONTENT_TYPE_OPTIONS, respond::NOSNIFF);
            response
        }
        Err(refusal) => {
            let offer = SignInOffer::of_own_page(runtime, inbound, &refusal);
            let refusal = refusal.offering(offer);
            let request_id = engine.request_ids.next();
            Event::Decided {
                inbound,
                request_id: &request_id,
                outcome: Err(&refusal),
                took: started.elapsed(),
            }
            .tell(&engine.metrics);
            respond::refuse(&refusal, &request_id, inbound.format(engine))
        }
    }
}

/// The caller, with the context and the sessions that it may be told.
struct UserDescription {
    principal: Arc<Principal>,
    context: Map<String, Value>,
    sessions: Vec<SessionRow>,
    /// Issuer of the token; `None` for a machine key.
    issuer: Option<IssuerName>,
    /// Embedded login of its session, whose parents may show the page in a frame.
    embedding: Option<Embedding>,
}

/// Builds the answer in the form that the client accepts.
fn shown(
    principal: &Principal,
    (context, sessions): (&Map<String, Value>, &[SessionRow]),
    format: Format,
    embedding: Option<&Embedding>,
) -> Response<Full<Bytes>> {
    if let Format::Page { .. } = format
        && let Some(page) = page::page(principal, sessions)
    {
        return match embedding {
            Some(embedding) => respond::framed_page(page, embedding),
            None => respond::own_page(page),
        };
    }
    let mut response = Response::new(Full::from(describe(principal, context, sessions).to_string()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn principal(engine: &Engine, runtime: &Runtime, inbound: &Inbound<'_>) -> Result<UserDescription, Refusal> {
    if inbound.method != Method::GET {
        return Err(Refusal::new(Reason::RouteUnmatched));
    }
    let presented = credentials::present(inbound.headers, inbound.query, &runtime.places).one()?;
    let session = match presented {
        Some(_) => None,
        None => match session::of_request(engine, runtime, inbound).await? {
            RequestSession::Open(open) => Some(open),
            RequestSession::Ended => return Err(session::ended()),
            RequestSession::None => return Err(Refusal::new(Reason::TokenMissing)),
        },
    };
    let presented = presented.or_else(|| session.as_deref().map(OpenSession::presented));
    let (token, at) = presented.ok_or(Refusal::new(Reason::TokenMissing))?;
    let known = pipeline::who(engine, runtime, inbound, (token, &at), engine.clock.now_ms()).await?;
    let principal = &known.account.principal;
    let user = principal.user().id;
    Ok(UserDescription {
        context: runtime.context(principal).into_owned(),
        principal: Arc::clone(principal),
        sessions: narthex_login::sessions(engine, user, session.as_deref()).await?,
        issuer: known.seen.caller().issuer_name().cloned(),
        embedding: session.as_deref().and_then(OpenSession::embedding).cloned(),
    })
}

fn describe(principal: &Principal, context: &Map<String, Value>, sessions: &[SessionRow]) -> Value {
    let user = principal.user();
    let why = |ids: &[narthex_directory::GrantId]| -> Vec<Value> {
        principal
            .grants()
            .iter()
            .filter(|grant| ids.contains(&grant.id))
            .map(reason)
            .collect()
    };
    json!({
        "user": {
            "id": user.id.to_string(),
            "kind": principal.kind().as_str(),
            "realm": user.realm.as_str(),
            "external_id": user.external_id.as_str(),
            "username": user.username.as_str(),
            "email": user.profile.email,
            "name": user.profile.name,
            "country": user.profile.country,
            "timezone": user.profile.timezone,
            "locale": user.profile.locale,
            "language": user.profile.language,
        },
        "platform_role": principal.platform_role().as_str(),
        "platform_role_because": platform_grants(principal).map(reason).collect::<Vec<_>>(),
        "organizations": principal.memberships().iter().map(|membership| json!({
            "id": membership.organization.to_string(),
            "name": membership.name.as_str(),
            "role": membership.role.as_str(),
            "status": membership.status.as_str(),
            "because": why(&membership.grants),
        })).collect::<Vec<_>>(),
        "teams": principal.teams().iter().map(|team| json!({
            "id": team.team.to_string(),
            "name": team.name,
            "role": team.role.as_str(),
            "because": why(&team.grants),
        })).collect::<Vec<_>>(),
        "context": context,
        "sessions": sessions.iter().map(|session| json!({
            "id": session.id.to_string(),
            "created_at": session.began_at_ms,
            "last_seen_at": session.last_seen_at_ms,
            "client": session.client,
            "current": session.current,
        })).collect::<Vec<_>>(),
    })
}

/// Returns the grants that give the platform role.
fn platform_grants(principal: &Principal) -> impl Iterator<Item = &Grant> {
    let role = ScopedRole::Platform(principal.platform_role());
    principal.grants().iter().filter(move |grant| grant.role == role)
}

/// Returns the source of a grant, for the user who has it.
fn reason(grant: &Grant) -> Value {
    json!({ "source": grant.source.kind().as_str(), "issuer": grant.source.issuer().map(ToString::to_string), "tag": grant.source.tag() })
}
