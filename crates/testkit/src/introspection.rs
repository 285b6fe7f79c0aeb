//! An introspection endpoint (RFC 7662) that knows some tokens, and misbehaves on demand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::server::{Outcome, Server, full};

/// The only client that it answers.
pub const CLIENT_ID: &str = "narthex";
/// The secret of that client.
pub const CLIENT_SECRET: &str = "a secret / of the tests";

#[derive(Debug, Default)]
struct State {
    active: HashMap<String, Value>,
    asked: Vec<String>,
    delay: Duration,
    status: Option<u16>,
    body: Option<String>,
}

/// The endpoint, on loopback.
#[derive(Debug)]
pub struct IntrospectionEndpoint {
    server: Server,
    state: Arc<Mutex<State>>,
}

impl IntrospectionEndpoint {
    /// Starts one that knows no token.
    pub fn start() -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| answer(Arc::clone(&shared), request))?;
        Ok(Self { server, state })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("{}/introspect", self.server.url())
    }

    /// Makes a token active, with these claims.
    pub fn activate(&self, token: &str, claims: &Value) {
        let mut claims = claims.clone();
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("active".to_owned(), true.into());
        }
        self.state().active.insert(token.to_owned(), claims);
    }

    /// Makes a token inactive.
    pub fn revoke(&self, token: &str) {
        self.state().active.remove(token);
    }

    /// The tokens that it was asked about, in order.
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// Lets each answer take this time.
    pub fn delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Answers with this status, or as it should.
    pub fn status(&self, status: Option<u16>) {
        self.state().status = status;
    }

    /// Answers with this text, or as it should.
    pub fn body(&self, body: Option<&str>) {
        self.state().body = body.map(str::to_owned);
    }

    /// Refuses connections.
    pub fn down(&self) {
        self.server.down();
    }

    /// Listens again on the same port.
    pub fn up(&self) -> Result<()> {
        self.server.up()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Outcome {
    Box::pin(async move {
        let pair = format!("{CLIENT_ID}:a%20secret%20%2F%20of%20the%20tests");
        let expected = format!("Basic {}", STANDARD.encode(pair));
        let sent = request.headers().get(header::AUTHORIZATION).cloned();
        let known = sent.is_some_and(|sent| sent.as_bytes() == expected.as_bytes());
        let body = request.into_body().collect().await?.to_bytes();
        let form = String::from_utf8_lossy(&body).into_owned();
        let field = form.split('&').find_map(|pair| pair.strip_prefix("token="));
        let token = field.unwrap_or_default().to_owned();
        let (document, delay, status) = {
            let mut state = lock(&state);
            state.asked.push(token.clone());
            let usual = state
                .active
                .get(&token)
                .cloned()
                .unwrap_or_else(|| json!({ "active": false }));
            let document = state.body.clone().unwrap_or_else(|| usual.to_string());
            let status = if known { state.status.unwrap_or(200) } else { 401 };
            (document, state.delay, status)
        };
        tokio::time::sleep(delay).await;
        Ok(Response::builder()
            .status(StatusCode::from_u16(status)?)
            .header(header::CONTENT_TYPE, "application/json")
            .body(full(document))?)
    })
}
