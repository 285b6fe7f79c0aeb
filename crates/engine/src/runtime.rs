//! The configuration in use: compiled, immutable, swapped whole.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::HeaderName;
use narthex_decision::{AnswerHeaders, OwnedHeaders, Routes};
use narthex_directory::{ActiveIssuers, DesiredTags, IssuerName, OrganizationName, Principal, Realm, SyncPolicy};
use narthex_mapping::IssuerMapping;
use narthex_token::{IssuerStatus, Issuers, Limits, TrustedIssuer, VerifyError};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::credentials::TokenPlaces;
use crate::dpop::DpopUse;
use crate::embedding::Embedding;
use crate::identity::IdentityField;
use crate::inbound::TrustedProxies;
use crate::load::{Load, LoadPermit};
use crate::origin::WebOrigin;
use crate::rate_limit::RateLimiter;
use crate::sign_in::{LoginUse, SignInSettings};
use crate::upstream::{StreamLimits, Upstream};
use narthex_dpop::Nonces;
use narthex_fetch::keys::IssuerKeys;
use narthex_fetch::outbound::Policy;
use narthex_introspection::IntrospectionClient;
use narthex_openid::OpenIdClient;
use narthex_session::SealingKeys;

/// Upper limit of logouts of one issuer under way. Each takes a token of at most 16 KiB.
const LOGOUTS_MAX: usize = 32;
/// Time for which an issuer that could not be reached is not asked to refresh a token, in milliseconds.
const REST_MS: i64 = 3_000;

/// Everything from the configuration that decides a request. Nothing in it is parsed during a request.
#[derive(Debug)]
pub struct Runtime {
    /// Number of the configuration; a cached answer ends with the generation that it was made in.
    pub generation: u64,
    /// Trusted issuers, by `iss`.
    pub issuers: Issuers,
    /// Settings of each trusted issuer, by configured name.
    pub by_name: HashMap<String, Arc<IssuerRuntime>>,
    /// The enabled ones among them: only their grants count.
    pub active_issuers: Arc<ActiveIssuers>,
    /// The routes.
    pub routes: Routes,
    /// Settings of each route, by its number.
    pub route_settings: Vec<RouteRuntime>,
    /// Places where some issuer allows tokens.
    pub places: TokenPlaces,
    /// Rate limiter of client addresses; `None` if there is no limit.
    pub rate: Option<Arc<RateLimiter>>,
    /// Logs requests that pass, too, if true.
    pub access_log: bool,
    /// Upper limit of requests under way to one upstream.
    pub upstream_requests_max: usize,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Nonces for proofs of possession that every node accepts; `None` without a secret key.
    pub dpop_nonces: Option<Nonces>,
    /// Sign-in and sessions.
    pub sign_in: SignInSettings,
    /// Settings of the connections held for organizations.
    pub connections: Arc<ConnectionSettings>,
    /// Limits of a token.
    pub token_limits: Limits,
    /// Permission tags of a token that decisions may rest on.
    pub kept_tags: KeptTags,
    /// Scopes of a token that decisions may rest on.
    pub kept_scopes: KeptScopes,
    /// Headers of a request that only Narthex may set.
    pub owned_headers: Arc<OwnedHeaders>,
    /// Headers that a forward-auth answer always has.
    pub answer_headers: AnswerHeaders,
    /// Context properties that the issuers of each realm map.
    pub context_properties: HashMap<Realm, HashSet<String>>,
}

/// Permission tags of a token that are cached with its account: those that some route asks for, or all if one sends them on.
#[derive(Debug, Clone)]
pub enum KeptTags {
    /// These.
    Listed(HashSet<String>),
    /// All.
    All,
}

impl KeptTags {
    /// Creates the set of the tags that these routes ask for.
    pub fn of(routes: &Routes, settings: &[RouteRuntime]) -> Self {
        let mut chosen = settings.iter().flat_map(|settings| &settings.headers);
        if chosen.any(|(field, _)| *field == IdentityField::Tags) {
            return Self::All;
        }
        Self::Listed(
            routes
                .iter()
                .flat_map(|route| route.spec.tags.iter().cloned())
                .collect(),
        )
    }

    /// Returns the tags of a token that are kept.
    pub(crate) fn among(&self, tags: &DesiredTags) -> Box<[String]> {
        match (tags, self) {
            (DesiredTags::Exactly(tags), Self::All) => tags.iter().cloned().collect(),
            (DesiredTags::Exactly(tags), Self::Listed(kept)) if !kept.is_empty() => {
                tags.iter().filter(|tag| kept.contains(*tag)).cloned().collect()
            }
            _ => Box::default(),
        }
    }
}

