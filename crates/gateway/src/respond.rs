//! The single match from reason to answer: status, `WWW-Authenticate`, problem document. The admin API has codes of its own
//! beside the reasons, with their statuses in `admin/code.rs`.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use narthex_decision::Reason;
use serde::Serialize;

use crate::http_rules;

/// How long a client should wait before it asks again when nothing could be decided or nobody was there, in seconds.
const RETRY_AFTER_SECONDS: u32 = 5;

/// A request that does not pass.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// What is particular to this case, for the caller: it may name claims, header members and settings, and never
    /// holds a claim's value.
    pub detail: Option<String>,
}

impl Refusal {
    /// A refusal with nothing particular to say.
    pub const fn new(reason: Reason) -> Self {
        Self { reason, detail: None }
    }

    /// A refusal that says what is particular to this case.
    pub fn because(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: Some(detail.into()),
        }
    }

    /// A refusal by one of the pure crates, which know reasons by their codes and say themselves what is particular.
    /// A code that is not in the table would be a fault of ours; it is answered as undecidable, never as allowed.
    pub fn coded(code: &str, error: &dyn std::fmt::Display) -> Self {
        Self::because(
            Reason::from_code(code).unwrap_or(Reason::StoreUnavailable),
            error.to_string(),
        )
    }
}

/// The status a reason is answered with (`product.md` section 8): 401 for the token, 403 for the person or the route,
/// 400 for the request, 404 for an unknown route, 503 when nothing could be decided. What was decided and could not be passed
/// on has the statuses of a gateway.
pub const fn status(reason: Reason) -> StatusCode {
    use Reason as R;
    match reason {
        R::TokenMultiple | R::RequestPath | R::RequestHost | R::RequestUnforwardable => StatusCode::BAD_REQUEST,
        R::RequestMethod => StatusCode::METHOD_NOT_ALLOWED,
        R::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        R::UpstreamUnreachable => StatusCode::BAD_GATEWAY,
        R::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        R::KeysUnavailable | R::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        R::RouteUnmatched => StatusCode::NOT_FOUND,
        R::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        R::IdentityUsernameConflict
        | R::IdentityTeamConflict
        | R::IdentityNotProvisioned
        | R::IdentityDisabled
        | R::OrganizationUnknown
        | R::OrganizationSuspended
        | R::OrganizationRole
        | R::PlatformRole
        | R::RequestProxyUntrusted => StatusCode::FORBIDDEN,
        // Everything else speaks of the token; so does a reason added later, until this match says otherwise.
        _ => StatusCode::UNAUTHORIZED,
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// `urn:narthex:reason:` and the reason: a name, with nothing to fetch behind it.
    #[serde(rename = "type")]
    #[schema(example = "urn:narthex:reason:resource.unknown")]
    pub kind: String,
    /// The status's standard phrase.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A sentence that says what happened and what to do.
    pub detail: String,
    /// The stable code: one of those listed at the top of this description, or a reason for which a request or its token
    /// is refused at the doors too.
    #[schema(example = "resource.unknown")]
    pub reason: String,
    /// The number under which the log knows this request.
    pub request_id: String,
}

impl Problem {
    /// The `type` of a reason.
    pub(crate) fn kind(reason: &str) -> String {
        format!("urn:narthex:reason:{reason}")
    }
}

/// The answer to a refused request.
pub(crate) fn refuse(refusal: &Refusal, request_id: &str) -> Response<Full<Bytes>> {
    let status = status(refusal.reason);
    let advice = refusal.reason.advice();
    let detail = refusal
        .detail
        .as_ref()
        .map_or_else(|| advice.to_owned(), |detail| format!("{advice} ({detail})"));
    let mut response = problem(status, refusal.reason.code(), detail, request_id);
    let headers = response.headers_mut();
    if let Some(challenge) = challenge(refusal.reason, status) {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY
    ) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static(http_rules::METHODS));
    }
    response
}

/// An answer with a problem document (RFC 9457).
pub(crate) fn problem(
    status: StatusCode,
    reason: &'static str,
    detail: String,
    request_id: &str,
) -> Response<Full<Bytes>> {
    let problem = Problem {
        kind: Problem::kind(reason),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        status: status.as_u16(),
        detail,
        reason: reason.to_owned(),
        request_id: request_id.to_owned(),
    };
    let mut response = Response::new(Full::new(Bytes::from(serde_json::to_vec(&problem).unwrap_or_default())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-narthex-reason", HeaderValue::from_static(reason));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-narthex-request-id", id);
    }
    response
}

/// RFC 6750 section 3: no error code when no token was sent; otherwise one of its three words.
const fn challenge(reason: Reason, status: StatusCode) -> Option<&'static str> {
    match (reason, status) {
        (Reason::TokenMissing, _) => Some("Bearer"),
        (Reason::TokenMultiple, _) => Some("Bearer error=\"invalid_request\""),
        (_, StatusCode::UNAUTHORIZED) => Some("Bearer error=\"invalid_token\""),
        (Reason::OrganizationRole | Reason::PlatformRole, _) => Some("Bearer error=\"insufficient_scope\""),
        _ => None,
    }
}
