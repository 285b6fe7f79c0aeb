//! `GET /api/v1/teams/{team}`

use axum::extract::Path;

use super::{ApiError, TeamBody};
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::OneErrors;
use crate::api::response::VersionedRecord;
use narthex_ops::teams;

/// Reads a team
#[utoipa::path(
    get, path = "/teams/{team}", tag = "teams", operation_id = "read_team",
    params(("team" = String, Path, description = "The team's id.")),
    responses((status = 200, description = "The team.", body = TeamBody, headers(("etag"))), OneErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    Path(team): Path<String>,
) -> Result<VersionedRecord<TeamBody>, ApiError> {
    Ok(teams::read(&caller, &team).await?.into())
}
