//! `narthex serve`: the configuration, the store and the doors, wired together and kept running.

mod audit_chain;
mod audit_file;
mod console;
mod descriptors;
mod issuers;
mod legible;
mod reload;
mod webhooks;

use std::io::{ErrorKind, IsTerminal as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use narthex_admin::api::FreshApiKey;
use narthex_admin::ops::settings::StoreFacts;
use narthex_admin_port::{AdminServices, serve_admin};
use narthex_clock::{Clock, NewIds};
use narthex_directory::{ApiKey, ApiKeyId, By, Directory, PlatformRole, ScopedRole};
use narthex_engine::{ACCESS_TARGET, AssertionSettings, Engine, EngineSettings, Metrics, TRACE_TARGET, WebOrigin};
use narthex_ext_authz::serve_ext_authz;
use narthex_fetch::DirectoryKeySetStore;
use narthex_fetch::keys::{FetchObserver, KeyEdges};
use narthex_gateway::{Gateway, serve};
use narthex_listener::tls::PortTls;
use narthex_listener::{ServerSettings, Workers};
use narthex_store::{Options, PostgresDirectory, SqliteDirectory};
use narthex_telemetry::Traces;
use narthex_upstream::ConnectorSettings;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::args::ServeArgs;
use crate::assemble;
use crate::system_user;
pub(crate) use console::{console_address, link_address};
use descriptors::DescriptorShares;
use issuers::IssuerSources;
use legible::{Form, Legible};
use narthex_config::{
    Audit, Config, EndMark, LogFormat, LogLevel, Paint, Reading, RestartSettings, StoreLocation, Webhook,
};
use reload::{PortCertificates, Reload};

/// Amount of logging on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logging {
    /// Level and format of `[log]`.
    Configured,
    /// Warnings and worse: for the demo, whose output is for reading.
    Quiet,
}

/// `narthex serve`.
///
/// # Errors
///
/// What stopped the start.
pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let path = args.config.path;
    let running = start(narthex_config::read(&path)?, Logging::Configured).await?;
    running.offer_first_sign_in().await?;
    running.until_stopped(Some(path)).await
}

/// A gateway with everything it needs, not yet serving.
#[derive(Debug)]
pub(crate) struct Running {
    gateway: Arc<Gateway>,
    issuers: Arc<IssuerSources>,
    public: TcpListener,
    admin: TcpListener,
    ext_authz: Option<TcpListener>,
    server: ServerSettings,
    admin_server: ServerSettings,
    console_origin: Option<WebOrigin>,
    /// Address at which browsers reach the console.
    console: String,
    watched: Vec<PathBuf>,
    restart_settings: RestartSettings,
    end_mark: EndMark,
    traces: Option<Traces>,
    webhook: Webhook,
    store: StoreFacts,
    audit: Audit,
}

/// Opens the store, takes the configuration into use and binds both ports.
///
/// # Errors
///
/// Everything that is wrong with the configuration, or what stopped the start.
pub(crate) async fn start(reading: Reading, logging: Logging) -> anyhow::Result<Running> {
    let end_mark = reading.end_mark();
    let mut config = usable(reading)?;
    let traces = traces(&config)?;
    log(&config, logging, traces.as_ref());
    let shares = shares(&config);
    let clock = Clock::system();
    let directory = open(&config.store, Purpose::Serve).await?;
    let metrics = Arc::new(Metrics::new());
    let edges = KeyEdges {
        store: Some(Arc::new(DirectoryKeySetStore(Arc::<dyn Directory>::clone(&directory)))),
        observer: Some(Arc::clone(&metrics) as Arc<dyn FetchObserver>),
        ..KeyEdges::new(clock.clone())
    };
    let organizations = std::mem::take(&mut config.organizations);
    let declaring = "while declaring the organizations of the configuration";
    assemble::declare(&organizations, &*directory, &clock)
        .await
        .context(declaring)?;
    assemble::set_logos(organizations, &*directory, &clock)
        .await
        .context(declaring)?;
    let file = assemble::runtime(&mut config, None, &edges, 1);
    let issuers = Arc::new(IssuerSources::new(file, config.limits.clone(), edges));
    let mut base = issuers.lock().await;
    let built = issuers
        .build(&mut base, &*directory, None, 1)
        .await
        .context("while reading the issuers made at run time")?;
    let engine = Engine::new(settings(&config), clock, directory, built.runtime, metrics).await?;
    issuers.publish(built.states, &base);
    drop(base);
    let gateway = Gateway::new(engine, upstreams(&config, shares))?;
    let store = store_facts(&config.store);
    let public = listen("listen.public", config.listen.public).await?;
    let admin = listen("listen.admin", config.listen.admin).await?;
    let console = console_address(&config, admin.local_addr()?.port());
    let ext_authz = match config.listen.ext_authz {
        Some(address) => Some(listen("listen.ext_authz", address).await?),
        None => None,
    };
    Ok(Running {
        gateway,
        issuers,
        public,
        admin,
        ext_authz,
        server: ServerSettings {
            tls: config.listen.public_tls.clone().map(PortTls::new),
            proxy_protocol_from: config.listen.proxy_protocol_from.clone(),
            ..server(&config, shares.connections)
        },
        admin_server: ServerSettings {
            tls: config.listen.admin_tls.clone().map(PortTls::new),
            ..server(&config, shares.admin)
        },
        restart_settings: RestartSettings::of(&config),
        console,
        console_origin: config.console_origin,
        watched: config.watched,
        end_mark,
        traces,
        webhook: config.webhook,
        store,
        audit: config.audit,
    })
}

