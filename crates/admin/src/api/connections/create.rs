//! `POST /api/v1/connections`

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ConnectionBody, DocumentText};
use crate::api::error::ApiError;
use crate::api::extract::{Body, RequestCaller};
use crate::api::idempotency::IdempotencyKey;
use crate::api::openapi_errors::CreateErrors;
use crate::api::response::{CreatedRecord, StoredResponse};
use narthex_ops::connections::{self, NewConnection};

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
    RequestCaller(caller): RequestCaller,
    key: IdempotencyKey,
    Body { value: body, digest }: Body<NewConnectionBody>,
) -> Result<StoredResponse, ApiError> {
    let NewConnectionBody {
        organization,
        name,
        document,
        parameters,
        common,
    } = body;
    let new = NewConnection {
        name,
        document: document.into(),
        parameters,
        common,
    };
    let permitted = connections::may_create(&caller, &organization);
    let create = async {
        let view = connections::create(&caller, &organization, new).await?;
        Ok(CreatedRecord {
            location: format!("/api/v1/connections/{}", view.id),
            version: Some(view.version),
            body: ConnectionBody::from(view),
        })
    };
    key.once(&caller, digest, permitted, create).await
}
