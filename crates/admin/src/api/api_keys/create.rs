//! `POST /api/v1/api-keys`

use serde::Deserialize;
use utoipa::ToSchema;

use super::{ApiKeyBody, FreshApiKeyBody};
use crate::api::error::ApiError;
use crate::api::extract::{Body, RequestCaller};
use crate::api::idempotency::IdempotencyKey;
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::{CreatedRecord, StoredResponse};
use crate::api::time::Time;
use narthex_ops::api_keys::{self, CreatedApiKey, NewApiKey};

/// An API key to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiKeyBody {
    /// Purpose of the key.
    #[schema(example = "nightly export")]
    name: String,
    /// Role of the key.
    role: KeyRole,
    /// The one organization that it reaches (id or name), with the role `admin`.
    organization: Option<String>,
    /// Time at which it stops working; by default never.
    expires_at: Option<Time>,
}

/// Role of an API key.
#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum KeyRole {
    /// Reads everything, changes nothing.
    Viewer,
    /// Reads and changes everything, or administers one organization.
    Admin,
}

/// Creates an API key
///
/// The response shows the key, this once. A retry with the same `Idempotency-Key` returns `"key": null`.
#[utoipa::path(
    post, path = "/api-keys", tag = "api keys", operation_id = "create_api_key", request_body = NewApiKeyBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Key of this attempt, for safe retries.")),
    responses((status = 201, description = "Created.", body = FreshApiKeyBody, headers(("location"))), CreateErrors),
)]
pub(crate) async fn create(
    RequestCaller(caller): RequestCaller,
    key: IdempotencyKey,
    Body { value: body, digest }: Body<NewApiKeyBody>,
) -> Result<StoredResponse, ApiError> {
    let new = NewApiKey {
        name: body.name,
        role: body.role.into(),
        organization: body.organization,
        expires_at_ms: body.expires_at.map(|Time(at_ms)| at_ms),
    };
    let create = async {
        api_keys::create(&caller, new)
            .await
            .map(|created| responses(&created))
            .map_err(ApiError::from)
    };
    key.once_showing(&caller, digest, async { api_keys::may_create(&caller) }, create)
        .await
}

/// Returns the response to show, and the one to remember.
///
/// SECURITY: the response remembered for `Idempotency-Key` holds no key.
fn responses(created: &CreatedApiKey) -> (StoredResponse, StoredResponse) {
    let about = ApiKeyBody::from(created.record.clone());
    let response = |key: Option<&str>| CreatedRecord {
        location: format!("/api/v1/api-keys/{}", about.id),
        version: None,
        body: FreshApiKeyBody {
            about: about.clone(),
            key: key.map(str::to_owned),
        },
    };
    (response(Some(created.key.text())).stored(), response(None).stored())
}

impl From<KeyRole> for api_keys::KeyRole {
    fn from(role: KeyRole) -> Self {
        match role {
            KeyRole::Viewer => Self::Viewer,
            KeyRole::Admin => Self::Admin,
        }
    }
}
