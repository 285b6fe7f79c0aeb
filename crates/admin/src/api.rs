//! The admin API: the operations ([`narthex_ops`]) over HTTP, for administrators and their programs.
//!
//! **In:** requests under `/api/v1` with an API key or an administrator's token. **Out:** JSON, and problem
//! documents (RFC 9457) for everything that is not done. The tree is the URL space: `users/list.rs` is `GET /users`.
//! An endpoint's file contains the types of its body and query, its OpenAPI description, and the handler: extraction, one
//! operation, and the response. Its tests are in `tests/it/api/`.
//!
//! Invariants:
//! * A handler reaches the directory only through an operation, which asks for a permit itself.
//! * The API never returns a secret again: API keys are shown when they are created, and never again.
//! * Errors never quote the store; its words go to the log.
//! * There are no cookies and no CORS headers: a page of another origin has no way in.
//!
//! Conventions: lists are `{"items":[…],"next_cursor":null}`; times are RFC 3339 in UTC with milliseconds; unknown
//! members and parameters are errors; `PATCH` is a merge patch (RFC 7396: an absent member stays, `null` empties it).
//! `If-Match` is optional: with it, a change applies only to the version that the client read (412 otherwise); without
//! it, the last change wins. An `Idempotency-Key` on a create is remembered for a day.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{self as axum_extract, DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderValue, header};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

use narthex_clock::{NoEntropy, RequestIds};
use narthex_ops::Operations;

mod api_keys;
mod audit_events;
mod connections;
mod decisions;
mod denials;
mod error;
mod error_code;
mod explain;
mod extract;
mod grants;
mod idempotency;
mod issuers;
mod machine_keys;
mod merge_patch;
mod openapi_errors;
mod organizations;
mod response;
mod revocations;
mod routes;
mod search;
mod sessions;
mod settings;
mod tags;
mod teams;
mod time;
mod users;
mod webhooks;
mod wire_enums;

pub use api_keys::{ApiKeyBody, FreshApiKeyBody};
pub use audit_events::{ActorBody, EventBody};
pub use connections::{ConnectionBody, ConnectionMetadata, NeededBody, ShownMessage, TestedConnection};
pub use decisions::{DecisionBucketBody, DecisionCountBody, DecisionsBody};
pub use denials::DenialBody;
pub use error::ApiError;
pub use error_code::ErrorCode;
pub use explain::{ExplainRequest, RequestToExplain};
pub use extract::CallerSlot;
pub use grants::{HeldGrantBody, HeldRoleBody};
pub use issuers::{
    FieldProblemBody, FreshSetupLinkBody, IssuerBody, IssuerDocumentBody, KeyBody, KeyErrorBody, KeyHealthBody,
    KeySummary, ProposalBody, ProposedSettingBody, ProviderBody, RefusedKeyBody, SetupLinkBody,
};
pub use machine_keys::{FreshMachineKeyBody, MachineKeyBody};
pub use merge_patch::Patch;
pub use narthex_ops::api_keys::FreshApiKey;
pub use narthex_ops::given_by_tags;
pub use organizations::{MemberBody, MemberUser, OrganizationBody, OrganizationContentBody};
pub use response::List;
pub use revocations::RevocationBody;
pub use routes::RouteBody;
pub use search::FoundBody;
pub use sessions::SessionBody;
pub use settings::{ConfigurationBody, ConfigurationProblemBody, RefusedConfigurationBody, SettingsBody};
pub use tags::{ListedTag, NearMissBody, TagBody};
pub use teams::TeamBody;
pub use time::Time;
pub use users::{ErasedUserBody, GrantBody, ScopeBody, TokenBody, TokensRevokedBody, UserBody};
pub use webhooks::{AttemptBody, DeliveryBody, WebhookBody, WebhookSecretBody};
pub use wire_enums::{
    CredentialKind, EventOrder, FoundKind, Membership, OrganizationRole, OrganizationStatus, Origin, PlatformRole,
    SessionKind, SignatureScheme, Source, TeamRole, UserStatus,
};

/// State that the admin API works with.
pub struct AdminState {
    operations: Arc<Operations>,
    request_ids: RequestIds,
    attempts: idempotency::Attempts,
}

impl std::fmt::Debug for AdminState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminState")
            .field("operations", &self.operations)
            .finish_non_exhaustive()
    }
}

impl AdminState {
    /// Creates the state of the API over these operations.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] when the operating system has no random bytes to give.
    pub fn new(operations: Arc<Operations>) -> Result<Arc<Self>, NoEntropy> {
        Ok(Arc::new(Self {
            operations,
            request_ids: RequestIds::new()?,
            attempts: idempotency::Attempts::default(),
        }))
    }
}

