//! `GET /api/v1/teams/{team}/members/{user_id}`

use axum::Json;
use axum::extract::Path;

use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::OneErrors;
use crate::api::organizations::MemberBody;
use narthex_ops::members::{self, Group};

/// Reads a member of a team
#[utoipa::path(
    get, path = "/teams/{team}/members/{user_id}", tag = "teams",
    operation_id = "read_team_member",
    params(
        ("team" = String, Path, description = "The team's id."),
        ("user_id" = String, Path, description = "The user's id."),
    ),
    responses((status = 200, description = "The member.", body = MemberBody), OneErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path((team, user)): Path<(String, String)>,
) -> Result<Json<MemberBody>, ApiError> {
    let member = members::read(&caller, Group::Team(&team), &user).await?;
    Ok(Json(member.into()))
}