/// Scopes of a token that are cached with it: those that some route asks for.
#[derive(Debug, Clone, Default)]
pub struct KeptScopes(HashSet<String>);

impl KeptScopes {
    /// Creates the set of the scopes that these routes ask for.
    pub fn of(routes: &Routes) -> Self {
        Self(
            routes
                .iter()
                .flat_map(|route| route.spec.scopes.iter().cloned())
                .collect(),
        )
    }

    /// Returns the scopes of a token that are kept.
    pub fn among(&self, claims: &Map<String, Value>) -> Box<[String]> {
        if self.0.is_empty() {
            return Box::default();
        }
        let kept = narthex_token::scopes(claims).filter(|scope| self.0.contains(*scope));
        kept.map(str::to_owned).collect()
    }
}

/// Settings of a route, besides its requirements.
#[derive(Debug, Clone)]
pub struct RouteRuntime {
    /// Upstream of its requests; `None` for routes that only forward-auth asks about.
    pub upstream: Option<Upstream>,
    /// The `aud` of its assertions.
    pub audience: String,
    /// Places where it looks for tokens.
    pub token_from: TokenFrom,
    /// Headers that it sets under names of its own choice.
    pub headers: Vec<(IdentityField, HeaderName)>,
    /// Limits of its streams.
    pub limits: StreamLimits,
    /// Origins whose pages may send requests with the user's cookie, besides the request's own.
    pub cors_origins: Vec<WebOrigin>,
    /// Requests under way to its upstream, which other routes may share.
    pub load: Arc<Load>,
    /// Rule for requests that ask for another method than their own.
    pub method_override: MethodOverride,
    /// Use of sign-in for its refused requests.
    pub login: LoginUse,
}

/// Places where a route looks for tokens.
#[derive(Debug, Clone)]
pub enum TokenFrom {
    /// Those of the issuers that it takes tokens of. A token counts where its own issuer allows it.
    Issuers(TokenPlaces),
    /// Its own, for tokens of every issuer.
    Route(TokenPlaces),
}

impl TokenFrom {
    /// Returns the places.
    pub const fn places(&self) -> &TokenPlaces {
        match self {
            Self::Issuers(places) | Self::Route(places) => places,
        }
    }
}

/// Rule for requests that name another method in a header (`X-HTTP-Method-Override` and the like).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodOverride {
    /// Refuses them where the decision depends on the method.
    Refuse,
    /// Lets all of them pass (`method_override = "allow"`).
    Allow,
}

/// Configuration of held connections.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// Keys that seal their secrets; without them no secret can be stored.
    pub sealing: Option<Arc<SealingKeys>>,
    /// Allowed destinations and costs of their requests.
    pub outbound: Policy,
}

impl Default for ConnectionSettings {
    /// No sealing keys, and no allowed destination.
    fn default() -> Self {
        Self {
            sealing: None,
            outbound: Policy::listed(Vec::new()),
        }
    }
}

/// An issuer in use.
#[derive(Debug)]
pub struct IssuerRuntime {
    /// Configured name.
    pub name: IssuerName,
    /// Realm in which its external ids are unique and its tags count.
    pub realm: Realm,
    /// Rules that its tokens must satisfy.
    pub trusted: Arc<TrustedIssuer>,
    /// Its keys, kept fresh.
    pub keys: IssuerKeys,
    /// Mapping from its claims to an identity.
    pub mapping: IssuerMapping,
    /// Limits of the changes that its tokens make in the directory.
    pub policy: SyncPolicy,
    /// Places for its tokens.
    pub places: TokenPlaces,
    /// Use of its tokens that are bound to a key.
    pub dpop: DpopUse,
    /// Client for its opaque tokens, if it can be asked about them.
    pub introspection: Option<IntrospectionClient>,
    /// Sign-in at this issuer, if it has a client id.
    pub sign_in: Option<IssuerSignIn>,
    /// Embedded login with its tokens, if it lists parents.
    pub embedding: Option<Embedding>,
}

/// Sign-in at one issuer.
#[derive(Debug)]
pub struct IssuerSignIn {
    /// Its client.
    pub client: OpenIdClient,
    /// Rules that its ID tokens must satisfy: those of its tokens, with the client id as the one audience.
    pub trusted: Arc<TrustedIssuer>,
    /// Places for the logouts that it announces: each is completed, even if its connection breaks meanwhile.
    pub logouts: Arc<Semaphore>,
    /// Time until which no token is refreshed, because the issuer could not be reached, in milliseconds.
    resting_until_ms: AtomicI64,
}

impl IssuerSignIn {
    /// Creates the sign-in of a client at an issuer with these rules.
    pub fn new(client: OpenIdClient, trusted: Arc<TrustedIssuer>) -> Self {
        Self {
            client,
            trusted,
            logouts: Arc::new(Semaphore::new(LOGOUTS_MAX)),
            resting_until_ms: AtomicI64::new(i64::MIN),
        }
    }

