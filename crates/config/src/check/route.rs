//! `[[route]]`: paths and requirements, compiled by the decision crate; upstreams; where tokens are looked for.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderName, Method, Uri};
use narthex_decision::{HostName, Requirement, RouteProblem, RouteSpec, Routes, parse_requirement};
use narthex_engine::TokenPlaces;
use narthex_engine::{
    ForwardToken, MethodOverride, ProtocolProblem, UpgradeProtocols, Upstream, UpstreamProtocol, WebOrigin,
};
use toml::Spanned;

use super::{Check, within_if_written};
use crate::file::{self, RouteSection};
use crate::problem::Problem;
use crate::read::{Optional, Section};
use crate::suggest::{did_you_mean, nearest};
use crate::values::{List, UrlText};
use crate::{Limits, RouteSettings};

/// Everything that may be required, for "did you mean".
const REQUIREMENTS: [&str; 8] = [
    "public",
    "authenticated",
    "organization:executor",
    "organization:member",
    "organization:admin",
    "platform:user",
    "platform:viewer",
    "platform:admin",
];

/// Permitted time limits for an upstream: until it begins its answer, and for silence later.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);

/// The methods of RFC 9110 and RFC 5789; others are taken as they are.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Methods that are refused before routes are looked at.
const REFUSED_METHODS: [&str; 3] = ["CONNECT", "TRACE", "TRACK"];

/// The longest `audience`, in bytes: it is in every assertion, and an assertion has at most 2 KB, half of which an external
/// id may take.
const AUDIENCE_BYTES_MAX: usize = 128;

