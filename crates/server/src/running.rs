//! A server that has started: its doors and what it does beside them, until it is told to stop.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use narthex_admin_port::{AdminServices, serve_admin};
use narthex_clock::NewIds;
use narthex_config::{Audit, EndMark, RestartSettings, Webhook};
use narthex_directory::{ApiKey, ApiKeyId, By, PlatformRole, ScopedRole};
use narthex_engine::{Engine, WebOrigin};
use narthex_ext_authz::serve_ext_authz;
use narthex_gateway::{Gateway, serve};
use narthex_listener::{ServerSettings, Workers};
use narthex_ops::api_keys::FreshApiKey;
use narthex_ops::settings::StoreFacts;
use narthex_telemetry::Traces;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::issuers::IssuerSources;
use crate::reload::{PortCertificates, Reload};
use crate::settings::audit_files;
use crate::{audit_chain, audit_file, console, system_user, webhooks};

/// A gateway with everything it needs, not yet serving.
#[derive(Debug)]
pub struct Running {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) issuers: Arc<IssuerSources>,
    pub(crate) public: TcpListener,
    pub(crate) admin: TcpListener,
    pub(crate) ext_authz: Option<TcpListener>,
    pub(crate) server: ServerSettings,
    pub(crate) admin_server: ServerSettings,
    pub(crate) console_origin: Option<WebOrigin>,
    /// Address at which browsers reach the console.
    pub(crate) console: String,
    pub(crate) watched: Vec<PathBuf>,
    pub(crate) restart_settings: RestartSettings,
    pub(crate) end_mark: EndMark,
    pub(crate) traces: Option<Traces>,
    pub(crate) webhook: Webhook,
    pub(crate) store: StoreFacts,
    pub(crate) audit: Audit,
}

impl Running {
    /// A new API key of this name, with the role of a platform admin.
    ///
    /// # Errors
    ///
    /// When there is no randomness, or the directory fails.
    pub async fn make_api_key(&self, name: &str) -> anyhow::Result<String> {
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

    /// Serves until the process is told to stop (`SIGTERM`, `SIGINT`). A configuration file is watched and read again when it, or
    /// a file that it names, changes, and on `SIGHUP`.
    ///
    /// # Errors
    ///
    /// Failure of a door, or of the last writes.
    pub async fn until_stopped(self, configuration: Option<PathBuf>) -> anyhow::Result<()> {
        let (stop, stopped) = watch::channel(false);
        let (gateway, issuers) = (self.gateway, self.issuers);
        let engine = Arc::clone(&gateway.engine);
        // They end last of all: what was begun for a connection may still be needed when all connections are gone.
        let workers = Workers::one_for_each_processor().context("starting the threads that serve connections")?;
        let workers = Arc::new(workers);
        let addresses = (self.public.local_addr()?, self.admin.local_addr()?);
        tracing::info!(event = "started", public = %addresses.0, admin = %addresses.1, "narthex is ready");
        let background = tokio::spawn(background(
            Arc::clone(&gateway),
            self.audit.clone(),
            Arc::clone(&issuers),
        ));
        let sender = tokio::spawn(webhooks::send(Arc::clone(&engine), self.webhook, told(&stopped)));
        let hangup = signal(SignalKind::hangup())?;
        let services = services(
            &gateway,
            self.console_origin.as_ref(),
            self.store,
            &self.audit,
            &issuers,
        )?;
        let reload = configuration.map(|path| Reload {
            path,
            installation: services.operations.installation(),
            watched: self.watched,
            engine: Arc::clone(&engine),
            ports: PortCertificates::of(&self.server, &self.admin_server),
            issuers: Arc::clone(&issuers),
            restart_settings: self.restart_settings,
            end_mark: self.end_mark,
            waiting: Vec::new(),
        });
        let reload = reload.map(|reload| tokio::spawn(reload.run(hangup)));
        let envoy = serve_envoy(
            Arc::clone(&engine),
            self.ext_authz,
            self.admin_server.clone(),
            told(&stopped),
        );
        let envoy = tokio::spawn(envoy);
        let admin = (self.admin, self.admin_server);
        let admin = tokio::spawn(serve_admin(engine, services, admin, told(&stopped)));
        let public = serve(
            Arc::clone(&gateway),
            self.public,
            self.server,
            Arc::clone(&workers),
            told(&stopped),
        );
        let public = tokio::spawn(public);
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
        write_last(&gateway, self.traces).await?;
        public.and(envoy).and(sender)?;
        Ok(admin??)
    }
}

/// Completes when the server is told to stop.
fn told(stopped: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stopped = stopped.clone();
    async move {
        // A sender that is gone has nothing left to serve for.
        let _ = stopped.wait_for(|stop| *stop).await;
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
