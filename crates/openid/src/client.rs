//! The client: what it asks the browser and the token endpoint for.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::{Response, StatusCode};
use narthex_fetch::keys::{FetchError, IssuerEndpoints, KeyUrl, ProviderMetadata};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, Scope,
    StandardRevocableToken, StandardTokenResponse, TokenUrl,
};
use zeroize::Zeroizing;

use crate::answer::{IdTokenField, OpenIdError, Tokens};

/// A client with an authorization endpoint and a token endpoint.
type CodeClient = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdTokenField, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Scope that makes a request one of OpenID Connect; it is always asked for.
const OPENID: &str = "openid";

/// Registration of Narthex at an issuer.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// The client id: the audience of ID tokens.
    pub client_id: String,
    /// The client's secret; `None` for a public client.
    pub client_secret: Option<Zeroizing<String>>,
    /// Scopes that are asked for, beside `openid`.
    pub scopes: Vec<String>,
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("client_id", &self.client_id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// Secrets of one sign-in, each drawn by the caller: 43 to 128 letters, digits, `-` and `_`.
#[derive(Debug, Clone, Copy)]
pub struct SignInSecrets<'s> {
    /// Value that comes back with the browser.
    pub state: &'s str,
    /// Value that comes back in the ID token.
    pub nonce: &'s str,
    /// Verifier of the code challenge (RFC 7636 section 4.1).
    pub verifier: &'s str,
}

/// Client of one issuer.
#[derive(Debug)]
pub struct OpenIdClient {
    endpoints: IssuerEndpoints,
    settings: ClientSettings,
}

impl OpenIdClient {
    /// Creates the client of an issuer. It asks nothing yet.
    pub const fn new(endpoints: IssuerEndpoints, settings: ClientSettings) -> Self {
        Self { endpoints, settings }
    }

    /// Returns the client id.
    pub fn client_id(&self) -> &str {
        &self.settings.client_id
    }

    /// Returns the `iss` of the issuer.
    pub fn issuer(&self) -> &str {
        self.endpoints.issuer()
    }

    /// Returns the endpoints of the issuer.
    ///
    /// # Errors
    ///
    /// [`OpenIdError::Undiscovered`].
    pub async fn metadata(&self, now_ms: i64) -> Result<Arc<ProviderMetadata>, OpenIdError> {
        let read = self.endpoints.metadata(now_ms).await;
        read.map_err(OpenIdError::Undiscovered)
    }

    /// Returns the address that a browser is sent to, to come back to `redirect_uri` with a code. With `again`, the issuer
    /// asks its user to sign in even if it knows who it is.
    ///
    /// # Errors
    ///
    /// [`OpenIdError`] if the issuer's endpoints cannot be read.
    pub async fn authorization_url(
        &self,
        redirect_uri: &str,
        secrets: SignInSecrets<'_>,
        again: bool,
        now_ms: i64,
    ) -> Result<String, OpenIdError> {
        let metadata = self.metadata(now_ms).await?;
        let client = self.client(&metadata, Some(redirect_uri))?;
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier(secrets.verifier)?);
        let scopes = self.settings.scopes.iter().filter(|scope| *scope != OPENID);
        let mut request = client
            .authorize_url(|| CsrfToken::new(secrets.state.to_owned()))
            .add_scope(Scope::new(OPENID.to_owned()))
            .add_scopes(scopes.map(|scope| Scope::new(scope.clone())))
            .add_extra_param("nonce", secrets.nonce)
            .set_pkce_challenge(challenge);
        if again {
            request = request.add_extra_param("prompt", "login");
        }
        let (url, _) = request.url();
        Ok(url.into())
    }

    /// Exchanges a code for tokens.
    ///
    /// # Errors
    ///
    /// [`OpenIdError`]. The code may be used up all the same.
    pub async fn exchange(
        &self,
        code: &str,
        redirect_uri: &str,
        code_verifier: &str,
        now_ms: i64,
    ) -> Result<Tokens, OpenIdError> {
        let metadata = self.metadata(now_ms).await?;
        let client = self.client(&metadata, Some(redirect_uri))?;
        let http = self.http(&metadata);
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(verifier(code_verifier)?)
            .request_async(&http)
            .await;
        Ok(Tokens::of(&answer?))
    }

    /// Exchanges a refresh token for new tokens.
    ///
    /// # Errors
    ///
    /// [`OpenIdError`]. The refresh token may be used up all the same, unless the error [says](OpenIdError::is_unused) that
    /// it is not.
    pub async fn refresh(&self, refresh_token: &str, now_ms: i64) -> Result<Tokens, OpenIdError> {
        let metadata = self.metadata(now_ms).await?;
        let client = self.client(&metadata, None)?;
        let http = self.http(&metadata);
        let token = RefreshToken::new(refresh_token.to_owned());
        let answer = client.exchange_refresh_token(&token).request_async(&http).await;
        Ok(Tokens::of(&answer?))
    }

    const fn http<'a>(&'a self, metadata: &'a ProviderMetadata) -> TokenEndpoint<'a> {
        TokenEndpoint {
            endpoints: &self.endpoints,
            url: &metadata.token_endpoint,
        }
    }

    fn client(&self, metadata: &ProviderMetadata, redirect_uri: Option<&str>) -> Result<CodeClient, OpenIdError> {
        let url = |of: &KeyUrl| of.url().clone();
        let mut client = oauth2::Client::new(ClientId::new(self.settings.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(url(&metadata.authorization_endpoint)))
            .set_token_uri(TokenUrl::from_url(url(&metadata.token_endpoint)))
            .set_auth_type(if metadata.secret_in_body {
                AuthType::RequestBody
            } else {
                AuthType::BasicAuth
            });
        if let Some(secret) = &self.settings.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.to_string()));
        }
        if let Some(redirect_uri) = redirect_uri {
            let redirect_uri = RedirectUrl::new(redirect_uri.to_owned());
            client = client.set_redirect_uri(redirect_uri.map_err(|_| OpenIdError::Setup("the redirect URI"))?);
        }
        Ok(client)
    }
}

/// Checks a code verifier, which the library asserts.
///
/// SPEC: RFC 7636 section 4.1.
fn verifier(text: &str) -> Result<PkceCodeVerifier, OpenIdError> {
    let fits = (43..=128).contains(&text.len());
    let verifier = fits.then(|| PkceCodeVerifier::new(text.to_owned()));
    verifier.ok_or(OpenIdError::Setup("the code verifier"))
}

/// Sender of the library's requests to the token endpoint, under the guard and the limits of the issuer.
struct TokenEndpoint<'a> {
    endpoints: &'a IssuerEndpoints,
    url: &'a KeyUrl,
}

impl<'c> AsyncHttpClient<'c> for TokenEndpoint<'_> {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let answer = self.endpoints.post(self.url, parts.headers, body).await?;
            let (parts, body) = answer.into_parts();
            // A server that is overloaded or down for maintenance, whatever the body of its answer is.
            if matches!(
                parts.status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            ) {
                return Err(FetchError::Status {
                    host: self.url.host(),
                    status: parts.status.as_u16(),
                });
            }
            Ok(Response::from_parts(parts, body.to_vec()))
        })
    }
}
