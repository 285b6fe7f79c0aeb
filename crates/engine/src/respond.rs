//! The single mapping from a reason to an answer: status, `WWW-Authenticate`, problem document or page. The admin API has codes
//! of its own besides the reasons, with their statuses in `admin/src/api/error_code.rs`.

mod challenge;
pub mod page;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use narthex_decision::{Denial, Match, Reason, Requirement};
use narthex_directory::{IssuerName, OrganizationName, UserId};
use narthex_mapping::MapError;
use narthex_token::VerifyError;
use serde::Serialize;

use crate::embedding::Embedding;
use crate::http_rules;
use crate::organization;
use crate::origin::ReadableBy;
use crate::protected_resource::ProtectedResource;
use crate::sign_in::{OfferKind, SignInOffer};

pub use page::{Format, STYLE as PAGE_STYLE, framed_page, own_page};

/// Seconds that a client should wait before it asks again, if nothing could be decided or no server was available.
const RETRY_AFTER_SECONDS: u32 = 5;

/// Content is what its type says: no browser guesses. Each of our own answers has this header.
pub const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A request that does not pass.
///
/// The caller reads [`Refusal::text`]: problem and remedy, each once. The log and explain get [`Refusal::private`],
/// which may name settings, keys and header text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable code.
    pub reason: Reason,
    /// Reason that the caller is told, if the true one would reveal facts that the caller must not know.
    pub told: Option<Reason>,
    /// Problem in the words of this case, for the caller; `None` if the reason's own words are enough.
    ///
    /// SECURITY: it may name claims and header members, and the accepted limits, algorithms and audiences, which a
    /// caller must know to send a better request. It holds no claim's value and no other text that a client chose.
    pub problem: Option<String>,
    /// Remedy in the words of this case, for the caller; `None` if the reason's own is right.
    pub remedy: Option<String>,
    /// Explanation for the operator, with the operator's cure: for the log and for explain.
    pub detail: Option<String>,
    /// Time after which a client should ask again, in seconds, if this case knows it.
    pub retry_after_seconds: Option<u32>,
    /// Known facts about the caller, for the log.
    pub about: Option<Box<CallerFacts>>,
}

/// Known facts about a refused request: those about its caller are for the log alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallerFacts {
    /// Configured name of the token's issuer.
    pub issuer: Option<IssuerName>,
    /// User, if the directory knows one.
    pub user: Option<UserId>,
    /// Organization that the request is about, by the directory's name of it.
    pub organization: Option<OrganizationName>,
    /// The same if the request itself has that name: what its client may be told.
    pub named: Option<OrganizationName>,
    /// Permission for scripts of other origins to read the answer.
    pub readable_by: Option<ReadableBy>,
    /// Sign-in that the request is offered.
    pub sign_in: Option<SignInOffer>,
    /// The protected resource that the request is for.
    pub resource: Option<ProtectedResource>,
    /// Nonce for the next proof of possession.
    pub dpop_nonce: Option<String>,
    /// Embedded login whose parents may show the page of the refusal.
    pub framed_by: Option<Embedding>,
}

impl Refusal {
    /// Creates a refusal without details.
    pub const fn new(reason: Reason) -> Self {
        Self {
            reason,
            told: None,
            problem: None,
            remedy: None,
            detail: None,
            retry_after_seconds: None,
            about: None,
        }
    }

    /// Adds the issuer of the token.
    #[must_use]
    pub fn of_issuer(mut self, issuer: &IssuerName) -> Self {
        self.about.get_or_insert_default().issuer = Some(issuer.clone());
        self
    }

    /// Adds the user.
    pub(crate) fn of_user(mut self, user: UserId) -> Self {
        self.about.get_or_insert_default().user = Some(user);
        self
    }

    /// Adds the organization that the request names. A text that is no name is left out.
    #[must_use]
    pub fn in_organization(mut self, organization: Option<&str>) -> Self {
        if let Some(Ok(name)) = organization.map(OrganizationName::new) {
            self.about.get_or_insert_default().organization = Some(name);
        }
        self
    }