impl Check<'_> {
    /// The routes with their settings, in the order of the file; `None` if any has a problem.
    pub(crate) fn routes(&mut self, written: &List<RouteSection>) -> Option<(Routes, Vec<RouteSettings>)> {
        let specs: Vec<Option<RouteSpec>> = written.iter().map(|section| self.route(section.get_ref())).collect();
        let settings: Vec<Option<RouteSettings>> = written
            .iter()
            .map(|section| self.route_settings(section.get_ref()))
            .collect();
        // Routes with problems of their own are left out; the others can still be held against each other.
        let (numbers, specs): (Vec<usize>, Vec<RouteSpec>) = specs
            .into_iter()
            .enumerate()
            .filter_map(|(number, spec)| spec.map(|spec| (number, spec)))
            .unzip();
        let whole = specs.len() == written.len();
        match Routes::compile(specs) {
            Ok(routes) => settings
                .into_iter()
                .collect::<Option<_>>()
                .filter(|_| whole)
                .map(|settings| (routes, settings)),
            Err(problems) => {
                for problem in problems {
                    self.route_problem(&problem, written, &numbers);
                }
                None
            }
        }
    }

    fn route(&mut self, section: &RouteSection) -> Option<RouteSpec> {
        let require = section
            .require
            .value()
            .and_then(|written| self.requirements(&written.0));
        self.own_paths(section);
        let methods = self.methods(section);
        let hosts = self.hosts(section);
        Some(RouteSpec {
            paths: section
                .path
                .value()?
                .0
                .iter()
                .map(|path| path.get_ref().clone())
                .collect(),
            methods: methods?,
            hosts: hosts?,
            require: require?,
        })
    }

    /// Refuses paths that Narthex answers itself, before it looks at routes.
    fn own_paths(&mut self, section: &RouteSection) {
        let forwards = section.upstream.span().is_some();
        for path in section.path.value().iter().flat_map(|paths| &paths.0) {
            let text = path.get_ref().as_str();
            // At the forward-auth doors this one may be the application's.
            let is_key_set = forwards && text == "/.well-known/jwks.json";
            if is_key_set || text == "/.narthex" || text.starts_with("/.narthex/") {
                let problem = Problem::error(path.span(), format!("`{text}` reaches no route"));
                let help = if is_key_set {
                    "Narthex answers it itself, with the keys of its assertions"
                } else {
                    "what begins with `/.narthex/` is Narthex's own"
                };
                self.problems.push(problem.help(help));
            }
        }
    }

    fn requirements(&mut self, written: &List<String>) -> Option<Vec<Requirement>> {
        let mut read = Vec::new();
        for text in written {
            let requirement = parse_requirement(text.get_ref());
            if let Err(cause) = &requirement {
                let help = did_you_mean(text.get_ref(), REQUIREMENTS);
                self.problems
                    .push(Problem::error(text.span(), cause.to_string()).maybe_help(help));
            }
            read.push(requirement.ok());
        }
        let read: Option<Vec<Requirement>> = read.into_iter().collect();
        if let (Some(all), Some(open)) = (&read, written.iter().find(|text| text.get_ref() == "public"))
            && all.len() > 1
        {
            self.error(
                open.span(),
                "`public` lets every request pass, so the other requirements do nothing",
            );
        }
        read
    }

    fn methods(&mut self, section: &RouteSection) -> Option<Vec<Method>> {
        let Some(written) = section.methods.value() else {
            return section.methods.span().is_none().then(Vec::new);
        };
        let mut read = Vec::new();
        for text in &written.0 {
            let method = Method::from_bytes(text.get_ref().as_bytes()).ok();
            let upper = text.get_ref().to_uppercase();
            // Methods are compared with case (RFC 9110, 9.1): `post` would match nothing.
            if REFUSED_METHODS.contains(&upper.as_str()) {
                let message = format!(
                    "`{}` is refused on every route, so this matches nothing",
                    text.get_ref()
                );
                self.error(text.span(), message);
                read.push(None);
                continue;
            }
            let slip = nearest(&upper, METHODS).filter(|meant| *meant != text.get_ref().as_str());
            if method.is_none() || slip.is_some() {
                let problem = Problem::error(text.span(), format!("`{}` is not a method", text.get_ref()));
                self.problems
                    .push(problem.maybe_help(slip.map(|meant| format!("did you mean `{meant}`?"))));
                read.push(None);
            } else {
                read.push(method);
            }
        }
        read.into_iter().collect()
    }

    fn hosts(&mut self, section: &RouteSection) -> Option<Vec<HostName>> {
        let Some(written) = section.hosts.value() else {
            return section.hosts.span().is_none().then(Vec::new);
        };
        let mut read = Vec::new();
        for text in &written.0 {
            let host = HostName::parse(text.get_ref());
            if host.is_none() {
                let problem = Problem::error(text.span(), format!("`{}` is not the name of a host", text.get_ref()));
                self.problems.push(
                    problem.help("write it without scheme, port, path or wildcard, such as `\"api.example.com\"`"),
                );
            }
            read.push(host);
        }
        read.into_iter().collect()
    }

    fn route_problem(&mut self, problem: &RouteProblem, written: &List<RouteSection>, numbers: &[usize]) {
        let section_at = |compiled: usize| {
            numbers
                .get(compiled)
                .and_then(|number| written.get(*number))
                .map(Spanned::get_ref)
        };
        let section = problem.route().and_then(section_at);
        let place = |section: &RouteSection, path: &str| {
            let paths = section.path.value().map(|paths| &paths.0);
            paths
                .and_then(|paths| paths.iter().find(|written| written.get_ref() == path))
                .map(Spanned::span)
        };
        let path = match problem {
            RouteProblem::Pattern { path, .. }
            | RouteProblem::NoOrganization { path, .. }
            | RouteProblem::Conflict { path, .. }
            | RouteProblem::Duplicate { path, .. }
            | RouteProblem::Crossing { path, .. } => Some(path),
            _ => None,
        };
        let span = section.and_then(|section| path.and_then(|path| place(section, path)));
        let span = span.or_else(|| section.map(Section::header)).unwrap_or_default();
        // The crate counts routes; people look at places.
        let message = match problem {
            RouteProblem::Duplicate { path, .. } => format!("two routes serve `{path}` for the same methods and hosts"),
            RouteProblem::Crossing { path, .. } => {
                format!(
                    "two routes serve `{path}`, one for hosts and one for methods, so a request that matches both is ambiguous"
                )
            }
            other => other.to_string(),
        };
        let mut report = Problem::error(span.clone(), message);
        if matches!(problem, RouteProblem::Crossing { .. }) {
            report =
                report.help("write a third route with these `hosts` and these `methods`, or give both routes `hosts`");
        }
        if let RouteProblem::NoOrganization { path, .. } = problem {
            report = report.help(where_the_organization_goes(path));
        }
        let first = match problem {
            RouteProblem::Conflict { other, .. } => written.iter().find_map(|section| place(section.get_ref(), other)),
            RouteProblem::Duplicate { path, other, .. } | RouteProblem::Crossing { path, other, .. } => other
                .checked_sub(1)
                .and_then(section_at)
                .and_then(|section| place(section, path)),
            _ => None,
        };
        if let Some(first) = first.filter(|first| *first != span) {
            report = report.context(first, "the first one");
        }
        self.problems.push(report);
    }

    fn route_settings(&mut self, section: &RouteSection) -> Option<RouteSettings> {
        let limits = self.limits.clone();
        for (key, written) in [
            ("upstream_timeout", &section.upstream_timeout),
            ("idle_timeout", &section.idle_timeout),
        ] {
            within_if_written(&mut self.problems, key, written, &TIMEOUTS);
        }
        let places = self.token_places(&section.token_header, &section.token_cookie, &section.token_query);
        let upstream = match section.upstream.spanned() {
            None => section.upstream.span().is_none().then_some(None),
            Some(url) => self.upstream(section, url, &limits).map(Some),
        };
        let audience = self.audience(section);
        let cors_origins = self.cors_origins(section);
        if section.upstream.span().is_none() {
            let forwards = section.forward_token.is_written().then(|| section.forward_token.span());
            let upgrades = section.upgrades.is_written().then(|| section.upgrades.span());
            for (key, span) in [
                ("forward_token", forwards),
                ("upgrades", upgrades),
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
            places: places?,
            cors_origins: cors_origins?,
            idle_timeout: section.idle_timeout.value().copied().unwrap_or(limits.idle_timeout),
            body_bytes: section.body_size.value().map_or(limits.body_bytes, |size| size.0),
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
        })
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

    /// Reads the places besides `Authorization` that may carry a token.
    pub(crate) fn token_places(
        &mut self,
        header: &Optional<String>,
        cookie: &Optional<String>,
        query: &Optional<String>,
    ) -> Option<TokenPlaces> {
        let mut usable = true;
        let mut places = TokenPlaces::default();
        if let Some(written) = header.spanned() {
            match header_name(written.get_ref()) {
                Ok(name) => places.headers.push(name),
                Err(why) => {
                    self.error(written.span(), format!("`token_header` {why}"));
                    usable = false;
                }
            }
        }
        if let Some(written) = cookie.spanned() {
            // SPEC: RFC 6265 4.1.1: a cookie's name is a token, as a header's is.
            if written.get_ref().parse::<HeaderName>().is_err() {
                self.error(
                    written.span(),
                    format!("`{}` cannot be the name of a cookie", written.get_ref()),
                );
                usable = false;
            }
            places.cookies.push(written.get_ref().clone());
        }
        places.query_parameters.extend(query.value().cloned());
        usable.then_some(places)
    }

    /// Says so when a route can be reached through no door, or its assertions are for no application in particular.
    pub(crate) fn forward_auth_routes(
        &mut self,
        written: &List<RouteSection>,
        trusted_proxies: usize,
        assertion_issuer: &str,
    ) {
        let mut without_upstream = written
            .iter()
            .map(Spanned::get_ref)
            .filter(|section| section.upstream.span().is_none());
        if trusted_proxies > 0 {
            if let Some(section) = without_upstream.find(|section| section.audience.span().is_none()) {
                let problem = Problem::warning(
                    section.header(),
                    format!(
                        "the `aud` of this route's assertions is `{assertion_issuer}`, as of every route without `upstream` and `audience`"
                    ),
                );
                self.problems.push(
                    problem.help("set `audience`, or an application takes the assertion that was made for another one"),
                );
            }
        } else if let Some(section) = without_upstream.next() {
            let problem = Problem::warning(
                section.header(),
                "this route has no `upstream`, and there are no `listen.trusted_proxies`",
            );
            self.problems.push(problem.help(
                "without an upstream it answers only at the forward-auth doors, which only trusted proxies may use",
            ));
        }
    }
}

/// Proposal for a path that names no organization.
fn where_the_organization_goes(path: &str) -> String {
    let mut parameters = path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    let single = parameters.find(|(name, _)| !name.starts_with('*'));
    match single {
        Some((name, _)) => format!(
            "if `{{{name}}}` is the organization's name, write `{}`",
            path.replacen(&format!("{{{name}}}"), "{organization}", 1)
        ),
        None => format!(
            "the path has to name the organization, as `/orgs/{{organization}}{}` does; a path that names none can require \
             `authenticated` or a role on the platform, such as `platform:viewer`",
            if path == "/" { "" } else { path }
        ),
    }
}

fn header_name(text: &str) -> Result<HeaderName, &'static str> {
    let name: HeaderName = text.parse().map_err(|_| "is not the name of a header")?;
    match name.as_str() {
        "authorization" => Err("is `Authorization` already"),
        "cookie" => Err("must not be `Cookie`; use `token_cookie`"),
        own if own.starts_with("x-narthex-") => Err("must not be one of the headers that Narthex sets"),
        _ => Ok(name),
    }
}
