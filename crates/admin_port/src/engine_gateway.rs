//! The engine, as what operations need of the rest of the gateway.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use narthex_decision::{Reason, Requirement};
use narthex_directory::{ActiveIssuers, Principal, Realm, StandingSession};
use narthex_engine::Engine;
use narthex_engine::IssuerRuntime;
use narthex_engine::Runtime;
use narthex_engine::credentials::{FoundAt, Place, Token};
use narthex_engine::event::quoted;
use narthex_engine::inbound::{Door, Inbound};
use narthex_engine::issuer_refusals::IssuerRefusal;
use narthex_engine::pipeline;
use narthex_engine::respond::Refusal;
use narthex_engine::session;
use narthex_engine::{Bucket, ConnectionSettings, Step};
use narthex_explain::{ExplainedRequest, Explanation, explain, pasted_token};
use narthex_fetch::keys::{IssuerHealth, Refreshed};
use narthex_issuers::RunTimeIssuers;
use narthex_ops::issuer_tags::IssuerTagRules;
use narthex_ops::sessions::SessionLimits;
use narthex_ops::{
    GatewayApi, IssuerProvenance, IssuerSummary, PlatformTags, RefreshRefusal, RequestToExplain, RouteSummary,
    SignInAnswer, SignInBegin, SignInBegun, SignInCompleted, TokenHolder, TokenToExplain,
};
use serde_json::{Map, Value};

/// The engine, as the rest of the gateway for operations.
pub(crate) struct EngineGateway(pub(crate) Arc<Engine>, pub(crate) Option<Arc<RunTimeIssuers>>);

impl EngineGateway {
    /// Returns the holder of a token, through the one verifier and the one line.
    async fn holder(
        &self,
        runtime: &Runtime,
        headers: &HeaderMap,
        presented: (Token<'_>, &FoundAt),
    ) -> Result<TokenHolder, Refusal> {
        let (inbound, now_ms) = (admin_request(headers), self.0.clock.now_ms());
        let known = pipeline::who(&self.0, runtime, &inbound, presented, now_ms).await?;
        // SECURITY: the pipeline takes no machine key from the admin port, so the holder's token has an issuer.
        let issuer = known.seen.caller().issuer_name().cloned();
        Ok(TokenHolder {
            issuer: issuer.ok_or_else(|| Refusal::new(Reason::TokenMissing))?,
            principal: Arc::clone(&known.account.principal),
        })
    }
}

/// A request at the admin port, as the line reads it.
const fn admin_request(headers: &HeaderMap) -> Inbound<'_> {
    Inbound {
        method: &Method::GET,
        path: b"/",
        query: None,
        host: None,
        headers,
        door: Door::Me,
        route: None,
        sender: None,
        proof: None,
    }
}

/// Returns a map of `Set-Cookie` headers.
fn set_cookies(values: impl IntoIterator<Item = HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(SET_COOKIE, value);
    }
    headers
}

#[async_trait]
impl GatewayApi for EngineGateway {
    async fn authenticate(&self, token: &str, headers: &HeaderMap) -> Result<TokenHolder, Refusal> {
        let runtime = self.0.runtime.load_full();
        self.holder(&runtime, headers, (token.into(), &Place::AdminPort.into()))
            .await
    }

    fn context(&self, principal: &Principal) -> Map<String, Value> {
        self.0.runtime.load().context(principal).into_owned()
    }

    fn realms(&self) -> Vec<Realm> {
        let runtime = self.0.runtime.load();
        // The realm of an issuer of one organization is for its users: no organization belongs to it.
        let of_all = runtime
            .by_name
            .values()
            .filter(|issuer| issuer.policy.organization.is_none());
        let mut realms: Vec<Realm> = of_all.map(|issuer| issuer.realm.clone()).collect();
        realms.sort();
        realms.dedup();
        realms
    }