    /// Adds the permission for scripts of other origins to read the answer.
    pub(crate) fn readable_by(mut self, readable_by: Option<ReadableBy>) -> Self {
        if readable_by.is_some() {
            self.about.get_or_insert_default().readable_by = readable_by;
        }
        self
    }

    /// Adds the name of an organization that the request has, so that its client may be told. A text that is no name is
    /// left out.
    pub(crate) fn naming(mut self, organization: Option<&str>) -> Self {
        if let Some(Ok(name)) = organization.map(OrganizationName::new) {
            self.about.get_or_insert_default().named = Some(name);
        }
        self
    }

    /// Adds the sign-in that the request is offered.
    #[must_use]
    pub fn offering(mut self, offer: Option<SignInOffer>) -> Self {
        if offer.is_some() {
            self.about.get_or_insert_default().sign_in = offer;
        }
        self
    }

    /// Adds the embedded login whose parents may show the page of the refusal.
    #[must_use]
    pub fn framed_by(mut self, embedding: &Embedding) -> Self {
        self.about.get_or_insert_default().framed_by = Some(embedding.clone());
        self
    }

    /// Adds a nonce for the next proof of possession.
    pub(crate) fn with_nonce(mut self, nonce: String) -> Self {
        self.about.get_or_insert_default().dpop_nonce = Some(nonce);
        self
    }

    /// Adds the protected resource that the request is for.
    #[must_use]
    pub(crate) fn at_resource(mut self, resource: impl FnOnce() -> Option<ProtectedResource>) -> Self {
        // SECURITY: the challenge too comes from the reason that the client is told.
        let told = self.told.unwrap_or(self.reason);
        if challenge::is_due(told, status(told)) {
            self.about.get_or_insert_default().resource = resource();
        }
        self
    }

    /// Creates a refusal with a problem in the words of this case, for the caller and for the log: the first half of a
    /// sentence, without a remedy.
    pub fn because(reason: Reason, problem: impl Into<String>) -> Self {
        Self {
            problem: Some(problem.into()),
            ..Self::new(reason)
        }
    }

    /// Creates a refusal with details for the operator that the caller does not see.
    pub fn logged(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::new(reason)
        }
    }

    /// Creates the refusal of a request that was denied on a route, with details for the operator. The caller is told what the denial
    /// permits.
    pub fn denied(denial: &Denial, matched: &Match<'_>) -> Self {
        let detail = needs(denial, matched);
        match denial.reason {
            reason @ (Reason::RequestPath | Reason::RequestHost) => organization::no_name(reason),
            reason => Self::logged(reason, detail).told(denial.told),
        }
    }

    /// Sets the reason that the caller is told, in that reason's own words.
    fn told(self, told: Reason) -> Self {
        Self {
            told: Some(told).filter(|told| *told != self.reason),
            ..self
        }
    }

    /// Creates a refusal from a code of one of the pure crates. A code that is not in the table would be a bug of ours;
    /// it is answered as undecidable, never as allowed.
    fn coded(code: &str, problem: Option<String>, error: &dyn std::fmt::Display) -> Self {
        Self {
            problem,
            ..Self::logged(
                Reason::from_code(code).unwrap_or(Reason::StoreUnavailable),
                error.to_string(),
            )
        }
    }

    /// Returns the sentence for the caller: problem and remedy, each once.
    pub fn text(&self) -> String {
        // SECURITY: the words of this case belong to the true reason.
        if let Some(told) = self.told {
            return told.advice().to_owned();
        }
        let problem = self.problem.as_deref().unwrap_or_else(|| self.reason.fault());
        let remedy = self.remedy.as_deref().unwrap_or_else(|| self.reason.remedy());
        let mut characters = problem.chars();
        let first = characters.next().map(|first| first.to_uppercase().to_string());
        format!("{}{}; {remedy}.", first.unwrap_or_default(), characters.as_str())
    }

    /// Returns the sign-in that the request is offered, if there is one.
    pub fn sign_in_offer(&self) -> Option<&SignInOffer> {
        self.about.as_ref()?.sign_in.as_ref()
    }

    /// Returns the words for the log and for explain.
    pub fn private(&self) -> Option<&str> {
        self.detail.as_deref().or(self.problem.as_deref())
    }
}

