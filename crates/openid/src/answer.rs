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
    /// The endpoints are not known, because the discovery document could not be read.
    #[error("the identity provider gives no answer: {0}")]
    Undiscovered(FetchError),
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

impl OpenIdError {
    /// Tests whether the endpoint surely did not act on the request, so that the same refresh token may be sent later: it was
    /// not reached, or says that the fault is its own or the client's.
    ///
    /// SECURITY: after a request without an answer, the refresh token may be used up. Providers take one that comes twice for
    /// stolen (RFC 9700 section 4.14.2).
    pub const fn is_unused(&self) -> bool {
        match self {
            Self::Undiscovered(_) => true,
            Self::Unavailable(error) => matches!(
                error,
                FetchError::Refused(_)
                    | FetchError::Unresolved { .. }
                    | FetchError::Connection { .. }
                    | FetchError::Certificate { .. }
                    | FetchError::Status { .. }
            ),
            Self::Refused { code } => matches!(
                code.as_bytes(),
                b"invalid_client" | b"server_error" | b"temporarily_unavailable"
            ),
            Self::Malformed(_) | Self::Setup(_) => false,
        }
    }
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

fn code(error: &BasicErrorResponseType) -> &'static str {
    match error {
        BasicErrorResponseType::InvalidClient => "invalid_client",
        BasicErrorResponseType::InvalidGrant => "invalid_grant",
        BasicErrorResponseType::InvalidRequest => "invalid_request",
        BasicErrorResponseType::InvalidScope => "invalid_scope",
        BasicErrorResponseType::UnauthorizedClient => "unauthorized_client",
        BasicErrorResponseType::UnsupportedGrantType => "unsupported_grant_type",
        // Not in the standard for this endpoint, and sent all the same.
        BasicErrorResponseType::Extension(code) if code == "server_error" => "server_error",
        BasicErrorResponseType::Extension(code) if code == "temporarily_unavailable" => "temporarily_unavailable",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_a_refresh_token_that_may_be_used_up_is_not_sent_again() {
        let host = || "id.example".to_owned();
        let cause = || "why".to_owned();
        let timed_out = || FetchError::TimedOut {
            source_of_keys: host(),
            limit_ms: 5_000,
        };
        let refused = |code| OpenIdError::Refused { code };
        for (error, is_unused) in [
            (OpenIdError::Undiscovered(timed_out()), true),
            (OpenIdError::Unavailable(timed_out()), false),
            (
                OpenIdError::Unavailable(FetchError::Connection {
                    host: host(),
                    cause: cause(),
                }),
                true,
            ),
            (
                OpenIdError::Unavailable(FetchError::Interrupted {
                    host: host(),
                    cause: cause(),
                }),
                false,
            ),
            (
                OpenIdError::Unavailable(FetchError::Status {
                    host: host(),
                    status: 503,
                }),
                true,
            ),
            (OpenIdError::Malformed("it is empty"), false),
            (refused("invalid_grant"), false),
            (refused("unauthorized_client"), false),
            (refused("another error"), false),
            (refused("invalid_client"), true),
            (refused("temporarily_unavailable"), true),
        ] {
            assert_eq!(error.is_unused(), is_unused, "{error}");
        }
    }
}
