//! An admin API over a memory store with a clock that stands still, and callers of every kind.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use narthex_admin::api::{AdminState, router};
use narthex_admin::ops::api_keys::FreshApiKey;
use narthex_admin::ops::issuer_tags::IssuerTagRules;
use narthex_admin::ops::{
    GatewayApi, IssuerProvenance, IssuerSummary, Operations, PlatformTags, RefreshRefusal, RouteSummary, TokenHolder,
    TokenToExplain,
};
use narthex_clock::Clock;
use narthex_config::{Environment, Limits, Paint, read_text};
use narthex_decision::Reason;
use narthex_directory::{
    ActiveIssuers, CountingIds, Desired, DesiredTags, DesiredUser, Directory, ExternalId, IssuerName, Keyring,
    Principal, Realm, SyncPolicy, TagList, TagPatterns, TokenFingerprint, Username, sync,
};
use narthex_engine::inbound::Door;
use narthex_engine::issuer_refusals::{IssuerRefusal, RefusalStage};
use narthex_engine::{Bucket, ConnectionSettings, Counted, Refusal, Step};
use narthex_explain::{Explanation, IdentityRow};
use narthex_fetch::keys::{IssuerHealth, KeyLine, Moment, RefusedLine, SourceKind};
use narthex_issuers::RunTimeIssuers;
use narthex_memory::MemoryDirectory;
use serde_json::{Value, json};

/// 2023-11-14T22:13:20Z
pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// An admin API, and what is behind it.
pub(crate) struct Fixture {
    pub(crate) directory: Arc<MemoryDirectory>,
    pub(crate) gateway: Arc<TestGateway>,
    pub(crate) clock: Clock,
    pub(crate) operations: Arc<Operations>,
    pub(crate) router: Router,
    /// An API key of a platform admin.
    pub(crate) admin: String,
    ids: Mutex<CountingIds>,
    /// When the last token was issued, in milliseconds.
    last_issued_at_ms: Mutex<i64>,
}

/// What a call was answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

/// The rest of the gateway, as the tests want it.
pub(crate) struct TestGateway {
    pub(crate) principals: Mutex<HashMap<String, Arc<Principal>>>,
    pub(crate) realms: Mutex<Vec<&'static str>>,
    pub(crate) in_force: Mutex<Arc<ActiveIssuers>>,
    pub(crate) refreshed: Mutex<Vec<String>>,
    pub(crate) explained: Mutex<Vec<TokenToExplain>>,
    pub(crate) connections: Mutex<Arc<ConnectionSettings>>,
    pub(crate) run_time: Arc<RunTimeIssuers>,
}

/// The limits of a configuration that says nothing.
pub(crate) fn limits() -> Limits {
    let environment = Environment::of_process(Path::new("narthex.toml"));
    let reading = read_text("narthex.toml", String::new(), &environment);
    reading.into_config(Paint::Plain).unwrap().limits
}

impl Default for TestGateway {
    fn default() -> Self {
        Self {
            principals: Mutex::default(),
            realms: Mutex::default(),
            in_force: Mutex::default(),
            refreshed: Mutex::default(),
            explained: Mutex::default(),
            connections: Mutex::default(),
            run_time: Arc::new(RunTimeIssuers::new(limits())),
        }
    }
}

impl Fixture {
    /// An empty directory, one realm `main`, and a platform admin's key.
    pub(crate) async fn new() -> Self {
        let directory = Arc::new(MemoryDirectory::default());
        let gateway = Arc::new(TestGateway::default());
        gateway.realms.lock().unwrap().push("main");
        gateway.in_force("idp", "platform-admins");
        let clock = Clock::manual(NOW_MS);
        let operations = Operations::new(
            Arc::clone(&directory) as Arc<dyn Directory>,
            Arc::clone(&gateway) as Arc<dyn GatewayApi>,
            clock.clone(),
        );
        let router = router(AdminState::new(Arc::clone(&operations)).unwrap(), None);
        let ids = Mutex::new(CountingIds(1_000_000));
        let mut fixture = Self {
            directory,
            gateway,
            clock,
            operations,
            router,
            admin: String::new(),
            ids,
            last_issued_at_ms: Mutex::new(0),
        };
        let role = narthex_directory::ScopedRole::Platform(narthex_directory::PlatformRole::Admin);
        fixture.admin = fixture.key(role).await;
        fixture
    }