/// Facts of a store for the page and the API that show this installation. An address of a database is not among them.
fn store_facts(location: &StoreLocation) -> StoreFacts {
    match location {
        StoreLocation::Sqlite(path) => StoreFacts {
            kind: "sqlite",
            file: Some(path.clone()),
        },
        StoreLocation::Postgres(_) => StoreFacts {
            kind: "postgresql",
            file: None,
        },
    }
}

/// Settings of a port of plain connections that may have so many of them.
fn server(config: &Config, connections: u64) -> ServerSettings {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let quarter = (connections / 4).max(1);
    ServerSettings {
        head_bytes: count(config.limits.header_bytes),
        head_timeout: config.limits.header_timeout,
        connections: count(connections),
        connections_per_client: count(config.limits.connections_per_client.unwrap_or(quarter)),
        grace: config.listen.shutdown_grace,
        ..ServerSettings::default()
    }
}

/// Divides the process's file descriptors. Logs a warning if there are too few.
fn shares(config: &Config) -> DescriptorShares {
    let wanted = config.limits.connections;
    let store = match &config.store {
        StoreLocation::Sqlite(_) => 16,
        StoreLocation::Postgres(options) => u64::try_from(options.connections()).unwrap_or(u64::MAX) + 1,
    };
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let descriptors = descriptors::raise();
    let shares = DescriptorShares::of(descriptors, wanted, store, threads);
    if shares.connections < wanted {
        let (descriptors, connections) = (descriptors.unwrap_or(u64::MAX), shares.connections);
        tracing::warn!(
            event = "connections_fitted",
            descriptors,
            wanted,
            connections,
            "there are too few file descriptors for `limits.connections`; raise the hard limit (`ulimit -Hn`, \
             `LimitNOFILE`), or lower the key"
        );
    }
    shares
}

async fn listen(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            ErrorKind::AddrInUse => {
                "the address is in use; end the process that listens there, or choose another port".to_owned()
            }
            ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
            ErrorKind::PermissionDenied => {
                "permission denied; ports below 1024 need root or the capability `CAP_NET_BIND_SERVICE`".to_owned()
            }
            _ => error.to_string(),
        };
        anyhow::anyhow!("cannot listen on {address} (`{key}`): {why}")
    })
}

/// The configuration, or everything that is wrong with it.
pub(crate) fn usable(reading: Reading) -> anyhow::Result<Config> {
    reading
        .into_config(Paint::of_stderr())
        .map_err(|report| anyhow::anyhow!("the configuration cannot be used\n\n{report}"))
}

/// Purpose for which a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Serving: a second server on one file is refused.
    Serve,
    /// One command, which may run beside a server.
    Command,
}

/// Opens the store that the configuration names.
///
/// # Errors
///
/// What the store says, with its place.
pub(crate) async fn open(location: &StoreLocation, purpose: Purpose) -> anyhow::Result<Arc<dyn Directory>> {
    match location {
        StoreLocation::Sqlite(path) => {
            let options = match purpose {
                Purpose::Serve => Options::new(path).to_serve(),
                Purpose::Command => Options::new(path),
            };
            let directory = SqliteDirectory::open(&options)
                .with_context(|| format!("while opening the store `{}`", path.display()))?;
            Ok(Arc::new(directory))
        }
        StoreLocation::Postgres(options) => {
            let directory = PostgresDirectory::open(options)
                .await
                .with_context(|| format!("while opening the store `{options}`"))?;
            Ok(Arc::new(directory))
        }
    }
}

