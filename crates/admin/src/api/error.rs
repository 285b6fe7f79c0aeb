//! Errors of the API. Statuses are elsewhere: a reason's in `respond.rs`, an own code's in `code.rs`.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use narthex_decision::Reason;
use narthex_directory::{NameError, StoreError};

use super::connections::refused;
use super::error_code::ErrorCode;
use crate::connections::HeldError;
use narthex_clock::NoEntropy;
use narthex_engine::respond::{self, Format, Problem, Refusal};

/// Error of a call of the admin API. The texts are for the caller; the part for the log only is in
/// [`ApiError::private`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// The token is missing or refused.
    #[error("{}", .0.reason.advice())]
    Token(Refusal),
    /// The API key is unknown, revoked or expired.
    #[error("the API key {0}; make one with `narthex key create`")]
    Key(KeyFault),
    /// The caller may not do this.
    #[error("only {needs} may do this")]
    Forbidden {
        /// The reason, which names the scope where a role is missing.
        reason: Reason,
        /// The callers who may.
        needs: &'static str,
    },
    /// There is no such path.
    #[error("there is nothing at this path; `/openapi.json` lists what there is")]
    NoSuchPath,
    /// There is a resource at this path, but it does not support this method.
    #[error("this path does not take this method; the header `Allow` lists those it takes")]
    Method,
    /// There is no such record, or none that the caller may know of.
    #[error("no such {what}")]
    Unknown {
        /// Kind of record.
        what: &'static str,
    },
    /// The id of a record in the path is not an id.
    #[error("{what}s are named by their ids here; `GET /api/v1/{list}` shows them")]
    NotAnId {
        /// Kind of record.
        what: &'static str,
        /// Path where these records are listed.
        list: &'static str,
    },
    /// The media type of the body is not supported here.
    #[error("send the body as `{expected}` (header `Content-Type`)")]
    MediaType {
        /// Supported media types.
        expected: &'static str,
    },
    /// The body is too large.
    #[error("the body is larger than is taken here")]
    TooLarge,
    /// The request cannot be read.
    #[error("{detail}")]
    Malformed {
        /// Description of the error.
        detail: String,
    },
    /// A value breaks its rule.
    #[error("`{field}`: {detail}")]
    Invalid {
        /// Member of the body or parameter of the query.
        field: &'static str,
        /// Description of the error.
        detail: String,
    },
    /// The record is not at the version that `If-Match` names.
    #[error("the record has changed since it was read, or `If-Match` is not its `ETag`; read it again")]
    Changed,
    /// The change needs `If-Match`.
    #[error("send `If-Match` with the `ETag` of the {what} as you have read it: {why}")]
    Unconditional {
        /// Kind of record to change.
        what: &'static str,
        /// Reason why the header is needed.
        why: &'static str,
    },
    /// The `Idempotency-Key` was used for another request.
    #[error("this `Idempotency-Key` was used for another request; use a new one")]
    KeyReused,
    /// The first request with this `Idempotency-Key` has not been answered yet.
    #[error("the first request with this `Idempotency-Key` is still under way; try again")]
    KeyInUse,
    /// The client asked too often.
    #[error("{what}; try again later")]
    TooOften {
        /// The limit that was exceeded, as a clause.
        what: &'static str,
    },
    /// The request conflicts with the state of the directory.
    #[error("{0}")]
    Conflict(&'static str),
    /// The role to revoke is given by a source that cannot be revoked by hand; the text names it.
    #[error("{0}")]
    Given(String),
    /// A connection's templates did not give a request, or the service did not give a response that could be read. The
    /// text holds no secret.
    #[error("{0}")]
    Run(String),
    /// A connection's secrets cannot be stored or read; the text says what to do.
    #[error("{0}")]
    Secrets(String),
    /// The directory refused or failed.
    #[error("{}", store_text(.0))]
    Store(#[from] StoreError),
    /// An internal error; the text is for the log.
    #[error("something went wrong here; the log has more under this `request_id`")]
    Internal(String),
}

/// Reason why an API key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// No such key was created.
    #[error("is not known here")]
    Unknown,
    /// It was revoked.
    #[error("has been revoked")]
    Revoked,
    /// It has expired.
    #[error("has expired")]
    Expired,
}

