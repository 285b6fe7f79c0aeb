//! Endpoints of an issuer besides its key set: its discovery document for sign-in, and the token endpoint.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use narthex_template::is_disruptive;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::error::{DiscoveryProblem, FetchError};
use super::fetch::{Access, FetchLimits, Fetcher, quoted};
use super::key_url::KeyUrl;
use super::source::{SourceProblem, discovery_url, guard};
use crate::ssrf_guard::Names;

/// Time for which a discovery document is cached.
const DOCUMENT_MS: i64 = 60 * 60 * 1000;
/// Time for which the failure to read one is cached, so that requests without a credential cannot flood the issuer.
const FAILURE_MS: i64 = 5_000;
/// Upper limit of characters of foreign text that a message repeats.
const SHOWN_CHARS: usize = 200;

/// Endpoints of an OpenID provider, from its discovery document (OpenID Connect Discovery 1.0 section 3).
#[derive(Debug, Clone)]
pub struct ProviderMetadata {
    /// Address at which the browser signs in.
    pub authorization_endpoint: KeyUrl,
    /// Address at which a code or a refresh token is exchanged.
    pub token_endpoint: KeyUrl,
    /// Address at which the browser signs out, if there is one.
    pub end_session_endpoint: Option<KeyUrl>,
    /// True if the client's secret goes into the body of a request, because the provider takes it in no header.
    pub secret_in_body: bool,
    /// True if the provider names itself in its answers to the browser (RFC 9207).
    pub names_itself: bool,
}

/// Members of a discovery document that sign-in reads.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Sender of requests to the endpoints of one issuer, under the same guard and limits as its keys.
pub struct IssuerEndpoints {
    issuer: String,
    document: KeyUrl,
    fetcher: Fetcher,
    // INVARIANT: held while the document is read, so that one request reads it and the others wait.
    cached: Mutex<Option<Cached>>,
}

/// The document that was read last, or the failure to read it.
struct Cached {
    outcome: Result<Arc<ProviderMetadata>, FetchError>,
    until_ms: i64,
}

impl fmt::Debug for IssuerEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerEndpoints")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl IssuerEndpoints {
    /// Creates a sender for an issuer, by its exact `iss`. It reads nothing yet.
    ///
    /// # Errors
    ///
    /// [`SourceProblem`] if the issuer is not a URL that may be asked.
    pub fn new(
        issuer: &str,
        access: Access,
        names: Arc<dyn Names>,
        limits: FetchLimits,
    ) -> Result<Self, SourceProblem> {
        let document = discovery_url(issuer)?;
        let guard = guard(&document, &access)?;
        Ok(Self {
            issuer: issuer.to_owned(),
            fetcher: Fetcher {
                access: Arc::new(access),
                guard: Arc::new(guard),
                names,
                limits,
                origin: document.origin(),
            },
            document,
            cached: Mutex::new(None),
        })
    }

    /// Checks that an issuer is a URL whose discovery document may be read.
    ///
    /// # Errors
    ///
    /// [`SourceProblem`].
    pub fn check(issuer: &str, access: &Access) -> Result<(), SourceProblem> {
        guard(&discovery_url(issuer)?, access).map(|_| ()).map_err(Into::into)
    }

    /// Returns the `iss` of the issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the endpoints, from the document that was read within the last hour or is read now.
    ///
    /// # Errors
    ///
    /// [`FetchError`]; it is repeated for five seconds without asking again.
    pub async fn metadata(&self, now_ms: i64) -> Result<Arc<ProviderMetadata>, FetchError> {
        let mut cached = self.cached.lock().await;
        if let Some(known) = cached.as_ref()
            && (0..=DOCUMENT_MS).contains(&known.until_ms.saturating_sub(now_ms))
        {
            return known.outcome.clone();
        }
        let outcome = self.read().await.map(Arc::new);
        let for_ms = if outcome.is_ok() { DOCUMENT_MS } else { FAILURE_MS };
        *cached = Some(Cached {
            outcome: outcome.clone(),
            until_ms: now_ms.saturating_add(for_ms),
        });
        outcome
    }

    async fn read(&self) -> Result<ProviderMetadata, FetchError> {
        let answer = self.in_time(&self.document, self.fetcher.fetch(&self.document)).await?;
        parse(&answer.body, &self.issuer).map_err(|problem| FetchError::Discovery {
            host: self.document.host(),
            problem,
        })
    }

    /// Posts a body to an endpoint, once, and returns the answer, whatever its status is. No redirect is followed.
    ///
    /// # Errors
    ///
    /// [`FetchError`] if there is no answer. The endpoint may have acted on the request all the same.
    pub async fn post(&self, url: &KeyUrl, headers: HeaderMap, body: Vec<u8>) -> Result<Response<Bytes>, FetchError> {
        let (status, headers, body) = self.in_time(url, self.fetcher.post(url, headers, body)).await?;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    async fn in_time<T>(
        &self,
        url: &KeyUrl,
        work: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let limit = self.fetcher.limits.total;
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            Err(FetchError::TimedOut {
                source_of_keys: quoted(&url.host()),
                limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            })
        })
    }
}

