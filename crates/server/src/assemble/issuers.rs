//! The issuers made at run time, laid over the runtime of the configuration file.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use narthex_config::Limits;
use narthex_decision::{AnswerHeaders, OwnedHeaders};
use narthex_directory::{ActiveIssuers, IssuerName};
use narthex_engine::{RouteRuntime, Runtime, TokenFrom, TokenPlaces};
use narthex_fetch::keys::KeyEdges;
use narthex_issuers::{Candidate, Choice, FileIssuer, choose};
use narthex_token::IssuerStatus;

/// The issuers of the file whose runtime this is, as documents are held against them.
pub(crate) fn of_file(file: &Runtime) -> Vec<FileIssuer> {
    let issuers = file
        .issuers
        .iter()
        .filter_map(|trusted| file.by_name.get(trusted.name()));
    issuers
        .map(|issuer| FileIssuer {
            name: issuer.name.clone(),
            realm: issuer.realm.clone(),
            is_of_one: issuer.policy.organization.is_some(),
            trusted: Arc::clone(&issuer.trusted),
        })
        .collect()
}

/// Chooses the issuers in use beside those of the file, whose runtime this is.
pub(crate) fn chosen(file: &Runtime, candidates: Vec<Candidate>, limits: &Limits) -> Choice {
    choose(
        &of_file(file),
        candidates,
        &|name| is_owned(&file.owned_headers, name),
        limits,
    )
}

/// Tests whether a route sets or reads a header.
fn is_owned(owned: &OwnedHeaders, name: &HeaderName) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert(name.clone(), HeaderValue::from_static("x"));
    owned.remove_from_trailers(&mut headers);
    headers.is_empty()
}

/// Builds the runtime of the file with the chosen issuers beside its own. Keys are taken over from `previous` where their source has
/// not changed.
pub(crate) fn laid_over(
    file: &Runtime,
    choice: Choice,
    (limits, edges): (&Limits, &KeyEdges),
    previous: Option<&Runtime>,
    generation: u64,
) -> Runtime {
    let mut by_name = file.by_name.clone();
    for chosen in choice.in_use {
        let keys = super::keys(&chosen.issuer, limits, previous, edges);
        let name = chosen.issuer.name.to_string();
        by_name.insert(name, Arc::new(super::running(chosen.issuer, keys, (limits, edges))));
    }
    let mut active_issuers = ActiveIssuers::default();
    let mut context_properties: HashMap<_, HashSet<String>> = HashMap::new();
    let mut places_of: Vec<(IssuerName, TokenPlaces)> = Vec::new();
    for issuer in choice.trusted.iter().filter_map(|trusted| by_name.get(trusted.name())) {
        if issuer.trusted.policy().status == IssuerStatus::Enabled {
            active_issuers.add(issuer.name.clone(), issuer.realm.clone(), &issuer.policy);
        }
        let properties = issuer.mapping.context_properties().map(str::to_owned);
        context_properties
            .entry(issuer.realm.clone())
            .or_default()
            .extend(properties);
        places_of.push((issuer.name.clone(), issuer.places.clone()));
    }
    let routes = file.route_settings.iter().zip(file.routes.iter());
    let route_settings = routes.map(|(settings, route)| {
        let of_issuers = super::places(&places_of, &route.spec.issuers);
        with_places(settings, of_issuers)
    });
    let properties = context_properties.values().flatten().map(String::as_str);
    Runtime {
        generation,
        issuers: choice.trusted,
        active_issuers: Arc::new(active_issuers),
        routes: file.routes.clone(),
        route_settings: route_settings.collect(),
        places: super::places(&places_of, &[]),
        rate: file.rate.clone(),
        access_log: file.access_log,
        upstream_requests_max: file.upstream_requests_max,
        trusted_proxies: file.trusted_proxies.clone(),
        dpop_nonces: file.dpop_nonces.clone(),
        sign_in: file.sign_in.clone(),
        connections: Arc::clone(&file.connections),
        token_limits: file.token_limits,
        kept_tags: file.kept_tags.clone(),
        kept_scopes: file.kept_scopes.clone(),
        owned_headers: Arc::clone(&file.owned_headers),
        answer_headers: AnswerHeaders::new(properties, &file.owned_headers),
        by_name,
        context_properties,
    }
}

/// The settings of a route whose issuers allow tokens in these places.
fn with_places(settings: &RouteRuntime, of_issuers: TokenPlaces) -> RouteRuntime {
    let token_from = match &settings.token_from {
        TokenFrom::Route(own) => TokenFrom::Route(TokenPlaces {
            dpop: own.authorization && of_issuers.dpop,
            ..own.clone()
        }),
        TokenFrom::Issuers(_) => TokenFrom::Issuers(of_issuers),
    };
    RouteRuntime {
        token_from,
        ..settings.clone()
    }
}
