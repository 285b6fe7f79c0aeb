//! The access log (`[log] access`): one line for each request that was let pass. Those that were not have a line of their own
//! always.

use std::net::IpAddr;

use http::{Method, StatusCode};
use narthex_directory::{IssuerName, UserId};
use tokio::time::Instant;

use narthex_engine::Runtime;
use narthex_engine::event::{micros, shown};
use narthex_engine::inbound::Inbound;
use narthex_engine::passed::Passed;
use smol_str::SmolStr;

/// The target of the lines, so that they are written whatever `[log] level` says.
pub const ACCESS_TARGET: &str = "narthex_gateway::access";

/// A request that passes, to be written down when it is answered.
///
/// Off by default. Where it is off, a request costs one look at a flag.
#[derive(Debug)]
pub(crate) struct AccessLine {
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
    /// The line of a request that began at `started`; `None` where no access log is kept.
    pub(crate) fn begin(
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
                issuer: passed.answer.caller().map(|caller| caller.issuer.name.clone()),
                user: allowed.user,
                organization: allowed.organization.clone(),
                route: route.map(|route| route.spec.paths.join(", ")).unwrap_or_default(),
                started,
            })
        })
    }

    /// Writes the line: the request was answered with this status.
    pub(crate) fn end(&self, status: StatusCode) {
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
