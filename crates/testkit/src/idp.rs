//! An identity provider that publishes a key set, and misbehaves on demand.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::{
    keys::{TestKey, key_set},
    server::{Body, Outcome, Server, full},
};

/// Behaviour of its answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    #[default]
    Good,
    /// As it should, but only after this time.
    Slow(Duration),
    /// Never.
    Hanging,
    /// The connection is accepted and closed without an answer.
    Closing,
    /// 200 with bytes that are no JSON.
    Garbage,
    /// 200 with JSON that is no key set.
    WrongShape,
    /// 200 with a body of this many bytes.
    Huge(usize),
    /// This status.
    Status(u16),
    /// 302 to this address.
    Redirect(String),
}

/// Published documents and counts of requests.
#[derive(Debug, Default)]
struct State {
    keys: Value,
    issuer: Option<String>,
    jwks_uri: Option<String>,
    cache_control: Option<String>,
    behaviour: Behaviour,
    key_set_requests: usize,
    discovery_requests: usize,
    authorizations: Vec<Option<String>>,
}

/// An identity provider on loopback: `/.well-known/openid-configuration` and `/jwks.json`.
#[derive(Debug)]
pub struct IdentityProvider {
    server: Server,
    state: Arc<Mutex<State>>,
}

impl IdentityProvider {
    /// Publishes the public halves of these keys.
    pub fn start(keys: &[TestKey]) -> Result<Self> {
        let state = Arc::new(Mutex::new(State {
            keys: key_set(keys),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| answer(&shared, &request))?;
        Ok(Self { server, state })
    }

    /// `http://127.0.0.1:PORT`, which is also the issuer that its discovery document names.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// URL of its key set.
    pub fn jwks_url(&self) -> String {
        format!("{}/jwks.json", self.url())
    }

    /// Publishes another set.
    pub fn rotate(&self, keys: &[TestKey]) {
        self.publish(key_set(keys));
    }

    /// Publishes this document as its key set, whatever it is.
    pub fn publish(&self, keys: Value) {
        self.state().keys = keys;
    }

    /// Sets the behaviour of later answers.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state().behaviour = behaviour;
    }

    /// The `Cache-Control` of its answers.
    pub fn cache_control(&self, value: Option<&str>) {
        self.state().cache_control = value.map(str::to_owned);
    }

    /// Sets the contents of its discovery document.
    pub fn announce(&self, issuer: Option<&str>, jwks_uri: Option<&str>) {
        let mut state = self.state();
        state.issuer = issuer.map(str::to_owned);
        state.jwks_uri = jwks_uri.map(str::to_owned);
    }

    /// Refuses connections, the open ones too.
    pub fn down(&self) {
        self.server.down();
    }

    /// Listens again on the same port.
    pub fn up(&self) -> Result<()> {
        self.server.up()
    }

    /// Number of requests for the key set.
    pub fn key_set_requests(&self) -> usize {
        self.state().key_set_requests
    }

    /// Number of requests for the discovery document.
    pub fn discovery_requests(&self) -> usize {
        self.state().discovery_requests
    }

    /// The `Authorization` of each request, in order.
    pub fn authorizations(&self) -> Vec<Option<String>> {
        self.state().authorizations.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(state: &Arc<Mutex<State>>, request: &Request<Incoming>) -> Outcome {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let here = format!("http://{host}");
    let (document, behaviour, cache_control) = {
        let mut state = lock(state);
        state.authorizations.push(
            request
                .headers()
                .get(header::AUTHORIZATION)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        );
        let document = if request.uri().path().ends_with("/openid-configuration") {
            state.discovery_requests += 1;
            let jwks_uri = state.jwks_uri.clone();
            json!({
                "issuer": state.issuer.clone().unwrap_or_else(|| here.clone()),
                "jwks_uri": jwks_uri.unwrap_or_else(|| format!("{here}/jwks.json")),
                "id_token_signing_alg_values_supported": ["RS256"],
            })
        } else {
            state.key_set_requests += 1;
            state.keys.clone()
        };
        (
            document.to_string(),
            state.behaviour.clone(),
            state.cache_control.clone(),
        )
    };
    Box::pin(async move {
        let good = |body: Bytes| -> Result<Response<Body>> {
            let mut answer = Response::builder().header(header::CONTENT_TYPE, "application/json");
            if let Some(value) = cache_control {
                answer = answer.header(header::CACHE_CONTROL, value);
            }
            Ok(answer.body(full(body))?)
        };
        match behaviour {
            Behaviour::Good => good(document.into()),
            Behaviour::Slow(delay) => {
                tokio::time::sleep(delay).await;
                good(document.into())
            }
            Behaviour::Hanging => std::future::pending().await,
            Behaviour::Closing => bail!("closed on purpose"),
            Behaviour::Garbage => good(Bytes::from_static(b"\xff<html>no { JSON")),
            Behaviour::WrongShape => good(Bytes::from_static(b"{\"keys\":{\"a\":1}}")),
            Behaviour::Huge(bytes) => good(vec![b' '; bytes].into()),
            Behaviour::Status(status) => Ok(Response::builder()
                .status(StatusCode::from_u16(status)?)
                .body(full("no"))?),
            Behaviour::Redirect(location) => Ok(Response::builder()
                .status(StatusCode::FOUND)
                .header(header::LOCATION, location)
                .body(full(""))?),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Client;

    #[tokio::test]
    async fn it_publishes_and_counts() {
        let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
        let client = Client::new();
        let document = client
            .get(&format!("{}/.well-known/openid-configuration", idp.url()))
            .await
            .unwrap()
            .json()
            .unwrap();
        assert_eq!(document["issuer"], idp.url());
        assert_eq!(document["jwks_uri"], idp.jwks_url());
        let keys = client.get(&idp.jwks_url()).await.unwrap().json().unwrap();
        assert_eq!(keys["keys"][0]["kid"], "rsa_1");
        idp.rotate(&[TestKey::Rsa2]);
        let keys = client.get(&idp.jwks_url()).await.unwrap().json().unwrap();
        assert_eq!(keys["keys"][0]["kid"], "rsa_2");
        assert_eq!((idp.discovery_requests(), idp.key_set_requests()), (1, 2));
    }

    #[tokio::test]
    async fn it_misbehaves_as_told() {
        let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
        let client = Client::new();
        let url = idp.jwks_url();
        idp.behave(Behaviour::Garbage);
        assert!(client.get(&url).await.unwrap().json().is_err());
        idp.behave(Behaviour::Status(500));
        assert_eq!(client.get(&url).await.unwrap().status, 500);
        idp.behave(Behaviour::Huge(1_000_000));
        assert_eq!(client.get(&url).await.unwrap().body.len(), 1_000_000);
        idp.behave(Behaviour::Redirect("http://elsewhere.test/".into()));
        let answer = client.get(&url).await.unwrap();
        assert_eq!(answer.header("location"), Some("http://elsewhere.test/"));
        idp.behave(Behaviour::Closing);
        assert!(client.get(&url).await.is_err());
        idp.behave(Behaviour::Good);
        idp.cache_control(Some("max-age=5"));
        let answer = client.get(&url).await.unwrap();
        assert_eq!(answer.header("cache-control"), Some("max-age=5"));
    }

    #[tokio::test]
    async fn down_refuses_and_up_answers_on_the_same_port() {
        let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
        // Each time with a connection that was kept: it must not answer once more.
        let client = Client::new();
        for _ in 0..200 {
            assert_eq!(client.get(&idp.jwks_url()).await.unwrap().status, 200);
            idp.down();
            assert!(client.get(&idp.jwks_url()).await.is_err());
            idp.up().unwrap();
        }
    }
}