    /// A new API key with this role.
    pub(crate) async fn key(&self, role: narthex_directory::ScopedRole) -> String {
        let fresh = FreshApiKey::new().unwrap();
        let id = narthex_directory::ApiKeyId::new(NOW_MS, &mut *self.ids.lock().unwrap());
        let key = narthex_directory::ApiKey {
            id,
            name: "test".to_owned(),
            hash: fresh.hash(),
            role,
            created_at_ms: NOW_MS,
            expires_at_ms: None,
            revoked_at_ms: None,
            last_used_at_ms: None,
        };
        self.directory.create_api_key(key, self.by()).await.unwrap();
        fresh.text().to_owned()
    }

    /// Somebody at the command line, now.
    pub(crate) fn by(&self) -> narthex_directory::By {
        narthex_directory::By {
            actor: narthex_directory::Actor::CommandLine(None),
            at_ms: self.clock.now_ms(),
        }
    }

    /// Uses a token of the issuer `idp` in the realm `main` with these tags; the token's text is the external id.
    pub(crate) async fn sign_in(&self, external_id: &str, tags: &[&str]) -> Arc<Principal> {
        let desired = Desired {
            realm: Realm::new("main").unwrap(),
            issuer: IssuerName::new("idp").unwrap(),
            user: DesiredUser {
                external_id: ExternalId::new(external_id).unwrap(),
                username: Some(Username::new(external_id).unwrap()),
                profile: narthex_directory::Profile {
                    email: Some(format!("{external_id}@example.com")),
                    ..narthex_directory::Profile::default()
                },
            },
            organization: None,
            team: None,
            each: None,
            context: serde_json::Map::new(),
            tags: DesiredTags::Exactly(tags.iter().map(ToString::to_string).collect()),
            pattern_tags: Vec::new(),
            issued_at_ms: Some(self.next_issued_at_ms()),
            provider_session: narthex_directory::ProviderSession::default(),
            token: TokenFingerprint {
                jti: Some("jti-1".to_owned()),
                sha256_prefix: Some("00ff".repeat(8)),
            },
        };
        let policy = policy("platform-admins");
        let mut ids = *self.ids.lock().unwrap();
        let synced = {
            let issuers = ActiveIssuers::default();
            sync(
                &*self.directory,
                &desired,
                &policy,
                &issuers,
                self.clock.now_ms(),
                &mut ids,
            )
            .await
            .unwrap()
        };
        *self.ids.lock().unwrap() = ids;
        let principals = &self.gateway.principals;
        principals
            .lock()
            .unwrap()
            .insert(external_id.to_owned(), Arc::clone(&synced.principal));
        synced.principal
    }

    /// Each token is newer than those before, although the clock stands still.
    fn next_issued_at_ms(&self) -> i64 {
        let mut last = self.last_issued_at_ms.lock().unwrap();
        *last = self.clock.now_ms().max(*last + 1);
        *last
    }

    /// Sends any request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response: Response<Body> = TowerToHyperService::new(self.router.clone())
            .call(request)
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Reply {
            status: parts.status,
            headers: parts.headers,
            bytes,
        }
    }

    /// Calls an operation under `/api/v1` with the platform admin's key and these headers.
    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.admin));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    /// Calls an operation with the platform admin's key.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.call_with(method, path, body, &[]).await
    }

    /// Calls an operation with another key or token.
    pub(crate) async fn call_as(&self, bearer: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.call_with(method, path, body, &[("authorization", &format!("Bearer {bearer}"))])
            .await
    }

    /// Reads something that must be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).await.expect(200)
    }

    /// From now on there is an issuer with this realm too.
    pub(crate) fn add_realm(&self, realm: &'static str) {
        self.gateway.realms.lock().unwrap().push(realm);
    }

    /// Makes something that must succeed.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, Some(body)).await.expect(201)
    }
}

impl Reply {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// A header's text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body, which must have this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        if self.bytes.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// The detail of the problem document, which must have this status and reason.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, reason: &str) -> String {
        let body = self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(body["reason"], reason, "{body}");
        assert_eq!(body["status"], status);
        assert_eq!(body["request_id"], self.header("x-narthex-request-id"));
        assert_eq!(body["type"], format!("urn:narthex:reason:{reason}"));
        assert!(!body["title"].as_str().unwrap().is_empty());
        body["detail"].as_str().unwrap().to_owned()
    }
}

