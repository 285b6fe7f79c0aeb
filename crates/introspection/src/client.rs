//! The client of one issuer's introspection endpoint.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use narthex_fetch::keys::{Endpoint, FetchError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::limits::ClientLoad;

/// Most questions under way to one issuer.
const UNDER_WAY_MAX: usize = 32;
/// Longest wait for one of these places.
const WAIT: Duration = Duration::from_secs(1);
/// Number of tokens that are remembered as not active.
const INACTIVE_MAX: usize = 10_000;
/// Time for which one of them is remembered, in milliseconds: a token that was just issued may take a moment to be known.
const INACTIVE_MS: i64 = 10_000;
/// Time for which a server that failed is not asked again, in milliseconds.
const FAILURE_MS: i64 = 1_000;
/// Longest token that is asked about, in bytes.
const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// Characters that a form keeps as they are.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Registration of Narthex at the endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct IntrospectionSettings {
    /// The client id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Zeroizing<String>,
}

impl fmt::Debug for IntrospectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionSettings")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Reason why an opaque token has no claims.
#[derive(Debug, Clone, Error)]
pub enum IntrospectionError {
    /// The issuer says that it is not active: expired, revoked, made up, or not for this client.
    #[error("the issuer says that the token is not active")]
    Inactive,
    /// The client that sent it has too many questions under way.
    #[error("too many tokens of this client are being asked about")]
    ClientBusy,
    /// Too many questions are under way.
    #[error("too many tokens are being asked about at the issuer")]
    Busy,
    /// The endpoint was asked a moment ago and failed, and is left alone.
    #[error("the introspection endpoint failed a moment ago, and is asked again after a second")]
    FailedLately,
    /// The endpoint gives no answer.
    #[error("the introspection endpoint gives no answer: {0}")]
    Unavailable(#[from] FetchError),
    /// The endpoint does not know Narthex, or takes no question about this token.
    #[error(
        "the introspection endpoint refuses the question (status {0}); check `url`, `client_id` and `client_secret_file` of \
         `introspection`"
    )]
    Refused(u16),
    /// The answer cannot be read.
    #[error("the answer of the introspection endpoint is not what RFC 7662 says: {0}")]
    Malformed(&'static str),
}

impl IntrospectionError {
    /// Tests whether the server is at fault, rather than the token.
    ///
    /// SECURITY: some servers answer 400, 404 or 422 to a token of an odd form, and 429 to a flood of them. If that counted, made-up
    /// tokens would keep the server from being asked about good ones.
    const fn is_the_servers(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Malformed(_) | Self::Refused(401 | 403)
        )
    }

    /// Tests whether another try may help soon, because nothing was decided.
    pub const fn is_undecided(&self) -> bool {
        !matches!(self, Self::Inactive | Self::ClientBusy)
    }
}

/// Client of one issuer's introspection endpoint.
pub struct IntrospectionClient {
    endpoint: Endpoint,
    authorization: HeaderValue,
    places: Semaphore,
    clients: Arc<ClientLoad>,
    /// Hashes of tokens that are not active, each with the time until which it is remembered.
    inactive: Cache<[u8; 32], i64>,
    failed_until_ms: AtomicI64,
}

impl fmt::Debug for IntrospectionClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionClient").finish_non_exhaustive()
    }
}

