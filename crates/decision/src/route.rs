//! Routes: a path pattern, the methods and hosts it is for, and what it requires.

use std::fmt;

use http::Method;
use matchit::{InsertError, Router};
use narthex_directory::{OrganizationRole, PlatformRole};
use thiserror::Error;

use crate::overlap::{Overlap, order, overlap, settled};
use crate::{HostName, RequestHost, RequestPath, pattern};

/// The parameter of a path pattern that holds an organization's name.
const ORGANIZATION: &str = "organization";

/// What a route asks of the person. A route with several is satisfied by any one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requirement {
    /// Nothing: a token is optional, but a bad one is still refused.
    Public,
    /// Somebody the directory knows.
    Authenticated,
    /// At least this role in the organization the path names.
    Organization(OrganizationRole),
    /// At least this role on the platform.
    Platform(PlatformRole),
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Authenticated => f.write_str("authenticated"),
            Self::Organization(role) => write!(f, "organization:{role}"),
            Self::Platform(role) => write!(f, "platform:{role}"),
        }
    }
}

/// Reads a requirement as written in the configuration.
///
/// # Errors
///
/// A sentence that lists what may be written.
pub fn parse_requirement(text: &str) -> Result<Requirement, RouteProblem> {
    let unknown = || RouteProblem::Requirement { text: text.to_owned() };
    match text.split_once(':') {
        None if text == "public" => Ok(Requirement::Public),
        None if text == "authenticated" => Ok(Requirement::Authenticated),
        Some(("organization", role)) => role.parse().map(Requirement::Organization).map_err(|_| unknown()),
        Some(("platform", role)) => role.parse().map(Requirement::Platform).map_err(|_| unknown()),
        _ => Err(unknown()),
    }
}

/// A route as configured.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    /// Path patterns: `{name}` is one segment, a final `{*name}` is the rest. `{organization}` is the name of an
    /// organization.
    pub paths: Vec<String>,
    /// Methods it is for; empty means every method. `GET` includes `HEAD` (RFC 9110 section 9.3.2).
    pub methods: Vec<Method>,
    /// Hosts it is for; empty means every host.
    pub hosts: Vec<HostName>,
    /// Any one of these lets a request pass. Never empty.
    pub require: Vec<Requirement>,
}

/// A compiled route.
#[derive(Debug, Clone)]
pub struct Route {
    /// Where it stands in the configuration, from 0. The gateway keeps upstreams under the same number.
    pub index: usize,
    /// As configured.
    pub spec: RouteSpec,
}

impl Route {
    /// Whether a request without a token may pass.
    pub fn is_public(&self) -> bool {
        self.spec.require.contains(&Requirement::Public)
    }

    /// Whether any requirement speaks of the organization in the path.
    pub fn names_organization(&self) -> bool {
        self.spec
            .require
            .iter()
            .any(|requirement| matches!(requirement, Requirement::Organization(_)))
    }

    fn serves(&self, method: &Method, host: Option<RequestHost<'_>>) -> bool {
        let method_fits = self.spec.methods.is_empty()
            || self
                .spec
                .methods
                .iter()
                .any(|allowed| allowed == method || (allowed == Method::GET && method == Method::HEAD));
        let host_fits = self.spec.hosts.is_empty()
            || host.is_some_and(|host| self.spec.hosts.iter().any(|allowed| host.is(allowed)));
        method_fits && host_fits
    }
}

/// The route a request falls under.
#[derive(Debug, Clone, Copy)]
pub struct Match<'r> {
    /// The route.
    pub route: &'r Route,
    /// The organization's name as the path has it, where the pattern has `{organization}`.
    pub organization: Option<&'r str>,
    /// Whether this is a CORS preflight for the route rather than a request to it.
    pub preflight: Preflight,
}

/// Whether a request is a CORS preflight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preflight {
    /// An `OPTIONS` request with both `Origin` and `Access-Control-Request-Method`: it passes without a token, because
    /// browsers send it without one.
    Yes,
    /// Anything else.
    No,
}

