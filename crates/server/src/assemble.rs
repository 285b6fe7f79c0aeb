//! Assembly of the gateway's runtime from a checked configuration.

pub(crate) mod issuers;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use narthex_clock::{Clock, NewIds};
use narthex_decision::{AnswerHeaders, OrganizationSource, OwnedHeaders, Routes};
use narthex_directory::{ActiveIssuers, Actor, By, Directory, IssuerName, NewOrganization, OrganizationId};
use narthex_dpop::Nonces;
use narthex_engine::{
    ConnectionSettings, Embedding, IssuerRuntime, IssuerSignIn, KeptScopes, KeptTags, Load, RateLimiter, RouteRuntime,
    Runtime, StreamLimits, TokenFrom, TokenPlaces, TrustedProxies,
};
use narthex_fetch::keys::{Endpoint, FetchLimits, IssuerEndpoints, IssuerKeys, KeyEdges, KeySettings, SourceKind};
use narthex_introspection::IntrospectionClient;
use narthex_openid::OpenIdClient;
use narthex_token::{CacheSettings, IssuerStatus, Limits as TokenLimits};

use narthex_config::{Config, DeclaredOrganization, Issuer, IssuerIntrospection, IssuerLogin, Limits, RouteSettings};

/// Builds the runtime of a configuration. Keys of issuers whose key source has not changed are taken over from
/// `previous`, so that a reload fetches no key set that is known already. The issuers and the settings of routes are taken out of
/// the configuration.
pub fn runtime(config: &mut Config, previous: Option<&Runtime>, edges: &KeyEdges, generation: u64) -> Runtime {
    let active_issuers = Arc::new(active_issuers(&config.issuers));
    let issuers = std::mem::take(&mut config.issuers);
    let places_of: Vec<(IssuerName, TokenPlaces)> = issuers
        .iter()
        .map(|issuer| (issuer.name.clone(), issuer.places.clone()))
        .collect();
    let mut context_properties: HashMap<_, HashSet<String>> = HashMap::new();
    let mut by_name = HashMap::new();
    for issuer in issuers {
        let properties = issuer.mapping.context_properties().map(str::to_owned);
        context_properties
            .entry(issuer.realm.clone())
            .or_default()
            .extend(properties);
        let keys = keys(&issuer, &config.limits, previous, edges);
        by_name.insert(
            issuer.name.to_string(),
            Arc::new(running(issuer, keys, (&config.limits, edges))),
        );
    }
    let settings = std::mem::take(&mut config.route_settings);
    let mut loads = loads(previous);
    let listed = config.routes.iter().map(|route| route.spec.issuers.as_slice());
    let route_settings: Vec<RouteRuntime> = settings
        .into_iter()
        .zip(listed)
        .map(|(settings, issuers)| {
            let limits = (config.assertion.issuer.as_str(), config.limits.body_grace);
            route(settings, limits, places(&places_of, issuers), &mut loads)
        })
        .collect();
    let owned_headers = Arc::new(owned_headers(&config.routes, &route_settings));
    Runtime {
        generation,
        issuers: config.trusted.clone(),
        by_name,
        active_issuers,
        kept_tags: KeptTags::of(&config.routes, &route_settings),
        kept_scopes: KeptScopes::of(&config.routes),
        routes: config.routes.clone(),
        route_settings,
        access_log: config.log.access,
        rate: config.limits.rate.limit().map(RateLimiter::new).map(Arc::new),
        upstream_requests_max: usize::try_from(config.limits.upstream_requests).unwrap_or(usize::MAX),
        places: places(&places_of, &[]),
        trusted_proxies: TrustedProxies(config.listen.trusted_proxies.clone()),
        dpop_nonces: config
            .sealing
            .as_ref()
            .map(|keys| Nonces::new(&keys.derived("dpop nonces"))),
        sign_in: config.sign_in.clone(),
        connections: Arc::new(connections(config)),
        token_limits: TokenLimits {
            token_bytes_max: usize::try_from(config.limits.token_bytes).unwrap_or(usize::MAX),
            ..TokenLimits::default()
        },
        answer_headers: AnswerHeaders::new(
            context_properties.values().flatten().map(String::as_str),
            &owned_headers,
        ),
        owned_headers,
        context_properties,
    }
}

