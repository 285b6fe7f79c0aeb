//! Settings of the parts of a server, out of its configuration.

use std::time::Duration;

use narthex_config::{Audit, Config, StoreLocation};
use narthex_engine::{AssertionSettings, EngineSettings};
use narthex_listener::ServerSettings;
use narthex_listener::tls::PortTls;
use narthex_ops::settings::StoreFacts;
use narthex_upstream::ConnectorSettings;

use crate::descriptors::{self, DescriptorShares};

/// The files that get the events of the audit trail too.
pub fn audit_files(settings: &Audit) -> Vec<String> {
    let files = settings.file.iter();
    files.map(|path| path.display().to_string()).collect()
}

/// Facts of a store for the page and the API that show this installation. An address of a database is not among them.
pub(crate) fn store_facts(location: &StoreLocation) -> StoreFacts {
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

/// Settings of the engine.
pub(crate) fn engine(config: &Config) -> EngineSettings {
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

/// Settings of the connections to upstreams.
pub(crate) fn upstreams(config: &Config, shares: DescriptorShares) -> ConnectorSettings {
    ConnectorSettings {
        connect_timeout: config.limits.connect_timeout,
        sockets: usize::try_from(shares.upstreams).unwrap_or(usize::MAX),
    }
}

/// Settings of the public port.
pub(crate) fn public_port(config: &Config, shares: DescriptorShares) -> ServerSettings {
    ServerSettings {
        tls: config.listen.public_tls.clone().map(PortTls::new),
        proxy_protocol_from: config.listen.proxy_protocol_from.clone(),
        ..port(config, shares.connections)
    }
}

/// Settings of the admin port.
pub(crate) fn admin_port(config: &Config, shares: DescriptorShares) -> ServerSettings {
    ServerSettings {
        tls: config.listen.admin_tls.clone().map(PortTls::new),
        ..port(config, shares.admin)
    }
}

/// Settings of a port of plain connections that may have so many of them.
fn port(config: &Config, connections: u64) -> ServerSettings {
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
pub(crate) fn shares(config: &Config) -> DescriptorShares {
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