fn settings(config: &Config) -> EngineSettings {
    let milliseconds = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    EngineSettings {
        assertion: AssertionSettings {
            issuer: config.assertion.issuer.clone(),
            lifetime_seconds: milliseconds(config.assertion.lifetime) / 1000,
            rotation_ms: milliseconds(config.assertion.rotation),
        },
        offline_max: config.offline_max,
        token_cache_bytes: config.cache.token_bytes,
        account_cache_bytes: config.cache.account_bytes,
    }
}

fn upstreams(config: &Config, shares: DescriptorShares) -> ConnectorSettings {
    ConnectorSettings {
        connect_timeout: config.limits.connect_timeout,
        sockets: usize::try_from(shares.upstreams).unwrap_or(usize::MAX),
    }
}

/// The sender of traces, if the configuration names a collector.
fn traces(config: &Config) -> anyhow::Result<Option<Traces>> {
    let endpoint = config.telemetry.otlp_endpoint.as_deref();
    let start = |endpoint| Traces::start(endpoint, "narthex", env!("CARGO_PKG_VERSION"));
    Ok(endpoint.map(start).transpose()?)
}

fn log(config: &Config, logging: Logging, traces: Option<&Traces>) {
    let most = match logging {
        Logging::Configured => level(config.log.level),
        Logging::Quiet => LevelFilter::WARN,
    };
    let is_terminal = std::io::stderr().is_terminal();
    // Colours are for a screen; in a file or a journal they are noise.
    let form = match config.log.format {
        LogFormat::Json => Form::Json,
        LogFormat::Auto if !is_terminal => Form::Json,
        LogFormat::Auto | LogFormat::Text if is_terminal => Form::Colours,
        LogFormat::Auto | LogFormat::Text => Form::Text,
    };
    let wanted = Targets::new()
        .with_default(most)
        .with_target(ACCESS_TARGET, LevelFilter::INFO)
        // Spans are for traces; at any level they would stand in front of each line.
        .with_target(TRACE_TARGET, LevelFilter::OFF);
    let lines = fmt::layer()
        .with_writer(move || Legible::new(std::io::stderr(), form))
        .with_ansi(form == Form::Colours)
        .with_target(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match form {
        Form::Json => lines.json().flatten_event(true).boxed(),
        Form::Text | Form::Colours => lines.boxed(),
    };
    // A second start in one process (a test) keeps the first one's log.
    let _ = match traces {
        None => tracing_subscriber::registry().with(lines).with(wanted).try_init(),
        Some(traces) => tracing_subscriber::registry()
            .with(lines.with_filter(wanted))
            .with(traces.layer(TRACE_TARGET))
            .try_init(),
    };
}

const fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

impl Running {
    /// A new API key with the role of a platform admin.
    pub(crate) async fn make_api_key(&self, name: &str) -> anyhow::Result<String> {
        let fresh = FreshApiKey::new()?;
        let at_ms = self.gateway.engine.clock.now_ms();
        let key = ApiKey {
            id: ApiKeyId::new(at_ms, &mut NewIds::new()?),
            name: name.to_owned(),
            hash: fresh.hash(),
            role: ScopedRole::Platform(PlatformRole::Admin),
            created_at_ms: at_ms,
            expires_at_ms: None,
            revoked_at_ms: None,
            last_used_at_ms: None,
        };
        self.gateway
            .engine
            .directory
            .create_api_key(
                key,
                By {
                    actor: system_user::actor(),
                    at_ms,
                },
            )
            .await?;
        Ok(fresh.text().to_owned())
    }

    /// Serves until the process is told to stop. A configuration file is watched and read again when it, or a file that
    /// it names, changes, and on `SIGHUP`.
    pub(crate) async fn until_stopped(self, configuration: Option<PathBuf>) -> anyhow::Result<()> {
        let (stop, stopped) = watch::channel(false);
        let told = move || {
            let mut stopped = stopped.clone();
            async move {
                // A sender that is gone has nothing left to serve for.
                let _ = stopped.wait_for(|stop| *stop).await;
            }
        };
        let Self {
            gateway,
            issuers,
            public,
            admin,
            ext_authz,
            server,
            admin_server,
            console_origin,
            console: _,
            watched,
            restart_settings,
            end_mark,
            traces,
            webhook,
            store,
            audit,
        } = self;
        // They end last of all: what was begun for a connection may still be needed when all connections are gone.
        let workers = Workers::one_for_each_processor().context("starting the threads that serve connections")?;
        let workers = Arc::new(workers);
        tracing::info!(event = "started", public = %public.local_addr()?, admin = %admin.local_addr()?, "narthex is ready");
        let background = tokio::spawn(background(Arc::clone(&gateway), audit.clone(), Arc::clone(&issuers)));
        let sender = tokio::spawn(webhooks::send(Arc::clone(&gateway.engine), webhook, told()));
        let hangup = signal(SignalKind::hangup())?;
        let services = services(&gateway, console_origin.as_ref(), store, &audit, &issuers)?;
        let installation = services.operations.installation();
        let reload = configuration.map(|path| {
            let reload = Reload {
                path,
                installation,
                watched,
                engine: Arc::clone(&gateway.engine),
                ports: PortCertificates::of(&server, &admin_server),
                issuers: Arc::clone(&issuers),
                restart_settings,
                end_mark,
                waiting: Vec::new(),
            };
            tokio::spawn(reload.run(hangup))
        });
        let engine = Arc::clone(&gateway.engine);
        let envoy = tokio::spawn(serve_envoy(engine, ext_authz, admin_server.clone(), told()));
        let admin = (admin, admin_server);
        let admin = tokio::spawn(serve_admin(Arc::clone(&gateway.engine), services, admin, told()));
        let public = tokio::spawn(serve(
            Arc::clone(&gateway),
            public,
            server,
            Arc::clone(&workers),
            told(),
        ));
        wait_for_signal().await?;
        tracing::info!(event = "stopping", "finishing open requests");
        // Ignored: it fails only if no task listens any more.
        let _ = stop.send(true);
        // All were told at the same time, so this is within one grace.
        let (public, admin, envoy, sender) = (public.await, admin.await, envoy.await, sender.await);
        background.abort();
        if let Some(reload) = reload {
            reload.abort();
        }
        write_last(&gateway, traces).await?;
        public.and(envoy).and(sender)?;
        Ok(admin??)
    }
}

/// Services of the admin port: the API and the console.
fn services(
    gateway: &Gateway,
    origin: Option<&WebOrigin>,
    store: StoreFacts,
    audit: &Audit,
    issuers: &IssuerSources,
) -> anyhow::Result<AdminServices> {
    let mut services = AdminServices::new(&gateway.engine, Some(Arc::clone(&issuers.run_time)));
    services.operations.name_audit_files(audit_files(audit));
    services.pages = Some(console::router(&services.operations, origin)?);
    services.operations.installation().set_store(store);
    Ok(services)
}

/// Writes what waits to be written, and sends the traces that wait.
async fn write_last(gateway: &Gateway, traces: Option<Traces>) -> anyhow::Result<()> {
    // Nothing that was promised may be lost, however the doors ended: what waits to be written is written now.
    let flushed = gateway.engine.directory.flush_last().await;
    if let Some(traces) = traces {
        tokio::task::spawn_blocking(|| traces.stop()).await?;
    }
    Ok(flushed?)
}

/// The files that get the events of the audit trail too.
pub(crate) fn audit_files(settings: &Audit) -> Vec<String> {
    let files = settings.file.iter();
    files.map(|path| path.display().to_string()).collect()
}

/// Does the work beside the doors, for as long as it is polled.
async fn background(gateway: Arc<Gateway>, audit: Audit, issuers: Arc<IssuerSources>) {
    let chain = audit_chain::keep(Arc::clone(&gateway.engine), audit_chain::retention(&audit));
    let file = audit_file::append(Arc::clone(&gateway.engine), audit.file);
    let documents = issuers.keep(Arc::clone(&gateway.engine));
    tokio::join!(gateway.run_background(), chain, file, documents);
}

/// Serves the port of Envoy's external authorization, if there is one.
async fn serve_envoy(
    engine: Arc<Engine>,
    port: Option<TcpListener>,
    settings: ServerSettings,
    stop: impl Future<Output = ()>,
) {
    let Some(port) = port else { return };
    // Envoy asks without TLS, on a network of its own.
    let settings = ServerSettings { tls: None, ..settings };
    let address = port.local_addr().ok().map(tracing::field::display);
    tracing::info!(event = "ext_authz_started", ext_authz = address, "Envoy may ask");
    serve_ext_authz(engine, port, settings, stop).await;
}

async fn wait_for_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
