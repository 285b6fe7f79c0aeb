//! Two routes of one path: which of them a request falls under.
//!
//! A route for some hosts or methods comes before one for all of them. That settles it where one route's requests are all
//! the other's too; where each has requests of its own, nothing settles it but a third route for those they share.

use http::Method;

use crate::RouteHost;
use crate::route::Route;

/// Relation of one route's requests to those of another route of the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlap {
    /// They share none, or one route's are all the other's too: the narrower one comes first.
    Ordered,
    /// They claim the same with the same precision.
    Same,
    /// Each is the narrower one in one respect, the hosts or the methods.
    Crossing,
}

/// Relation of one list to another, where an empty one means "every".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Apart,
    Alike,
    Narrower,
    Wider,
}

/// Compares the requests of two routes of one path.
pub(crate) fn overlap(one: &Route, other: &Route) -> Overlap {
    use Stands::{Alike, Narrower, Wider};
    let hosts = hosts(&one.spec.hosts, &other.spec.hosts);
    match (hosts, methods(&one.spec.methods, &other.spec.methods)) {
        (Alike, Alike) => Overlap::Same,
        (Narrower, Wider) | (Wider, Narrower) => Overlap::Crossing,
        _ => Overlap::Ordered,
    }
}

/// Tests whether other routes of the same path settle two crossing ones: each request that both would take has a route
/// that is narrower than either.
pub(crate) fn settled(one: &Route, other: &Route, all: &[&Route]) -> bool {
    let hosts = shared_hosts(&one.spec.hosts, &other.spec.hosts);
    let methods = shared_methods(&one.spec.methods, &other.spec.methods);
    let served = |host: &RouteHost, method: &Method| {
        all.iter()
            .any(|route| route.spec.hosts.contains(host) && route.spec.methods.contains(method))
    };
    hosts
        .iter()
        .all(|host| methods.iter().all(|method| served(host, method)))
}

/// The narrowest first: for hosts before for the hosts of organizations before for every host, for methods before for every method, and `HEAD` by its name before
/// `GET`, which includes it.
pub(crate) fn order(route: &Route) -> impl Ord + use<> {
    let spec = &route.spec;
    (
        spec.hosts.is_empty(),
        route.host_names_organization(),
        spec.methods.is_empty(),
        !spec.methods.contains(&Method::HEAD),
    )
}

fn lists<T: PartialEq>(one: &[T], other: &[T]) -> Stands {
    match (one.is_empty(), other.is_empty()) {
        (true, true) => Stands::Alike,
        (true, false) => Stands::Wider,
        (false, true) => Stands::Narrower,
        (false, false) if one.iter().any(|item| other.contains(item)) => Stands::Alike,
        (false, false) => Stands::Apart,
    }
}

/// The same for hosts, of which one that is named comes before those of organizations.
fn hosts(one: &[RouteHost], other: &[RouteHost]) -> Stands {
    if one.is_empty() || other.is_empty() {
        return lists(one, other);
    }
    let of_organizations = |list: &[RouteHost]| list.iter().any(|host| host.organization().is_some());
    if !one.iter().any(|host| other.iter().any(|other| host.meets(other))) {
        return Stands::Apart;
    }
    match (of_organizations(one), of_organizations(other)) {
        (false, true) => Stands::Narrower,
        (true, false) => Stands::Wider,
        _ => Stands::Alike,
    }
}

fn methods(one: &[Method], other: &[Method]) -> Stands {
    let names_head =
        |by_name: &[Method], by_get: &[Method]| by_name.contains(&Method::HEAD) && by_get.contains(&Method::GET);
    match lists(one, other) {
        Stands::Apart if names_head(one, other) => Stands::Narrower,
        Stands::Apart if names_head(other, one) => Stands::Wider,
        stands => stands,
    }
}

/// Returns the part that two crossing lists share: the narrower one.
fn shared<'l, T>(one: &'l [T], other: &'l [T]) -> &'l [T] {
    if one.is_empty() { other } else { one }
}

/// The same for hosts: of those of organizations, the ones that the other list names.
fn shared_hosts(one: &[RouteHost], other: &[RouteHost]) -> Vec<RouteHost> {
    if one.is_empty() || other.is_empty() {
        return shared(one, other).to_vec();
    }
    let named = |list: &[RouteHost], other: &[RouteHost]| -> Vec<RouteHost> {
        let named = list.iter().filter(|host| host.organization().is_none());
        let met = named.filter(|host| other.iter().any(|other| host.meets(other)));
        met.cloned().collect()
    };
    let mut found = named(one, other);
    found.extend(named(other, one));
    found
}

