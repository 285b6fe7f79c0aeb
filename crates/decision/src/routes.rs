//! The compiled routes, and the search for the one that a request falls under.

use std::borrow::Cow;

use http::Method;
use matchit::{InsertError, Router};

use crate::organization::{OrganizationSource, PARAMETER};
use crate::overlap::{Overlap, order, overlap, settled};
use crate::route::{Match, Preflight, Route, RouteProblem, RouteSpec};
use crate::{EncodedSlash, PathProblem, RequestHost, RequestPath, path, pattern};

/// The parameter of a path pattern that holds an organization's name.
const ORGANIZATION: &str = "organization";

/// Compiled routes. The most specific path pattern decides; where several routes share a pattern, methods and hosts
/// tell them apart, and of two that would do the narrower one serves.
///
/// A pattern that ends in `/{*rest}` covers the path before it too, with and without the slash: the rest may be nothing. A
/// route that names such a path itself comes first.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// In the order of the configuration.
    listed: Vec<Route>,
    by_path: Router<Vec<Member>>,
    /// The same with every percent-encoding of a pattern decoded, where that is another pattern.
    by_decoded_path: Option<Router<Vec<Member>>>,
    encoded_slash: EncodedSlash,
}

/// A route among those of one pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    /// The route's index.
    route: usize,
    /// The parameter that names the organization, counted from 0.
    organization: Option<usize>,
    /// Origin of the claim to the pattern: the route names it, or covers it because its rest may be nothing.
    cover: Cover,
}

/// Origin of a route's claim to a pattern; a named one comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cover {
    Named,
    RestIsNothing,
}

/// Routes of one pattern.
#[derive(Debug)]
struct Shared {
    /// The pattern as it is written where it was met first.
    written: String,
    /// The pattern with its parameters numbered.
    numbered: String,
    members: Vec<Member>,
}

impl Routes {
    /// Compiles routes in the order of the configuration.
    ///
    /// # Errors
    ///
    /// Every [`RouteProblem`] at once.
    pub fn compile(specs: Vec<RouteSpec>) -> Result<Self, Vec<RouteProblem>> {
        let routes: Vec<Route> = specs
            .into_iter()
            .enumerate()
            .map(|(index, spec)| Route { index, spec })
            .collect();
        let mut problems: Vec<RouteProblem> = routes.iter().flat_map(problems_of).collect();
        let mut patterns = Vec::new();
        for route in &routes {
            for path in &route.spec.paths {
                problems.extend(share(&mut patterns, &routes, route, path));
            }
        }
        for Shared { written, members, .. } in &patterns {
            let members: Vec<&Route> = members.iter().filter_map(|member| routes.get(member.route)).collect();
            problems.extend(crossing(written, &members));
        }
        for route in &routes {
            for (path, base) in route
                .spec
                .paths
                .iter()
                .flat_map(|path| without_rest(path).map(move |base| (path, base)))
            {
                let member = Member {
                    cover: Cover::RestIsNothing,
                    ..member(route, path)
                };
                insert(&mut patterns, &base, member);
            }
        }
        let (mut by_path, mut by_decoded_path) = (Router::new(), Router::new());
        let any_encoded = patterns.iter().any(|shared| shared.written.contains('%'));
        let mut numbered: Vec<(String, String)> = Vec::new();
        for shared in patterns {
            let mut members = shared.members;
            members.sort_by_key(|member| (member.cover, routes.get(member.route).map(order)));
            let route = members.first().map(|member| member.route).unwrap_or_default();
            let decoded = pattern::numbered(&decoded_pattern(&shared.written));
            let inserted = by_path.insert(shared.numbered.clone(), members.clone());
            let inserted = inserted.and_then(|()| by_decoded_path.insert(decoded, members));
            if let Err(error) = inserted {
                problems.push(unroutable(route, shared.written, error, &numbered));
            } else {
                numbered.push((shared.numbered, shared.written));
            }
        }
        let allows = |route: &Route| route.spec.encoded_slash == EncodedSlash::Allow;
        if problems.is_empty() {
            Ok(Self {
                encoded_slash: if routes.iter().any(allows) {
                    EncodedSlash::Allow
                } else {
                    EncodedSlash::Refuse
                },
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

    /// Reads the path of a request. An encoded slash is refused if no route allows one.
    ///
    /// # Errors
    ///
    /// As [`RequestPath::parse`].
    pub fn path<'p>(&self, raw: &'p [u8]) -> Result<RequestPath<'p>, PathProblem> {
        RequestPath::parse_with(raw, self.encoded_slash)
    }

    /// The route a request falls under, if any: no route means no entry. A path with an encoded slash falls under routes that
    /// allow one only.
    ///
    /// `preflight_for` is the value of `Access-Control-Request-Method`, given only when the request also has `Origin`.
    pub fn find<'r>(
        &'r self,
        method: &Method,
        host: Option<RequestHost<'r>>,
        path: RequestPath<'r>,
        preflight_for: Option<&Method>,
    ) -> Option<Match<'r>> {
        let (method, preflight) = match preflight_for {
            Some(asked) if method == Method::OPTIONS => (asked, Preflight::Yes),
            _ => (method, Preflight::No),
        };
        let found = self.by_path.at(path.as_str()).ok()?;
        let (route, member) = self.serving(found.value, method, host)?;
        if path.has_encoded_slash() && route.spec.encoded_slash == EncodedSlash::Refuse {
            return None;
        }
        if path.as_str().contains('%') {
            self.decoded_path_is_of(route, method, host, path)?;
        }
        let in_path = member
            .organization
            .and_then(|number| found.params.iter().nth(number).map(|(_, value)| Cow::Borrowed(value)));
        Some(Match {
            route,
            organization: in_path.or_else(|| beside_the_path(route, host)),
            preflight,
        })
    }