/// Reads a discovery document of this issuer.
fn parse(body: &[u8], issuer: &str) -> Result<ProviderMetadata, DiscoveryProblem> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let found: Document = serde_json::from_slice(body)
        .map_err(|error| DiscoveryProblem::Malformed(format!("line {}, column {}", error.line(), error.column())))?;
    // SECURITY: the document of another issuer would send users, codes and the client's secret elsewhere.
    // SPEC: OpenID Connect Discovery 1.0, 4.3.
    if found.issuer != issuer {
        let shown = found.issuer.chars().filter(|shown| !is_disruptive(*shown));
        return Err(DiscoveryProblem::OtherIssuer {
            configured: issuer.to_owned(),
            found: shown.take(SHOWN_CHARS).collect(),
        });
    }
    let methods = &found.code_challenge_methods_supported;
    if !methods.is_empty() && !methods.iter().any(|method| method == "S256") {
        return Err(DiscoveryProblem::NoPkce);
    }
    let auth_methods = &found.token_endpoint_auth_methods_supported;
    let takes = |method: &str| auth_methods.iter().any(|supported| supported == method);
    Ok(ProviderMetadata {
        authorization_endpoint: required("authorization_endpoint", found.authorization_endpoint.as_deref())?,
        token_endpoint: required("token_endpoint", found.token_endpoint.as_deref())?,
        end_session_endpoint: optional("end_session_endpoint", found.end_session_endpoint.as_deref())?,
        // Without a list, the method is `client_secret_basic`.
        secret_in_body: takes("client_secret_post") && !takes("client_secret_basic"),
        names_itself: found.authorization_response_iss_parameter_supported,
    })
}

fn required(member: &'static str, text: Option<&str>) -> Result<KeyUrl, DiscoveryProblem> {
    optional(member, text)?.ok_or(DiscoveryProblem::NoEndpoint(member))
}

fn optional(member: &'static str, text: Option<&str>) -> Result<Option<KeyUrl>, DiscoveryProblem> {
    let url = text.map(KeyUrl::parse).transpose();
    url.map_err(|problem| DiscoveryProblem::Endpoint { member, problem })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://id.example";

    fn read(changes: &Value) -> Result<ProviderMetadata, DiscoveryProblem> {
        let mut document = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://id.example/auth?tenant=1",
            "token_endpoint": "https://id.example/token",
        });
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        parse(document.to_string().as_bytes(), ISSUER)
    }

    #[test]
    fn the_document_names_the_endpoints() {
        let plain = read(&json!({})).unwrap();
        assert_eq!(plain.token_endpoint.to_string(), "https://id.example/token");
        assert!(!plain.secret_in_body && !plain.names_itself && plain.end_session_endpoint.is_none());
        let full = read(&json!({
            "end_session_endpoint": "https://id.example/logout",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": true,
        }))
        .unwrap();
        assert!(full.secret_in_body && full.names_itself && full.end_session_endpoint.is_some());
    }

    #[test]
    fn sec_a_document_sends_users_and_secrets_to_its_own_issuer_only() {
        for changes in [
            json!({ "issuer": "https://id.example/" }),
            json!({ "authorization_endpoint": null }),
            json!({ "token_endpoint": null }),
            json!({ "token_endpoint": "http://id.example/token" }),
            json!({ "authorization_endpoint": "javascript:alert(1)" }),
            json!({ "authorization_endpoint": "https://user:word@id.example/auth" }),
            json!({ "end_session_endpoint": "data:text/html,x" }),
            json!({ "code_challenge_methods_supported": ["plain"] }),
        ] {
            read(&changes).unwrap_err();
        }
    }
}
