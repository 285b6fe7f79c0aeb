//! Settings that take effect at a restart: they are read once, when the process starts. A reload changes everything else;
//! of these it can only say that they wait.

use std::time::Duration;

use narthex_engine::WebOrigin;

use super::{Assertion, Audit, Cache, Config, Limits, Listen, Log, StoreLocation, Telemetry, Webhook};

/// Values of these settings in one configuration.
#[derive(Clone, Debug)]
pub struct RestartSettings {
    listen: Listen,
    store: StoreLocation,
    offline_max: Duration,
    cache: Cache,
    limits: Limits,
    assertion: Assertion,
    log: Log,
    console_origin: Option<WebOrigin>,
    telemetry: Telemetry,
    webhook: Webhook,
    audit: Audit,
}

/// Tests whether two configurations differ in a setting.
type Differ = fn(&RestartSettings, &RestartSettings) -> bool;

/// Each setting, or section of settings.
const SETTINGS: [(&str, Differ); 25] = [
    ("listen.public", |a, b| a.listen.public != b.listen.public),
    ("listen.admin", |a, b| a.listen.admin != b.listen.admin),
    ("listen.ext_authz", |a, b| a.listen.ext_authz != b.listen.ext_authz),
    ("listen.proxy_protocol_from", |a, b| {
        a.listen.proxy_protocol_from != b.listen.proxy_protocol_from
    }),
    ("listen.public_tls", |a, b| {
        a.listen.public_tls.is_some() != b.listen.public_tls.is_some()
    }),
    ("listen.admin_tls", |a, b| {
        a.listen.admin_tls.is_some() != b.listen.admin_tls.is_some()
    }),
    ("listen.shutdown_grace", |a, b| {
        a.listen.shutdown_grace != b.listen.shutdown_grace
    }),
    ("store.offline_max", |a, b| a.offline_max != b.offline_max),
    ("store", |a, b| a.store != b.store),
    ("cache.tokens", |a, b| a.cache.token_bytes != b.cache.token_bytes),
    ("cache.accounts", |a, b| a.cache.account_bytes != b.cache.account_bytes),
    ("limits.header_size", |a, b| {
        a.limits.header_bytes != b.limits.header_bytes
    }),
    ("limits.header_timeout", |a, b| {
        a.limits.header_timeout != b.limits.header_timeout
    }),
    ("limits.connections", |a, b| {
        a.limits.connections != b.limits.connections
    }),
    ("limits.connections_per_client", |a, b| {
        a.limits.connections_per_client != b.limits.connections_per_client
    }),
    ("limits.connect_timeout", |a, b| {
        a.limits.connect_timeout != b.limits.connect_timeout
    }),
    ("assertion.issuer", |a, b| a.assertion.issuer != b.assertion.issuer),
    ("assertion.lifetime", |a, b| {
        a.assertion.lifetime != b.assertion.lifetime
    }),
    ("assertion.rotation", |a, b| {
        a.assertion.rotation != b.assertion.rotation
    }),
    ("log.level", |a, b| a.log.level != b.log.level),
    ("log.format", |a, b| a.log.format != b.log.format),
    ("console.origin", |a, b| a.console_origin != b.console_origin),
    ("telemetry", |a, b| a.telemetry != b.telemetry),
    ("webhook", |a, b| a.webhook != b.webhook),
    ("audit", |a, b| a.audit != b.audit),
];

impl RestartSettings {
    /// Collects these settings from `config`.
    pub fn of(config: &Config) -> Self {
        Self {
            listen: config.listen.clone(),
            store: config.store.clone(),
            offline_max: config.offline_max,
            cache: config.cache,
            limits: config.limits.clone(),
            assertion: config.assertion.clone(),
            log: config.log,
            console_origin: config.console_origin.clone(),
            telemetry: config.telemetry.clone(),
            webhook: config.webhook.clone(),
            audit: config.audit.clone(),
        }
    }

    /// The settings that `other` would have otherwise, by their names in the file.
    pub fn changed_in(&self, other: &Self) -> Vec<&'static str> {
        let changed = SETTINGS.iter().filter(|(_, differ)| differ(self, other));
        changed.map(|(name, _)| *name).collect()
    }
}