/// Returns what a denied request lacks, in the words of the configuration.
pub fn needs(denial: &Denial, matched: &Match<'_>) -> String {
    let spec = &matched.route.spec;
    match denial.reason {
        Reason::RouteIssuer => {
            let issuers: Vec<&str> = spec.issuers.iter().map(IssuerName::as_str).collect();
            format!("needs a token of {}", issuers.join(" or "))
        }
        Reason::RouteTag => format!("needs a token with the tag {}", spec.tags.join(" or ")),
        Reason::TokenScope => format!("needs a token with the scopes {}", spec.scopes.join(" and ")),
        _ => {
            let required: Vec<String> = denial.required.iter().map(Requirement::to_string).collect();
            format!("needs {}", required.join(" or "))
        }
    }
}

impl From<&VerifyError> for Refusal {
    fn from(error: &VerifyError) -> Self {
        let refusal = Self::coded(error.reason(), error.caller_problem(), error);
        match error {
            VerifyError::Signature { nonce: true, .. } => Self {
                remedy: Some("ask for a token that is meant for this application".to_owned()),
                ..refusal
            },
            VerifyError::KeysUnavailable {
                retry_after_seconds, ..
            } => Self {
                remedy: Some(format!("try again in {retry_after_seconds} s")),
                retry_after_seconds: Some(*retry_after_seconds),
                ..refusal
            },
            _ => refusal,
        }
    }
}

impl From<&MapError> for Refusal {
    fn from(error: &MapError) -> Self {
        Self {
            remedy: error.caller_remedy().map(str::to_owned),
            ..Self::coded(error.reason(), error.caller_problem(), error)
        }
    }
}

impl From<&narthex_directory::Refusal> for Refusal {
    fn from(refusal: &narthex_directory::Refusal) -> Self {
        let answer = Self {
            remedy: refusal.caller_remedy().map(str::to_owned),
            ..Self::coded(refusal.reason(), refusal.caller_problem(), refusal)
        };
        match refusal.user() {
            Some(user) => answer.of_user(user),
            None => answer,
        }
    }
}

