//! The demo's identity provider: a key made at start, its key set over HTTP, and tokens.

use std::sync::Arc;

use anyhow::Context as _;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use axum::Json;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use narthex_token::Algorithm;
use narthex_token::sign::{SigningKey, sign_compact};
use serde::Deserialize;
use serde_json::{Value, json};

/// Lifetime of a demo token, in seconds.
const TOKEN_SECONDS: i64 = 8 * 60 * 60;

/// The demo's identity provider.
#[derive(Debug)]
pub(super) struct Issuer {
    url: String,
    audience: &'static str,
    key: SigningKey,
    kid: String,
    jwk: Value,
}

impl Issuer {
    /// A provider with a fresh RSA key.
    pub(super) fn new(url: String, audience: &'static str) -> anyhow::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048)
            .ok()
            .context("an RSA key could not be created")?;
        let der = pair.as_der().ok().context("the RSA key could not be encoded")?;
        let key = SigningKey::from_pkcs8_der(Algorithm::Rs256, der.as_ref())?;
        let kid = key.thumbprint().context("the RSA key has no thumbprint")?;
        let mut jwk = key.public_jwk().context("the RSA key has no public half")?;
        jwk.insert("kid".to_owned(), json!(kid));
        jwk.insert("use".to_owned(), json!("sig"));
        jwk.insert("alg".to_owned(), json!("RS256"));
        Ok(Self {
            url,
            audience,
            key,
            kid,
            jwk: Value::Object(jwk),
        })
    }

    /// Signs a token for a demo user, with the tags of that user.
    pub(super) fn token(
        &self,
        subject: &str,
        email: &str,
        groups: &[&str],
        now_seconds: i64,
    ) -> anyhow::Result<String> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.kid });
        let payload = json!({
            "iss": self.url, "aud": self.audience, "sub": subject, "email": email, "groups": groups,
            "iat": now_seconds, "exp": now_seconds + TOKEN_SECONDS,
        });
        Ok(sign_compact(
            header.to_string().as_bytes(),
            payload.to_string().as_bytes(),
            &self.key,
        )?)
    }

    /// Discovery, key set, and `GET /token?sub=…&groups=a,b` for trying things out.
    pub(super) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", get(mint))
            .with_state(self)
    }
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    Json(json!({ "issuer": issuer.url, "jwks_uri": format!("{}/keys", issuer.url) }))
}

async fn keys(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    Json(json!({ "keys": [issuer.jwk] }))
}

#[derive(Debug, Deserialize)]
struct MintQuery {
    sub: String,
    #[serde(default)]
    groups: String,
}

async fn mint(State(issuer): State<Arc<Issuer>>, Query(wanted): Query<MintQuery>) -> Result<String, StatusCode> {
    let groups: Vec<&str> = wanted.groups.split(',').filter(|group| !group.is_empty()).collect();
    let email = format!("{}@example.com", wanted.sub);
    let now_seconds = narthex_clock::Clock::system().now_ms().div_euclid(1000);
    issuer
        .token(&wanted.sub, &email, &groups, now_seconds)
        .map(|token| token + "\n")
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