    fn active_issuers(&self) -> Arc<ActiveIssuers> {
        Arc::clone(&self.0.runtime.load().active_issuers)
    }

    fn run_time_issuers(&self) -> Option<Arc<RunTimeIssuers>> {
        self.1.clone()
    }

    fn issuers(&self) -> Vec<IssuerSummary> {
        let is_of_api = |name: &str| self.1.as_ref().is_some_and(|issuers| issuers.is_in_use(name));
        let runtime = self.0.runtime.load();
        let bodies = runtime
            .issuers
            .iter()
            .filter_map(|trusted| runtime.by_name.get(trusted.name()));
        bodies
            .map(|issuer| {
                let provenance = if is_of_api(issuer.name.as_str()) {
                    IssuerProvenance::Api
                } else {
                    IssuerProvenance::File
                };
                issuer_summary(issuer, provenance, self.0.clock.now_ms())
            })
            .collect()
    }

    fn platform_tags(&self) -> Vec<PlatformTags> {
        let runtime = self.0.runtime.load();
        let lists = runtime.by_name.values().map(|issuer| PlatformTags {
            issuer: issuer.name.to_string(),
            realm: issuer.realm.clone(),
            tags: issuer.policy.platform_admin_tags.clone(),
        });
        let mut lists: Vec<PlatformTags> = lists.collect();
        lists.sort_by(|one, other| one.issuer.cmp(&other.issuer));
        lists
    }

    fn tag_rules(&self, issuer: &str) -> Option<IssuerTagRules> {
        let runtime = self.0.runtime.load();
        let issuer = runtime.by_name.get(issuer)?;
        Some(IssuerTagRules {
            issuer: issuer.name.clone(),
            realm: issuer.realm.clone(),
            platform_admin: issuer.policy.platform_admin_tags.clone(),
            patterns: issuer.policy.tag_patterns.clone(),
        })
    }

    fn keys(&self, issuer: &str) -> Option<IssuerHealth> {
        let runtime = self.0.runtime.load();
        runtime
            .by_name
            .get(issuer)
            .map(|issuer| issuer.keys.health(self.0.clock.now_ms()))
    }

    fn refusals(&self, issuer: &str) -> Option<Vec<IssuerRefusal>> {
        let is_known = self.0.runtime.load().by_name.contains_key(issuer);
        is_known.then(|| self.0.issuer_refusals.of(issuer))
    }

    fn sign_in_issuers(&self) -> Vec<String> {
        let runtime = self.0.runtime.load();
        let names = runtime.issuers.iter().map(|trusted| trusted.name().to_owned());
        names.filter(|name| runtime.sign_in_at(name).is_some()).collect()
    }

    async fn begin_sign_in(&self, begin: SignInBegin<'_>) -> Result<SignInBegun, Refusal> {
        let runtime = self.0.runtime.load_full();
        let place = (begin.origin, begin.issuer, begin.back);
        let begun = narthex_login::begin_at_console(&self.0, &runtime, begin.headers, place).await?;
        Ok(SignInBegun {
            location: begun.location,
            cookies: set_cookies(begun.cookies),
        })
    }

    async fn complete_sign_in(&self, answer: SignInAnswer<'_>) -> Result<SignInCompleted, Refusal> {
        let runtime = self.0.runtime.load_full();
        let inbound = Inbound {
            query: Some(answer.query),
            ..admin_request(answer.headers)
        };
        let place = (answer.origin, answer.issuer);
        let completed = narthex_login::complete_at_console(&self.0, &runtime, &inbound, place).await?;
        Ok(SignInCompleted {
            session: completed.session,
            back: completed.back,
            removed: set_cookies(completed.removed),
        })
    }

    async fn authenticate_session(
        &self,
        session: StandingSession,
        headers: &HeaderMap,
    ) -> Result<Option<TokenHolder>, Refusal> {
        let runtime = self.0.runtime.load_full();
        let Some(open) = session::open_at_console(&self.0, &runtime, session).await? else {
            return Ok(None);
        };
        let (token, place) = open.presented();
        self.holder(&runtime, headers, (token, &place)).await.map(Some)
    }

