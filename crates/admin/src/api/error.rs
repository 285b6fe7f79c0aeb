//! Errors of the API: those of operations, and those of HTTP. Statuses are elsewhere: a reason's in `respond.rs`, an own
//! code's in `error_code.rs`.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use narthex_decision::Reason;
use narthex_directory::{PAGE_LIMIT_MAX, StoreError};

use super::error_code::ErrorCode;
use narthex_engine::respond::{self, Format, Problem, Refusal};
use narthex_ops::{KeyFault, OpError};

/// Error of a call of the admin API. The texts are for the caller; the part for the log only is in
/// [`ApiError::private`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// The operation was not performed.
    #[error("{}", operation_text(.0))]
    Operation(#[from] OpError),
    /// There is no such path.
    #[error("there is nothing at this path; `/openapi.json` lists what there is")]
    NoSuchPath,
    /// There is a resource at this path, but it does not support this method.
    #[error("this path does not take this method; the header `Allow` lists those it takes")]
    Method,
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
    /// The `Idempotency-Key` was used for another request.
    #[error("this `Idempotency-Key` was used for another request; use a new one")]
    KeyReused,
    /// The first request with this `Idempotency-Key` has not been answered yet.
    #[error("the first request with this `Idempotency-Key` is still under way; try again")]
    KeyInUse,
}

/// Returns the text of an operation's error for a client of the API: in the words of HTTP where there are any.
fn operation_text(error: &OpError) -> String {
    match error {
        OpError::NotAnId { what, list } => {
            format!("{what}s are named by their ids here; `GET /api/v1/{list}` shows them")
        }
        OpError::PageLimit => format!("the query cannot be used: `limit` is between 1 and {PAGE_LIMIT_MAX}"),
        OpError::Changed => {
            "the record has changed since it was read, or `If-Match` is not its `ETag`; read it again".to_owned()
        }
        OpError::Unconditional { what, why } => {
            format!("send `If-Match` with the `ETag` of the {what} as you have read it: {why}")
        }
        OpError::Internal(_) | OpError::Store(StoreError::SchemaNewer { .. } | StoreError::Corrupt { .. }) => {
            "something went wrong here; the log has more under this `request_id`".to_owned()
        }
        other => other.to_string(),
    }
}

/// Value of `Retry-After` when the store does not respond, in seconds.
const RETRY_AFTER_SECONDS: u32 = 2;

impl ApiError {
    /// Returns the status and the stable code: a reason's, or one of this API's own.
    pub fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Operation(error) => operation_code(error),
            Self::NoSuchPath => ErrorCode::PathUnknown.answer(),
            Self::Method => ErrorCode::Method.answer(),
            Self::MediaType { .. } => ErrorCode::MediaType.answer(),
            Self::TooLarge => of_reason(Reason::RequestTooLarge),
            Self::Malformed { .. } => ErrorCode::Malformed.answer(),
            Self::KeyReused => ErrorCode::KeyReused.answer(),
            Self::KeyInUse => ErrorCode::InProgress.answer(),
        }
    }

    /// Returns the text for the log beside the public text; `None` where there is nothing to add.
    pub fn private(&self) -> Option<String> {
        match self {
            Self::Operation(error) => error.private(),
            _ => None,
        }
    }

    /// Builds the response, with the request id that the log has.
    pub(crate) fn answer(&self, request_id: &str) -> Response {
        if let Self::Operation(OpError::Refused(refusal)) = self {
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
            other => OpError::Internal(format!("the router answered {other}")).into(),
        }
    }
}

fn of_reason(reason: Reason) -> (StatusCode, &'static str) {
    (respond::status(reason), reason.code())
}

fn operation_code(error: &OpError) -> (StatusCode, &'static str) {
    match error {
        OpError::Refused(refusal) => of_reason(refusal.reason),
        OpError::Key(KeyFault::Unknown) => ErrorCode::KeyUnknown.answer(),
        OpError::Key(KeyFault::Revoked) => ErrorCode::KeyRevoked.answer(),
        OpError::Key(KeyFault::Expired) => ErrorCode::KeyExpired.answer(),
        OpError::Key(KeyFault::MachineKey) => ErrorCode::MachineKey.answer(),
        OpError::Forbidden { reason, .. } => of_reason(*reason),
        OpError::Unknown { .. } | OpError::NotAnId { .. } => ErrorCode::ResourceUnknown.answer(),
        OpError::PageLimit => ErrorCode::Malformed.answer(),
        OpError::Invalid { .. } => ErrorCode::ResourceInvalid.answer(),
        OpError::Changed => ErrorCode::ResourceChanged.answer(),
        OpError::Unconditional { .. } => ErrorCode::ResourceUnconditional.answer(),
        OpError::TooOften { .. } => of_reason(Reason::RateLimited),
        OpError::Conflict(_) | OpError::Given(_) => ErrorCode::ResourceConflict.answer(),
        OpError::Run(_) => ErrorCode::ConnectionFailed.answer(),
        OpError::Secrets(_) => ErrorCode::ConnectionSecrets.answer(),
        OpError::Store(error) => store_code(error),
        OpError::Internal(_) => ErrorCode::Internal.answer(),
    }
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

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Operation(refusal.into())
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
    fn a_fault_is_a_server_error_and_the_log_has_more() {
        let why = "secret.db row 7".to_owned();
        for error in [
            StoreError::Unavailable("/var/lib/secret.db: disk I/O error".to_owned()),
            StoreError::Corrupt { what: "user", why },
        ] {
            let error = ApiError::from(OpError::from(error));
            assert!(!error.to_string().contains("secret.db"), "{error}");
            assert!(error.private().unwrap().contains("secret.db"));
            assert!(error.code().0.is_server_error());
        }
    }

    #[test]
    fn an_error_that_a_person_can_fix_is_told() {
        let name = narthex_directory::OrganizationName::new("acme").unwrap();
        let error = ApiError::from(OpError::from(StoreError::DeclaredInConfiguration { name }));
        assert_eq!(error.code(), (StatusCode::CONFLICT, "resource.declared"));
        assert!(error.to_string().contains("configuration"));
        assert_eq!(error.private(), None);
    }
}