    /// Leaves the issuer alone for a while, because it could not be reached.
    pub(crate) fn rest(&self, now_ms: i64) {
        self.resting_until_ms
            .store(now_ms.saturating_add(REST_MS), Ordering::Relaxed);
    }

    /// Tests whether the issuer is left alone. A clock that was set back makes that no longer.
    pub(crate) fn is_resting(&self, now_ms: i64) -> bool {
        let left_ms = self.resting_until_ms.load(Ordering::Relaxed).saturating_sub(now_ms);
        (1..=REST_MS).contains(&left_ms)
    }
}

impl Runtime {
    /// Returns the settings of a trusted issuer.
    ///
    /// # Errors
    ///
    /// [`VerifyError::IssuerUnknown`] if it is missing, which building a runtime rules out.
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

    /// Returns the one organization in which tokens of this issuer give roles, for an issuer of one organization.
    pub fn organization_of(&self, issuer: &IssuerName) -> Option<&OrganizationName> {
        self.by_name.get(issuer.as_str())?.policy.organization.as_ref()
    }

    /// Returns the part of a user's context that may be sent: the properties that an issuer of the user's realm maps
    /// now.
    ///
    /// SECURITY: a value stays with the user after its property is no longer mapped, and then no token updates it. So
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

    /// Returns the `aud` of assertions on a route.
    pub fn audience(&self, route: usize) -> &str {
        self.route_settings
            .get(route)
            .map_or("", |settings| settings.audience.as_str())
    }

    /// Returns the upstream of a route's requests, and the limits of their streams.
    pub fn upstream(&self, route: usize) -> Option<(&Upstream, StreamLimits)> {
        let settings = self.route_settings.get(route)?;
        Some((settings.upstream.as_ref()?, settings.limits))
    }

    /// Counts a request to a route's upstream; `None` if the limit is reached.
    pub fn begin(&self, route: usize) -> Option<LoadPermit> {
        let load = self.route_settings.get(route).map(|settings| &settings.load);
        load.and_then(|load| load.begin(self.upstream_requests_max))
    }

    /// Returns the places where a route looks for tokens.
    pub fn places_on(&self, route: usize) -> &TokenPlaces {
        self.route_settings
            .get(route)
            .map_or(&self.places, |settings| settings.token_from.places())
    }

    /// Returns the headers that a route sets under names of its own choice.
    pub fn chosen_headers(&self, route: usize) -> &[(IdentityField, HeaderName)] {
        self.route_settings.get(route).map_or(&[], |settings| &settings.headers)
    }

    /// Returns the rule for requests that ask for another method than their own.
    pub fn method_override(&self, route: usize) -> MethodOverride {
        self.route_settings
            .get(route)
            .map_or(MethodOverride::Refuse, |settings| settings.method_override)
    }

    /// Returns origins whose pages may send requests with the user's cookie, besides the request's own.
    pub fn cors_origins(&self, route: usize) -> &[WebOrigin] {
        self.route_settings
            .get(route)
            .map_or(&[], |settings| &settings.cors_origins)
    }

    /// Returns the use of sign-in for the refused requests of a route.
    pub fn login_use(&self, route: usize) -> LoginUse {
        self.route_settings
            .get(route)
            .map_or(LoginUse::Off, |settings| settings.login)
    }

    /// Returns an issuer that users can sign in at, by its configured name.
    pub fn sign_in_at(&self, issuer: &str) -> Option<(&Arc<IssuerRuntime>, &IssuerSignIn)> {
        let issuer = self.by_name.get(issuer).filter(|issuer| self.trusts(&issuer.name))?;
        Some((issuer, issuer.sign_in.as_ref()?))
    }

    /// Returns an issuer whose tokens begin sessions in frames, by its configured name.
    pub fn embedding_at(&self, issuer: &str) -> Option<(&Arc<IssuerRuntime>, &Embedding)> {
        let issuer = self.by_name.get(issuer).filter(|issuer| self.trusts(&issuer.name))?;
        Some((issuer, issuer.embedding.as_ref()?))
    }

    /// Tests whether a route looks for tokens at all.
    pub fn reads_tokens(&self, route: usize) -> bool {
        *self.places_on(route) != TokenPlaces::none()
    }

    /// Tests whether a route has places of its own, where it takes tokens of every issuer.
    pub fn has_own_places(&self, route: usize) -> bool {
        self.route_settings
            .get(route)
            .is_some_and(|settings| matches!(settings.token_from, TokenFrom::Route(_)))
    }
}
