//! `POST /api/v1/organizations/{organization}/machine-keys`

use axum::extract::Path;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{FreshMachineKeyBody, MachineKeyBody};
use crate::api::error::ApiError;
use crate::api::extract::{Body, RequestCaller};
use crate::api::idempotency::IdempotencyKey;
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::{CreatedRecord, StoredResponse};
use crate::api::time::Time;
use crate::api::wire_enums::OrganizationRole;
use narthex_ops::machine_keys::{self, CreatedMachineKey, NewMachineKey};

/// A machine key to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMachineKeyBody {
    /// Purpose of the key, at most 128 characters.
    #[schema(example = "nightly export")]
    name: String,
    /// Role of the key in the organization.
    role: OrganizationRole,
    /// Time at which it stops working, at most 366 days away; by default 90 days from now.
    expires_at: Option<Time>,
}

/// Creates a machine key of an organization
///
/// A program sends it as `Authorization: Bearer nxk_…` to the organization's routes, with the role of the key. The response
/// shows the key, this once. A retry with the same `Idempotency-Key` returns `"key": null`.
#[utoipa::path(
    post, path = "/organizations/{organization}/machine-keys", tag = "machine keys",
    operation_id = "create_machine_key", request_body = NewMachineKeyBody,
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("Idempotency-Key" = Option<String>, Header, description = "Key of this attempt, for safe retries."),
    ),
    responses(
        (status = 201, description = "Created.", body = FreshMachineKeyBody, headers(("location"))),
        CreateErrors,
    ),
)]
pub(crate) async fn create(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    key: IdempotencyKey,
    Body { value: body, digest }: Body<NewMachineKeyBody>,
) -> Result<StoredResponse, ApiError> {
    let new = NewMachineKey {
        name: body.name,
        role: body.role.into(),
        expires_at_ms: body.expires_at.map(|Time(at_ms)| at_ms),
    };
    let permitted = machine_keys::may_create(&caller, &organization);
    let create = async {
        machine_keys::create(&caller, &organization, new)
            .await
            .map(|created| responses(&created))
            .map_err(ApiError::from)
    };
    key.once_showing(&caller, digest, permitted, create).await
}

/// Returns the response to show, and the one to remember.
///
/// SECURITY: the response remembered for `Idempotency-Key` holds no key.
fn responses(created: &CreatedMachineKey) -> (StoredResponse, StoredResponse) {
    let about = MachineKeyBody::from(created.record.clone());
    let response = |key: Option<&str>| CreatedRecord {
        location: format!(
            "/api/v1/organizations/{}/machine-keys/{}",
            about.organization_id, about.id
        ),
        version: None,
        body: FreshMachineKeyBody {
            about: about.clone(),
            key: key.map(str::to_owned),
        },
    };
    (response(Some(created.key.text())).stored(), response(None).stored())
}