/// Why a set of routes cannot be used. `route` numbers count from 0 in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RouteProblem {
    /// Not a requirement.
    #[error(
        "`{text}` is not a requirement; write `public`, `authenticated`, `organization:ROLE` (executor, member, admin) or `platform:ROLE` (user, viewer, admin)"
    )]
    Requirement {
        /// What was written.
        text: String,
    },
    /// A route without a requirement.
    #[error("a route must say what it requires; for one that is open to everybody write `require = \"public\"`")]
    NoRequirement {
        /// Which route.
        route: usize,
    },
    /// A route without a path.
    #[error("a route needs at least one path")]
    NoPath {
        /// Which route.
        route: usize,
    },
    /// `organization:ROLE` on a path without `{{organization}}`.
    #[error("`{path}` has no `{{organization}}`, so `organization:ROLE` cannot be decided there")]
    NoOrganization {
        /// Which route.
        route: usize,
        /// The path pattern.
        path: String,
    },
    /// A pattern that cannot be compiled.
    #[error("`{path}` is not a path pattern: {why}")]
    Pattern {
        /// Which route.
        route: usize,
        /// The path pattern.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Two patterns that could both match one path and are not ordered.
    #[error(
        "`{path}` conflicts with `{other}`: both match the same paths under different parameter names; use the same names"
    )]
    Conflict {
        /// Which route.
        route: usize,
        /// The path pattern.
        path: String,
        /// The earlier pattern.
        other: String,
    },
    /// Two routes for the same path, method and host.
    #[error("`{path}` is already served by route {other} for the same methods and hosts")]
    Duplicate {
        /// Which route.
        route: usize,
        /// The path pattern.
        path: String,
        /// The earlier route, counted from 1 as people do.
        other: usize,
    },
    /// Two routes of one path of which one is for hosts and the other for methods.
    #[error(
        "`{path}` and route {other} serve the same path, one for hosts and one for methods, so requests with both would belong to both"
    )]
    Crossing {
        /// Which route.
        route: usize,
        /// The path pattern.
        path: String,
        /// The earlier route, counted from 1 as people do.
        other: usize,
    },
}

impl RouteProblem {
    /// The route that has the problem, counted from 0; `None` for a requirement read on its own.
    pub const fn route(&self) -> Option<usize> {
        match self {
            Self::Requirement { .. } => None,
            Self::NoRequirement { route }
            | Self::NoPath { route }
            | Self::NoOrganization { route, .. }
            | Self::Pattern { route, .. }
            | Self::Conflict { route, .. }
            | Self::Duplicate { route, .. }
            | Self::Crossing { route, .. } => Some(*route),
        }
    }
}

/// Compiled routes. The most specific path pattern decides; where several routes share a pattern, methods and hosts
/// tell them apart, and of two that would do the narrower one serves.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// In the order of the configuration.
    listed: Vec<Route>,
    by_path: Router<Vec<usize>>,
    /// The same with every percent-encoding of a pattern decoded, where that is another pattern.
    by_decoded_path: Option<Router<Vec<usize>>>,
}