fn shared_methods<'l>(one: &'l [Method], other: &'l [Method]) -> &'l [Method] {
    if one.is_empty() || other.is_empty() {
        shared(one, other)
    } else {
        &[Method::HEAD]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{RouteProblem, RouteSpec, parse_requirement};
    use crate::{RequestHost, RequestPath, Routes};

    fn route(hosts: &[&str], methods: &[Method], require: &str) -> RouteSpec {
        RouteSpec {
            paths: vec!["/x".to_owned()],
            methods: methods.to_vec(),
            hosts: hosts.iter().map(|host| RouteHost::parse(host).unwrap()).collect(),
            require: vec![parse_requirement(require).unwrap()],
            ..RouteSpec::default()
        }
    }

    fn found(routes: &Routes, host: &str, method: &Method) -> Option<usize> {
        let host = RequestHost::parse(host).ok();
        let path = RequestPath::parse(b"/x").unwrap();
        routes.find(method, host, path, None).map(|hit| hit.route.index)
    }

    /// Of two routes that both take a request, neither is the stricter one by its form: that has to be written down.
    #[test]
    fn sec_crossing_routes_are_refused_until_a_third_one_settles_them() {
        let for_hosts = route(&["a.example.com", "b.example.com"], &[], "public");
        let for_methods = route(&[], &[Method::DELETE], "platform:admin");
        for specs in [
            vec![for_hosts.clone(), for_methods.clone()],
            vec![for_methods.clone(), for_hosts.clone()],
            // Settled for one of the hosts only.
            vec![
                route(&["a.example.com"], &[Method::DELETE], "platform:admin"),
                for_hosts.clone(),
                for_methods.clone(),
            ],
            vec![
                route(&[], &[Method::HEAD], "platform:admin"),
                route(&["a.example.com"], &[Method::GET], "public"),
            ],
        ] {
            let problems = Routes::compile(specs.clone()).unwrap_err();
            assert!(
                matches!(problems.as_slice(), [RouteProblem::Crossing { .. }]),
                "{specs:?} {problems:?}"
            );
        }
        let settled = Routes::compile(vec![
            for_hosts.clone(),
            for_methods,
            route(&["a.example.com", "b.example.com"], &[Method::DELETE], "platform:admin"),
        ])
        .unwrap();
        for (host, method, index) in [
            ("a.example.com", Method::DELETE, 2),
            ("b.example.com", Method::DELETE, 2),
            ("a.example.com", Method::GET, 0),
            ("c.example.com", Method::DELETE, 1),
        ] {
            assert_eq!(found(&settled, host, &method), Some(index), "{method} {host}");
        }
        // A host that is named is narrower than those of organizations.
        let named = route(&["a.example.com"], &[], "public");
        let of_organizations = route(&["{organization}.example.com"], &[Method::DELETE], "platform:admin");
        let third = route(&["a.example.com"], &[Method::DELETE], "platform:admin");
        let problems = Routes::compile(vec![named.clone(), of_organizations.clone()]).unwrap_err();
        assert!(
            matches!(problems.as_slice(), [RouteProblem::Crossing { .. }]),
            "{problems:?}"
        );
        Routes::compile(vec![named, of_organizations, third]).unwrap();
        // Those that share no request cross nothing.
        Routes::compile(vec![
            for_hosts,
            route(&["c.example.com"], &[Method::DELETE], "platform:admin"),
        ])
        .unwrap();
    }

    /// The narrower route comes first, wherever it stands.
    #[test]
    fn of_two_routes_the_narrower_one_decides() {
        let one = |hosts: &[&str], methods: &[Method]| route(hosts, methods, "authenticated");
        let narrow_first = [
            (one(&["a.example.com"], &[]), one(&[], &[])),
            (one(&[], &[Method::HEAD]), one(&[], &[])),
            (one(&[], &[Method::HEAD]), one(&[], &[Method::GET])),
            (one(&["a.example.com"], &[Method::HEAD]), one(&["a.example.com"], &[])),
            (one(&["a.example.com"], &[Method::HEAD]), one(&[], &[Method::GET])),
            (one(&["a.example.com"], &[]), one(&["{organization}.example.com"], &[])),
            (one(&["{organization}.example.com"], &[]), one(&[], &[])),
        ];
        for (narrow, wide) in narrow_first {
            for (specs, index) in [
                (vec![narrow.clone(), wide.clone()], 0),
                (vec![wide.clone(), narrow.clone()], 1),
            ] {
                let routes = Routes::compile(specs).unwrap();
                assert_eq!(
                    found(&routes, "a.example.com", &Method::HEAD),
                    Some(index),
                    "{narrow:?} {wide:?}"
                );
            }
        }
    }
}
