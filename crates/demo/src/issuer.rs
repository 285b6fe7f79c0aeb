//! The demo's identity providers: keys made at start, their key sets over HTTP, and tokens.

use std::sync::{Arc, PoisonError, RwLock};

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
use serde_json::{Map, Value, json};

use crate::people::name_of;

/// Lifetime of a demo token, in seconds.
const TOKEN_SECONDS: i64 = 8 * 60 * 60;

/// An identity provider of the demo, with a key set.
#[derive(Debug)]
pub(super) struct Issuer {
    url: String,
    audience: &'static str,
    /// The keys that it publishes, the newest last. The newest one signs.
    keys: RwLock<Vec<Arc<Key>>>,
}

/// A key of a provider, with its public half.
#[derive(Debug)]
struct Key {
    signing: SigningKey,
    kid: String,
    jwk: Value,
}

impl Key {
    /// Draws an RSA key.
    fn draw() -> anyhow::Result<Self> {
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
            signing: key,
            kid,
            jwk: Value::Object(jwk),
        })
    }
}

impl Issuer {
    /// A provider with a fresh RSA key.
    pub(super) fn new(url: String, audience: &'static str) -> anyhow::Result<Self> {
        Ok(Self {
            url,
            audience,
            keys: RwLock::new(vec![Arc::new(Key::draw()?)]),
        })
    }

    /// Publishes a new key beside those before, and signs with it from now on.
    pub(super) fn rotate(&self) -> anyhow::Result<()> {
        let key = Arc::new(Key::draw()?);
        self.keys.write().unwrap_or_else(PoisonError::into_inner).push(key);
        Ok(())
    }

    /// Signs a token for a demo user, with the tags of that user.
    pub(super) fn token(&self, subject: &str, groups: &[&str], now_seconds: i64) -> anyhow::Result<String> {
        self.sign(&self.claims(subject, groups, now_seconds))
    }

    /// Claims of a token for a demo user.
    pub(super) fn claims(&self, subject: &str, groups: &[&str], now_seconds: i64) -> Map<String, Value> {
        let claims = json!({
            "iss": self.url, "aud": self.audience, "sub": subject, "email": format!("{subject}@example.com"),
            "name": name_of(subject), "groups": groups, "iat": now_seconds, "exp": now_seconds + TOKEN_SECONDS,
        });
        match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        }
    }

    /// Signs claims with the newest key.
    pub(super) fn sign(&self, claims: &Map<String, Value>) -> anyhow::Result<String> {
        let newest = self.keys.read().unwrap_or_else(PoisonError::into_inner).last().cloned();
        let Key { signing, kid, .. } = &*newest.context("the provider has no key")?;
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": kid });
        let payload = serde_json::to_string(claims)?;
        Ok(sign_compact(
            header.to_string().as_bytes(),
            payload.as_bytes(),
            signing,
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
    let keys = issuer.keys.read().unwrap_or_else(PoisonError::into_inner);
    let published: Vec<Value> = keys.iter().map(|key| key.jwk.clone()).collect();
    Json(json!({ "keys": published }))
}

#[derive(Debug, Deserialize)]
struct MintQuery {
    sub: String,
    #[serde(default)]
    groups: String,
}

async fn mint(State(issuer): State<Arc<Issuer>>, Query(wanted): Query<MintQuery>) -> Result<String, StatusCode> {
    let groups: Vec<&str> = wanted.groups.split(',').filter(|group| !group.is_empty()).collect();
    let now_seconds = narthex_clock::Clock::system().now_ms().div_euclid(1000);
    issuer
        .token(&wanted.sub, &groups, now_seconds)
        .map(|token| token + "\n")
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// A portal of the demo, which shares a secret with the gateway (S1).
pub(super) struct Portal {
    secret: String,
}

/// SECURITY: not the secret.
impl std::fmt::Debug for Portal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Portal").finish_non_exhaustive()
    }
}

impl Portal {
    /// Value of `iss` in its tokens.
    pub(super) const ISSUER: &'static str = "demo-portal";

    /// A portal that signs with this secret.
    pub(super) const fn new(secret: String) -> Self {
        Self { secret }
    }

    /// Signs a token for a user of the portal, with the user's company.
    pub(super) fn token(&self, subject: &str, now_seconds: i64) -> anyhow::Result<String> {
        let key = SigningKey::from_secret(Algorithm::Hs256, self.secret.as_bytes())?;
        let payload = json!({
            "iss": Self::ISSUER, "sub": subject, "email": format!("{subject}@hooli.example"), "name": name_of(subject),
            "companyId": "hooli", "company": "Hooli", "iat": now_seconds, "exp": now_seconds + TOKEN_SECONDS,
        });
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        Ok(sign_compact(
            header.to_string().as_bytes(),
            payload.to_string().as_bytes(),
            &key,
        )?)
    }
}
