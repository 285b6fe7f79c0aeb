//! Answers of a token endpoint.

use std::fmt;

use narthex_fetch::keys::FetchError;
use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType, BasicTokenType};
use oauth2::{ExtraTokenFields, RequestTokenError, StandardTokenResponse, TokenResponse as _};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

/// Member of an answer that only OpenID Connect has.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct IdTokenField {
    id_token: Option<String>,
}

impl fmt::Debug for IdTokenField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdTokenField(***)")
    }
}

impl ExtraTokenFields for IdTokenField {}

/// Tokens of an answer, not verified.
pub struct Tokens {
    /// The ID token, if there is one.
    pub id_token: Option<Zeroizing<String>>,
    /// The refresh token, if there is one. It takes the place of the one that was sent.
    pub refresh_token: Option<Zeroizing<String>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(***)")
    }
}

impl Tokens {
    pub(crate) fn of(answer: &StandardTokenResponse<IdTokenField, BasicTokenType>) -> Self {
        let id_token = answer.extra_fields().id_token.clone();
        let refresh_token = answer.refresh_token().map(|token| token.secret().clone());
        Self {
            id_token: id_token.map(Zeroizing::new),
            refresh_token: refresh_token.map(Zeroizing::new),
        }
    }
}

/// Error of a sign-in or a refresh at the issuer. No message contains a token, a code or a secret.
#[derive(Debug, Clone, Error)]
pub enum OpenIdError {
    /// An endpoint could not be asked.
    #[error("the identity provider gives no answer: {0}")]
    Unavailable(#[from] FetchError),
    /// The token endpoint refuses the request (RFC 6749 section 5.2).
    #[error("the token endpoint answers `{code}`{advice}", advice = advice(code))]
    Refused {
        /// Its error code; `another error` for one that is not in the standard.
        code: &'static str,
    },
    /// The answer of the token endpoint cannot be read.
    #[error("the answer of the token endpoint is not what RFC 6749 says: {0}")]
    Malformed(&'static str),
    /// The request could not be made.
    #[error("the request cannot be made, because of {0}")]
    Setup(&'static str),
}

impl From<RequestTokenError<FetchError, BasicErrorResponse>> for OpenIdError {
    // SECURITY: descriptions of errors, and bodies that cannot be parsed, are text of others, perhaps with a token in it.
    fn from(error: RequestTokenError<FetchError, BasicErrorResponse>) -> Self {
        match error {
            RequestTokenError::ServerResponse(refused) => Self::Refused {
                code: code(refused.error()),
            },
            RequestTokenError::Request(error) => Self::Unavailable(error),
            RequestTokenError::Parse(..) => {
                Self::Malformed("it is no JSON object with the members of a token response")
            }
            RequestTokenError::Other(_) => Self::Malformed("it has no status or content type that is expected"),
        }
    }
}

const fn code(error: &BasicErrorResponseType) -> &'static str {
    match error {
        BasicErrorResponseType::InvalidClient => "invalid_client",
        BasicErrorResponseType::InvalidGrant => "invalid_grant",
        BasicErrorResponseType::InvalidRequest => "invalid_request",
        BasicErrorResponseType::InvalidScope => "invalid_scope",
        BasicErrorResponseType::UnauthorizedClient => "unauthorized_client",
        BasicErrorResponseType::UnsupportedGrantType => "unsupported_grant_type",
        BasicErrorResponseType::Extension(_) => "another error",
    }
}

fn advice(code: &str) -> &'static str {
    match code {
        "invalid_client" => "; check `client_id` and `client_secret_file` of the issuer",
        "unauthorized_client" => "; let the client use the authorization code flow",
        "invalid_scope" => "; check `scopes` of the issuer",
        _ => "",
    }
}
