//! `GET /.well-known/oauth-protected-resource…`: metadata of the routes (RFC 9728), from which an OAuth client learns which
//! identity provider to ask for a token, and for what.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use narthex_decision::{Reason, RequestHost, Route};
use narthex_engine::access_log::OwnLine;
use narthex_engine::event::Event;
use narthex_engine::http_rules;
use narthex_engine::inbound::{Door, Inbound};
use narthex_engine::protected_resource::{ProtectedResource, named_issuers};
use narthex_engine::respond::{self, Refusal};
use narthex_engine::{DpopUse, Engine, PROOF_ALGORITHMS, Runtime};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::server::ClientRequest;

/// Methods by which a resource is looked for: the routes of one path may differ by method.
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Answers a request for the metadata of the resource with this path.
pub(crate) fn answer(
    engine: &Engine,
    runtime: &Runtime,
    ClientRequest { request, sender }: ClientRequest<'_>,
    resource: &str,
) -> Response<Full<Bytes>> {
    let started = Instant::now();
    let inbound = &Inbound {
        method: request.method(),
        path: resource.as_bytes(),
        query: None,
        host: http_rules::host_of(request),
        headers: request.headers(),
        door: Door::Proxy,
        route: None,
        sender: Some(sender),
        proof: None,
    };
    let request_id = engine.request_ids.next();
    let mut response = match metadata(runtime, inbound) {
        Ok(document) => found(request.method(), &document),
        Err(refusal) => {
            Event::Refused {
                inbound,
                request_id: &request_id,
                refusal: &refusal,
            }
            .tell(&engine.metrics);
            return respond::refuse(&refusal, &request_id, inbound.format(engine));
        }
    };
    if runtime.access_log {
        let line = OwnLine {
            door: "public",
            request_id: &request_id,
            method: request.method(),
            path: request.uri().path(),
            client: inbound.client(),
            issuer: None,
            actor: None,
            started,
        };
        line.end(response.status());
    }
    respond::set_request_id(&mut response, &request_id);
    response
}

/// Builds the answer, which scripts of every origin may read: it says nothing of its caller.
fn found(method: &Method, document: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(document.to_string()));
    if *method == Method::OPTIONS {
        response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::VARY, "Host"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, respond::NOSNIFF);
    response
}

/// Returns the metadata of a resource. A path that routes of several methods serve has the issuers and scopes of all of them; issuers as far as they [are told](named_issuers).
fn metadata(runtime: &Runtime, inbound: &Inbound<'_>) -> Result<Value, Refusal> {
    let unmatched = || Refusal::new(Reason::RouteUnmatched);
    if ![Method::GET, Method::HEAD, Method::OPTIONS].contains(inbound.method) {
        return Err(unmatched());
    }
    let path = runtime.routes.path(inbound.path).map_err(|_| unmatched())?;
    let host = inbound
        .host
        .map(RequestHost::parse)
        .transpose()
        .map_err(|_| unmatched())?;
    let mut routes: Vec<&Route> = Vec::new();
    for method in &METHODS {
        let found = runtime
            .routes
            .find(method, host, path, None)
            .map(|matched| matched.route);
        routes.extend(found.filter(|route| {
            runtime.reads_tokens(route.index) && !routes.iter().any(|known| known.index == route.index)
        }));
    }
    let first = routes
        .first()
        .and_then(|route| ProtectedResource::of(runtime, route, inbound));
    let resource = first.ok_or_else(unmatched)?;
    let servers = routes.iter().flat_map(|route| named_issuers(runtime, route));
    let servers = servers.filter_map(|issuer| issuer.trusted.policy().issuer.clone());
    // A name that is no address, and a pattern of many, lead a client nowhere.
    let servers = servers.filter(|text| text.contains("://") && !text.contains('{'));
    let scopes = routes.iter().flat_map(|route| route.spec.scopes.iter().cloned());
    let mut document = json!({ "resource": resource.identifier });
    for (member, values) in [
        ("authorization_servers", sorted(servers)),
        ("scopes_supported", sorted(scopes)),
        ("bearer_methods_supported", methods(runtime, &routes)),
    ] {
        if let (false, Some(members)) = (values.is_empty(), document.as_object_mut()) {
            members.insert(member.to_owned(), values.into());
        }
    }
    if resource.dpop != DpopUse::Off
        && let Some(members) = document.as_object_mut()
    {
        let names: Vec<&str> = PROOF_ALGORITHMS.iter().map(|algorithm| algorithm.name()).collect();
        members.insert("dpop_signing_alg_values_supported".to_owned(), names.into());
        let required = resource.dpop == DpopUse::Require;
        members.insert("dpop_bound_access_tokens_required".to_owned(), required.into());
    }
    Ok(document)
}

/// Returns the ways in which a token may be sent, in the words of RFC 9728 section 2.
fn methods(runtime: &Runtime, routes: &[&Route]) -> Vec<String> {
    let places = || routes.iter().map(|route| runtime.places_on(route.index));
    let header = places().any(|places| places.authorization).then_some("header");
    let query = places().any(|places| places.query_parameters.iter().any(|name| name == "access_token"));
    let query = query.then_some("query");
    header.into_iter().chain(query).map(str::to_owned).collect()
}

fn sorted(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut values: Vec<String> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}