/// The policy of an issuer with these tags that make platform admins.
fn policy(platform_admin: &str) -> SyncPolicy {
    SyncPolicy {
        platform_admin_tags: TagList::parse(platform_admin).unwrap(),
        ..SyncPolicy::default()
    }
}

impl TestGateway {
    /// From now on the one issuer in force is this one, of the realm `main`, with these tags that make platform admins.
    pub(crate) fn in_force(&self, issuer: &str, platform_admin: &str) {
        let mut in_force = ActiveIssuers::default();
        let (issuer, realm) = (IssuerName::new(issuer).unwrap(), Realm::new("main").unwrap());
        in_force.add(issuer, realm, &policy(platform_admin));
        *self.in_force.lock().unwrap() = Arc::new(in_force);
    }
}

#[async_trait]
impl GatewayApi for TestGateway {
    async fn authenticate(&self, token: &str, _: &HeaderMap) -> Result<TokenHolder, Refusal> {
        let principals = self.principals.lock().unwrap();
        let principal = principals.get(token).cloned();
        Ok(TokenHolder {
            issuer: IssuerName::new("idp").unwrap(),
            principal: principal.ok_or(Refusal::new(Reason::TokenSignature))?,
        })
    }

    fn context(&self, principal: &Principal) -> serde_json::Map<String, serde_json::Value> {
        principal.context().clone()
    }

    fn realms(&self) -> Vec<Realm> {
        self.realms
            .lock()
            .unwrap()
            .iter()
            .map(|realm| Realm::new(*realm).unwrap())
            .collect()
    }

    fn active_issuers(&self) -> Arc<ActiveIssuers> {
        Arc::clone(&self.in_force.lock().unwrap())
    }

    fn run_time_issuers(&self) -> Option<Arc<RunTimeIssuers>> {
        Some(Arc::clone(&self.run_time))
    }

    fn issuers(&self) -> Vec<IssuerSummary> {
        let issuer = |name: &str| IssuerSummary {
            name: name.to_owned(),
            issuer: Some(format!("https://{name}.example")),
            aliases: Vec::new(),
            realm: "main".to_owned(),
            enabled: true,
            algorithms: vec!["RS256".to_owned()],
            audiences: vec!["narthex".to_owned()],
            provision: "create".to_owned(),
            mode: "enforce".to_owned(),
            provenance: IssuerProvenance::File,
            organization: None,
            key_health: health(name),
        };
        vec![issuer("idp"), issuer("corporate")]
    }

    fn platform_tags(&self) -> Vec<PlatformTags> {
        let of = |(issuer, realm): (&str, &str)| PlatformTags {
            issuer: issuer.to_owned(),
            realm: Realm::new(realm).unwrap(),
            tags: TagList::parse("platform-admins").unwrap(),
        };
        [("idp", "main"), ("corporate", "two")].map(of).into()
    }

    fn keys(&self, issuer: &str) -> Option<IssuerHealth> {
        (issuer == "idp").then(|| health(issuer))
    }

    fn refusals(&self, issuer: &str) -> Option<Vec<IssuerRefusal>> {
        let refusal = IssuerRefusal {
            at_ms: 1_700_000_000_000,
            request_id: "r1".to_owned(),
            door: Door::Proxy,
            stage: RefusalStage::Token,
            reason: Reason::TokenClaimMissing,
            problem: Some("the token lacks the claim `aud`".to_owned()),
        };
        (issuer == "idp").then(|| vec![refusal])
    }

    fn sign_in_issuers(&self) -> Vec<String> {
        Vec::new()
    }

    async fn begin_sign_in(
        &self,
        _: narthex_admin::ops::SignInBegin<'_>,
    ) -> Result<narthex_admin::ops::SignInBegun, Refusal> {
        Err(Refusal::new(Reason::SignInRefused))
    }

    async fn complete_sign_in(
        &self,
        _: narthex_admin::ops::SignInAnswer<'_>,
    ) -> Result<narthex_admin::ops::SignInCompleted, Refusal> {
        Err(Refusal::new(Reason::SignInRefused))
    }