impl Routes {
    /// Compiles routes in the order of the configuration.
    ///
    /// # Errors
    ///
    /// Every [`RouteProblem`] at once.
    pub fn compile(specs: Vec<RouteSpec>) -> Result<Self, Vec<RouteProblem>> {
        let mut problems = Vec::new();
        let mut patterns: Vec<(String, Vec<usize>)> = Vec::new();
        let routes: Vec<Route> = specs
            .into_iter()
            .enumerate()
            .map(|(index, spec)| Route { index, spec })
            .collect();
        for route in &routes {
            problems.extend(problems_of(route));
            for path in &route.spec.paths {
                match patterns.iter_mut().find(|(pattern, _)| pattern == path) {
                    Some((_, members)) => {
                        if let Some(other) = members
                            .iter()
                            .filter_map(|member| routes.get(*member))
                            .find(|other| overlap(other, route) == Overlap::Same)
                        {
                            problems.push(RouteProblem::Duplicate {
                                route: route.index,
                                path: path.clone(),
                                other: other.index + 1,
                            });
                        }
                        members.push(route.index);
                    }
                    None => patterns.push((path.clone(), vec![route.index])),
                }
            }
        }
        for (path, members) in &patterns {
            let members: Vec<&Route> = members.iter().filter_map(|member| routes.get(*member)).collect();
            problems.extend(crossing(path, &members));
        }
        let mut by_path = Router::new();
        let mut by_decoded_path = Router::new();
        let any_encoded = patterns.iter().any(|(path, _)| path.contains('%'));
        for (path, mut members) in patterns {
            members.sort_by_key(|member| routes.get(*member).map(order));
            let route = members.first().copied().unwrap_or_default();
            let decoded = decoded_pattern(&path);
            let inserted = by_path.insert(path.clone(), members.clone());
            let inserted = inserted.and_then(|()| by_decoded_path.insert(decoded, members));
            if let Err(error) = inserted {
                problems.push(match error {
                    InsertError::Conflict { with } => RouteProblem::Conflict {
                        route,
                        path,
                        other: with,
                    },
                    other => RouteProblem::Pattern {
                        route,
                        path,
                        why: other.to_string(),
                    },
                });
            }
        }
        if problems.is_empty() {
            Ok(Self {
                listed: routes,
                by_path,
                by_decoded_path: any_encoded.then_some(by_decoded_path),
            })
        } else {
            Err(problems)
        }
    }

    /// The routes in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.listed.iter()
    }

    /// The route a request falls under, if any: no route means no entry.
    ///
    /// `preflight_for` is the value of `Access-Control-Request-Method`, given only when the request also has `Origin`.
    pub fn find<'r>(
        &'r self,
        method: &Method,
        host: Option<RequestHost<'_>>,
        path: RequestPath<'r>,
        preflight_for: Option<&Method>,
    ) -> Option<Match<'r>> {
        let (method, preflight) = match preflight_for {
            Some(asked) if method == Method::OPTIONS => (asked, Preflight::Yes),
            _ => (method, Preflight::No),
        };
        let found = self.by_path.at(path.as_str()).ok()?;
        let route = self.serving(found.value, method, host)?;
        // SECURITY: an application decodes `/%61dmin` or `/things%3Acancel`. If that is another route's path, this one does
        // not speak for it.
        if path.as_str().contains('%') {
            let decoded = decoded(path.as_str());
            let meant = self
                .by_decoded_path
                .as_ref()
                .unwrap_or(&self.by_path)
                .at(&decoded)
                .ok()?;
            let meant = self.serving(meant.value, method, host)?;
            if meant.index != route.index {
                return None;
            }
        }
        Some(Match {
            route,
            organization: found.params.get(ORGANIZATION),
            preflight,
        })
    }

    /// The first of these routes that serves such a request.
    fn serving(&self, members: &[usize], method: &Method, host: Option<RequestHost<'_>>) -> Option<&Route> {
        let mut members = members.iter().filter_map(|index| self.listed.get(*index));
        members.find(|route| route.serves(method, host))
    }
}

/// A path as an application reads it.
fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}

/// A pattern of such paths. What was an encoded brace does not begin a parameter: doubled, it is a brace.
fn decoded_pattern(path: &str) -> String {
    let mut path = path.to_owned();
    for (encoded, brace) in [("%7B", "{{"), ("%7b", "{{"), ("%7D", "}}"), ("%7d", "}}")] {
        path = path.replace(encoded, brace);
    }
    decoded(&path)
}

