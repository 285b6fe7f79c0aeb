//! The decision that a door acts on: made by the configuration that is in use at its end, and reported.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use narthex_decision::Reason;
use narthex_directory::IssuerName;
use narthex_tally::ToCount;
use tokio::time::Instant;

use crate::cache::by_token::Caller;
use crate::engine::Engine;
use crate::event::Event;
use crate::inbound::{Door, Inbound};
use crate::passed::{Answer, Passed};
use crate::pipeline;
use crate::respond::Refusal;
use crate::runtime::Runtime;

/// Upper limit of decisions about one request: a configuration that changes all the time must not hold it for ever.
const DECISIONS_MAX: usize = 4;

/// Configuration that came into use while a request was being decided, and that then decided it.
pub type NewerRuntime = Option<arc_swap::Guard<Arc<Runtime>>>;

/// Returns the configuration that a request was decided by.
pub fn decided_by<'r>(given: &'r Runtime, newer: &'r NewerRuntime) -> &'r Runtime {
    match newer {
        Some(newer) => newer,
        None => given,
    }
}

/// Decides a request and reports the decision to the log and the metrics.
///
/// The refusal comes with the id of the request.
pub async fn decide(
    engine: &Engine,
    runtime: &Runtime,
    inbound: &Inbound<'_>,
) -> (Result<Passed, (Refusal, String)>, NewerRuntime) {
    let started = Instant::now();
    let (mut newer, mut decisions): (NewerRuntime, _) = (None, 0);
    let outcome = loop {
        let runtime = decided_by(runtime, &newer);
        let outcome = pipeline::run(engine, runtime, inbound).await;
        decisions += 1;
        // An answer cached with a token was compared with the version numbers of the directory, without a question to
        // it.
        let kept = matches!(&outcome, Ok(passed) if matches!(passed.answer, Answer::Token(_)));
        if kept || decisions == DECISIONS_MAX || engine.stands(runtime).await {
            break outcome;
        }
        newer = Some(engine.runtime.load());
    };
    let runtime = decided_by(runtime, &newer);
    let outcome = outcome
        .and_then(|passed| match inbound.door {
            Door::Proxy if runtime.upstream(passed.answer.allowed().route).is_none() => Err(no_upstream()),
            _ => Ok(passed),
        })
        .map_err(|refusal| (refusal, engine.request_ids.next()));
    let (told, request_id) = match &outcome {
        Ok(passed) => (Ok(passed), passed.request_id.as_str()),
        Err((refusal, request_id)) => (Err(refusal), request_id.as_str()),
    };
    let now_ms = engine.clock.now_ms();
    tally(engine, runtime, inbound, told, now_ms);
    if let Err((refusal, request_id)) = &outcome {
        engine.issuer_refusals.note(refusal, inbound.door, request_id, now_ms);
    }
    Event::Decided {
        inbound,
        request_id,
        outcome: told,
        took: started.elapsed(),
    }
    .tell(&engine.metrics);
    (outcome, newer)
}

/// Counts a decision by its reason, route and issuer.
fn tally(engine: &Engine, runtime: &Runtime, inbound: &Inbound<'_>, told: Result<&Passed, &Refusal>, now_ms: i64) {
    thread_local! {
        static PART: usize = PARTS.fetch_add(1, Ordering::Relaxed);
    }
    let (reason, route, issuer) = match told {
        Ok(passed) => {
            let issuer = passed.answer.caller().and_then(Caller::issuer_name);
            (None, Some(passed.answer.allowed().route), issuer)
        }
        Err(refusal) => {
            let issuer = refusal.about.as_ref().and_then(|about| about.issuer.as_ref());
            (
                Some(refusal.reason.code()),
                pipeline::route_of(runtime, inbound),
                issuer,
            )
        }
    };
    let route = route.and_then(|index| runtime.routes.iter().nth(index));
    let decision = ToCount {
        reason,
        route: route.and_then(|route| route.spec.paths.first()).map(String::as_str),
        issuer: issuer.map(IssuerName::as_str),
    };
    engine.metrics.tally.count(decision, PART.with(|part| *part), now_ms);
}

/// Number of threads that have counted.
static PARTS: AtomicUsize = AtomicUsize::new(0);

/// Returns the refusal of a request on a route that the proxy door cannot forward.
pub fn no_upstream() -> Refusal {
    Refusal::logged(
        Reason::RouteUnmatched,
        "the route has no upstream: it is for forward-auth only",
    )
}
