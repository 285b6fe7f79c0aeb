//! The configuration as it is used: compiled, immutable, swapped whole.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use narthex_decision::{AnswerHeaders, Routes};
use narthex_directory::{IssuerName, IssuersInForce, Principal, Realm, SyncPolicy};
use narthex_mapping::IssuerMapping;
use narthex_token::{IssuerStatus, Issuers, Limits, TrustedIssuer, VerifyError};
use serde_json::{Map, Value};

use crate::credentials::{Place, TokenPlaces};
use crate::inbound::TrustedProxies;
use crate::load::{Load, UnderWay};
use crate::origin::WebOrigin;
use crate::rate_limit::RateLimiter;
use crate::seal::SealingKeys;
use crate::upstream::{StreamLimits, Upstream};
use narthex_fetch::keys::IssuerKeys;
use narthex_fetch::outbound::Policy;

/// Everything a request is decided by that comes from the configuration. Nothing in it is parsed during a request.
#[derive(Debug)]
pub struct Runtime {
    /// Counts configurations; cached answers die with theirs.
    pub generation: u64,
    /// The trusted issuers, by `iss`.
    pub issuers: Issuers,
    /// What belongs to each, by configured name.
    pub by_name: HashMap<String, Arc<IssuerRuntime>>,
    /// Those of them that are enabled: whose grants count.
    pub in_force: Arc<IssuersInForce>,
    /// The routes.
    pub routes: Routes,
    /// What belongs to each route, by its number.
    pub route_settings: Vec<RouteRuntime>,
    /// Where tokens are looked for on every route: what any issuer allows.
    pub places: TokenPlaces,
    /// How many requests one client address may send, if that is limited.
    pub rate: Option<RateLimiter>,
    /// Whether requests that pass are logged too.
    pub access_log: bool,
    /// The most requests under way to one upstream.
    pub upstream_requests_max: usize,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// What connections that are held for organizations may use.
    pub connections: Arc<ConnectionSettings>,
    /// Limits of a token.
    pub token_limits: Limits,
    /// The headers a forward-auth answer always carries.
    pub answer_headers: AnswerHeaders,
    /// The context properties that issuers of each realm map.
    pub context_properties: HashMap<Realm, HashSet<String>>,
}

/// What belongs to a route beside what it requires.
#[derive(Debug, Clone)]
pub struct RouteRuntime {
    /// Where its requests go; `None` for routes that only forward-auth asks about.
    pub upstream: Option<Upstream>,
    /// The `aud` of its assertions.
    pub audience: String,
    /// Where tokens may come in on it, beside `Authorization`, whoever issued them.
    pub places: TokenPlaces,
    /// Limits of its streams.
    pub limits: StreamLimits,
    /// Origins whose pages may send requests with the user's cookie, besides the request's own.
    pub cors_origins: Vec<WebOrigin>,
    /// What is under way to its upstream, which other routes may share.
    pub load: Arc<Load>,
    /// Whether its requests may ask for another method than their own.
    pub method_override: MethodOverride,
}

/// Whether a route's requests may name another method in a header (`X-HTTP-Method-Override` and the like).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodOverride {
    /// Not where methods decide.
    Refuse,
    /// Any (`method_override = "allow"`).
    Allow,
}

/// What held connections need of the configuration.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// What their secrets are sealed with; without it none can be kept.
    pub sealing: Option<Arc<SealingKeys>>,
    /// Where their requests may go, and what they may cost.
    pub outbound: Policy,
}

impl Default for ConnectionSettings {
    /// Nothing secret is kept and nothing is sent.
    fn default() -> Self {
        Self {
            sealing: None,
            outbound: Policy::listed(Vec::new()),
        }
    }
}