    async fn authenticate_session(
        &self,
        _: narthex_directory::StandingSession,
        _: &HeaderMap,
    ) -> Result<Option<TokenHolder>, Refusal> {
        Ok(None)
    }

    fn session_limits(&self) -> narthex_admin::ops::sessions::SessionLimits {
        narthex_admin::ops::sessions::SessionLimits {
            idle_ms: 3_600_000,
            max_ms: 12 * 3_600_000,
        }
    }

    fn connections(&self) -> Arc<ConnectionSettings> {
        Arc::clone(&self.connections.lock().unwrap())
    }

    async fn refresh(&self, issuer: &str) -> Result<IssuerHealth, RefreshRefusal> {
        match issuer {
            "idp" if self.refreshed.lock().unwrap().is_empty() => {
                self.refreshed.lock().unwrap().push(issuer.to_owned());
                Ok(health(issuer))
            }
            "idp" => Err(RefreshRefusal::TooSoon),
            "corporate" => Err(RefreshRefusal::NothingToFetch),
            _ => Err(RefreshRefusal::UnknownIssuer),
        }
    }

    fn tag_rules(&self, issuer: &str) -> Option<IssuerTagRules> {
        let issuer = IssuerName::new(issuer).ok()?;
        let platform = self
            .platform_tags()
            .into_iter()
            .find(|tags| tags.issuer == issuer.as_str())?;
        Some(IssuerTagRules {
            issuer,
            realm: platform.realm,
            platform_admin: platform.tags,
            patterns: TagPatterns::default(),
        })
    }

    fn decisions(&self, step: Step, from_ms: i64, _: i64) -> Vec<Bucket> {
        let mut bucket = Bucket {
            at_ms: from_ms + step.ms(),
            ..Bucket::default()
        };
        for (reason, count) in [(None, 90), (Some("token.expired"), 7), (Some("keys.unavailable"), 3)] {
            let counted = Counted {
                reason,
                route: Some("/v1/{*rest}".into()),
                issuer: Some("idp".into()),
            };
            bucket.counts.insert(counted, count);
        }
        vec![bucket]
    }

    fn routes(&self) -> Vec<RouteSummary> {
        let route = |index| RouteSummary {
            index,
            paths: vec![format!("/v{index}/{{organization}}")],
            methods: vec!["POST".to_owned()],
            hosts: Vec::new(),
            require: vec!["organization:member".to_owned()],
            upstream: None,
            audience: "https://app.example".to_owned(),
        };
        (0..12).map(route).collect()
    }

    async fn explain(&self, token: TokenToExplain) -> Result<Explanation, Refusal> {
        self.explained.lock().unwrap().push(token);
        let row = |value: Value| IdentityRow {
            field: "username".to_owned(),
            template: "{{claims.sub}}".to_owned(),
            gave: Some(value.clone()),
            outcome: "taken",
            value: Some(value),
            problem: None,
        };
        let values = [
            json!("ada"),
            json!(["staff"]),
            json!({"plan": "gold"}),
            json!(7),
            json!(true),
        ];
        Ok(Explanation {
            identity: values.map(row).into(),
            ..Explanation::default()
        })
    }
}

fn health(issuer: &str) -> IssuerHealth {
    let key = KeyLine {
        kid: Some("one".to_owned()),
        identity: "00".to_owned(),
        kind: "RSA 2048".to_owned(),
        algorithms: vec!["RS256".to_owned()],
        first_seen_at: Some(Moment(NOW_MS)),
        last_seen_at: Some(Moment(NOW_MS)),
        present: true,
    };
    IssuerHealth {
        issuer: issuer.to_owned(),
        source: SourceKind::JwksUrl,
        location: Some(format!("https://{issuer}.example/jwks.json")),
        serving: true,
        keys: vec![key],
        usable_count: 1,
        refused: vec![RefusedLine {
            position: 1,
            kid: None,
            why: "its modulus is too small".to_owned(),
        }],
        fetched_at: Some(Moment(NOW_MS)),
        age_seconds: Some(0),
        fresh_until: Some(Moment(NOW_MS + 600_000)),
        usable_until: Some(Moment(NOW_MS + 4_200_000)),
        next_refresh_at: Some(Moment(NOW_MS + 600_000)),
        fetching: false,
        failures_in_a_row: 0,
        last_error: None,
        unknown_keys: 0,
        epoch: 0,
    }
}
