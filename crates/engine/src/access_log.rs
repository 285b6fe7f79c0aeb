//! The access log (`[log] access`): one line for each request that passed, at the doors, at Narthex's own paths and at
//! the admin port. Refused requests always have a line of their own. Health checks and scrapes of metrics have none:
//! they come every few seconds and concern no user.

use std::net::IpAddr;

use http::{Method, StatusCode};
use narthex_directory::{Actor, IssuerName, UserId};
use tokio::time::Instant;

use crate::cache::by_token::Caller;
use crate::event::{micros, shown};
use crate::inbound::Inbound;
use crate::passed::Passed;
use crate::runtime::Runtime;
use smol_str::SmolStr;

/// Target of the lines, so that they are written whatever `[log] level` says.
pub const ACCESS_TARGET: &str = "narthex_gateway::access";

/// A request that passes, to be logged when it is answered.
///
/// The log is off by default. Then a request costs one test of a flag.
#[derive(Debug)]
pub struct AccessLine {
    door: &'static str,
    request_id: String,
    method: Method,
    /// Without the query, which may hold tokens and personal data.
    path: String,
    client: Option<IpAddr>,
    issuer: Option<IssuerName>,
    user: Option<UserId>,
    organization: Option<SmolStr>,
    route: String,
    started: Instant,
}

impl AccessLine {
    /// Begins the line of a request that began at `started`; `None` if the access log is off.
    pub fn begin(
        runtime: &Runtime,
        inbound: &Inbound<'_>,
        passed: &Passed,
        started: Option<Instant>,
    ) -> Option<Box<Self>> {
        started.map(|started| {
            let allowed = passed.answer.allowed();
            let route = runtime.routes.iter().nth(allowed.route);
            Box::new(Self {
                door: inbound.door.as_str(),
                request_id: passed.request_id.clone(),
                method: inbound.method.clone(),
                path: shown(inbound.path),
                client: inbound.client(),
                issuer: passed.answer.caller().and_then(Caller::issuer_name).cloned(),
                user: allowed.user,
                organization: allowed.organization.clone(),
                route: route.map(|route| route.spec.paths.join(", ")).unwrap_or_default(),
                started,
            })
        })
    }

    /// Writes the line: the request was answered with this status.
    pub fn end(&self, status: StatusCode) {
        tracing::info!(
            target: ACCESS_TARGET,
            event = "access", door = self.door, request_id = self.request_id, client = self.client.map(tracing::field::display),
            method = %self.method, path = self.path, status = status.as_u16(), decision = "allow",
            issuer = self.issuer.as_ref().map(IssuerName::as_str), user = self.user.map(tracing::field::display),
            organization = self.organization.as_deref(),
            route = self.route, took_us = micros(self.started.elapsed()),
            "a request was let pass"
        );
    }
}

/// A request that Narthex answered itself: at its own paths of the public port, or at the admin port.
#[derive(Debug)]
pub struct OwnLine<'r> {
    /// The door, or the port of Narthex's own paths.
    pub door: &'static str,
    /// Id of the request.
    pub request_id: &'r str,
    /// Method of the request.
    pub method: &'r Method,
    /// Path without the query.
    pub path: &'r str,
    /// Client address.
    pub client: Option<IpAddr>,
    /// Issuer of its token.
    pub issuer: Option<&'r IssuerName>,
    /// Caller, if one was found.
    pub actor: Option<&'r Actor>,
    /// Time when it began.
    pub started: Instant,
}

impl OwnLine<'_> {
    /// Writes the line: the request was answered with this status.
    pub fn end(&self, status: StatusCode) {
        let (user, api_key) = match self.actor {
            Some(Actor::User(id)) => (Some(id), None),
            Some(Actor::ApiKey(id)) => (None, Some(id)),
            _ => (None, None),
        };
        tracing::info!(
            target: ACCESS_TARGET,
            event = "access", door = self.door, request_id = self.request_id, client = self.client.map(tracing::field::display),
            method = %self.method, path = shown(self.path.as_bytes()), status = status.as_u16(), decision = "allow",
            issuer = self.issuer.map(IssuerName::as_str), actor = self.actor.map(Actor::kind),
            user = user.map(tracing::field::display), api_key = api_key.map(tracing::field::display),
            took_us = micros(self.started.elapsed()),
            "a request was let pass"
        );
    }
}