/// Headers that some route sets under a name of its own, and those from which one reads the organization.
fn owned_headers(routes: &Routes, settings: &[RouteRuntime]) -> OwnedHeaders {
    let set = settings.iter().flat_map(|settings| &settings.headers);
    let read = routes.iter().filter_map(|route| match &route.spec.organization {
        OrganizationSource::Header(name) => Some(name.clone()),
        _ => None,
    });
    OwnedHeaders::new(set.map(|(_, name)| name.clone()).collect(), read.collect())
}

/// Places where these issuers allow tokens; those of all if none is listed.
fn places(of: &[(IssuerName, TokenPlaces)], listed: &[IssuerName]) -> TokenPlaces {
    let mut found = TokenPlaces::none();
    for (name, places) in of {
        if listed.is_empty() || listed.contains(name) {
            found.add(places);
        }
    }
    if of.is_empty() { TokenPlaces::default() } else { found }
}

/// Settings of the connections that are held for organizations.
pub fn connections(config: &Config) -> ConnectionSettings {
    ConnectionSettings {
        sealing: config.sealing.clone(),
        outbound: config.connections.clone(),
    }
}

/// The issuers whose grants count: those that are enabled.
pub fn active_issuers<'i>(issuers: impl IntoIterator<Item = &'i Issuer>) -> ActiveIssuers {
    let mut active_issuers = ActiveIssuers::default();
    let enabled = |issuer: &&Issuer| issuer.trusted.policy().status == IssuerStatus::Enabled;
    for issuer in issuers.into_iter().filter(enabled) {
        active_issuers.add(issuer.name.clone(), issuer.realm.clone(), &issuer.policy);
    }
    active_issuers
}

/// Counters of the requests under way to each upstream, by its name. Those of the previous configuration go on, because requests
/// that began with it are still under way.
fn loads(previous: Option<&Runtime>) -> HashMap<String, Arc<Load>> {
    let routes = previous.map_or(&[][..], |runtime| &runtime.route_settings);
    let named = routes.iter().filter_map(|route| {
        let upstream = route.upstream.as_ref()?;
        Some((upstream.audience.clone(), Arc::clone(&route.load)))
    });
    named.collect()
}

fn route(
    settings: RouteSettings,
    (assertion_issuer, body_grace): (&str, Duration),
    of_issuers: TokenPlaces,
    loads: &mut HashMap<String, Arc<Load>>,
) -> RouteRuntime {
    let limits = StreamLimits {
        idle: settings.idle_timeout,
        body_bytes: settings.body_bytes,
        body_grace,
    };
    let upstream_audience = settings.upstream.as_ref().map(|upstream| upstream.audience.clone());
    let load = upstream_audience
        .clone()
        .map(|upstream| loads.entry(upstream).or_default());
    let load = load.map(|load| Arc::clone(load)).unwrap_or_default();
    let audience = settings.audience.or(upstream_audience);
    RouteRuntime {
        upstream: settings.upstream,
        // SECURITY: never empty: a library that is told of no audience may take an empty one for it.
        audience: audience.unwrap_or_else(|| assertion_issuer.to_owned()),
        token_from: match settings.token_from {
            Some(places) => TokenFrom::Route(TokenPlaces {
                dpop: places.authorization && of_issuers.dpop,
                ..places
            }),
            None => TokenFrom::Issuers(of_issuers),
        },
        headers: settings.headers,
        limits,
        method_override: settings.method_override,
        cors_origins: settings.cors_origins,
        login: settings.login,
        load,
    }
}

fn running(issuer: Issuer, keys: IssuerKeys, (limits, edges): (&Limits, &KeyEdges)) -> IssuerRuntime {
    let Issuer {
        name,
        realm,
        trusted,
        mapping,
        policy,
        places,
        dpop,
        introspection,
        sign_in,
        frame_ancestors,
        ..
    } = issuer;
    IssuerRuntime {
        embedding: Embedding::new(&name, frame_ancestors),
        name,
        realm,
        trusted,
        keys,
        mapping,
        policy,
        places,
        dpop,
        introspection: introspection.and_then(|asked| self::introspection(asked, limits, edges)),
        sign_in: sign_in.and_then(|login| self::sign_in(login, limits, edges)),
    }
}

/// Client for the opaque tokens of an issuer.
fn introspection(asked: IssuerIntrospection, limits: &Limits, edges: &KeyEdges) -> Option<IntrospectionClient> {
    let limits = FetchLimits {
        total: limits.fetch_timeout,
        ..FetchLimits::default()
    };
    // The configuration has checked the address.
    let endpoint = Endpoint::new(&asked.url, asked.access, Arc::clone(&edges.names), limits).ok()?;
    IntrospectionClient::new(endpoint, &asked.settings)
}