impl IntrospectionClient {
    /// Creates a client. It asks nothing yet. `None` if the credentials are no text of a header, which the encoding rules out.
    pub fn new(endpoint: Endpoint, settings: &IntrospectionSettings) -> Option<Self> {
        // SPEC: RFC 6749 2.3.1: both are encoded as in a form before they are joined.
        let encode = |text: &str| utf8_percent_encode(text, KEPT).to_string();
        let pair = Zeroizing::new(format!(
            "{}:{}",
            encode(&settings.client_id),
            encode(&settings.client_secret)
        ));
        let mut authorization = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair.as_bytes()))).ok()?;
        authorization.set_sensitive(true);
        Some(Self {
            endpoint,
            authorization,
            places: Semaphore::new(UNDER_WAY_MAX),
            clients: Arc::default(),
            inactive: Cache::new(INACTIVE_MAX),
            failed_until_ms: AtomicI64::new(i64::MIN),
        })
    }

    /// Asks about a token that `client` sent, and returns the claims of an active one.
    ///
    /// # Errors
    ///
    /// [`IntrospectionError`].
    pub async fn ask(
        &self,
        token: &str,
        client: Option<IpAddr>,
        now_ms: i64,
    ) -> Result<Map<String, Value>, IntrospectionError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(IntrospectionError::Inactive);
        }
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
            *to = *from;
        }
        if self.is_known_inactive(&hash, now_ms) {
            return Err(IntrospectionError::Inactive);
        }
        let _of_client = self.clients.begin(client).ok_or(IntrospectionError::ClientBusy)?;
        if self.failed_lately(now_ms) {
            return Err(IntrospectionError::FailedLately);
        }
        let place = tokio::time::timeout(WAIT, self.places.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(IntrospectionError::Busy);
        };
        let asked = Instant::now();
        let answer = self.question(token).await;
        // A server that is slow fails long after it was asked.
        let took_ms = i64::try_from(asked.elapsed().as_millis()).unwrap_or(i64::MAX);
        let now_ms = now_ms.saturating_add(took_ms);
        match &answer {
            Err(IntrospectionError::Inactive) => {
                self.inactive.insert(hash, now_ms.saturating_add(INACTIVE_MS));
            }
            Err(error) if error.is_the_servers() => {
                let until_ms = now_ms.saturating_add(FAILURE_MS);
                self.failed_until_ms.store(until_ms, Ordering::Relaxed);
            }
            _ => {}
        }
        answer
    }

    fn is_known_inactive(&self, hash: &[u8; 32], now_ms: i64) -> bool {
        let until_ms = self.inactive.get(hash);
        // A clock that was set back makes nothing known for longer.
        until_ms.is_some_and(|until_ms| (1..=INACTIVE_MS).contains(&until_ms.saturating_sub(now_ms)))
    }

    fn failed_lately(&self, now_ms: i64) -> bool {
        let left_ms = self.failed_until_ms.load(Ordering::Relaxed).saturating_sub(now_ms);
        (1..=FAILURE_MS).contains(&left_ms)
    }

    async fn question(&self, token: &str) -> Result<Map<String, Value>, IntrospectionError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let body = format!(
            "token={}&token_type_hint=access_token",
            utf8_percent_encode(token, KEPT)
        );
        let answer = self.endpoint.post(headers, body.into_bytes()).await?;
        claims(answer.status(), answer.body())
    }
}

/// Reads an answer (RFC 7662 section 2.2).
fn claims(status: StatusCode, body: &[u8]) -> Result<Map<String, Value>, IntrospectionError> {
    match status {
        StatusCode::OK => {}
        status if status.is_client_error() => return Err(IntrospectionError::Refused(status.as_u16())),
        _ => return Err(IntrospectionError::Malformed("its status is not 200")),
    }
    let Ok(Value::Object(claims)) = serde_json::from_slice(body) else {
        return Err(IntrospectionError::Malformed("it is not a JSON object"));
    };
    // SECURITY: only `true` is active; a text or a number is no answer at all.
    match claims.get("active") {
        Some(Value::Bool(true)) => Ok(claims),
        Some(Value::Bool(false)) => Err(IntrospectionError::Inactive),
        _ => Err(IntrospectionError::Malformed("`active` is neither true nor false")),
    }
}

/// Tests whether a token is opaque: not of the three parts of a signed JWT, the first of which is an object in JSON.
pub fn is_opaque(token: &str) -> bool {
    token.split('.').count() != 3 || !token.starts_with("ey")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_only_true_is_active() {
        let read = |body: &str| claims(StatusCode::OK, body.as_bytes());
        assert_eq!(read(r#"{"active":true,"sub":"ada"}"#).unwrap()["sub"], "ada");
        assert!(matches!(read(r#"{"active":false}"#), Err(IntrospectionError::Inactive)));
        for body in [
            "{}",
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            r#"{"active":null}"#,
            "[]",
            "true",
            "",
        ] {
            let error = read(body).unwrap_err();
            assert!(error.is_undecided(), "{body}: {error}");
        }
        for status in [
            StatusCode::UNAUTHORIZED,
            StatusCode::NOT_FOUND,
            StatusCode::FOUND,
            StatusCode::BAD_GATEWAY,
        ] {
            let error = claims(status, br#"{"active":true}"#).unwrap_err();
            assert!(error.is_undecided(), "{status}: {error}");
        }
    }

    #[test]
    fn sec_one_odd_token_closes_no_endpoint() {
        for (status, closes) in [
            (400, false),
            (404, false),
            (422, false),
            (429, false),
            (401, true),
            (403, true),
            (500, true),
        ] {
            let error = claims(StatusCode::from_u16(status).unwrap(), b"").unwrap_err();
            assert_eq!(error.is_the_servers(), closes, "{status}");
        }
    }

    #[test]
    fn a_signed_token_is_not_opaque() {
        for (token, opaque) in [
            ("eyJhbGciOiJSUzI1NiJ9.e30.AA", false),
            ("eyJhbGciOiJSUzI1NiJ9.e30", true),
            ("2YotnFZFEjr1zCsicMWpAA", true),
            ("ory_at_a.b.c", true),
            ("a.b.c.d.e", true),
        ] {
            assert_eq!(is_opaque(token), opaque, "{token}");
        }
    }
}