    /// Returns `Some` if the path, decoded as often as it can be, is still this route's.
    ///
    /// SECURITY: an application decodes `/%61dmin` or `/things%3Acancel`, some twice (`/%2561dmin`). If that is another
    /// route's path, this one does not speak for it.
    fn decoded_path_is_of(
        &self,
        route: &Route,
        method: &Method,
        host: Option<RequestHost<'_>>,
        path: RequestPath<'_>,
    ) -> Option<()> {
        let router = self.by_decoded_path.as_ref().unwrap_or(&self.by_path);
        let mut text = path.as_str().to_owned();
        // A [`RequestPath`] ends this after [`RequestPath::ENCODINGS_MAX`] rounds.
        loop {
            let decoded = decoded(&text);
            if decoded == text {
                return Some(());
            }
            let (meant, _) = self.serving(router.at(&decoded).ok()?.value, method, host)?;
            if meant.index != route.index {
                return None;
            }
            text = decoded;
        }
    }

    /// The first of these routes that serves such a request.
    fn serving<'m>(
        &self,
        members: &'m [Member],
        method: &Method,
        host: Option<RequestHost<'_>>,
    ) -> Option<(&Route, &'m Member)> {
        let mut members = members
            .iter()
            .filter_map(|member| Some((self.listed.get(member.route)?, member)));
        members.find(|(route, _)| route.serves(method, host))
    }
}

/// The organization that the route itself names, or the label of the host that names it.
fn beside_the_path<'r>(route: &'r Route, host: Option<RequestHost<'r>>) -> Option<Cow<'r, str>> {
    if let OrganizationSource::Fixed(name) = &route.spec.organization {
        return Some(Cow::Borrowed(name.as_str()));
    }
    let host = host?;
    let mut patterns = route.spec.hosts.iter().filter_map(|host| host.organization());
    let label = patterns.find_map(|pattern| pattern.label(host))?;
    // SPEC: RFC 3986 section 3.2.2: the case of a host does not count.
    Some(if label.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(label.to_ascii_lowercase())
    } else {
        Cow::Borrowed(label)
    })
}