/// Tests whether a key of a section is read only when the process starts.
pub(crate) fn needs_restart(section: &str, key: &str) -> bool {
    SETTINGS.iter().any(|(name, _)| {
        *name == section
            || name
                .split_once('.')
                .is_some_and(|(of, named)| of == section && named == key)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Environment, Paint, read_text};

    fn restart_settings(text: &str) -> RestartSettings {
        let environment = Environment::fixed(Path::new(""), |_| None);
        let reading = read_text("narthex.toml", text.to_owned(), &environment);
        RestartSettings::of(&reading.into_config(Paint::Plain).unwrap())
    }

    /// Each setting is named when it changes, and no other.
    #[test]
    fn what_has_changed_is_named() {
        let before = restart_settings("");
        assert_eq!(before.changed_in(&restart_settings("")), [""; 0]);
        let tls = |key| {
            let keys = "../testkit/keys";
            format!("listen.{key} = {{ certificate_file = \"{keys}/rsa_1.crt\", key_file = \"{keys}/rsa_1.pem\" }}")
        };
        let (public_tls, admin_tls) = (tls("public_tls"), tls("admin_tls"));
        let cases = [
            ("listen.public", "listen.public = \"127.0.0.1:9001\""),
            ("listen.admin", "listen.admin = \"127.0.0.1:9002\""),
            ("listen.ext_authz", "listen.ext_authz = \"127.0.0.1:9003\""),
            (
                "listen.proxy_protocol_from",
                "listen.proxy_protocol_from = [\"10.0.0.1\"]",
            ),
            ("listen.public_tls", public_tls.as_str()),
            ("listen.admin_tls", admin_tls.as_str()),
            ("listen.shutdown_grace", "listen.shutdown_grace = \"1s\""),
            ("store.offline_max", "store.offline_max = \"1s\""),
            ("store", "store.path = \"another.db\""),
            ("cache.tokens", "cache.tokens = \"1MiB\""),
            ("cache.accounts", "cache.accounts = \"1MiB\""),
            ("limits.header_size", "limits.header_size = \"8KiB\""),
            ("limits.header_timeout", "limits.header_timeout = \"2s\""),
            ("limits.connections", "limits.connections = 7"),
            ("limits.connections_per_client", "limits.connections_per_client = 7"),
            ("limits.connect_timeout", "limits.connect_timeout = \"1s\""),
            ("assertion.issuer", "assertion.issuer = \"another\""),
            ("assertion.lifetime", "assertion.lifetime = \"1m\""),
            ("assertion.rotation", "assertion.rotation = \"2d\""),
            ("log.level", "log.level = \"debug\""),
            ("log.format", "log.format = \"text\""),
            ("console.origin", "console.origin = \"https://narthex.example.com\""),
            ("telemetry", "telemetry.otlp_endpoint = \"http://127.0.0.1:4317\""),
            ("webhook", "webhook.timeout = \"5s\""),
            ("audit", "audit.retention = \"90d\""),
        ];
        for (name, text) in cases {
            assert_eq!(before.changed_in(&restart_settings(text)), [name], "{text}");
        }
        assert_eq!(cases.map(|(name, _)| name), SETTINGS.map(|(name, _)| name));
        let rest = "listen.trusted_proxies = [\"10.0.0.1\"]\nlimits.rate = \"5/s\"\nlimits.fetch_timeout = \"1s\"";
        assert_eq!(before.changed_in(&restart_settings(rest)), [""; 0]);
    }

    #[test]
    fn keys_are_known_by_their_section() {
        for (section, key) in [
            ("listen", "public"),
            ("store", "url_file"),
            ("store", "offline_max"),
            ("log", "level"),
        ] {
            assert!(needs_restart(section, key), "{section}.{key}");
        }
        for (section, key) in [("listen", "trusted_proxies"), ("limits", "rate"), ("issuer", "name")] {
            assert!(!needs_restart(section, key), "{section}.{key}");
        }
    }
}
