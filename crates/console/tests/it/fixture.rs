//! A console over a memory store with a clock that stands still, and callers of every kind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use narthex_clock::Clock;
use narthex_console::{ConsoleOrigin, SessionSignIn, SignIn, router};
use narthex_decision::Reason;
use narthex_directory::{
    ActiveIssuers, CountingIds, Desired, DesiredTags, DesiredUser, Directory, Edit, ExternalId, IssuerName,
    Keyring as _, Organization, OrganizationId, OrganizationRole, PlatformRole, Principal, Profile, ProviderSession,
    Realm, ScopedRole, StoreError, SyncPolicy, TagList, TagPatterns, TokenFingerprint, Username, sync,
};
use narthex_engine::{Bucket, ConnectionSettings, Counted, Refusal, Step};
use narthex_explain::Explanation;
use narthex_fetch::keys::{IssuerHealth, SourceKind};
use narthex_memory::MemoryDirectory;
use narthex_ops::api_keys::FreshApiKey;
use narthex_ops::issuer_tags::IssuerTagRules;
use narthex_ops::organizations::{self, NewOrganization, TagChange, TagsInput};
use narthex_ops::sessions::{SessionLimits, create_link};
use narthex_ops::{
    Caller, GatewayApi, IssuerProvenance, IssuerSummary, OpError, Operations, PlatformTags, RefreshRefusal,
    RouteSummary, TokenHolder, TokenToExplain,
};
use narthex_session::{SealingKey, SealingKeys};
use tower_service::Service as _;
use url::form_urlencoded::Serializer;

/// Fields of a form, each with its value.
pub(crate) type Fields<'f> = &'f [(&'f str, &'f str)];

/// 2023-11-14T22:13:20Z
pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// Header that carries the credential of a test's browser.
const CREDENTIAL: &str = "x-credential";

/// A console, and the callers that visit it.
pub(crate) struct Fixture {
    pub(crate) directory: Arc<MemoryDirectory>,
    pub(crate) operations: Arc<Operations>,
    gateway: Arc<TestGateway>,
    sign_in: Arc<TestSignIn>,
    router: Router,
    /// The same console, with the sessions of the directory.
    with_sessions: Router,
    clock: Clock,
    /// API key of a platform admin.
    pub(crate) admin: String,
    /// API key of a platform viewer.
    pub(crate) viewer: String,
    ids: Mutex<CountingIds>,
}

/// Sign-in by a header that holds an API key or a token.
struct TestSignIn {
    operations: Arc<Operations>,
    fails: Mutex<bool>,
}

#[async_trait]
impl SignIn for TestSignIn {
    async fn caller(&self, request: &Parts) -> Result<Option<Caller>, OpError> {
        if *self.fails.lock().unwrap() {
            return Err(StoreError::Unavailable("disk of node 7".to_owned()).into());
        }
        let Some(credential) = request.headers.get(CREDENTIAL) else {
            return Ok(None);
        };
        let credential = credential.to_str().unwrap();
        Ok(Some(self.operations.authenticate(credential, &request.headers).await?))
    }

    fn address(&self, _: &Parts, back: &str) -> String {
        let mut query = Serializer::new(String::new());
        format!("/sign-in?{}", query.append_pair("back", back).finish())
    }

    fn sign_out_address(&self) -> Option<&str> {
        Some("/sign-out")
    }
}

