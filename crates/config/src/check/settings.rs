//! `[listen]`, `[cache]`, `[limits]`, `[assertion]`, `[log]`, `[telemetry]`.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use narthex_settings_reader::{Defaulted, List, Problem, Problems, Size};
use toml::Spanned;

use super::{Check, within};
use crate::file::{AssertionSection, CacheSection, LimitsSection, ListenSection, LogSection, TelemetrySection};
use crate::{Assertion, Cache, Limits, Listen, Log, Telemetry};

/// The largest token of product section 2, step 1.
const TOKEN_SIZE_MOST: Size = Size(16 * 1024);
/// The largest key set.
const KEY_SET_SIZE_MOST: Size = Size(512 * 1024);

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

pub(super) fn cache(written: &CacheSection) -> Cache {
    Cache {
        token_bytes: written.tokens.value().0,
        account_bytes: written.accounts.value().0,
    }
}

pub(super) fn log(written: &LogSection) -> Log {
    Log {
        level: *written.level.value(),
        format: *written.format.value(),
        access: *written.access.value(),
    }
}

impl Check<'_> {
    pub(crate) fn listen(&mut self, written: &ListenSection) -> Listen {
        let (public, admin) = (*written.public.value(), *written.admin.value());
        if public == admin && public.port() != 0 {
            let problem = Problem::error(written.admin.span(), "`admin` and `public` are the same address");
            self.problems.push(
                problem
                    .context(written.public.span(), "public")
                    .help("the admin port must not be the public one"),
            );
        }
        if let Some(ext_authz) = written.ext_authz.spanned() {
            self.ext_authz_port(ext_authz, written);
        }
        for network in written.trusted_proxies.value() {
            if network.get_ref().prefix_len() == 0 {
                let problem = Problem::warning(network.span(), "this network makes every client a trusted proxy");
                self.problems.push(problem.help(
                    "any client that reaches the public port can then claim any request; name the proxies' own addresses",
                ));
            }
        }
        for network in written.proxy_protocol_from.value() {
            if network.get_ref().prefix_len() == 0 {
                let message = "this network makes every client a load balancer";
                let problem = Problem::warning(network.span(), message);
                self.problems.push(problem.help(
                    "any client that reaches the public port can then state any address; name the load balancers' own",
                ));
            }
        }
        let networks = |written: &List<IpNet>| written.iter().map(|network| *network.get_ref()).collect::<Vec<IpNet>>();
        Listen {
            public,
            admin,
            ext_authz: written.ext_authz.value().copied(),
            trusted_proxies: networks(written.trusted_proxies.value()),
            proxy_protocol_from: networks(written.proxy_protocol_from.value()),
            public_tls: self.port_tls(&written.public_tls),
            admin_tls: self.port_tls(&written.admin_tls),
            shutdown_grace: within(
                &mut self.problems,
                "shutdown_grace",
                &written.shutdown_grace,
                &(Duration::ZERO..=HOUR),
            ),
        }
    }

    /// Checks that the port of external authorization is no other port, and that a proxy may use it.
    fn ext_authz_port(&mut self, ext_authz: &Spanned<SocketAddr>, written: &ListenSection) {
        for (name, other) in [("public", &written.public), ("admin", &written.admin)] {
            if ext_authz.get_ref() == other.value() && ext_authz.get_ref().port() != 0 {
                let message = format!("`ext_authz` and `{name}` are the same address");
                let problem = Problem::error(ext_authz.span(), message);
                self.problems
                    .push(problem.help("Envoy asks at a port of its own; give `ext_authz` another port"));
            }
        }
        if written.trusted_proxies.value().iter().next().is_none() {
            let message = "there are no `trusted_proxies`, and only they may use the `ext_authz` port";
            let problem = Problem::warning(ext_authz.span(), message);
            self.problems
                .push(problem.help("add the address of Envoy to `trusted_proxies`; until then every check is denied"));
        }
    }

    pub(crate) fn assertion(&mut self, written: &AssertionSection) -> Assertion {
        Assertion {
            issuer: written.issuer.value().clone(),
            lifetime: within(
                &mut self.problems,
                "lifetime",
                &written.lifetime,
                &(Duration::from_secs(30)..=HOUR),
            ),
            rotation: within(&mut self.problems, "rotation", &written.rotation, &(HOUR..=366 * DAY)),
        }
    }

    pub(crate) fn telemetry(&mut self, written: &TelemetrySection) -> Telemetry {
        let endpoint = written.otlp_endpoint.spanned();
        if let Some(endpoint) = endpoint.filter(|endpoint| !is_collector(endpoint.get_ref())) {
            let message = format!("`{}` is not the address of a collector", endpoint.get_ref());
            let problem = Problem::error(endpoint.span(), message);
            self.problems.push(problem.help(
                "write scheme, host and port of its OTLP receiver for gRPC, such as `\"http://127.0.0.1:4317\"`; a path \
                 belongs to OTLP over HTTP, which is another receiver",
            ));
        }
        Telemetry {
            otlp_endpoint: endpoint.map(|endpoint| endpoint.get_ref().clone()),
        }
    }
}