/// Returns the status for a reason (`product.md` section 8): 401 for the token, 403 for the person or the route, 400
/// for the request, 404 for an unknown route, 503 if nothing could be decided. A request that may pass and could not be
/// forwarded gets the status of a gateway.
pub const fn status(reason: Reason) -> StatusCode {
    use Reason as R;
    match reason {
        R::TokenMultiple
        | R::RequestPath
        | R::RequestHost
        | R::RequestUnforwardable
        | R::OrganizationMissing
        | R::SignInRefused => StatusCode::BAD_REQUEST,
        R::RequestMethod => StatusCode::METHOD_NOT_ALLOWED,
        R::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        R::UpstreamUnreachable => StatusCode::BAD_GATEWAY,
        R::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        R::KeysUnavailable | R::StoreUnavailable | R::UpstreamBusy => StatusCode::SERVICE_UNAVAILABLE,
        R::RouteUnmatched => StatusCode::NOT_FOUND,
        R::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        R::RequestLoop => StatusCode::LOOP_DETECTED,
        R::IdentityUsernameConflict
        | R::IdentityTeamConflict
        | R::IdentityNotProvisioned
        | R::IdentityDisabled
        | R::OrganizationUnknown
        | R::OrganizationSuspended
        | R::OrganizationRole
        | R::PlatformRole
        | R::RouteIssuer
        | R::RouteTag
        | R::TokenScope
        | R::RequestOrigin
        | R::RequestProxyUntrusted => StatusCode::FORBIDDEN,
        R::TokenMissing
        | R::TokenTooLarge
        | R::TokenMalformed
        | R::TokenAlgorithm
        | R::TokenHeader
        | R::TokenIssuerUnknown
        | R::TokenIssuerDisabled
        | R::TokenKeyUnknown
        | R::TokenSignature
        | R::TokenExpired
        | R::TokenNotYetValid
        | R::TokenIssuedInFuture
        | R::TokenTooOld
        | R::TokenAudience
        | R::TokenClaimMissing
        | R::TokenClaimInvalid
        | R::TokenRevoked
        | R::TokenBound
        | R::TokenRule
        | R::TokenProof
        | R::TokenInactive
        | R::SessionEnded
        | R::MachineKeyUnknown
        | R::MachineKeyRevoked
        | R::MachineKeyExpired
        | R::MappingInvalid
        | R::TagsMissing
        | R::TagsMalformed
        | R::TagsOverage => StatusCode::UNAUTHORIZED,
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// The reason, with the prefix `urn:narthex:reason:`. It is a name: there is nothing to fetch behind it.
    #[serde(rename = "type")]
    #[schema(example = "urn:narthex:reason:resource.unknown")]
    pub kind: String,
    /// Standard phrase of the status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A sentence that says what happened and what to do.
    pub detail: String,
    /// Stable code: one of those listed at the top of this description, or a reason for which the doors also refuse a
    /// request or its token.
    #[schema(example = "resource.unknown")]
    pub reason: String,
    /// Id of this request in the log.
    pub request_id: String,
}

impl Problem {
    /// Returns the `type` of a reason.
    pub fn kind(reason: &str) -> String {
        format!("urn:narthex:reason:{reason}")
    }
}

/// Builds the answer to a refused request, in the form that its client accepts.
pub fn refuse(refusal: &Refusal, request_id: &str, format: Format) -> Response<Full<Bytes>> {
    // SECURITY: everything in the answer comes from the reason that the client is told.
    let reason = refusal.told.unwrap_or(refusal.reason);
    let status = status(reason);
    let mut response = problem(status, reason.code(), refusal.text(), request_id);
    let retry_after_seconds = retry_after(status, refusal);
    if let Format::Page { now_ms } = format {
        let told = (reason, status);
        if let Some(page) = page::page(refusal, told, retry_after_seconds, request_id, now_ms) {
            *response.body_mut() = Full::new(page);
            page::set_headers(response.headers_mut());
        }
    }
    let headers = response.headers_mut();
    headers.insert(header::VARY, VARY);
    challenge::write(headers, refusal, reason, status);
    if let Some(seconds) = retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static(http_rules::METHODS));
    }
    if let Some(framed_by) = refusal.about.as_ref().and_then(|about| about.framed_by.as_ref()) {
        framed_by.restrict(headers);
    }
    if let Some(readable_by) = refusal.about.as_ref().and_then(|about| about.readable_by.as_ref()) {
        readable_by.write(&mut response);
    }
    if let Some(offer) = refusal
        .sign_in_offer()
        .filter(|offer| offer.kind == OfferKind::Redirect)
        && let Ok(location) = HeaderValue::from_str(&offer.location)
    {
        *response.status_mut() = StatusCode::FOUND;
        response.headers_mut().remove(header::WWW_AUTHENTICATE);
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Headers of a request that decide what its refusal, or its page, looks like.
pub const VARY: HeaderValue = HeaderValue::from_static("Accept, Cookie, Authorization");

/// Returns the seconds after which a client should ask again, for the statuses where that may help.
fn retry_after(status: StatusCode, refusal: &Refusal) -> Option<u32> {
    let helps = matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY
    );
    helps.then(|| refusal.retry_after_seconds.unwrap_or(RETRY_AFTER_SECONDS))
}