/// Value of `Retry-After` when the store does not respond, in seconds.
const RETRY_AFTER_SECONDS: u32 = 2;

// SECURITY: a store's own error texts (paths, statements, addresses) are for the log.
fn store_text(error: &StoreError) -> String {
    match error {
        StoreError::Conflict | StoreError::Unavailable(_) | StoreError::Gone(_) => {
            "the directory cannot answer now; try again".to_owned()
        }
        StoreError::SchemaNewer { .. } | StoreError::Corrupt { .. } => internal_text(),
        StoreError::VersionMismatch { what, .. } => format!("the {what} has changed since it was read; read it again"),
        // SECURITY: the text names the record that has the unique value. Only platform admins set values that are
        // unique beyond an organization (`Action::RuleOrganization`, `CreateOrganization`, `WriteUsers`), and they see
        // every record.
        told => told.to_string(),
    }
}

fn internal_text() -> String {
    ApiError::Internal(String::new()).to_string()
}

impl ApiError {
    /// Returns the error for a value that breaks its rule.
    pub(crate) fn invalid(field: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Invalid {
            field,
            detail: detail.to_string(),
        }
    }

    /// For `map_err`: the error for a text of this field that breaks the rule of names.
    pub(crate) fn name(field: &'static str) -> impl FnOnce(NameError) -> Self {
        Self::named(field, "")
    }

    /// For `map_err`: as [`ApiError::name`], for an organization's name, which is often meant for a label.
    pub(crate) fn organization_name(field: &'static str) -> impl FnOnce(NameError) -> Self {
        Self::named(field, ", and `label` for the name that people read")
    }

    fn named(field: &'static str, and: &'static str) -> impl FnOnce(NameError) -> Self {
        move |error| match error {
            NameError::Rule {
                rule,
                suggestion: Some(name),
                ..
            } => Self::invalid(field, format!("{rule}; use one such as `{name}`{and}")),
            NameError::Rule { rule, .. } => Self::invalid(field, rule),
            other => Self::invalid(field, other),
        }
    }

