//! Log lines of requests that the admin port refuses, with the fields of a refusal at a door.

use std::net::IpAddr;

use http::{Method, StatusCode};
use narthex_admin::api::ApiError;
use narthex_directory::{Actor, IssuerName, OrganizationId, OrganizationName};
use narthex_engine::event::{micros, shown};
use narthex_engine::respond::{CallerFacts, Refusal};
use narthex_ops::sessions::RefusedSignIn;
use narthex_ops::{Caller, OpError};
use tokio::time::Instant;

/// A refusal, for the log. It travels in the extensions of the response that the client gets.
#[derive(Debug, Clone)]
pub(crate) struct Denial {
    reason: &'static str,
    detail: Option<String>,
    about: CallerFacts,
    organization: Option<OrganizationId>,
}

impl From<&Refusal> for Denial {
    fn from(refusal: &Refusal) -> Self {
        Self {
            detail: refusal.private().map(str::to_owned),
            about: refusal.about.as_deref().cloned().unwrap_or_default(),
            ..Self::of_reason(refusal.reason.code())
        }
    }
}

impl From<&RefusedSignIn> for Denial {
    fn from(refused: &RefusedSignIn) -> Self {
        let about = refused.refusal().and_then(|refusal| refusal.about.as_deref());
        let about = about.cloned().unwrap_or_default();
        Self {
            detail: refused.detail(),
            about: CallerFacts {
                user: about.user.or(refused.user),
                issuer: about.issuer.or_else(|| refused.issuer.clone()),
                ..about
            },
            ..Self::of_reason(refused.reason())
        }
    }
}

impl Denial {
    fn of_reason(reason: &'static str) -> Self {
        Self {
            reason,
            detail: None,
            about: CallerFacts::default(),
            organization: None,
        }
    }

    /// Returns the refusal in an error of the API; `None` for an error that refuses no right, such as an unknown record or
    /// a value that breaks its rule.
    pub(crate) fn of_error(error: &ApiError) -> Option<Self> {
        let ApiError::Operation(refused) = error else {
            return None;
        };
        match refused {
            OpError::Refused(refusal) => Some(refusal.into()),
            OpError::Key(_) | OpError::TooOften { .. } => Some(Self::of_reason(error.code().1)),
            OpError::Forbidden { organization, .. } => Some(Self {
                organization: *organization,
                ..Self::of_reason(error.code().1)
            }),
            _ => None,
        }
    }
}

/// A request to the admin port, for its line in the log.
#[derive(Debug)]
pub(crate) struct RequestLine<'r> {
    /// Method of the request.
    pub(crate) method: &'r Method,
    /// Path without the query, which may hold secrets.
    pub(crate) path: &'r str,
    /// Client address.
    pub(crate) client: Option<IpAddr>,
    /// Caller, if one was found.
    pub(crate) caller: Option<&'r Caller>,
    /// Time when it began.
    pub(crate) started: Instant,
}

impl RequestLine<'_> {
    /// Writes the line of a request that was refused with this status.
    pub(crate) fn denied(&self, denial: &Denial, request_id: &str, status: StatusCode) {
        let about = &denial.about;
        let (user, api_key) = match self.caller.map(Caller::actor) {
            Some(Actor::User(id)) => (Some(id), None),
            Some(Actor::ApiKey(id)) => (None, Some(id)),
            _ => (None, None),
        };
        let issuer = about.issuer.as_ref().or_else(|| self.caller.and_then(Caller::issuer));
        tracing::info!(
            event = "denied", door = "admin", request_id, client = self.client.map(tracing::field::display),
            method = %self.method, path = %shown(self.path.as_bytes()), status = status.as_u16(),
            reason = denial.reason, detail = denial.detail.as_deref(),
            issuer = issuer.map(IssuerName::as_str),
            user = about.user.as_ref().or(user).map(tracing::field::display),
            api_key = api_key.map(tracing::field::display),
            organization = about.organization.as_ref().map(OrganizationName::as_str),
            organization_id = denial.organization.map(tracing::field::display),
            took_us = micros(self.started.elapsed()),
        );
    }
}