/// Builds an answer with a problem document (RFC 9457).
pub fn problem(status: StatusCode, reason: &'static str, detail: String, request_id: &str) -> Response<Full<Bytes>> {
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
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert("x-narthex-reason", HeaderValue::from_static(reason));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-narthex-request-id", id);
    }
    response
}

/// Writes the request's id into its answer, as in the log.
pub fn set_request_id<B>(response: &mut Response<B>, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-narthex-request-id", id);
    }
}

#[cfg(test)]
mod tests {
    use narthex_directory::{CountingIds, Refusal as Refused, UserId};
    use narthex_mapping::{Breach, Field, RuleFault, TagsFault};
    use narthex_token::{Algorithm, KeyHint, MalformedToken};

    use super::*;

    /// Text that a client chose, for every place where an error stores one.
    fn marked() -> String {
        "MARK".to_owned()
    }

    /// Returns every error of the verifier that has details about its token.
    fn verify_errors() -> Vec<VerifyError> {
        let hint = || KeyHint::Kid(marked());
        vec![
            VerifyError::TooLarge { limit_bytes: 16_384 },
            VerifyError::Malformed(MalformedToken::Parts { parts: 1 }),
            VerifyError::Malformed(MalformedToken::Duplicate {
                part: "header",
                name: marked(),
            }),
            VerifyError::Algorithm {
                presented: Some(marked()),
                allowed: vec![Algorithm::Rs256],
            },
            VerifyError::Algorithm {
                presented: Some(marked()),
                allowed: Vec::new(),
            },
            VerifyError::Header {
                member: "typ",
                problem: format!("is `{}`; list it in `token_types`", marked()),
            },
            VerifyError::IssuerUnknown { missing: false },
            VerifyError::IssuerUnknown { missing: true },
            VerifyError::KeyUnknown {
                hint: hint(),
                usable: 0,
                why_not: Some(marked()),
            },
            VerifyError::Signature {
                hint: hint(),
                nonce: false,
            },
            VerifyError::Expired,
            VerifyError::NotYetValid,
            VerifyError::IssuedInFuture,
            VerifyError::TooOld {
                max_token_age_seconds: 60,
            },
            VerifyError::Audience {
                claims: vec!["aud".to_owned()],
                expected: vec!["app".to_owned()],
            },
            VerifyError::ClaimMissing {
                claim: "exp".to_owned(),
                present_names: vec![marked()],
            },
            VerifyError::ClaimInvalid {
                claim: "exp".to_owned(),
                expected: "a number".to_owned(),
            },
            VerifyError::ClaimValue {
                claim: "hd".to_owned(),
                expected: format!("`{}`", marked()),
            },
        ]
    }

    fn directory_refusals() -> [Refused; 8] {
        let user = UserId::new(0, &mut CountingIds(0));
        [
            Refused::UsernameConflict { owner: user },
            Refused::TeamConflict {
                team: narthex_directory::TeamId::new(0, &mut CountingIds(0)),
            },
            Refused::NotProvisioned,
            Refused::Disabled { user },
            Refused::TokenRevoked { user },
            Refused::TokenUndated { user },
            Refused::LoggedOut { user: Some(user) },
            Refused::TooManyTags {
                found: 3_000,
                limit: 2_000,
            },
        ]
    }

