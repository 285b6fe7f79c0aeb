//! Protected resources (RFC 9728): the identifier of the one that a request is for, and the address of its metadata.

use narthex_decision::Route;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::dpop::DpopUse;
use crate::inbound::Inbound;
use crate::origin::own_origins;
use crate::runtime::{IssuerRuntime, Runtime};

/// Beginning of the paths of metadata (RFC 9728 section 3).
pub const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";
/// Characters that stand in no URL, or would end the quoted text of a header.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`');

/// A resource that tokens are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedResource {
    /// Its identifier, a URL.
    pub identifier: String,
    /// Address of its metadata.
    pub metadata_url: String,
    /// Scopes that a token needs there.
    pub scopes: Vec<String>,
    /// Use of tokens that are bound to a key.
    pub dpop: DpopUse,
}

impl ProtectedResource {
    /// Returns the resource that a request on a route is for: the longest audience of the route's issuers that is a URL on
    /// the origin of the request and a beginning of its path; without one, the part of the path that the route spells out.
    /// `None` for a route that takes no tokens.
    pub fn of(runtime: &Runtime, route: &Route, inbound: &Inbound<'_>) -> Option<Self> {
        if !runtime.reads_tokens(route.index) {
            return None;
        }
        let origin = own_origins(inbound).first()?.to_string();
        let path = std::str::from_utf8(inbound.path).ok()?;
        let issuers = issuers(runtime, route);
        let audiences = issuers.flat_map(|issuer| &issuer.trusted.policy().audiences);
        let named = audiences.filter_map(|audience| {
            let resource = audience.strip_prefix(origin.as_str())?;
            begins(path, resource).then_some(resource)
        });
        let resource = named.max_by_key(|resource| resource.len());
        let resource = resource.unwrap_or_else(|| spelled_out(&route.spec.paths, path));
        let resource = utf8_percent_encode(resource, UNSAFE);
        Some(Self {
            metadata_url: format!("{origin}{METADATA_PATH}{}", resource.to_string().trim_end_matches('/')),
            identifier: format!("{origin}{resource}"),
            scopes: route.spec.scopes.clone(),
            dpop: dpop(runtime, route),
        })
    }
}

/// Returns the use of bound tokens on a route: required if all of its issuers require them.
fn dpop(runtime: &Runtime, route: &Route) -> DpopUse {
    let uses = || issuers(runtime, route).map(|issuer| issuer.dpop);
    match (uses().min(), uses().max()) {
        (Some(DpopUse::Require), _) => DpopUse::Require,
        (_, Some(DpopUse::Accept | DpopUse::Require)) => DpopUse::Accept,
        _ => DpopUse::Off,
    }
}

/// Returns the enabled issuers whose tokens a route takes.
pub fn issuers<'r>(runtime: &'r Runtime, route: &'r Route) -> impl Iterator<Item = &'r IssuerRuntime> {
    let listed = &route.spec.issuers;
    let all = runtime.by_name.values().map(AsRef::as_ref);
    all.filter(move |issuer: &&IssuerRuntime| {
        runtime.trusts(&issuer.name) && (listed.is_empty() || listed.contains(&issuer.name))
    })
}

/// Returns the issuers that the metadata of a route name: those that the route lists, or all, if they are of one realm. Issuers of one
/// organization are left out, unless they are listed: they would tell who the customers are.
///
/// SECURITY: every client reads metadata. Issuers of several realms are those of several customers or companies, and who they are is
/// for the configuration to tell: it does by listing them on the route.
pub fn named_issuers<'r>(runtime: &'r Runtime, route: &'r Route) -> impl Iterator<Item = &'r IssuerRuntime> {
    let is_listed = !route.spec.issuers.is_empty();
    let all = move || issuers(runtime, route).filter(move |issuer| is_listed || issuer.policy.organization.is_none());
    let mut realms = all().map(|issuer| &issuer.realm);
    let first = realms.next();
    let is_open = is_listed || realms.all(|realm| Some(realm) == first);
    all().filter(move |_| is_open)
}

/// Returns the path of the resource whose metadata have this path; `None` if it is no path of metadata.
pub fn metadata_resource(path: &str) -> Option<&str> {
    let resource = path.strip_prefix(METADATA_PATH)?;
    match resource {
        "" => Some("/"),
        _ => resource.starts_with('/').then_some(resource),
    }
}

/// Tests whether the path of a resource is a beginning of a path, in whole segments.
fn begins(path: &str, resource: &str) -> bool {
    let rest = path.strip_prefix(resource);
    let whole = |rest: &str| rest.is_empty() || rest.starts_with('/') || resource.ends_with('/');
    rest.is_some_and(whole) || (resource.is_empty() && path.starts_with('/'))
}

/// Returns the beginning of a path that the first fitting pattern spells out, without what `{*rest}` stands for.
fn spelled_out<'p>(patterns: &[String], path: &'p str) -> &'p str {
    let covered = patterns.iter().find_map(|pattern| {
        let (fixed, open) = match pattern.split_once("/{*") {
            Some((fixed, _)) => (fixed, true),
            None => (pattern.as_str(), false),
        };
        let (mut rest, mut length) = (path, 0);
        for segment in fixed.split('/').skip(1) {
            let found = rest.strip_prefix('/')?.split('/').next()?;
            if found != segment && !segment.starts_with('{') {
                return None;
            }
            length += 1 + found.len();
            rest = path.get(length..)?;
        }
        (open || rest.is_empty()).then_some(length)
    });
    covered.and_then(|length| path.get(..length)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_the_part_of_the_path_that_the_route_spells_out() {
        for (pattern, path, resource) in [
            ("/mcp", "/mcp", "/mcp"),
            ("/mcp/{*rest}", "/mcp/a/b", "/mcp"),
            ("/mcp/{*rest}", "/mcp", "/mcp"),
            ("/{*path}", "/a/b", ""),
            ("/", "/", "/"),
            ("/orgs/{organization}/mcp/{*rest}", "/orgs/acme/mcp/x", "/orgs/acme/mcp"),
            ("/orgs/{organization}", "/orgs/acme", "/orgs/acme"),
            ("/other", "/mcp", "/mcp"),
        ] {
            assert_eq!(spelled_out(&[pattern.to_owned()], path), resource, "{pattern} {path}");
        }
    }

    #[test]
    fn an_audience_is_the_resource_in_whole_segments() {
        for (path, resource, expected) in [
            ("/mcp/a", "/mcp", true),
            ("/mcp", "/mcp", true),
            ("/mcpa", "/mcp", false),
            ("/a", "", true),
            ("/a", "/", true),
            ("/a", ".evil.example", false),
            ("/", "/mcp", false),
        ] {
            assert_eq!(begins(path, resource), expected, "{path} {resource}");
        }
    }

    #[test]
    fn metadata_have_the_path_of_their_resource_behind_them() {
        for (path, resource) in [
            (METADATA_PATH, Some("/")),
            ("/.well-known/oauth-protected-resource/mcp", Some("/mcp")),
            ("/.well-known/oauth-protected-resources", None),
            ("/mcp", None),
        ] {
            assert_eq!(metadata_resource(path), resource, "{path}");
        }
    }
}
