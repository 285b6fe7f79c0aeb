//! `[[route]]`: paths and requirements, compiled by the decision crate; upstreams; where tokens are looked for.

mod headers;
mod organization;
mod places;
mod settings;
mod tokens;

use http::Method;
use narthex_decision::{EncodedSlash, Requirement, RouteHost, RouteProblem, RouteSpec, Routes, parse_requirement};
use narthex_engine::protected_resource::metadata_resource;
use narthex_settings_reader::{List, Problem, Section, did_you_mean, nearest};
use toml::Spanned;

use super::Check;
use crate::RouteSettings;
use crate::file::{self, IssuerSection, RouteSection};

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

/// The methods of RFC 9110 and RFC 5789; others are taken as they are.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Methods that are refused before routes are looked at.
const REFUSED_METHODS: [&str; 3] = ["CONNECT", "TRACE", "TRACK"];

impl Check<'_> {
    /// The routes with their settings, in the order of the file; `None` if any has a problem.
    pub(crate) fn routes(
        &mut self,
        written: &List<RouteSection>,
        issuers: &List<IssuerSection>,
    ) -> Option<(Routes, Vec<RouteSettings>)> {
        let specs: Vec<Option<RouteSpec>> = written
            .iter()
            .map(|section| self.route(section.get_ref(), issuers))
            .collect();
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

    fn route(&mut self, section: &RouteSection, all_issuers: &List<IssuerSection>) -> Option<RouteSpec> {
        let require = section
            .require
            .value()
            .and_then(|written| self.requirements(&written.0));
        self.own_paths(section);
        let methods = self.methods(section);
        let hosts = self.hosts(section);
        self.slashes_nowhere(section);
        let issuers = self.route_issuers(section, all_issuers);
        let tags = self.route_tags(section);
        let scopes = self.route_scopes(section);
        let (organization, organization_by) = self.organization_source(section, hosts.as_deref());
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
            encoded_slash: match section.encoded_slash.value() {
                file::EncodedSlash::Refuse => EncodedSlash::Refuse,
                file::EncodedSlash::Allow => EncodedSlash::Allow,
            },
            organization: organization?,
            organization_by,
            issuers: issuers?,
            tags: tags?,
            scopes: scopes?,
        })
    }

    /// Warns where an encoded slash is allowed and none can be: it is a character of a segment that a parameter matches.
    fn slashes_nowhere(&mut self, section: &RouteSection) {
        let mut paths = section.path.value().into_iter().flat_map(|paths| &paths.0);
        if *section.encoded_slash.value() == file::EncodedSlash::Allow
            && paths.all(|path| !path.get_ref().contains('{'))
        {
            let problem = Problem::warning(section.encoded_slash.span(), "`encoded_slash` does nothing here");
            self.problems
                .push(problem.help("no `path` of this route has a parameter, such as `{name}`, that could match one"));
        }
    }

    /// Refuses paths that Narthex answers itself, before it looks at routes.
    fn own_paths(&mut self, section: &RouteSection) {
        let forwards = section.upstream.span().is_some();
        for path in section.path.value().iter().flat_map(|paths| &paths.0) {
            let text = path.get_ref().as_str();
            // At the forward-auth doors this one may be the application's.
            let is_key_set = forwards && text == "/.well-known/jwks.json";
            let is_metadata = forwards && metadata_resource(text).is_some();
            if is_key_set || is_metadata || text == "/.narthex" || text.starts_with("/.narthex/") {
                let problem = Problem::error(path.span(), format!("`{text}` reaches no route"));
                let help = if is_key_set {
                    "Narthex answers it itself, with the keys of its assertions"
                } else if is_metadata {
                    "Narthex answers it itself, with the metadata of its routes (RFC 9728)"
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

    fn hosts(&mut self, section: &RouteSection) -> Option<Vec<RouteHost>> {
        let Some(written) = section.hosts.value() else {
            return section.hosts.span().is_none().then(Vec::new);
        };
        let mut read = Vec::new();
        for text in &written.0 {
            let host = RouteHost::parse(text.get_ref());
            if host.is_none() {
                let problem = Problem::error(text.span(), format!("`{}` is not the name of a host", text.get_ref()));
                self.problems.push(problem.help(if text.get_ref().contains('{') {
                    "the one placeholder is `{organization}`, in the place of a whole label before others, such as \
                     `\"{organization}.example.com\"`"
                } else {
                    "write it without scheme, port, path or wildcard, such as `\"api.example.com\"`"
                }));
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
        let span = span.or_else(|| section.and_then(|section| organization::span_of(problem, section)));
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