/// Routes everything under `/api/v1`, and `/openapi.json`. Every other path goes to `pages`; without any, it is answered
/// with a problem document.
///
/// A response to a call that was not done has its [`ApiError`] in its extensions. The caller of a request is put into the
/// [`CallerSlot`] among the extensions of the request, if it has one.
pub fn router(state: Arc<AdminState>, pages: Option<Router>) -> Router {
    let (api, _) = operations().split_for_parts();
    let api = api
        .fallback(async || ApiError::NoSuchPath)
        .method_not_allowed_fallback(async || ApiError::Method)
        .layer(DefaultBodyLimit::max(extract::BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), finish))
        .with_state(Arc::clone(&state));
    let elsewhere = pages.unwrap_or_else(|| {
        Router::new()
            .fallback(async || ApiError::NoSuchPath)
            .layer(middleware::from_fn_with_state(state, finish))
    });
    let document = openapi();
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Router::new()
        .nest(BASE, api)
        .route("/openapi.json", get(async move || (json, document)))
        .fallback_service(elsewhere)
}

/// Returns the OpenAPI document, as it is served and as it is kept in `docs/reference/openapi.json`.
pub fn openapi() -> String {
    let (_, api) = OpenApiRouter::with_openapi(Description::openapi())
        .nest(BASE, operations())
        .split_for_parts();
    // All its keys are text, and all its numbers are finite: this does not fail.
    let mut text = api.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// State of the handlers.
type State = Arc<AdminState>;

const BASE: &str = "/api/v1";

fn operations() -> OpenApiRouter<State> {
    OpenApiRouter::default()
        .merge(webhooks::operations())
        .merge(users::operations())
        .merge(organizations::operations())
        .merge(teams::operations())
        .merge(issuers::operations())
        .merge(connections::operations())
        .merge(routes::operations())
        .merge(explain::operations())
        .merge(audit_events::operations())
        .merge(grants::operations())
        .merge(denials::operations())
        .merge(search::operations())
        .merge(sessions::operations())
        .merge(settings::operations())
        .merge(decisions::operations())
        .merge(revocations::operations())
        .merge(tags::operations())
        .merge(api_keys::operations())
        .merge(machine_keys::operations())
}

/// The outermost layer: numbers the request, writes an error as a problem document, and sets the headers that every
/// response has. The error stays in the extensions of the response.
async fn finish(axum_extract::State(state): axum_extract::State<State>, request: Request, next: Next) -> Response {
    let request_id = state.request_ids.next();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    let status = response.status();
    let error = response.extensions_mut().remove::<ApiError>();
    if let Some(error) = error.or_else(|| is_failure(status).then(|| ApiError::of_status(status))) {
        let allow = response.headers_mut().remove(header::ALLOW);
        if let Some(private) = error.private() {
            tracing::error!(
                event = "admin_failed",
                request_id,
                error = private,
                "the admin API could not answer"
            );
        }
        response = error.answer(&request_id);
        // For the layers around the API, which log refusals.
        response.extensions_mut().insert(error);
        response.headers_mut().extend(allow.map(|allow| (header::ALLOW, allow)));
    }
    let status = response.status().as_u16();
    tracing::debug!(event = "admin", request_id, %method, path, status);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, narthex_engine::respond::NOSNIFF);
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert("x-narthex-request-id", id);
    }
    response
}

fn is_failure(status: http::StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// The part of the OpenAPI document that belongs to no operation.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Narthex admin API",
        description = "Users, organizations, teams and grants; issuers and their keys; explain.\n\n\
            Lists are `{\"items\":[…],\"next_cursor\":null}`: send `next_cursor` as `cursor` to read on. \
            Times are RFC 3339 in UTC with milliseconds. Members and parameters that are not known are errors. \
            `PATCH` is a merge patch (RFC 7396): what is absent stays, `null` empties.\n\n\
            `If-Match` is optional on changes: with the `ETag` of what was read, the change is made only if nobody else \
            has changed it since (412 otherwise); without it, the last change wins. \
            `Idempotency-Key` on creates is remembered for 24 hours on the node that was asked: the same request again \
            gets the same answer, another one under the same key 422.\n\n\
            Errors are problem documents (RFC 9457) with a stable `reason`.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
    ),
    components(schemas(narthex_engine::respond::Problem)),
    modifiers(&Bearer, &ErrorCodes),
    security(("bearer" = [])),
    tags(
        (name = "users", description = "People and machines, and what they may."),
        (name = "organizations", description = "Organizations, their tags and their members."),
        (name = "teams", description = "Teams and their members."),
        (name = "issuers", description = "Trusted issuers and the health of their keys."),
        (name = "connections", description = "Requests to other services, made for an organization."),
        (name = "webhooks", description = "Receivers that are told of the events of the audit trail."),
        (name = "diagnosis", description = "Routes, explain, tags, search, the audit trail, the state of the installation."),
        (name = "sessions", description = "Signed-in browsers."),
        (name = "api keys", description = "Keys for this API."),
        (name = "machine keys", description = "Keys of an organization's programs, for its routes."),
    )
)]
struct Description;

struct ErrorCodes;

impl Modify for ErrorCodes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let text = openapi.info.description.get_or_insert_default();
        text.push_str(
            " Beside the reasons for which the doors refuse a request or its token there are these:\n\n\
             | `reason` | status | means |\n|---|---|---|\n",
        );
        for code in ErrorCode::ALL {
            let (status, reason) = code.answer();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| `{reason}` | {} | {} |", status.as_u16(), code.meaning());
        }
    }
}

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An API key (`nx_…`), or a token of a platform admin or viewer or of an organization's admin.",
            ))
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}
