//! `GET /api/v1/organizations/{organization}/members/{user_id}`

use axum::Json;
use axum::extract::Path;

use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::OneErrors;
use crate::api::organizations::MemberBody;
use narthex_ops::members::{self, Group};

/// Reads a member of an organization
#[utoipa::path(
    get, path = "/organizations/{organization}/members/{user_id}", tag = "organizations",
    operation_id = "read_organization_member",
    params(
        ("organization" = String, Path, description = "The organization's id or name."),
        ("user_id" = String, Path, description = "The user's id."),
    ),
    responses((status = 200, description = "The member.", body = MemberBody), OneErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path((organization, user)): Path<(String, String)>,
) -> Result<Json<MemberBody>, ApiError> {
    let member = members::read(&caller, Group::Organization(&organization), &user).await?;
    Ok(Json(member.into()))
}
