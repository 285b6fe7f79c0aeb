//! Routes: a path pattern, the methods and hosts it is for, and what it requires.

use std::borrow::Cow;
use std::fmt;

use http::Method;
use narthex_directory::{IssuerName, OrganizationName, OrganizationRole, PlatformRole};
use thiserror::Error;

use crate::organization::{OrganizationBy, OrganizationSource};
use crate::{Bearer, EncodedSlash, OrganizationFacts, Reason, RequestHost, RouteHost};

/// Requirement of a route on the caller. A route with several is satisfied by any one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requirement {
    /// Nothing: a token is optional, but a bad one is still refused.
    Public,
    /// A user whom the directory knows.
    Authenticated,
    /// At least this role in the organization that the request is about.
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
#[derive(Debug, Clone, Default)]
pub struct RouteSpec {
    /// Path patterns: `{name}` is one segment, a final `{*name}` is the rest. `{organization}` is an organization.
    pub paths: Vec<String>,
    /// Methods it is for; empty means every method. `GET` includes `HEAD` (RFC 9110 section 9.3.2).
    pub methods: Vec<Method>,
    /// Hosts it is for; empty means every host.
    pub hosts: Vec<RouteHost>,
    /// Any one of these lets a request pass. Never empty.
    pub require: Vec<Requirement>,
    /// Place of the organization that a request is about.
    pub organization: OrganizationSource,
    /// Identifier by which requests name it.
    pub organization_by: OrganizationBy,
    /// Issuers whose tokens it takes; empty means every issuer.
    pub issuers: Vec<IssuerName>,
    /// Permission tags of which the token must have one; empty means that it needs none.
    pub tags: Vec<String>,
    /// Scopes of which the token must have every one; empty means that it needs none.
    pub scopes: Vec<String>,
    /// Treatment of an encoded slash in the path.
    pub encoded_slash: EncodedSlash,
}

/// A compiled route.
#[derive(Debug, Clone)]
pub struct Route {
    /// Place of the route in the configuration, from 0. The gateway keeps upstreams under the same number.
    pub index: usize,
    /// As configured.
    pub spec: RouteSpec,
}

impl Route {
    /// Tests whether a request without a token may pass.
    pub fn is_public(&self) -> bool {
        self.spec.require.contains(&Requirement::Public)
    }

    /// Tests whether any requirement speaks of an organization.
    pub fn names_organization(&self) -> bool {
        self.spec
            .require
            .iter()
            .any(|requirement| matches!(requirement, Requirement::Organization(_)))
    }

    /// Tests whether a token with these scopes has every one that the route asks for.
    pub fn has_scopes(&self, scopes: &[String]) -> bool {
        self.spec.scopes.iter().all(|scope| scopes.contains(scope))
    }

    /// Reason for which the route takes no token of this issuer, with these tags and scopes, or no machine key, whatever roles its
    /// user has.
    ///
    /// SECURITY: an organization's admin can have an identity provider of its own put any tag and scope into a token. They mean
    /// something to a route that lists that issuer, and in that organization.
    pub(crate) fn refuses(&self, bearer: &Bearer<'_>, organization: &OrganizationFacts) -> Option<Reason> {
        let RouteSpec { issuers, tags, .. } = &self.spec;
        let is_about =
            |own: &OrganizationName| matches!(organization, OrganizationFacts::Known(known) if known.name == *own);
        let counts = bearer
            .issuer_organization
            .is_none_or(|own| !issuers.is_empty() || is_about(own));
        if !issuers.is_empty() && bearer.issuer.is_none_or(|issuer| !issuers.contains(issuer)) {
            return Some(Reason::RouteIssuer);
        }
        let has_one = || counts && tags.iter().any(|tag| bearer.tags.contains(tag));
        if !tags.is_empty() && !has_one() {
            return Some(Reason::RouteTag);
        }
        let scopes = if counts { bearer.scopes } else { &[] };
        (!self.has_scopes(scopes)).then_some(Reason::TokenScope)
    }

    pub(crate) fn serves(&self, method: &Method, host: Option<RequestHost<'_>>) -> bool {
        let method_fits = self.spec.methods.is_empty()
            || self
                .spec
                .methods
                .iter()
                .any(|allowed| allowed == method || (allowed == Method::GET && method == Method::HEAD));
        let host_fits = self.spec.hosts.is_empty()
            || host.is_some_and(|host| self.spec.hosts.iter().any(|allowed| allowed.takes(host)));
        method_fits && host_fits
    }
}

/// The route a request falls under.
#[derive(Debug, Clone)]
pub struct Match<'r> {
    /// The route.
    pub route: &'r Route,
    /// The organization as the request names it, or as the route does; `None` where neither names one. A label of the host is
    /// in lower case.
    pub organization: Option<Cow<'r, str>>,
    /// Tells a CORS preflight for the route from a request to it.
    pub preflight: Preflight,
}

/// Kind of a request: a CORS preflight, or any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preflight {
    /// An `OPTIONS` request with both `Origin` and `Access-Control-Request-Method`: it passes without a token, because
    /// browsers send it without one.
    Yes,
    /// Anything else.
    No,
}

/// Problem for which a set of routes cannot be used. `route` numbers count from 0 in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteProblem {
    /// Not a requirement.
    #[error(
        "`{text}` is not a requirement; write `public`, `authenticated`, `organization:ROLE` (executor, member, admin) or `platform:ROLE` (user, viewer, admin)"
    )]
    Requirement {
        /// The text as written.
        text: String,
    },
    /// A route without a requirement.
    #[error("a route must say what it requires; for one that is open to everybody write `require = \"public\"`")]
    NoRequirement {
        /// The route.
        route: usize,
    },
    /// A route without a path.
    #[error("a route needs at least one path")]
    NoPath {
        /// The route.
        route: usize,
    },
    /// `organization:ROLE` on a path without `{{organization}}`.
    #[error("`{path}` has no `{{organization}}`, so `organization:ROLE` cannot be decided there")]
    NoOrganization {
        /// The route.
        route: usize,
        /// The path pattern.
        path: String,
    },
    /// An organization that would come from two places.
    #[error("`{second}` names the organization, and so does `{first}`; a route takes it from one place")]
    TwoOrganizations {
        /// The route.
        route: usize,
        /// The key that names it first.
        first: &'static str,
        /// The key that names it again.
        second: &'static str,
    },
    /// A host without `{{organization}}` beside one that has it.
    #[error("`{host}` has no `{{organization}}`, and another host of the route has it")]
    HostWithoutOrganization {
        /// The route.
        route: usize,
        /// The host.
        host: String,
    },
    /// A pattern that cannot be compiled.
    #[error("`{path}` is not a path pattern: {why}")]
    Pattern {
        /// The route.
        route: usize,
        /// The path pattern.
        path: String,
        /// The fault of the pattern.
        why: String,
    },
    /// Two patterns that could both match one path and are not ordered.
    #[error(
        "`{path}` conflicts with `{other}`: both match the same paths under different parameter names; use the same names"
    )]
    Conflict {
        /// The route.
        route: usize,
        /// The path pattern.
        path: String,
        /// The earlier pattern.
        other: String,
    },
    /// Two routes for the same path, method and host.
    #[error("`{path}` is already served by route {other} for the same methods and hosts")]
    Duplicate {
        /// The route.
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
        /// The route.
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
            | Self::TwoOrganizations { route, .. }
            | Self::HostWithoutOrganization { route, .. }
            | Self::Pattern { route, .. }
            | Self::Conflict { route, .. }
            | Self::Duplicate { route, .. }
            | Self::Crossing { route, .. } => Some(*route),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
