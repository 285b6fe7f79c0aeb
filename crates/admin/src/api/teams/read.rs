//! `GET /api/v1/teams/{team}`

use axum::extract::Path;
use narthex_decision::Action;

use super::{ApiError, TeamBody};
use crate::api::access::Admin;
use crate::api::openapi_errors::OneErrors;
use crate::api::response::VersionedRecord;

/// Reads a team
#[utoipa::path(
    get, path = "/teams/{team}", tag = "teams", operation_id = "read_team",
    params(("team" = String, Path, description = "The team's id.")),
    responses((status = 200, description = "The team.", body = TeamBody, headers(("etag"))), OneErrors),
)]
pub(crate) async fn read(admin: Admin, Path(team): Path<String>) -> Result<VersionedRecord<TeamBody>, ApiError> {
    let (_, team) = admin.team(Action::ReadMembers, &team).await?;
    Ok(team.into())
}
