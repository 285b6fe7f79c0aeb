//! The settings of a route besides its requirement: its upstream, its audience, its origins.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::HeaderName;
use http::uri::Scheme;
use narthex_decision::RequestPath;
use narthex_engine::{
    ForwardToken, LoginUse, MethodOverride, ProtocolProblem, ServerUrl, Servers, UpgradeProtocols, Upstream, WebOrigin,
};
use narthex_settings_reader::{List, Problem, UrlText};
use toml::Spanned;

use super::super::{Check, Reported, within_if_written};
use crate::file::{self, RouteSection};
use crate::{Limits, RouteSettings};

/// Permitted time limits for an upstream: until it begins its answer, and for silence later.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);

/// The longest `audience`, in bytes: it is in every assertion, and an assertion has at most 2 KB, half of which an external
/// id may take.
const AUDIENCE_BYTES_MAX: usize = 128;

impl Check<'_> {
    pub(super) fn route_settings(&mut self, section: &RouteSection) -> Option<RouteSettings> {
        let limits = self.limits.clone();
        for (key, written) in [
            ("upstream_timeout", &section.upstream_timeout),
            ("idle_timeout", &section.idle_timeout),
        ] {
            within_if_written(&mut self.problems, key, written, &TIMEOUTS);
        }
        let token_from = self.route_token_from(section).ok();
        let upstream = match section.upstream.spanned() {
            None => section.upstream.span().is_none().then_some(None),
            Some(urls) => self.upstream(section, &urls.get_ref().0, &limits).map(Some),
        };
        let audience = self.audience(section);
        let headers = self.identity_headers(section);
        let cors_origins = self.cors_origins(section);
        if section.upstream.span().is_none() {
            let forwards = section.forward_token.is_written().then(|| section.forward_token.span());
            let upgrades = section.upgrades.is_written().then(|| section.upgrades.span());
            for (key, span) in [
                ("forward_token", forwards),
                ("upgrades", upgrades),
                ("strip_prefix", section.strip_prefix.span()),
                ("upstream_ca_file", section.upstream_ca_file.span()),
                ("upstream_timeout", section.upstream_timeout.span()),
                ("idle_timeout", section.idle_timeout.span()),
                ("body_size", section.body_size.span()),
            ] {
                if let Some(span) = span {
                    self.error(span, format!("`{key}` does nothing without `upstream`"));
                }
            }
        }
        Some(RouteSettings {
            upstream: upstream?,
            audience,
            token_from: token_from?,
            cors_origins: cors_origins?,
            headers: headers?,
            idle_timeout: section.idle_timeout.value().copied().unwrap_or(limits.idle_timeout),
            body_bytes: section.body_size.value().map_or(limits.body_bytes, |size| size.0),
            login: if *section.login.value() {
                LoginUse::Offered
            } else {
                LoginUse::Off
            },
            method_override: match section.method_override.value() {
                file::MethodOverride::Refuse => MethodOverride::Refuse,
                file::MethodOverride::Allow => MethodOverride::Allow,
            },
        })
    }

    /// The origins that a route lets in with a cookie.
    fn cors_origins(&mut self, section: &RouteSection) -> Option<Vec<WebOrigin>> {
        let mut origins = Vec::new();
        let mut usable = section.cors_origins.span().is_none() || section.cors_origins.value().is_some();
        for text in section.cors_origins.value().into_iter().flat_map(|written| &written.0) {
            if let Some(origin) = WebOrigin::parse(text.get_ref()) {
                origins.push(origin);
                continue;
            }
            usable = false;
            let problem = Problem::error(text.span(), format!("`{}` is not an origin", text.get_ref()));
            self.problems.push(problem.help(
                "write scheme, host and, if it is not the usual one, port, without a path: `\"https://spa.example.com\"`",
            ));
        }
        usable.then_some(origins)
    }

    /// The audience of its own that a route has, if it has one.
    fn audience(&mut self, section: &RouteSection) -> Option<String> {
        let written = section.audience.spanned()?;
        let audience = written.get_ref();
        // SECURITY: a library that is told of no audience may take an empty one for it.
        if audience.trim().is_empty() || audience.len() > AUDIENCE_BYTES_MAX {
            let message = format!("`audience` must have 1 to {AUDIENCE_BYTES_MAX} bytes");
            self.error(written.span(), message);
            return None;
        }
        Some(audience.clone())
    }

    fn upstream(&mut self, section: &RouteSection, urls: &List<UrlText>, limits: &Limits) -> Option<Upstream> {
        let read: Vec<Option<ServerUrl>> = urls.iter().map(|url| self.server_url(url)).collect();
        let servers: Vec<ServerUrl> = read.into_iter().collect::<Option<_>>()?;
        let (first, others) = servers.split_first()?;
        for (number, (server, url)) in servers.iter().zip(urls).enumerate() {
            if (&server.scheme, server.protocol) != (&first.scheme, first.protocol) {
                self.error(url.span(), "the servers of one `upstream` must have the same scheme");
                return None;
            }
            if servers
                .iter()
                .take(number)
                .any(|other| other.authority == server.authority)
            {
                self.error(url.span(), "this server is in the list twice");
                return None;
            }
        }
        let tls = match section.upstream_ca_file.spanned() {
            Some(file) if first.scheme != Scheme::HTTPS => {
                self.error(
                    file.span(),
                    "`upstream_ca_file` does nothing without an `https://` upstream",
                );
                return None;
            }
            Some(file) => Some(self.upstream_tls(file).ok()?),
            None => None,
        };
        let strip_prefix = self.strip_prefix(section).ok();
        let upgrades = self.upgrades(section)?;
        Some(Upstream {
            scheme: first.scheme.clone(),
            servers: Servers::new(
                first.authority.clone(),
                others.iter().map(|server| server.authority.clone()).collect(),
            ),
            tls,
            protocol: first.protocol,
            audience: first.text.clone(),
            timeout: section
                .upstream_timeout
                .value()
                .copied()
                .unwrap_or(limits.upstream_timeout),
            forward_token: if *section.forward_token.value() {
                ForwardToken::Yes
            } else {
                ForwardToken::No
            },
            upgrades,
            strip_prefix: strip_prefix?,
            organization_header: section
                .organization_header
                .value()
                .and_then(|name| HeaderName::try_from(name.as_str()).ok()),
        })
    }

    /// One server of an upstream.
    fn server_url(&mut self, url: &Spanned<UrlText>) -> Option<ServerUrl> {
        let text = url.get_ref().0.as_str();
        let read = ServerUrl::parse(text);
        read.map_err(|why| {
            let problem = Problem::error(url.span(), format!("`upstream` {why}"));
            self.problems
                .push(problem.help("write scheme, host and port, such as `\"http://127.0.0.1:9000\"`"));
        })
        .ok()
    }

    /// Refuses two routes that trust one server by different authorities: its connections serve both.
    pub(crate) fn authorities_of_servers(&mut self, written: &List<RouteSection>, settings: &[RouteSettings]) {
        let mut known: Vec<&Upstream> = Vec::new();
        for (section, settings) in written.iter().zip(settings) {
            let Some(upstream) = settings.upstream.as_ref().filter(|one| one.scheme == Scheme::HTTPS) else {
                continue;
            };
            let shares = |other: &&&Upstream| {
                let mut servers = other.servers.authorities();
                servers.any(|server| upstream.servers.authorities().any(|own| own == server))
            };
            if known.iter().filter(shares).any(|other| other.tls != upstream.tls) {
                let section = section.get_ref();
                let span = section.upstream_ca_file.span().or_else(|| section.upstream.span());
                let message = "another route has this upstream and another `upstream_ca_file`";
                let problem = Problem::error(span.unwrap_or_default(), message);
                self.problems
                    .push(problem.help("write the same `upstream_ca_file` on every route with this upstream"));
            }
            known.push(upstream);
        }
    }

    /// The prefix that a route removes from paths, if one is written.
    fn strip_prefix(&mut self, section: &RouteSection) -> Result<Option<String>, Reported> {
        let Some(written) = section.strip_prefix.spanned() else {
            return section.strip_prefix.span().map_or(Ok(None), |_| Err(Reported));
        };
        let prefix = written.get_ref().as_str();
        let is_plain = RequestPath::parse(prefix.as_bytes()).is_ok() && !prefix.contains(['{', '}']);
        if prefix == "/" || prefix.ends_with('/') || !is_plain {
            let problem = Problem::error(written.span(), "`strip_prefix` is not the beginning of a path");
            self.problems.push(problem.help(
                "write whole segments of literal text with a `/` before them and none at the end, such as `\"/grafana\"`",
            ));
            return Err(Reported);
        }
        let begins = |path: &str| {
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut paths = section.path.value().into_iter().flat_map(|paths| &paths.0);
        if let Some(other) = paths.find(|path| !begins(path.get_ref())) {
            let problem = Problem::error(
                written.span(),
                format!("`{}` does not begin with `strip_prefix`", other.get_ref()),
            );
            let help = format!("every `path` of the route has to begin with `{prefix}` as whole segments");
            self.problems
                .push(problem.help(help).context(other.span(), "this path"));
            return Err(Reported);
        }
        Ok(Some(prefix.to_owned()))
    }

    fn upgrades(&mut self, section: &RouteSection) -> Option<UpgradeProtocols> {
        let written = section.upgrades.value();
        let read = UpgradeProtocols::new(written.iter().map(|name| name.get_ref().clone()));
        read.map_err(|(name, why)| {
            let span = written.iter().find(|written| *written.get_ref() == name);
            let problem = Problem::error(
                span.map_or_else(|| section.upgrades.span(), Spanned::span),
                format!("`{name}` {why}"),
            );
            self.problems.push(match why {
                ProtocolProblem::Name => problem,
                ProtocolProblem::CarriesRequests => {
                    problem.help("for an upstream that speaks HTTP/2 without TLS, write `upstream = \"h2c://…\"`")
                }
            });
        })
        .ok()
    }
}
