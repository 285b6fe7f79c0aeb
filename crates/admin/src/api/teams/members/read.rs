//! `GET /api/v1/teams/{team}/members/{user_id}`

use axum::Json;
use axum::extract::Path;
use narthex_decision::Action;
use narthex_directory::Scope;

use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::openapi_errors::OneErrors;
use crate::api::organizations::{GrantScope, MemberBody, member};

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
    admin: Admin,
    Path((team, user)): Path<(String, String)>,
) -> Result<Json<MemberBody>, ApiError> {
    let (permit, team) = admin.team(Action::ReadMembers, &team).await?;
    let on = GrantScope {
        scope: Scope::Team(team.id),
        home: team.organization,
        name: &team.name,
    };
    member(permit, &on, &user).await.map(Json)
}