/// Puts a route's path with the others of the same pattern; the problem if they cannot be told apart.
fn share(patterns: &mut Vec<Shared>, routes: &[Route], route: &Route, path: &str) -> Option<RouteProblem> {
    let member = member(route, path);
    let numbered = pattern::numbered(path);
    let Some(shared) = patterns.iter().find(|shared| shared.numbered == numbered) else {
        insert(patterns, path, member);
        return None;
    };
    if shared.written != path {
        return Some(RouteProblem::Conflict {
            route: route.index,
            path: path.to_owned(),
            other: shared.written.clone(),
        });
    }
    let mut others = shared.members.iter().filter_map(|member| routes.get(member.route));
    let duplicate = others.find(|other| overlap(other, route) == Overlap::Same);
    let problem = duplicate.map(|other| RouteProblem::Duplicate {
        route: route.index,
        path: path.to_owned(),
        other: other.index + 1,
    });
    insert(patterns, path, member);
    problem
}

fn member(route: &Route, path: &str) -> Member {
    Member {
        route: route.index,
        organization: pattern::position_of(path, ORGANIZATION),
        cover: Cover::Named,
    }
}

fn insert(patterns: &mut Vec<Shared>, path: &str, member: Member) {
    let numbered = pattern::numbered(path);
    match patterns.iter_mut().find(|shared| shared.numbered == numbered) {
        Some(shared) => shared.members.push(member),
        None => patterns.push(Shared {
            written: path.to_owned(),
            numbered,
            members: vec![member],
        }),
    }
}

/// The paths that a pattern with a rest covers when the rest is nothing: with the slash before it, and without.
fn without_rest(path: &str) -> impl Iterator<Item = String> + use<> {
    let base = path
        .rsplit_once("/{*")
        .filter(|(_, name)| name.find('}') == Some(name.len().saturating_sub(1)))
        .map(|(base, _)| base.to_owned());
    let with_slash = base.as_ref().map(|base| format!("{base}/"));
    base.filter(|base| !base.is_empty()).into_iter().chain(with_slash)
}

/// The problem of a pattern that the router refuses. `numbered` has the patterns before it, as they are kept and as they
/// are written.
fn unroutable(route: usize, path: String, error: InsertError, numbered: &[(String, String)]) -> RouteProblem {
    match error {
        InsertError::Conflict { with } => RouteProblem::Conflict {
            route,
            path,
            other: numbered
                .iter()
                .find(|(numbered, _)| *numbered == with)
                .map_or(with, |(_, written)| written.clone()),
        },
        other => RouteProblem::Pattern {
            route,
            path,
            why: other.to_string(),
        },
    }
}

