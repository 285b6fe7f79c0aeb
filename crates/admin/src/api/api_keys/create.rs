//! `POST /api/v1/api-keys`

use narthex_decision::Action;
use narthex_directory::{ApiKey, ApiKeyId, OrganizationRole, PlatformRole, ScopedRole};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ApiKeyBody, FreshApiKeyBody};
use crate::api::access::{Admin, Permit};
use crate::api::api_key::FreshApiKey;
use crate::api::error::ApiError;
use crate::api::extract::{Body, IdempotencyKey};
use crate::api::input_rules;
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::{CreatedRecord, StoredResponse};
use crate::api::time::Time;
use narthex_clock::NewIds;

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
    admin: Admin,
    key: IdempotencyKey,
    Body { value: body, digest }: Body<NewApiKeyBody>,
) -> Result<StoredResponse, ApiError> {
    let permit = admin.permit(Action::WriteApiKeys, None)?;
    permit
        .once_showing(key, digest, async {
            let role = role(&admin, body.role, body.organization.as_deref()).await?;
            make(permit, &body.name, role, body.expires_at).await
        })
        .await
}

async fn role(admin: &Admin, role: KeyRole, organization: Option<&str>) -> Result<ScopedRole, ApiError> {
    match (role, organization) {
        (KeyRole::Viewer, None) => Ok(ScopedRole::Platform(PlatformRole::Viewer)),
        (KeyRole::Admin, None) => Ok(ScopedRole::Platform(PlatformRole::Admin)),
        (KeyRole::Admin, Some(text)) => {
            let (_, organization) = admin.organization(Action::WriteApiKeys, text).await?;
            Ok(ScopedRole::Organization(organization.id, OrganizationRole::Admin))
        }
        (KeyRole::Viewer, Some(_)) => Err(ApiError::invalid(
            "role",
            "there is no role `viewer` in an organization; a key for one has the role `admin` there",
        )),
    }
}

async fn make(
    permit: Permit<'_>,
    name: &str,
    role: ScopedRole,
    expires_at: Option<Time>,
) -> Result<(StoredResponse, StoredResponse), ApiError> {
    let (now_ms, fresh) = (permit.now_ms(), FreshApiKey::new()?);
    let name =
        input_rules::text("name", name)?.ok_or_else(|| ApiError::invalid("name", "it is empty; say what it is for"))?;
    if expires_at.is_some_and(|Time(at_ms)| at_ms <= now_ms) {
        return Err(ApiError::invalid("expires_at", "it has passed already"));
    }
    let record = ApiKey {
        id: ApiKeyId::new(now_ms, &mut NewIds::new()?),
        name,
        hash: fresh.hash(),
        role,
        created_at_ms: now_ms,
        expires_at_ms: expires_at.map(|Time(at_ms)| at_ms),
        revoked_at_ms: None,
        last_used_at_ms: None,
    };
    permit.directory().create_api_key(record.clone(), permit.by()).await?;
    let about = ApiKeyBody::from(record);
    let location = format!("/api/v1/api-keys/{}", about.id);
    let answer = |key| CreatedRecord {
        location: location.clone(),
        version: None,
        body: FreshApiKeyBody {
            about: about.clone(),
            key,
        },
    };
    // SECURITY: the response remembered for `Idempotency-Key` holds no key.
    Ok((answer(Some(fresh.text().to_owned())).stored(), answer(None).stored()))
}