    /// Returns every error of a mapping that can be made here.
    fn map_errors() -> Vec<MapError> {
        let breaches = [
            Breach::NotText { kind: "number" },
            Breach::NotText { kind: "list" },
            Breach::Id { rule: "it is empty" },
            Breach::TooLong { limit: 256 },
            Breach::Control,
            Breach::Country,
            Breach::Zone,
            Breach::LanguageTag,
            Breach::Role { known: &["admin"] },
            Breach::TeamWithoutOrganization,
            Breach::ContextTooLarge { limit: 4_096 },
        ];
        let faults = [
            TagsFault::Kind { kind: "number" },
            TagsFault::Item {
                position: 1,
                kind: "number",
            },
            TagsFault::TooMany {
                found: 3_000,
                limit: 2_000,
            },
            TagsFault::TooLong {
                position: 1,
                limit: 512,
            },
        ];
        let invalid = breaches.map(|breach| MapError::Invalid {
            field: Field::UserEmail,
            breach,
        });
        let malformed = faults.map(|fault| MapError::TagsMalformed {
            claim: "groups".to_owned(),
            fault,
        });
        let left_out = ["groups", "{{split(payload.MARK)}}"].map(|claim| MapError::TagsOverage {
            claim: claim.to_owned(),
        });
        let rule = MapError::Rule {
            field: Field::Rule("MARK".into()),
            message: "sign in with a second factor".into(),
            fault: RuleFault::False,
        };
        let claims = invalid.into_iter().chain(malformed).chain(left_out);
        claims.chain([rule]).collect()
    }

    /// The caller is told problem and remedy, each once, but not the operator's cure, ids, or text that a client chose.
    #[test]
    fn sec_a_refusal_tells_the_caller_what_the_caller_can_do_and_no_more() {
        let verifier = verify_errors();
        let (directory, mapping) = (directory_refusals(), map_errors());
        let refusals = verifier.iter().map(Refusal::from);
        let refusals = refusals.chain(directory.iter().map(Refusal::from));
        let refusals = refusals.chain(mapping.iter().map(Refusal::from));
        for refusal in refusals.chain(Reason::ALL.iter().copied().map(Refusal::new)) {
            let text = refusal.text();
            for word in [
                "MARK",
                "token_types",
                "provision`",
                "tokens_not_before",
                "aliases",
                "trusted_proxies",
                "toString",
                "on_missing",
                "clocks of issuer",
                "0000",
                " (the ",
            ] {
                assert!(!text.contains(word), "{}: {text}", refusal.reason);
            }
            assert_eq!(text.matches(';').count(), 1, "one problem, one remedy: {text}");
            assert!(
                text.ends_with('.') && text.chars().next().is_some_and(char::is_uppercase),
                "{text}"
            );
            let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            let mut runs = std::collections::HashSet::new();
            for run in words.windows(3) {
                assert!(runs.insert(run), "`{}` is said twice: {text}", run.join(" "));
            }
        }
    }

    #[test]
    fn the_words_of_a_case_take_the_place_of_the_reasons_own() {
        for (error, says) in [
            (VerifyError::Expired, "The token has expired; get a new one."),
            (
                VerifyError::Audience {
                    claims: vec!["aud".to_owned()],
                    expected: vec!["app".to_owned()],
                },
                "The token was issued for another audience: `aud` must name `app`; ask for one that is meant for this service.",
            ),
            (
                VerifyError::ClaimMissing {
                    claim: "exp".to_owned(),
                    present_names: Vec::new(),
                },
                "The token lacks the claim `exp`; ask the administrator of your identity provider to add it.",
            ),
        ] {
            assert_eq!(Refusal::from(&error).text(), says);
        }
        let rule = MapError::Rule {
            field: Field::Rule("second factor".into()),
            message: "sign in with a second factor".into(),
            fault: RuleFault::Kind { kind: "text" },
        };
        let refusal = Refusal::from(&rule);
        assert_eq!(
            refusal.text(),
            "The token does not meet a condition of this service; sign in with a second factor."
        );
        assert!(
            refusal
                .private()
                .is_some_and(|private| private.contains("rule second factor"))
        );
        let refusal = Refusal::because(Reason::RequestPath, "two `Host` headers");
        assert_eq!(refusal.text(), "Two `Host` headers; send it in plain form.");
        assert_eq!(refusal.private(), Some("two `Host` headers"));
        let refusal = Refusal::logged(Reason::OrganizationRole, "needs organization:member");
        assert!(!refusal.text().contains("organization:member"), "{}", refusal.text());
        assert_eq!(refusal.private(), Some("needs organization:member"));
    }
}
