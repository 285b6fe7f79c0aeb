//! Routes that take what is left of a stricter one: the path above it, the path with `/` at its end, and what is below.

use std::cmp::Ordering;

use http::Method;
use narthex_decision::{RequestPath, Requirement, Route, RouteHost, Routes};
use narthex_directory::PlatformRole;
use narthex_settings_reader::{List, Problem, Span};
use toml::Spanned;

use super::Check;
use crate::file::RouteSection;

impl Check<'_> {
    /// Warns when a guarded path has neighbours that pass at a laxer route for the rest. They are other paths here; to many
    /// an application they are the same one, or a list of what the guarded one shows one by one.
    pub(crate) fn laxer_routes(&mut self, written: &List<RouteSection>, routes: &Routes) {
        let mut told = Vec::new();
        for route in routes.iter().filter(|route| !route.is_public()) {
            let Some(section) = written.get(route.index).map(Spanned::get_ref) else {
                continue;
            };
            for path in section.path.value().iter().flat_map(|paths| &paths.0) {
                self.beside(routes, route, path.get_ref(), &path.span());
                let above = above(routes, route, path.get_ref());
                // Several routes have one path above them.
                if let Some(above) = above.filter(|above| !told.contains(above)) {
                    let (text, taker) = &above;
                    let message = format!("`{}` does not cover `{text}`, which passes at {taker}", path.get_ref());
                    let help =
                        format!("if the application answers `{text}`, give it a route with the requirement it needs");
                    self.problems.push(Problem::warning(path.span(), message).help(help));
                    told.push(above);
                }
            }
        }
    }

    /// The path with a `/` at its end, and what is below it.
    fn beside(&mut self, routes: &Routes, route: &Route, path: &str, span: &Span) {
        if path.ends_with('/') || path.contains("{*") {
            return;
        }
        let slash = format!("{path}/");
        let below = format!("{path}/x");
        let takers = [&slash, &below].map(|other| laxer_taker(routes, route, other, path));
        let message = match takers {
            [Some(taker), Some(_)] => format!("`{slash}` and what is below it are other paths, and pass at {taker}"),
            [Some(taker), None] => format!("`{slash}` is another path, and passes at {taker}"),
            [None, Some(taker)] => format!("what is below `{slash}` are other paths, and pass at {taker}"),
            [None, None] => return,
        };
        let help = format!("to guard all of it alike, write `{path}/{{*rest}}`");
        self.problems.push(Problem::warning(span.clone(), message).help(help));
    }
}

/// The longest path above a parameter that a laxer route takes, and that route.
fn above(routes: &Routes, route: &Route, path: &str) -> Option<(String, String)> {
    let ends = path.match_indices("/{").map(|(at, _)| at);
    let shorter: Vec<&str> = ends
        .filter_map(|at| path.get(..at))
        .filter(|text| !text.is_empty())
        .collect();
    shorter.into_iter().rev().find_map(|text| {
        let slash = format!("{text}/");
        let taker = laxer_taker(routes, route, text, text).or_else(|| laxer_taker(routes, route, &slash, text))?;
        Some((text.to_owned(), taker))
    })
}

/// The laxer route for the rest that takes this path, if one does: its pattern, in words. A route that was written for what
/// begins with `own` is meant.
fn laxer_taker(routes: &Routes, strict: &Route, path: &str, own: &str) -> Option<String> {
    let sample = sample(path)?;
    let methods = if strict.spec.methods.is_empty() {
        vec![Method::GET, Method::POST]
    } else {
        strict.spec.methods.clone()
    };
    let host = strict.spec.hosts.first().map(RouteHost::asked);
    methods.iter().find_map(|method| {
        let asked = RequestPath::parse(sample.as_bytes()).ok()?;
        let taker = routes.find(method, host, asked, None)?.route.index;
        let taker = routes
            .iter()
            .find(|route| route.index == taker && is_laxer(route, strict))?;
        let rest = taker
            .spec
            .paths
            .iter()
            .find(|path| path.contains("{*") && !path.starts_with(own))?;
        let kind = if taker.is_public() { "public" } else { "laxer" };
        Some(format!("the {kind} route `{rest}`"))
    })
}

/// A path that the pattern matches.
fn sample(path: &str) -> Option<String> {
    let mut parameters = path.split('{');
    let mut sample = parameters.next()?.to_owned();
    for parameter in parameters {
        sample.push('x');
        sample.push_str(parameter.split_once('}')?.1);
    }
    Some(sample)
}

/// Tests whether a route lets a user pass that the strict one refuses, whatever roles the user has.
fn is_laxer(route: &Route, strict: &Route) -> bool {
    let asks_less = |one: &Requirement, also: bool| {
        let mut others = strict.spec.require.iter();
        others.all(|other| match compare(*one, *other) {
            Some(Ordering::Less) => true,
            Some(Ordering::Equal) => also,
            _ => false,
        })
    };
    let (route, strict) = (&route.spec, &strict.spec);
    // Of two that require alike, the one that also asks for a tag or an issuer is the stricter.
    let takes_others =
        (route.tags.is_empty() && !strict.tags.is_empty()) || (route.issuers.is_empty() && !strict.issuers.is_empty());
    route.require.iter().any(|one| asks_less(one, takes_others))
}

/// Compares two requirements by how much they ask for; `None` if they ask for different things.
fn compare(one: Requirement, other: Requirement) -> Option<Ordering> {
    let open = |requirement| match requirement {
        Requirement::Public => 0,
        Requirement::Authenticated => 1,
        // Machine keys are authenticated, and have no role on the platform.
        Requirement::Platform(PlatformRole::User) => 2,
        Requirement::Organization(_) | Requirement::Platform(_) => 3,
    };
    match (one, other) {
        (Requirement::Organization(one), Requirement::Organization(other)) => Some(one.cmp(&other)),
        (Requirement::Platform(one), Requirement::Platform(other)) => Some(one.cmp(&other)),
        _ if open(one) == 3 && open(other) == 3 => None,
        _ => Some(open(one).cmp(&open(other))),
    }
}

#[cfg(test)]
mod tests {
    use narthex_decision::parse_requirement;

    use super::*;

    #[test]
    fn requirements_have_an_order_where_they_ask_for_the_same() {
        let less = |one: &str, other: &str| {
            compare(parse_requirement(one).unwrap(), parse_requirement(other).unwrap()) == Some(Ordering::Less)
        };
        for (one, other) in [
            ("public", "authenticated"),
            ("authenticated", "organization:executor"),
            ("authenticated", "platform:user"),
            ("platform:user", "platform:viewer"),
            ("organization:member", "organization:admin"),
            ("platform:viewer", "platform:admin"),
        ] {
            assert!(less(one, other) && !less(other, one), "{one} {other}");
        }
        assert!(!less("organization:member", "platform:admin") && !less("platform:viewer", "organization:admin"));
    }
}
