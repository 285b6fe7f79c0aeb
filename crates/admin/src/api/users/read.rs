//! `GET /api/v1/users/{id}`

use axum::extract::Path;

use super::{ApiError, RequestCaller, UserBody};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::VersionedRecord;
use narthex_ops::users;

/// Reads a user
#[utoipa::path(
    get, path = "/users/{id}", tag = "users", operation_id = "read_user",
    params(("id" = String, Path, description = "The user's id.")),
    responses((status = 200, description = "The user.", body = UserBody, headers(("etag"))), OneErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path(id): Path<String>,
) -> Result<VersionedRecord<UserBody>, ApiError> {
    Ok(users::read(&caller, &id).await?.into())
}