    /// Returns the status and the stable code: a reason's, or one of this API's own.
    pub fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Token(refusal) => of_reason(refusal.reason),
            Self::Key(KeyFault::Unknown) => ErrorCode::KeyUnknown.answer(),
            Self::Key(KeyFault::Revoked) => ErrorCode::KeyRevoked.answer(),
            Self::Key(KeyFault::Expired) => ErrorCode::KeyExpired.answer(),
            Self::Forbidden { reason, .. } => of_reason(*reason),
            Self::NoSuchPath => ErrorCode::PathUnknown.answer(),
            Self::Method => ErrorCode::Method.answer(),
            Self::Unknown { .. } | Self::NotAnId { .. } => ErrorCode::ResourceUnknown.answer(),
            Self::MediaType { .. } => ErrorCode::MediaType.answer(),
            Self::TooLarge => of_reason(Reason::RequestTooLarge),
            Self::Malformed { .. } => ErrorCode::Malformed.answer(),
            Self::Invalid { .. } => ErrorCode::ResourceInvalid.answer(),
            Self::Changed => ErrorCode::ResourceChanged.answer(),
            Self::Unconditional { .. } => ErrorCode::ResourceUnconditional.answer(),
            Self::KeyReused => ErrorCode::KeyReused.answer(),
            Self::KeyInUse => ErrorCode::InProgress.answer(),
            Self::TooOften { .. } => of_reason(Reason::RateLimited),
            Self::Conflict(_) | Self::Given(_) => ErrorCode::ResourceConflict.answer(),
            Self::Run(_) => ErrorCode::ConnectionFailed.answer(),
            Self::Secrets(_) => ErrorCode::ConnectionSecrets.answer(),
            Self::Store(error) => store_code(error),
            Self::Internal(_) => ErrorCode::Internal.answer(),
        }
    }

    /// Parses an id from a path; `what` and `list` are those of [`ApiError::NotAnId`].
    pub(crate) fn id<T: std::str::FromStr>(text: &str, what: &'static str, list: &'static str) -> Result<T, Self> {
        text.parse().map_err(|_| Self::NotAnId { what, list })
    }

    /// Returns the text for the log beside the public text; `None` where there is nothing to add.
    pub fn private(&self) -> Option<String> {
        match self {
            Self::Internal(text) => Some(text.clone()),
            Self::Store(error) if store_code(error).0.is_server_error() => Some(error.to_string()),
            _ => None,
        }
    }

    /// Builds the response, with the request id that the log has.
    pub(crate) fn answer(&self, request_id: &str) -> Response {
        if let Self::Token(refusal) = self {
            return respond::refuse(refusal, request_id, Format::Problem).map(Body::new);
        }
        let (status, reason) = self.code();
        let problem = Problem {
            kind: Problem::kind(reason),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            reason: reason.to_owned(),
            request_id: request_id.to_owned(),
        };
        let mut response = Response::new(Body::from(serde_json::to_vec(&problem).unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        // SPEC: RFC 6750 3
        let challenge = match status {
            StatusCode::UNAUTHORIZED => Some("Bearer error=\"invalid_token\""),
            StatusCode::FORBIDDEN => Some("Bearer error=\"insufficient_scope\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }

    /// Converts a response that axum made itself to an error.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NoSuchPath,
            StatusCode::METHOD_NOT_ALLOWED => Self::Method,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            other if other.is_client_error() => Self::Malformed {
                detail: "the request cannot be read".to_owned(),
            },
            other => Self::Internal(format!("the router answered {other}")),
        }
    }
}

fn of_reason(reason: Reason) -> (StatusCode, &'static str) {
    (respond::status(reason), reason.code())
}

fn store_code(error: &StoreError) -> (StatusCode, &'static str) {
    match error {
        StoreError::Conflict | StoreError::Unavailable(_) | StoreError::Gone(_) => of_reason(Reason::StoreUnavailable),
        StoreError::Cursor => ErrorCode::Malformed.answer(),
        StoreError::VersionMismatch { .. } => ErrorCode::ResourceChanged.answer(),
        StoreError::AlreadyExists { .. } => ErrorCode::ResourceExists.answer(),
        StoreError::NotFound { .. } => ErrorCode::ResourceUnknown.answer(),
        StoreError::DeclaredInConfiguration { .. } => ErrorCode::ResourceDeclared.answer(),
        StoreError::ExternalOnly { .. } => ErrorCode::ExternalOnly.answer(),
        StoreError::Invalid(_) | StoreError::Refused(_) => ErrorCode::ResourceInvalid.answer(),
        // The API declares nothing, so a conflict of declarations is an internal error too.
        StoreError::Declaration(_) | StoreError::SchemaNewer { .. } | StoreError::Corrupt { .. } => {
            ErrorCode::Internal.answer()
        }
    }
}

impl From<HeldError> for ApiError {
    fn from(error: HeldError) -> Self {
        match error {
            HeldError::Store(error) => error.into(),
            HeldError::Document(problems) => refused(&problems),
            HeldError::Suspended => Refusal::new(Reason::OrganizationSuspended).into(),
            HeldError::NoOrganization => Self::Unknown { what: "organization" },
            HeldError::Changed => Self::Changed,
            HeldError::NoKey | HeldError::Sealed(_) | HeldError::TooMuch(_) => Self::Secrets(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<NoEntropy> for ApiError {
    fn from(error: NoEntropy) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Token(refusal)
    }
}

/// An error leaves a handler inside an empty response. The outermost layer knows the request's id, and writes the
/// document.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.code().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_is_not_quoted() {
        for error in [
            StoreError::Unavailable("/var/lib/secret.db: disk I/O error".to_owned()),
            StoreError::Corrupt {
                what: "user",
                why: "secret.db row 7".to_owned(),
            },
        ] {
            let error = ApiError::from(error);
            assert!(!error.to_string().contains("secret.db"), "{error}");
            assert!(error.private().unwrap().contains("secret.db"));
            assert!(error.code().0.is_server_error());
        }
    }

    #[test]
    fn what_a_person_can_mend_is_said() {
        let name = narthex_directory::OrganizationName::new("acme").unwrap();
        let error = ApiError::from(StoreError::DeclaredInConfiguration { name });
        assert_eq!(error.code(), (StatusCode::CONFLICT, "resource.declared"));
        assert!(error.to_string().contains("configuration"));
        assert_eq!(error.private(), None);
    }
}
