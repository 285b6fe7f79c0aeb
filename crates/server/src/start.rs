//! The start of a server: from a configuration to ports that are bound.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use narthex_clock::Clock;
use narthex_config::{Config, Paint, Reading, RestartSettings};
use narthex_directory::Directory;
use narthex_engine::{Engine, Metrics};
use narthex_fetch::DirectoryKeySetStore;
use narthex_fetch::keys::{FetchObserver, KeyEdges};
use narthex_gateway::Gateway;
use tokio::net::TcpListener;

use crate::assemble;
use crate::console::console_address;
use crate::issuers::IssuerSources;
use crate::log::{self, Logging};
use crate::running::Running;
use crate::settings;
use crate::store::{self, Purpose};

/// Opens the store, takes the configuration into use and binds the ports. Begins the log of the process.
///
/// # Errors
///
/// Everything that is wrong with the configuration, or what stopped the start.
pub async fn start(reading: Reading, logging: Logging) -> anyhow::Result<Running> {
    let end_mark = reading.end_mark();
    let mut config = usable(reading)?;
    let traces = log::traces(&config)?;
    log::begin(&config, logging, traces.as_ref());
    let shares = settings::shares(&config);
    let directory = store::open(&config.store, Purpose::Serve).await?;
    let (engine, issuers) = build_engine(&mut config, directory).await?;
    let gateway = Gateway::new(engine, settings::upstreams(&config, shares))?;
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
        server: settings::public_port(&config, shares),
        admin_server: settings::admin_port(&config, shares),
        restart_settings: RestartSettings::of(&config),
        console,
        store: settings::store_facts(&config.store),
        console_origin: config.console_origin,
        watched: config.watched,
        end_mark,
        traces,
        webhook: config.webhook,
        audit: config.audit,
    })
}

/// The configuration, or everything that is wrong with it.
///
/// # Errors
///
/// The report on the file, with colours if standard error is a terminal.
pub fn usable(reading: Reading) -> anyhow::Result<Config> {
    reading
        .into_config(Paint::of_stderr())
        .map_err(|report| anyhow::anyhow!("the configuration cannot be used\n\n{report}"))
}

/// Builds the engine: declares the organizations of the configuration, and lays the issuers made at run time over its own.
async fn build_engine(
    config: &mut Config,
    directory: Arc<dyn Directory>,
) -> anyhow::Result<(Arc<Engine>, Arc<IssuerSources>)> {
    let clock = Clock::system();
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
    let file = assemble::runtime(config, None, &edges, 1);
    let issuers = Arc::new(IssuerSources::new(file, config.limits.clone(), edges));
    let mut base = issuers.lock().await;
    let built = issuers
        .build(&mut base, &*directory, None, 1)
        .await
        .context("while reading the issuers made at run time")?;
    let engine = Engine::new(settings::engine(config), clock, directory, built.runtime, metrics).await?;
    issuers.publish(built.states, &base);
    drop(base);
    Ok((engine, issuers))
}

/// Binds a port.
///
/// # Errors
///
/// The reason in words, with the key of the configuration that names the address.
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