/// An issuer as it is used.
#[derive(Debug)]
pub struct IssuerRuntime {
    /// Its configured name.
    pub name: IssuerName,
    /// Where its external ids are unique and its tags count.
    pub realm: Realm,
    /// What its tokens must be like.
    pub trusted: Arc<TrustedIssuer>,
    /// Its keys, kept current.
    pub keys: IssuerKeys,
    /// How its claims become an identity.
    pub mapping: IssuerMapping,
    /// How far its tokens reach into the directory.
    pub policy: SyncPolicy,
    /// Where its tokens may come in, beside `Authorization`.
    pub places: TokenPlaces,
}

impl Runtime {
    /// What belongs to a trusted issuer.
    ///
    /// # Errors
    ///
    /// [`VerifyError::IssuerUnknown`] if it were not there, which building a runtime rules out.
    pub fn issuer(&self, trusted: &TrustedIssuer) -> Result<&Arc<IssuerRuntime>, VerifyError> {
        self.by_name
            .get(trusted.name())
            .ok_or(VerifyError::IssuerUnknown { missing: false })
    }

    /// Tests whether tokens of the issuer with this configured name are accepted.
    pub fn trusts(&self, name: &IssuerName) -> bool {
        let issuer = self.by_name.get(name.as_str());
        issuer.is_some_and(|issuer| issuer.trusted.policy().status == IssuerStatus::Enabled)
    }

    /// What is told of a user's context: what an issuer of the user's realm maps now.
    ///
    /// SECURITY: a value stays with the user when its property is no longer mapped, and no token brings it up to date. So
    /// it is neither sent nor signed any more.
    pub fn context<'p>(&self, principal: &'p Principal) -> Cow<'p, Map<String, Value>> {
        let kept = principal.context();
        let properties = self.context_properties.get(&principal.user().realm);
        let is_mapped = |property: &String| properties.is_some_and(|properties| properties.contains(property));
        if kept.keys().all(is_mapped) {
            return Cow::Borrowed(kept);
        }
        let told = kept.iter().filter(|(property, _)| is_mapped(property));
        Cow::Owned(
            told.map(|(property, value)| (property.clone(), value.clone()))
                .collect(),
        )
    }

    /// The `aud` of assertions on a route.
    pub fn audience(&self, route: usize) -> &str {
        self.route_settings
            .get(route)
            .map_or("", |settings| settings.audience.as_str())
    }

    /// Where a route's requests go, and the limits of their streams.
    pub fn upstream(&self, route: usize) -> Option<(&Upstream, StreamLimits)> {
        let settings = self.route_settings.get(route)?;
        Some((settings.upstream.as_ref()?, settings.limits))
    }

    /// Counts a request to a route's upstream; `None` when there are as many as there may be.
    pub fn begin(&self, route: usize) -> Option<UnderWay> {
        let load = self.route_settings.get(route).map(|settings| &settings.load);
        load.and_then(|load| load.begin(self.upstream_requests_max))
    }

    /// Where tokens are looked for on a route.
    pub fn places_on(&self, route: usize) -> Cow<'_, TokenPlaces> {
        match self.route_settings.get(route) {
            Some(settings) if settings.places != TokenPlaces::default() => {
                let mut places = settings.places.clone();
                places.add(&self.places);
                Cow::Owned(places)
            }
            _ => Cow::Borrowed(&self.places),
        }
    }

    /// Whether a route's requests may ask for another method than their own.
    pub fn method_override(&self, route: usize) -> MethodOverride {
        self.route_settings
            .get(route)
            .map_or(MethodOverride::Refuse, |settings| settings.method_override)
    }

    /// Origins whose pages may send requests with the user's cookie, besides the request's own.
    pub fn cors_origins(&self, route: usize) -> &[WebOrigin] {
        self.route_settings
            .get(route)
            .map_or(&[], |settings| &settings.cors_origins)
    }

    /// Whether tokens may come in that place on a route, whoever issued them.
    pub fn route_accepts(&self, route: usize, place: &Place) -> bool {
        self.route_settings
            .get(route)
            .is_some_and(|settings| settings.places.contains(place))
    }
}
