//! Sign-in and sign-out on the public port: bodies, logs and refusals around the endpoints.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use narthex_decision::Reason;
use narthex_engine::Engine;
use narthex_engine::Runtime;
use narthex_engine::access_log::OwnLine;
use narthex_engine::event::Event;
use narthex_engine::http_rules;
use narthex_engine::inbound::{Door, Inbound, Sender};
use narthex_engine::respond::{self, Refusal};
use tokio::time::Instant;

use crate::endpoint::{BODY_BYTES_MAX, Endpoint, answer};

/// Longest time for a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Reads a body.
///
/// # Errors
///
/// `request.too_large`, or `request.unforwardable` if it does not arrive whole and in time.
async fn read<B>(body: B) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let read = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIME, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::new(Reason::RequestTooLarge)),
        Ok(Err(_)) | Err(_) => Err(Refusal::because(
            Reason::RequestUnforwardable,
            "the request's body did not arrive whole",
        )),
    }
}

/// Answers a request for an endpoint of sign-in or sign-out, and reports that.
pub async fn answer_at_public_port<B>(
    engine: &Engine,
    runtime: &Runtime,
    sender: Sender<'_>,
    request: Request<B>,
) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let request = &Request::from_parts(parts, ());
    let inbound = &Inbound {
        method: request.method(),
        path: request.uri().path().as_bytes(),
        query: request.uri().query(),
        host: http_rules::host_of(request),
        headers: request.headers(),
        door: Door::SignIn,
        route: None,
        sender: Some(sender),
        proof: None,
    };
    let answered = match Endpoint::of(request.uri().path()) {
        Some(endpoint) if endpoint.has_body(request.method()) => match read(body).await {
            Ok(body) => answer(engine, runtime, endpoint, (inbound, &body)).await,
            Err(refusal) => Err(refusal),
        },
        Some(endpoint) => answer(engine, runtime, endpoint, (inbound, &[])).await,
        None => Err(Refusal::new(Reason::RouteUnmatched)),
    };
    let request_id = engine.request_ids.next();
    let mut response = match answered {
        Ok(response) => response,
        Err(refusal) => {
            Event::Refused {
                inbound,
                request_id: &request_id,
                refusal: &refusal,
            }
            .tell(&engine.metrics);
            return respond::refuse(&refusal, &request_id, inbound.format(engine));
        }
    };
    engine.metrics.decided(Door::SignIn, None, started.elapsed());
    if runtime.access_log {
        let line = OwnLine {
            door: Door::SignIn.as_str(),
            request_id: &request_id,
            method: request.method(),
            // SECURITY: without the query, which has codes and states in it.
            path: request.uri().path(),
            client: inbound.client(),
            issuer: None,
            actor: None,
            started,
        };
        line.end(response.status());
    }
    respond::set_request_id(&mut response, &request_id);
    response
}