    fn session_limits(&self) -> SessionLimits {
        let settings = &self.0.runtime.load().sign_in;
        SessionLimits {
            idle_ms: settings.session_idle_ms,
            max_ms: settings.session_max_ms,
        }
    }

    fn connections(&self) -> Arc<ConnectionSettings> {
        Arc::clone(&self.0.runtime.load().connections)
    }

    async fn refresh(&self, issuer: &str) -> Result<IssuerHealth, RefreshRefusal> {
        let issuer = self
            .0
            .runtime
            .load()
            .by_name
            .get(issuer)
            .cloned()
            .ok_or(RefreshRefusal::UnknownIssuer)?;
        match issuer.keys.refresh().await {
            Refreshed::Fixed => Err(RefreshRefusal::NothingToFetch),
            Refreshed::TooSoon { .. } => Err(RefreshRefusal::TooSoon),
            Refreshed::Read | Refreshed::Failed { .. } => Ok(issuer.keys.health(self.0.clock.now_ms())),
        }
    }

    fn routes(&self) -> Vec<RouteSummary> {
        let runtime = self.0.runtime.load();
        let bodies = runtime.routes.iter().map(|route| RouteSummary {
            index: route.index,
            paths: route.spec.paths.clone(),
            methods: route.spec.methods.iter().map(ToString::to_string).collect(),
            hosts: route.spec.hosts.iter().map(ToString::to_string).collect(),
            require: route.spec.require.iter().map(Requirement::to_string).collect(),
            upstream: runtime
                .upstream(route.index)
                .map(|(upstream, _)| upstream.audience.clone()),
            audience: runtime.audience(route.index).to_owned(),
        });
        bodies.collect()
    }

    fn decisions(&self, step: Step, from_ms: i64, until_ms: i64) -> Vec<Bucket> {
        self.0.metrics.tally.buckets(step, from_ms, until_ms)
    }

    async fn explain(&self, token: TokenToExplain) -> Result<Explanation, Refusal> {
        let runtime = self.0.runtime.load_full();
        let now_ms = token.at_ms.unwrap_or_else(|| self.0.clock.now_ms());
        let explained = token.request.map(explained_request).transpose()?;
        Ok(explain(
            &runtime,
            &*self.0.directory,
            pasted_token(&token.token),
            explained.as_ref(),
            now_ms,
        )
        .await)
    }
}

fn explained_request(request: RequestToExplain) -> Result<ExplainedRequest, Refusal> {
    let mut headers = HeaderMap::new();
    let refused = |problem: String| Refusal::because(Reason::RequestPath, problem);
    for (name, value) in &request.headers {
        let (Ok(key), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            let name = quoted(name);
            return Err(refused(format!("`{name}` is not a header that a request could have")));
        };
        headers.append(key, value);
    }
    ExplainedRequest::new((&request.method, &request.path), request.host, headers).map_err(refused)
}

fn issuer_summary(issuer: &IssuerRuntime, provenance: IssuerProvenance, now_ms: i64) -> IssuerSummary {
    let policy = issuer.trusted.policy();
    IssuerSummary {
        name: issuer.name.to_string(),
        issuer: policy.issuer.clone(),
        aliases: policy.aliases.clone(),
        realm: issuer.realm.to_string(),
        enabled: policy.status == narthex_token::IssuerStatus::Enabled,
        algorithms: policy.algorithms.iter().map(ToString::to_string).collect(),
        audiences: policy.audiences.clone(),
        provision: issuer.policy.provision.to_string(),
        mode: issuer.policy.mode.to_string(),
        provenance,
        organization: issuer.policy.organization.as_ref().map(ToString::to_string),
        key_health: issuer.keys.health(now_ms),
    }
}
