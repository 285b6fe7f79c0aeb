//! Request, principal and routes to a decision with its reason.
//!
//! **In:** a request's method, host and path; a [`narthex_directory::Principal`] or none; the compiled [`Routes`].
//! **Out:** a [`Decision`]: either a [`Permit`] that says which rule let the request pass and on whose grant, or a
//! [`Denial`] with one of the stable [`Reason`]s. "No" is a value here, never an error.
//!
//! This crate knows nothing about tokens, HTTP status codes, sockets, clocks or databases. Which status a reason gets
//! is decided in one place, in the gateway.
//!
//! **Invariants**
//!
//! * A path is matched byte for byte as it will be forwarded; a path that two programs could read differently is
//!   refused before it is matched ([`RequestPath`]). A host is one host however it is spelled ([`RequestHost`]).
//! * No route, no entry: what no route names is denied.
//! * A [`HeaderPatch`] cannot be applied without first removing every header Narthex owns, in every spelling.
//! * [`decide`] is total: every combination of requirement and role is in `tests/matrix.txt`.

mod access;
mod decide;
mod headers;
mod host;
mod organization;
mod overlap;
mod path;
mod pattern;
mod reason;
mod route;
mod routes;

pub use access::{Action, Actor, ActorScope};
pub use decide::{Bearer, Decision, Denial, OrganizationFacts, Permit, decide};
pub use headers::{
    AnswerHeaders, HeaderPatch, IdentityHeaders, OwnedHeaders, encode_value, is_forwarding_header, is_identity_header,
    is_method_override, is_usual_identity_header, remove_headers, remove_identity_headers, spelled_like,
};
pub use host::{HostName, HostProblem, OrganizationHost, RequestHost, RouteHost};
pub use organization::{OrganizationBy, OrganizationSource};
pub use path::{EncodedSlash, PathProblem, RequestPath};
pub use reason::Reason;
pub use route::{Match, Preflight, Requirement, Route, RouteProblem, RouteSpec, parse_requirement};
pub use routes::Routes;
