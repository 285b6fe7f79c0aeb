//! One check: the original request to an answer, for both modes.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use narthex_decision::Reason;
use narthex_engine::ProofUse;
use narthex_engine::access_log::AccessLine;
use narthex_engine::decision::{decide, decided_by};
use narthex_engine::event::Event;
use narthex_engine::http_rules;
use narthex_engine::inbound::{Door, Inbound, Sender, Trust};
use narthex_engine::passed::Passed;
use narthex_engine::respond::{self, Format, Refusal};
use narthex_engine::{Engine, Runtime};
use tokio::time::{Instant, timeout_at};

use crate::header_changes::HeaderChanges;
use crate::metadata::DecisionFacts;
use crate::original::Original;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-narthex-request-id");

/// Answer to a check.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The request may pass.
    Allowed(Box<AllowedCheck>),
    /// The request may not pass.
    Denied(Box<DeniedCheck>),
}

/// A request that may pass.
#[derive(Debug)]
pub(crate) struct AllowedCheck {
    /// Changes to its headers.
    pub(crate) changes: HeaderChanges,
    /// Every header that Narthex sets, with an empty value where it has none: for a proxy that can set headers only.
    pub(crate) every_header: HeaderMap,
    /// Headers that the client gets with the answer of the application.
    pub(crate) to_client: HeaderMap,
    pub(crate) facts: DecisionFacts,
}

/// A request that may not pass.
#[derive(Debug)]
pub(crate) struct DeniedCheck {
    /// Answer for its client.
    pub(crate) response: Response<Full<Bytes>>,
    pub(crate) facts: DecisionFacts,
}

/// Circumstances of a check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    /// Envoy's end of the connection.
    pub(crate) peer: IpAddr,
    /// Time by which the answer must be on its way.
    pub(crate) deadline: Instant,
    /// True if the connection's client has as many requests under way as it may have.
    pub(crate) too_many: bool,
}

/// Checks one request.
pub(crate) async fn check(engine: &Engine, about: Circumstances, original: Result<Original, Refusal>) -> Outcome {
    let runtime = engine.runtime.load();
    let started = runtime.access_log.then(Instant::now);
    let sender = Sender {
        peer: about.peer,
        proxies: &runtime.trusted_proxies,
        is_encrypted: false,
    };
    let original = match admitted(&runtime, about, original) {
        Ok(original) => original,
        Err(refusal) => return refused(engine, sender, None, &refusal),
    };
    let proof = ProofUse::default();
    let inbound = inbound(&original, sender, Some(&proof));
    if let Err(problem) = http_rules::framing_names(&original.headers) {
        let refusal = Refusal::because(Reason::RequestUnforwardable, problem);
        return refused(engine, sender, Some(&original), &refusal);
    }
    // A deadline that has passed is not tried, however fast the answer would be.
    let decided = if Instant::now() < about.deadline {
        timeout_at(about.deadline, decide(engine, &runtime, &inbound))
            .await
            .ok()
    } else {
        None
    };
    let Some((decided, newer)) = decided else {
        return refused(engine, sender, Some(&original), &too_late());
    };
    let runtime = decided_by(&runtime, &newer);
    let passed = match decided {
        Ok(passed) => passed,
        Err((refusal, request_id)) => return denied(&refusal, &request_id, inbound.format(engine)),
    };
    match HeaderChanges::of(runtime, &original, &passed) {
        Ok(changes) => {
            if let Some(line) = AccessLine::begin(runtime, &inbound, &passed, started) {
                line.end(StatusCode::OK);
            }
            Outcome::Allowed(Box::new(allowed(runtime, &passed, changes)))
        }
        Err(refusal) => refused(engine, sender, Some(&original), &refusal),
    }
}

/// Returns the request of a check that is to be decided.
fn admitted(runtime: &Runtime, about: Circumstances, original: Result<Original, Refusal>) -> Result<Original, Refusal> {
    let proxies = &runtime.trusted_proxies;
    // SECURITY: this check comes first, because everything below believes what the peer says of the request, and the answer
    // has a signed assertion in it.
    if proxies.trust(about.peer) == Trust::Untrusted {
        let peer = about.peer.to_canonical();
        let detail =
            format!("{peer} is not in `listen.trusted_proxies`; add it there if it is the address of your Envoy");
        return Err(Refusal::logged(Reason::RequestProxyUntrusted, detail));
    }
    // SECURITY: requests that cannot be read count too, because each of them writes a line to the log. Their client is not
    // known.
    let unknown = HeaderMap::new();
    let headers = original.as_ref().map_or(&unknown, |original| &original.headers);
    let rate = runtime.rate.as_ref();
    if about.too_many || rate.is_some_and(|rate| !rate.admits_from(about.peer, headers, proxies)) {
        return Err(Refusal::new(Reason::RateLimited));
    }
    original
}

fn inbound<'r>(original: &'r Original, sender: Sender<'r>, proof: Option<&'r ProofUse>) -> Inbound<'r> {
    Inbound {
        method: &original.method,
        path: original.path.as_bytes(),
        query: original.query.as_deref(),
        host: Some(&original.host),
        headers: &original.headers,
        door: Door::ExtAuthz,
        route: None,
        sender: Some(sender),
        proof,
    }
}

fn allowed(runtime: &Runtime, passed: &Passed, changes: HeaderChanges) -> AllowedCheck {
    let request_id = HeaderValue::from_str(&passed.request_id).ok();
    let mut to_client = HeaderMap::new();
    to_client.extend(request_id.clone().map(|id| (REQUEST_ID, id)));
    AllowedCheck {
        every_header: runtime
            .answer_headers
            .filled(&passed.answer.allowed().patch, request_id),
        facts: DecisionFacts::of_passed(passed),
        changes,
        to_client,
    }
}

fn denied(refusal: &Refusal, request_id: &str, format: Format) -> Outcome {
    Outcome::Denied(Box::new(DeniedCheck {
        response: respond::refuse(refusal, request_id, format),
        facts: DecisionFacts::of_refusal(refusal, request_id),
    }))
}

/// Refuses a request without a decision, and reports that.
pub(crate) fn refused(engine: &Engine, sender: Sender<'_>, original: Option<&Original>, refusal: &Refusal) -> Outcome {
    let request_id = engine.request_ids.next();
    let (unknown, none) = (Method::GET, HeaderMap::new());
    let inbound = match original {
        Some(original) => inbound(original, sender, None),
        None => Inbound {
            method: &unknown,
            path: b"",
            query: None,
            host: None,
            headers: &none,
            door: Door::ExtAuthz,
            route: None,
            sender: Some(sender),
            proof: None,
        },
    };
    Event::Refused {
        inbound: &inbound,
        request_id: &request_id,
        refusal,
    }
    .tell(&engine.metrics);
    denied(refusal, &request_id, inbound.format(engine))
}

/// Returns the refusal of a request that could not be decided before the deadline of its call.
pub(crate) fn too_late() -> Refusal {
    Refusal {
        problem: Some("the request could not be decided in the time that its proxy allows".to_owned()),
        ..Refusal::logged(
            Reason::StoreUnavailable,
            "the deadline of the check passed; raise the timeout of `ext_authz` in Envoy if the directory and the identity \
             provider are well",
        )
    }
}

/// Returns the refusal of a request whose check broke off.
pub(crate) fn broke_off() -> Refusal {
    Refusal::logged(
        Reason::StoreUnavailable,
        "the check broke off, which is a flaw of Narthex; what was written to standard error before this says where",
    )
}