/// Tests whether a gRPC client can use an address: `http` or `https`, a host, and nothing else but a port.
fn is_collector(address: &str) -> bool {
    let Ok(url) = url::Url::parse(address) else {
        return false;
    };
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.path() == "/"
        && (url.query(), url.fragment(), url.password()) == (None, None, None)
        && url.username().is_empty()
}

/// `[limits]`.
pub(crate) fn limits(written: &LimitsSection, problems: &mut Problems) -> Limits {
    Limits {
        token_bytes: at_most(problems, "token_size", &written.token_size, TOKEN_SIZE_MOST),
        tags: written.tags.value().0,
        sync_changes_per_minute: u32::try_from(written.sync_changes_per_minute.value().0).unwrap_or(u32::MAX),
        template_fuel: written.template_fuel.value().0,
        template_bytes: at_most(problems, "template_size", &written.template_size, Size(16 << 20)),
        key_set_bytes: at_most(problems, "key_set_size", &written.key_set_size, KEY_SET_SIZE_MOST),
        keys: written.keys.value().0,
        header_bytes: at_most(problems, "header_size", &written.header_size, Size(1 << 20)),
        header_timeout: within(problems, "header_timeout", &written.header_timeout, &(SECOND..=HOUR)),
        body_bytes: written.body_size.value().0,
        connections: written.connections.value().0,
        connections_per_client: written.connections_per_client.value().map(|most| most.0),
        upstream_requests: written
            .upstream_requests
            .value()
            .map_or(written.connections.value().0, |most| most.0),
        rate: *written.rate.value(),
        connect_timeout: within(
            problems,
            "connect_timeout",
            &written.connect_timeout,
            &(Duration::from_millis(1)..=HOUR),
        ),
        upstream_timeout: within(
            problems,
            "upstream_timeout",
            &written.upstream_timeout,
            &(Duration::from_millis(1)..=DAY),
        ),
        idle_timeout: within(
            problems,
            "idle_timeout",
            &written.idle_timeout,
            &(Duration::from_millis(1)..=DAY),
        ),
        body_grace: within(problems, "body_grace", &written.body_grace, &(Duration::ZERO..=DAY)),
        fetch_timeout: within(
            problems,
            "fetch_timeout",
            &written.fetch_timeout,
            &(Duration::from_millis(1)..=Duration::from_mins(1)),
        ),
    }
}

fn at_most(problems: &mut Problems, key: &str, written: &Defaulted<Size>, most: Size) -> u64 {
    let size = *written.value();
    if size > most {
        let message = format!("`{key}` must be at most {} bytes ({} KiB)", most.0, most.0 / 1024);
        problems.push(Problem::error(written.span(), message));
    }
    size.0
}
