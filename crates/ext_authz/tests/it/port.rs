//! The port, with two routes: `/public/{*rest}` for everyone, `/guarded` for users.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use narthex_clock::Clock;
use narthex_decision::{AnswerHeaders, OwnedHeaders, Requirement, RouteSpec, Routes};
use narthex_engine::{
    Engine, EngineSettings, KeptScopes, KeptTags, Load, LoginUse, MethodOverride, Metrics, RouteRuntime, Runtime,
    SignInSettings, StreamLimits, TokenFrom, TokenPlaces, TrustedProxies,
};
use narthex_ext_authz::serve_ext_authz;
use narthex_listener::ServerSettings;
use narthex_memory::MemoryDirectory;
use narthex_token::{Issuers, Limits};
use tokio::net::TcpListener;

/// Trust of the port in its clients on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loopback {
    Trusted,
    Untrusted,
}

fn runtime(loopback: Loopback) -> Runtime {
    let spec = |path: &str, require| RouteSpec {
        paths: vec![path.to_owned()],
        require: vec![require],
        ..RouteSpec::default()
    };
    let routes = Routes::compile(vec![
        spec("/public/{*rest}", Requirement::Public),
        spec("/guarded", Requirement::Authenticated),
    ]);
    let settings = || RouteRuntime {
        upstream: None,
        audience: "application".to_owned(),
        token_from: TokenFrom::Issuers(TokenPlaces::default()),
        headers: Vec::new(),
        limits: StreamLimits {
            idle: Duration::from_secs(1),
            body_bytes: 1_000,
            body_grace: Duration::ZERO,
        },
        cors_origins: Vec::new(),
        load: Arc::new(Load::default()),
        method_override: MethodOverride::Refuse,
        login: LoginUse::Off,
    };
    let proxies = match loopback {
        Loopback::Trusted => vec!["127.0.0.0/8".parse().unwrap()],
        Loopback::Untrusted => Vec::new(),
    };
    let owned_headers = OwnedHeaders::default();
    Runtime {
        generation: 1,
        issuers: Issuers::new(Vec::new()).unwrap(),
        by_name: HashMap::new(),
        active_issuers: Arc::default(),
        routes: routes.unwrap(),
        route_settings: vec![settings(), settings()],
        places: TokenPlaces::default(),
        rate: None,
        access_log: false,
        upstream_requests_max: 10,
        trusted_proxies: TrustedProxies(proxies),
        connections: Arc::default(),
        token_limits: Limits::default(),
        kept_tags: KeptTags::Listed(HashSet::new()),
        answer_headers: AnswerHeaders::new([], &owned_headers),
        owned_headers: Arc::new(owned_headers),
        context_properties: HashMap::new(),
        dpop_nonces: None,
        kept_scopes: KeptScopes::default(),
        sign_in: SignInSettings::default(),
    }
}

/// Opens a port: its address, and the engine behind it.
pub(crate) async fn open(loopback: Loopback) -> (SocketAddr, Arc<Engine>) {
    let engine = Engine::new(
        EngineSettings::default(),
        Clock::system(),
        Arc::new(MemoryDirectory::default()),
        runtime(loopback),
        Arc::new(Metrics::new()),
    );
    let engine = engine.await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::clone(&engine);
    tokio::spawn(async move {
        serve_ext_authz(served, listener, ServerSettings::default(), std::future::pending()).await;
    });
    (address, engine)
}
