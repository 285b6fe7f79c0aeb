//! The settings of a route besides its requirement: its upstream, its audience, its origins.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderName, Uri};
use narthex_decision::RequestPath;
use narthex_engine::{
    ForwardToken, LoginUse, MethodOverride, ProtocolProblem, UpgradeProtocols, Upstream, UpstreamProtocol, WebOrigin,
};
use toml::Spanned;

use super::super::{Check, Reported, within_if_written};
use crate::file::{self, RouteSection};
use crate::problem::Problem;
use crate::values::UrlText;
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
            Some(url) => self.upstream(section, url, &limits).map(Some),
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

    fn upstream(&mut self, section: &RouteSection, url: &Spanned<UrlText>, limits: &Limits) -> Option<Upstream> {
        let text = url.get_ref().0.as_str();
        let refuse = |check: &mut Self, why: &str| {
            let problem = Problem::error(url.span(), format!("`upstream` {why}"));
            check
                .problems
                .push(problem.help("write scheme, host and port, such as `\"http://127.0.0.1:9000\"`"));
        };
        let Ok(uri) = text.parse::<Uri>() else {
            refuse(self, "is not a URL");
            return None;
        };
        let scheme = match uri.scheme_str() {
            Some("http" | "h2c") => http::uri::Scheme::HTTP,
            Some("https") => http::uri::Scheme::HTTPS,
            _ => {
                refuse(self, "must begin with `http://`, `https://` or `h2c://`");
                return None;
            }
        };
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
            refuse(self, "names no host");
            return None;
        };
        if authority.as_str().contains('@') {
            refuse(self, "must not carry a user name or password");
            return None;
        }
        let has_port = authority.as_str() != authority.host();
        if has_port && authority.port_u16().is_none_or(|port| port == 0) {
            refuse(self, "has no port from 1 to 65535");
            return None;
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            refuse(
                self,
                "must not have a path or query: what is matched is what is forwarded",
            );
            return None;
        }
        let strip_prefix = self.strip_prefix(section).ok();
        let upgrades = self.upgrades(section)?;
        Some(Upstream {
            scheme,
            authority: authority.clone(),
            protocol: if uri.scheme_str() == Some("h2c") {
                UpstreamProtocol::Http2
            } else {
                UpstreamProtocol::Negotiated
            },
            audience: text.trim_end_matches('/').to_owned(),
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
