//! `PATCH /api/v1/connections/{connection}`

use axum::extract::Path;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ConnectionBody, DocumentText};
use crate::api::error::ApiError;
use crate::api::extract::{Body, IfMatch, RequestCaller};
use crate::api::merge_patch::Patch;
use crate::api::openapi_errors::SecretChangeErrors;
use crate::api::response::VersionedRecord;
use narthex_ops::connections;

/// Change of a connection.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionChange {
    /// New name.
    #[serde(default)]
    #[schema(value_type = String)]
    name: Patch<String>,
    /// New document. Every stored secret has to be sent again with it.
    #[serde(default)]
    #[schema(value_type = DocumentText)]
    document: Patch<DocumentText>,
    /// Parameters to set. A member that is `null` is deleted, an absent member stays. `null` deletes all.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    parameters: Patch<Map<String, Value>>,
    /// Common data to set, in the same way.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    common: Patch<Map<String, Value>>,
}

/// Updates a connection
///
/// A changed document could show or send the stored secrets elsewhere. So with another document, you have to send every
/// stored parameter and all stored common data again, or delete them with `null`. The values that earlier runs stored
/// are deleted. Setting secrets needs `If-Match` (428 otherwise): the document that you read, and no other, decides
/// where they go.
#[utoipa::path(
    patch, path = "/connections/{connection}", tag = "connections", operation_id = "update_connection",
    request_body = ConnectionChange,
    params(
        ("connection" = String, Path, description = "The connection's id."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the connection must still have."),
    ),
    responses((status = 200, description = "The connection now.", body = ConnectionBody, headers(("etag"))), SecretChangeErrors),
)]
pub(crate) async fn update(
    RequestCaller(caller): RequestCaller,
    Path(connection): Path<String>,
    IfMatch(expected): IfMatch,
    Body { value: change, .. }: Body<ConnectionChange>,
) -> Result<VersionedRecord<ConnectionBody>, ApiError> {
    let change = connections::ConnectionChange {
        name: change.name.into_edit(),
        document: change.document.into_edit(),
        parameters: change.parameters.into_edit(),
        common: change.common.into_edit(),
    };
    let view = connections::update(&caller, &connection, &expected, change).await?;
    Ok(view.into())
}