/// Sign-in at an issuer. Its discovery document is read when a user first signs in.
fn sign_in(login: IssuerLogin, limits: &Limits, edges: &KeyEdges) -> Option<IssuerSignIn> {
    let limits = FetchLimits {
        total: limits.fetch_timeout,
        ..FetchLimits::default()
    };
    // The configuration has checked the address.
    let endpoints = IssuerEndpoints::new(&login.issuer, login.access, Arc::clone(&edges.names), limits).ok()?;
    let client = OpenIdClient::new(endpoints, login.client);
    Some(IssuerSignIn::new(client, login.trusted))
}

fn keys(issuer: &Issuer, limits: &Limits, previous: Option<&Runtime>, edges: &KeyEdges) -> IssuerKeys {
    let stale_ms_max = i64::try_from(issuer.stale_max.as_millis()).unwrap_or(i64::MAX);
    let mut settings = KeySettings {
        cache: CacheSettings {
            stale_ms_max,
            ..CacheSettings::default()
        },
        ..KeySettings::default()
    };
    settings.fetch.total = limits.fetch_timeout;
    settings.fetch.keys = usize::try_from(limits.keys).unwrap_or(usize::MAX);
    settings.fetch.body_bytes = usize::try_from(limits.key_set_bytes).unwrap_or(usize::MAX);
    let earlier = previous.and_then(|runtime| runtime.by_name.get(issuer.name.as_str()));
    if let Some(earlier) = earlier.filter(|earlier| earlier.keys.keeps(&issuer.keys, &settings)) {
        return earlier.keys.clone();
    }
    let keys = IssuerKeys::new(issuer.name.as_str(), issuer.keys.clone(), edges.clone(), settings);
    keys.keep_fresh();
    keys
}

/// Reads the files of keys that have not been read yet, so that what a new configuration says of keys is so from the
/// first request on.
///
/// # Errors
///
/// The issuer whose file is not there any more, or cannot be read.
pub(crate) async fn read_key_files(runtime: &Runtime, clock: &Clock) -> anyhow::Result<()> {
    for issuer in runtime.by_name.values() {
        if issuer.keys.source().kind() == SourceKind::JwksFile {
            let there = issuer.keys.verify_with(clock.now_ms(), |_| Ok(())).await;
            there.map_err(|_| anyhow::anyhow!("the `jwks_file` of the issuer `{}` cannot be read", issuer.name))?;
        }
    }
    Ok(())
}

/// Writes the organizations that the configuration declares into the directory, all of them at once.
///
/// # Errors
///
/// The error of the store.
pub async fn declare(
    organizations: &[DeclaredOrganization],
    directory: &dyn Directory,
    clock: &Clock,
) -> anyhow::Result<()> {
    let by = by_configuration(clock);
    let declared = new_organizations(organizations, by.at_ms)?;
    directory.declare_organizations(declared, by).await?;
    Ok(())
}

/// Writes the logos of declared organizations, which no decision rests on.
///
/// # Errors
///
/// The error of the store.
pub(crate) async fn set_logos(
    organizations: Vec<DeclaredOrganization>,
    directory: &dyn Directory,
    clock: &Clock,
) -> anyhow::Result<()> {
    for organization in organizations {
        let Some(logo) = organization.logo else { continue };
        if let Some(found) = directory.organization_named(organization.name.clone()).await? {
            directory
                .set_logo(found.id, Some(logo), by_configuration(clock))
                .await?;
        }
    }
    Ok(())
}

fn by_configuration(clock: &Clock) -> By {
    By {
        actor: Actor::Configuration,
        at_ms: clock.now_ms(),
    }
}

/// Declared organizations of the configuration, for the directory.
///
/// # Errors
///
/// No randomness for ids.
pub fn new_organizations(declared: &[DeclaredOrganization], at_ms: i64) -> anyhow::Result<Vec<NewOrganization>> {
    let mut ids = NewIds::new()?;
    Ok(declared
        .iter()
        .map(|organization| new(organization, OrganizationId::new(at_ms, &mut ids)))
        .collect())
}

fn new(declared: &DeclaredOrganization, id: OrganizationId) -> NewOrganization {
    NewOrganization {
        id,
        name: declared.name.clone(),
        label: declared.label.clone(),
        realm: declared.realm.clone(),
        external_id: declared.external_id.clone(),
        details: declared.details.clone(),
        tags: declared.tags.clone(),
        tag_patterns: declared.tag_patterns,
        membership: declared.membership,
        status: declared.status,
    }
}
