//! `GET /api/v1/users/{id}`

use axum::extract::Path;
use narthex_decision::Action;

use super::{Admin, ApiError, UserBody, find};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::VersionedRecord;

/// Reads a user
#[utoipa::path(
    get, path = "/users/{id}", tag = "users", operation_id = "read_user",
    params(("id" = String, Path, description = "The user's id.")),
    responses((status = 200, description = "The user.", body = UserBody, headers(("etag"))), OneErrors),
)]
pub(crate) async fn read(admin: Admin, Path(id): Path<String>) -> Result<VersionedRecord<UserBody>, ApiError> {
    let permit = admin.permit(Action::ReadUsers, None)?;
    let entry = find(permit, &id).await?;
    Ok(VersionedRecord {
        version: entry.user.version,
        body: entry.into(),
    })
}