fn problems_of(route: &Route) -> Vec<RouteProblem> {
    let mut problems = Vec::new();
    if route.spec.require.is_empty() {
        problems.push(RouteProblem::NoRequirement { route: route.index });
    }
    if route.spec.paths.is_empty() {
        problems.push(RouteProblem::NoPath { route: route.index });
    }
    for path in &route.spec.paths {
        if let Some(why) = pattern::problem_of(path) {
            problems.push(RouteProblem::Pattern {
                route: route.index,
                path: path.clone(),
                why,
            });
        } else if route.names_organization() && !path.contains("{organization}") {
            problems.push(RouteProblem::NoOrganization {
                route: route.index,
                path: path.clone(),
            });
        }
    }
    problems
}

/// Routes of one path that take the same requests, without either being the narrower one.
///
/// SECURITY: whichever came first would let pass what the other asks something for.
fn crossing(path: &str, members: &[&Route]) -> Vec<RouteProblem> {
    let mut problems = Vec::new();
    for (position, route) in members.iter().enumerate() {
        let mut earlier = members.iter().take(position);
        let other = earlier.find(|other| overlap(other, route) == Overlap::Crossing && !settled(other, route, members));
        problems.extend(other.map(|other| RouteProblem::Crossing {
            route: route.index,
            path: path.to_owned(),
            other: other.index + 1,
        }));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str, methods: &[Method], require: &[&str]) -> RouteSpec {
        RouteSpec {
            paths: vec![path.to_owned()],
            methods: methods.to_vec(),
            hosts: Vec::new(),
            require: require.iter().map(|text| parse_requirement(text).unwrap()).collect(),
        }
    }

    fn found<'r>(routes: &'r Routes, method: &Method, path: &'r str) -> Option<Match<'r>> {
        routes.find(
            method,
            RequestHost::parse("example.com").ok(),
            RequestPath::parse(path.as_bytes()).unwrap(),
            None,
        )
    }

    #[test]
    fn the_most_specific_pattern_decides_and_the_organization_is_read_from_it() {
        let routes = Routes::compile(vec![
            route("/{*rest}", &[], &["public"]),
            route(
                "/v1/algo/{organization}/{algorithm}/{*version}",
                &[Method::POST],
                &["organization:member"],
            ),
        ])
        .unwrap();
        let hit = found(&routes, &Method::POST, "/v1/algo/acme/echo/1.0").unwrap();
        assert_eq!((hit.route.index, hit.organization), (1, Some("acme")));
        assert_eq!(found(&routes, &Method::GET, "/other").unwrap().route.index, 0);
        // SECURITY: a path that a strict route names never falls through to a laxer one because of its method.
        assert!(found(&routes, &Method::GET, "/v1/algo/acme/echo/1.0").is_none());
    }

    /// A path that an application reads as another route's is nobody's.
    #[test]
    fn sec_path_spelled_otherwise() {
        let routes = Routes::compile(vec![
            route("/{*rest}", &[], &["public"]),
            route("/admin", &[], &["platform:admin"]),
            route("/admin/{*rest}", &[], &["platform:admin"]),
            route("/things:cancel", &[], &["platform:admin"]),
            route("/caf%C3%A9", &[], &["platform:admin"]),
            route("/users/{id}", &[], &["authenticated"]),
            route("/%7Bid%7D", &[], &["platform:admin"]),
        ])
        .unwrap();
        for path in [
            "/%7bid%7d",
            "/%61dmin",
            "/admi%6e/x",
            "/admin%2D",
            "/things%3Acancel",
            "/things%3acancel",
            "/caf%c3%a9",
            "/c%61f%C3%A9",
            "/%75sers/ada",
        ] {
            let hit = found(&routes, &Method::GET, path);
            let own = path == "/admin%2D";
            assert_eq!(hit.map(|hit| hit.route.index), own.then_some(0), "{path}");
        }
        for (path, index) in [
            ("/admin", 1),
            ("/admin/a%20b", 2),
            ("/things:cancel", 3),
            ("/caf%C3%A9", 4),
            ("/%7Bid%7D", 6),
            ("/users/a%40b.com", 5),
            ("/users/caf%c3%a9", 5),
            ("/other/a%40b", 0),
        ] {
            let hit = found(&routes, &Method::GET, path);
            assert_eq!(hit.map(|hit| hit.route.index), Some(index), "{path}");
        }
    }

    #[test]
    fn get_includes_head_and_nothing_else() {
        let routes = Routes::compile(vec![route("/a", &[Method::GET], &["authenticated"])]).unwrap();
        assert!(found(&routes, &Method::HEAD, "/a").is_some());
        for method in [Method::POST, Method::OPTIONS, Method::DELETE] {
            assert!(found(&routes, &method, "/a").is_none(), "{method}");
        }
    }

    #[test]
    fn a_trailing_slash_is_another_path() {
        let routes = Routes::compile(vec![route("/a", &[], &["public"])]).unwrap();
        assert!(found(&routes, &Method::GET, "/a/").is_none());
        assert!(found(&routes, &Method::GET, "/A").is_none());
    }

    #[test]
    fn a_preflight_asks_for_the_route_of_the_method_it_announces() {
        let routes = Routes::compile(vec![route("/a", &[Method::PUT], &["authenticated"])]).unwrap();
        let path = RequestPath::parse(b"/a").unwrap();
        let hit = routes.find(&Method::OPTIONS, None, path, Some(&Method::PUT)).unwrap();
        assert_eq!(hit.preflight, Preflight::Yes);
        assert!(
            routes
                .find(&Method::OPTIONS, None, path, Some(&Method::DELETE))
                .is_none()
        );
        assert!(routes.find(&Method::OPTIONS, None, path, None).is_none());
        assert_eq!(
            routes
                .find(&Method::PUT, None, path, Some(&Method::PUT))
                .unwrap()
                .preflight,
            Preflight::No
        );
    }

    #[test]
    fn hosts_tell_routes_apart() {
        let mut inner = route("/a", &[], &["authenticated"]);
        inner.hosts = vec![HostName::parse("inner.example").unwrap()];
        let routes = Routes::compile(vec![inner, route("/b", &[], &["public"])]).unwrap();
        let at = |host: Option<&str>| {
            let host = host.map(|host| RequestHost::parse(host).unwrap());
            routes
                .find(&Method::GET, host, RequestPath::parse(b"/a").unwrap(), None)
                .is_some()
        };
        assert!(at(Some("inner.example")) && at(Some("INNER.example:8443")));
        assert!(!at(Some("outer.example")) && !at(None) && !at(Some("inner.example.evil")));
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let problems = Routes::compile(vec![
            route("/a/{x}", &[], &["public"]),
            route("/a/{y}", &[], &["public"]),
            route("b", &[], &["public"]),
            route("/c", &[], &["organization:member"]),
            route("/d", &[Method::GET], &["public"]),
            route("/d", &[Method::GET, Method::POST], &["public"]),
            RouteSpec {
                paths: vec![],
                methods: vec![],
                hosts: vec![],
                require: vec![],
            },
            route("/e/{*organization}", &[], &["organization:admin"]),
        ])
        .unwrap_err();
        insta::assert_snapshot!(
            problems
                .iter()
                .map(|problem| format!("{:?}: {problem}", problem.route()))
                .collect::<Vec<_>>()
                .join("\n")
        );
    }

    #[test]
    fn requirements_read_and_print_alike() {
        for text in [
            "public",
            "authenticated",
            "organization:executor",
            "organization:member",
            "organization:admin",
            "platform:user",
            "platform:viewer",
            "platform:admin",
        ] {
            assert_eq!(parse_requirement(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "Public",
            "organization",
            "organization:",
            "organization:owner",
            "platform:root",
            "member",
        ] {
            assert!(parse_requirement(text).is_err(), "{text}");
        }
    }
}