/// Answer of the console.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// Text of a header; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The page, which must have this status.
    #[track_caller]
    pub(crate) fn page(&self, status: u16) -> &str {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "text/html; charset=utf-8");
        &self.text
    }

    /// The address that it leads to.
    #[track_caller]
    pub(crate) fn leads_to(&self) -> &str {
        assert_eq!(self.status.as_u16(), 303, "{}", self.text);
        self.header("location")
    }

    /// Checks that the page, which must have this status, has all these texts.
    #[track_caller]
    pub(crate) fn shows(&self, status: u16, texts: &[&str]) {
        let page = self.page(status);
        for text in texts {
            assert!(page.contains(text), "no `{text}` in {page}");
        }
    }

    /// The value of a hidden field.
    #[track_caller]
    pub(crate) fn hidden(&self, name: &str) -> String {
        let start = format!(r#"<input type="hidden" name="{name}" value=""#);
        let (_, rest) = self
            .text
            .split_once(&start)
            .unwrap_or_else(|| panic!("no {name}: {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Fixture {
    /// An empty directory, one realm `main`, and keys of a platform admin and a platform viewer.
    pub(crate) async fn new() -> Self {
        let directory = Arc::new(MemoryDirectory::default());
        let key = SealingKey::parse(
            "5a".repeat(31)
                .as_bytes()
                .iter()
                .chain(b"5b")
                .copied()
                .collect::<Vec<u8>>()
                .as_slice(),
        );
        let gateway = Arc::new(TestGateway {
            connections: Arc::new(ConnectionSettings {
                sealing: Some(Arc::new(SealingKeys::new(key.unwrap(), None))),
                ..ConnectionSettings::default()
            }),
            ..TestGateway::default()
        });
        gateway.trust_idp();
        let clock = Clock::manual(NOW_MS);
        let operations = Operations::new(
            Arc::clone(&directory) as Arc<dyn Directory>,
            Arc::clone(&gateway) as Arc<dyn GatewayApi>,
            clock.clone(),
        );
        let sign_in = Arc::new(TestSignIn {
            operations: Arc::clone(&operations),
            fails: Mutex::new(false),
        });
        let router = router(
            Arc::clone(&operations),
            Arc::clone(&sign_in) as Arc<dyn SignIn>,
            ConsoleOrigin::loopback(),
        );
        let with_sessions = narthex_console::router(
            Arc::clone(&operations),
            Arc::new(SessionSignIn::new(Arc::clone(&operations))),
            ConsoleOrigin::new("https://narthex.example.com").unwrap(),
        );
        let mut fixture = Self {
            directory,
            operations,
            gateway,
            sign_in,
            router,
            with_sessions,
            clock,
            admin: String::new(),
            viewer: String::new(),
            ids: Mutex::new(CountingIds(1_000_000)),
        };
        fixture.admin = fixture.key(ScopedRole::Platform(PlatformRole::Admin)).await;
        fixture.viewer = fixture.key(ScopedRole::Platform(PlatformRole::Viewer)).await;
        fixture
    }

    /// From now on sessions cannot be read.
    pub(crate) fn fail(&self) {
        *self.sign_in.fails.lock().unwrap() = true;
    }

    /// A new API key with this role.
    pub(crate) async fn key(&self, role: ScopedRole) -> String {
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
        let by = narthex_directory::By {
            actor: narthex_directory::Actor::CommandLine(None),
            at_ms: NOW_MS,
        };
        self.directory.create_api_key(key, by).await.unwrap();
        fresh.text().to_owned()
    }

    /// A new API key of an admin of this organization.
    pub(crate) async fn admin_of(&self, organization: OrganizationId) -> String {
        self.key(ScopedRole::Organization(organization, OrganizationRole::Admin))
            .await
    }

    /// Uses a token of the issuer `idp` with these tags. The token's text, its external id and its username are the same.
    pub(crate) async fn token(&self, external_id: &str, name: Option<&str>, tags: &[&str]) -> Arc<Principal> {
        let now_ms = self.clock.now_ms();
        let desired = Desired {
            realm: Realm::new("main").unwrap(),
            issuer: IssuerName::new("idp").unwrap(),
            user: DesiredUser {
                external_id: ExternalId::new(external_id).unwrap(),
                username: Some(Username::new(external_id).unwrap()),
                profile: Profile {
                    email: Some(format!("{external_id}@example.com")),
                    name: name.map(str::to_owned),
                    ..Profile::default()
                },
            },
            organization: None,
            team: None,
            each: None,
            context: serde_json::Map::new(),
            tags: DesiredTags::Exactly(tags.iter().map(ToString::to_string).collect()),
            pattern_tags: Vec::new(),
            issued_at_ms: Some(now_ms),
            provider_session: ProviderSession::default(),
            token: TokenFingerprint {
                jti: Some("jti-1".to_owned()),
                sha256_prefix: Some("00ff".repeat(8)),
            },
        };
        let mut ids = *self.ids.lock().unwrap();
        let issuers = ActiveIssuers::default();
        let synced = sync(&*self.directory, &desired, &policy(), &issuers, now_ms, &mut ids).await;
        *self.ids.lock().unwrap() = ids;
        let principal = synced.unwrap().principal;
        let known = Arc::clone(&principal);
        self.gateway
            .principals
            .lock()
            .unwrap()
            .insert(external_id.to_owned(), known);
        principal
    }

    /// A new organization with these tags of admins and members.
    pub(crate) async fn organization(&self, name: &str, label: &str, tags: [&str; 2]) -> Organization {
        let caller = self
            .operations
            .authenticate(&self.admin, &HeaderMap::new())
            .await
            .unwrap();
        let [admin, member] = tags.map(|text| Edit::Set(TagsInput::Text(text.to_owned())));
        let new = NewOrganization {
            name: name.to_owned(),
            label: Some(label.to_owned()),
            tags: TagChange {
                admin,
                member,
                executor: Edit::Keep,
            },
            ..NewOrganization::default()
        };
        organizations::create(&caller, new).await.unwrap()
    }

    /// A one-time sign-in link: its code.
    pub(crate) async fn link(&self) -> String {
        let (directory, keys) = (&*self.directory, self.gateway.connections.sealing.as_deref().unwrap());
        let secret = create_link(directory, keys, "alice (uid 1000)", 20, self.clock.now_ms()).await;
        secret.unwrap().as_str().to_owned()
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, milliseconds: i64) {
        self.clock.advance(milliseconds);
    }

    /// Sends a request of a browser to the console with sessions.
    pub(crate) async fn browse(&self, request: Request<Body>) -> Reply {
        reply(self.with_sessions.clone().call(request).await.unwrap()).await
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        reply(self.router.clone().call(request).await.unwrap()).await
    }

    /// Sends a request. Returns the media type and the bytes of the answer.
    pub(crate) async fn bytes(&self, request: Request<Body>) -> (String, Vec<u8>) {
        let response = self.router.clone().call(request).await.unwrap();
        let media_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (media_type, bytes.to_vec())
    }

    /// Opens a page with this credential.
    pub(crate) async fn get(&self, credential: &str, address: &str) -> Reply {
        let request = Request::builder()
            .uri(address)
            .header(header::HOST, "localhost:9001")
            .header(CREDENTIAL, credential);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form of the console with this credential.
    pub(crate) async fn post(&self, credential: &str, address: &str, fields: &[(&str, &str)]) -> Reply {
        let headers = [("sec-fetch-site", "same-origin"), ("origin", "null")];
        self.post_with(credential, address, fields, &headers).await
    }

    /// Sends a form with these headers.
    pub(crate) async fn post_with(
        &self,
        credential: &str,
        address: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Reply {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = Request::builder()
            .method("POST")
            .uri(address)
            .header(header::HOST, "localhost:9001")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(CREDENTIAL, credential);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }
}

async fn reply(response: axum::response::Response) -> Reply {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Reply {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

/// The policy of an issuer whose tag `platform-admins` makes platform admins.
fn policy() -> SyncPolicy {
    SyncPolicy {
        platform_admin_tags: TagList::parse("platform-admins").unwrap(),
        ..SyncPolicy::default()
    }
}

/// The rest of the gateway, as the tests want it.
#[derive(Default)]
struct TestGateway {
    principals: Mutex<HashMap<String, Arc<Principal>>>,
    in_force: Mutex<Arc<ActiveIssuers>>,
    connections: Arc<ConnectionSettings>,
}

impl TestGateway {
    /// The one issuer in force is `idp` of the realm `main`.
    fn trust_idp(&self) {
        let mut in_force = ActiveIssuers::default();
        let (issuer, realm) = (IssuerName::new("idp").unwrap(), Realm::new("main").unwrap());
        in_force.add(issuer, realm, &policy());
        *self.in_force.lock().unwrap() = Arc::new(in_force);
    }
}

#[async_trait]
impl GatewayApi for TestGateway {
    async fn authenticate(&self, token: &str, _: &HeaderMap) -> Result<TokenHolder, Refusal> {
        let principal = self.principals.lock().unwrap().get(token).cloned();
        Ok(TokenHolder {
            issuer: IssuerName::new("idp").unwrap(),
            principal: principal.ok_or(Refusal::new(Reason::TokenSignature))?,
        })
    }

    fn context(&self, principal: &Principal) -> serde_json::Map<String, serde_json::Value> {
        principal.context().clone()
    }

    fn realms(&self) -> Vec<Realm> {
        vec![Realm::new("main").unwrap()]
    }

    fn active_issuers(&self) -> Arc<ActiveIssuers> {
        Arc::clone(&self.in_force.lock().unwrap())
    }

    fn issuers(&self) -> Vec<IssuerSummary> {
        vec![IssuerSummary {
            name: "idp".to_owned(),
            issuer: Some("https://idp.example".to_owned()),
            aliases: Vec::new(),
            realm: "main".to_owned(),
            enabled: true,
            algorithms: vec!["RS256".to_owned()],
            audiences: vec!["narthex".to_owned()],
            provision: "create".to_owned(),
            mode: "enforce".to_owned(),
            provenance: IssuerProvenance::File,
            organization: None,
            key_health: health(),
        }]
    }

    fn platform_tags(&self) -> Vec<PlatformTags> {
        vec![PlatformTags {
            issuer: "idp".to_owned(),
            realm: Realm::new("main").unwrap(),
            tags: policy().platform_admin_tags,
        }]
    }

    fn keys(&self, issuer: &str) -> Option<IssuerHealth> {
        (issuer == "idp").then(health)
    }

    fn refusals(&self, issuer: &str) -> Option<Vec<narthex_engine::issuer_refusals::IssuerRefusal>> {
        (issuer == "idp").then(Vec::new)
    }

    fn sign_in_issuers(&self) -> Vec<String> {
        Vec::new()
    }

    async fn begin_sign_in(&self, _: narthex_ops::SignInBegin<'_>) -> Result<narthex_ops::SignInBegun, Refusal> {
        Err(Refusal::new(Reason::SignInRefused))
    }

    async fn complete_sign_in(
        &self,
        _: narthex_ops::SignInAnswer<'_>,
    ) -> Result<narthex_ops::SignInCompleted, Refusal> {
        Err(Refusal::new(Reason::SignInRefused))
    }

    async fn authenticate_session(
        &self,
        _: narthex_directory::StandingSession,
        _: &HeaderMap,
    ) -> Result<Option<TokenHolder>, Refusal> {
        Ok(None)
    }

    fn session_limits(&self) -> SessionLimits {
        SessionLimits {
            idle_ms: 3_600_000,
            max_ms: 12 * 3_600_000,
        }
    }

    fn connections(&self) -> Arc<ConnectionSettings> {
        Arc::clone(&self.connections)
    }

    async fn refresh(&self, _: &str) -> Result<IssuerHealth, RefreshRefusal> {
        Err(RefreshRefusal::NothingToFetch)
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
        Vec::new()
    }

    async fn explain(&self, _: TokenToExplain) -> Result<Explanation, Refusal> {
        Ok(Explanation::default())
    }
}

fn health() -> IssuerHealth {
    IssuerHealth {
        issuer: "idp".to_owned(),
        source: SourceKind::JwksUrl,
        location: None,
        serving: true,
        keys: Vec::new(),
        usable_count: 1,
        refused: Vec::new(),
        fetched_at: None,
        age_seconds: None,
        fresh_until: None,
        usable_until: None,
        next_refresh_at: None,
        fetching: false,
        failures_in_a_row: 0,
        last_error: None,
        unknown_keys: 0,
        epoch: 0,
    }
}
