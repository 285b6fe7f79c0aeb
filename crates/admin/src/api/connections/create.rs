//! `POST /api/v1/connections`

use narthex_decision::Action;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ConnectionBody, DocumentText, Sight, found, name};
use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::extract::{Body, IdempotencyKey};
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::{CreatedRecord, StoredResponse};
use crate::connections::{self, NewConnection};

/// A connection to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConnectionBody {
    /// Organization that it belongs to (id or name).
    #[schema(example = "acme")]
    organization: String,
    /// Display name.
    #[schema(example = "billing")]
    name: String,
    /// The connection document.
    document: DocumentText,
    /// Values that its templates read as `parameters`. Never shown again.
    #[serde(default)]
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
    /// Values that its templates read as `common`. Never shown again.
    #[serde(default)]
    #[schema(value_type = Object)]
    common: Map<String, Value>,
}

/// Creates a connection
///
/// The document is compiled now. A template that does not compile, an unknown key or a value of the wrong type is
/// answered 422; the response lists all errors at once. Parameters and common data are encrypted at rest and never
/// shown again.
#[utoipa::path(
    post, path = "/connections", tag = "connections", operation_id = "create_connection",
    request_body = NewConnectionBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Key of this attempt, for safe retries.")),
    responses(
        (status = 201, description = "Created.", body = ConnectionBody, headers(("location"), ("etag"))),
        CreateErrors,
    ),
)]
pub(crate) async fn create(
    admin: Admin,
    key: IdempotencyKey,
    Body { value: body, digest }: Body<NewConnectionBody>,
) -> Result<StoredResponse, ApiError> {
    let (permit, organization) = admin.organization(Action::WriteConnections, &body.organization).await?;
    permit
        .once(key, digest, async {
            let (document, _) = body.document.checked(permit)?;
            let new = NewConnection {
                name: name(&body.name)?,
                document,
                parameters: body.parameters,
                common: body.common,
            };
            let settings = permit.gateway().connections();
            let keys = settings.sealing.as_deref();
            let held = connections::create(permit.directory(), keys, organization.id, new, permit.by()).await?;
            let id = held.id;
            let found = found(permit, held, Sight::Whole);
            Ok(CreatedRecord {
                location: format!("/api/v1/connections/{id}"),
                version: Some(found.version),
                body: found.body,
            })
        })
        .await
}