/// A path as an application reads it, in which an encoded slash is a character.
fn decoded(path: &str) -> String {
    let decoded: Vec<_> = path::pieces(path)
        .map(|piece| percent_encoding::percent_decode_str(piece).decode_utf8_lossy())
        .collect();
    decoded.join("%2F")
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
    problems.extend(route.two_organizations());
    problems.extend(route.hosts_without_organization());
    let in_path = route.spec.organization == OrganizationSource::Address && !route.host_names_organization();
    for path in &route.spec.paths {
        if let Some(why) = pattern::problem_of(path) {
            problems.push(RouteProblem::Pattern {
                route: route.index,
                path: path.clone(),
                why,
            });
        } else if in_path && route.names_organization() && !path.contains(PARAMETER) {
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
/// SECURITY: the one that came first would let requests pass for which the other requires something.
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
    use crate::RouteHost;
    use crate::route::parse_requirement;

    fn route(path: &str, methods: &[Method], require: &[&str]) -> RouteSpec {
        RouteSpec {
            paths: vec![path.to_owned()],
            methods: methods.to_vec(),
            require: require.iter().map(|text| parse_requirement(text).unwrap()).collect(),
            ..RouteSpec::default()
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
        assert_eq!((hit.route.index, hit.organization.as_deref()), (1, Some("acme")));
        assert_eq!(found(&routes, &Method::GET, "/other").unwrap().route.index, 0);
        // SECURITY: a path that a strict route names never falls through to a laxer one because of its method.
        assert!(found(&routes, &Method::GET, "/v1/algo/acme/echo/1.0").is_none());
    }

    /// A path that an application reads as another route's belongs to no route.
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

    /// A rest may be nothing: what guards `/orgs/{organization}/{*rest}` guards `/orgs/acme` too, and no laxer route gets it.
    #[test]
    fn sec_rest_of_a_path_may_be_nothing() {
        let mut posted = route("/orgs/{id}", &[Method::POST], &["platform:admin"]);
        posted.hosts = vec![RouteHost::parse("a.example").unwrap()];
        let routes = Routes::compile(vec![
            route("/orgs/{organization}/{*rest}", &[], &["organization:member"]),
            route("/{*path}", &[], &["authenticated"]),
            route("/named/{*rest}", &[], &["authenticated"]),
            route("/named", &[], &["public"]),
            posted,
        ])
        .unwrap();
        for (path, index, organization) in [
            ("/orgs/acme/home", 0, Some("acme")),
            ("/orgs/acme/", 0, Some("acme")),
            ("/orgs/acme", 0, Some("acme")),
            ("/orgs/ac%6De", 0, Some("ac%6De")),
            ("/orgs/", 1, None),
            ("/orgs", 1, None),
            ("/", 1, None),
            ("/named", 3, None),
            ("/named/", 2, None),
            ("/named/x", 2, None),
        ] {
            let hit = found(&routes, &Method::GET, path).unwrap();
            assert_eq!(
                (hit.route.index, hit.organization.as_deref()),
                (index, organization),
                "{path}"
            );
        }
        // What a route names itself comes first, where it serves the request.
        let host = RequestHost::parse("a.example").ok();
        let path = RequestPath::parse(b"/orgs/acme").unwrap();
        for (method, index, organization) in [(Method::POST, 4, None), (Method::PUT, 0, Some("acme"))] {
            let hit = routes.find(&method, host, path, None).unwrap();
            assert_eq!(
                (hit.route.index, hit.organization.as_deref()),
                (index, organization),
                "{method}"
            );
        }
    }

    /// `%2F` is a character inside its segment, on the route that allows it and on no other.
    #[test]
    fn sec_encoded_slash_on_routes_that_allow_it() {
        let routes = Routes::compile(vec![
            RouteSpec {
                encoded_slash: EncodedSlash::Allow,
                ..route("/projects/{project}", &[], &["authenticated"])
            },
            route("/projects/{project}/{*rest}", &[], &["platform:admin"]),
            route("/plain/{name}", &[], &["public"]),
            route("/admin", &[], &["platform:admin"]),
            RouteSpec {
                encoded_slash: EncodedSlash::Allow,
                ..route("/orgs/{organization}", &[], &["organization:member"])
            },
        ])
        .unwrap();
        let index = |text: &str| {
            let path = routes.path(text.as_bytes()).unwrap();
            let hit = routes.find(&Method::GET, None, path, None);
            hit.map(|hit| (hit.route.index, hit.organization.map(Cow::into_owned)))
        };
        assert_eq!(index("/projects/team%2Fshop"), Some((0, None)));
        assert_eq!(index("/projects/team%2fshop"), Some((0, None)));
        assert_eq!(index("/projects/caf%C3%A9%2Fshop"), Some((0, None)));
        assert_eq!(index("/projects/team/shop"), Some((1, None)));
        for path in [
            "/projects%2Fteam",
            "/plain/a%2Fb",
            "/projects/x/a%2Fb",
            "/%61dmin",
            "/%70rojects/team%2Fshop",
        ] {
            assert_eq!(index(path), None, "{path}");
        }
        let hit = index("/orgs/acme%2Fx");
        assert_eq!(hit, Some((4, Some("acme%2Fx".to_owned()))));
        let strict = Routes::compile(vec![route("/plain/{name}", &[], &["public"])]).unwrap();
        assert_eq!(strict.path(b"/plain/a%2Fb"), Err(PathProblem::EncodedDelimiter));
    }

    /// However often an application decodes a path, it is the same route's.
    #[test]
    fn sec_path_decoded_twice() {
        let routes = Routes::compile(vec![
            route("/{*rest}", &[], &["public"]),
            route("/admin", &[], &["platform:admin"]),
        ])
        .unwrap();
        for path in ["/%61dmin", "/%2561dmin", "/%252561dmin"] {
            assert!(found(&routes, &Method::GET, path).is_none(), "{path}");
        }
        assert!(found(&routes, &Method::GET, "/100%25").is_some());
        assert!(found(&routes, &Method::GET, "/a%2520b").is_some());
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
        inner.hosts = vec![RouteHost::parse("inner.example").unwrap()];
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
            RouteSpec::default(),
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
}
