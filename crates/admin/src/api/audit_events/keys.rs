//! `GET /api/v1/audit/keys`

use axum::Json;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::ListErrors;
use narthex_ops::audit_events;

/// JSON Web Key Set (RFC 7517) of the keys of checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct AuditKeySet {
    /// The public keys (Ed25519, RFC 8037), the newest first.
    keys: Vec<Map<String, Value>>,
}

/// Lists the keys of checkpoints
///
/// The public keys that sign checkpoints of the audit trail, and its exports. None is ever dropped.
/// `narthex audit verify FILE --key` takes this answer.
#[utoipa::path(
    get, path = "/audit/keys", tag = "diagnosis", operation_id = "list_audit_keys",
    responses((status = 200, description = "The key set.", body = AuditKeySet), ListErrors),
)]
pub(crate) async fn keys(RequestCaller(caller): RequestCaller) -> Result<Json<AuditKeySet>, ApiError> {
    let texts = audit_events::keys(&caller).await?;
    // Only objects are stored.
    let keys = texts.iter().filter_map(|text| serde_json::from_str(text).ok());
    Ok(Json(AuditKeySet { keys: keys.collect() }))
}
