//! `GET /api/v1/organizations/{organization}/role-changes`

use axum::extract::Path;
use narthex_directory::{DAY_MS, DayChanges};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::List;
use crate::api::time::Time;
use narthex_ops::as_of;

/// Number of days that are counted by default.
const DAYS: i64 = 90;

/// Days to count.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Number of days, today included.
    #[param(default = 90, minimum = 1, maximum = 366)]
    days: Option<i64>,
}

/// Number of changes on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct DayChangesBody {
    /// Beginning of the day, in UTC.
    day: Time,
    /// Number of roles that were granted or revoked.
    changes: u64,
}

impl From<DayChanges> for DayChangesBody {
    fn from(changes: DayChanges) -> Self {
        Self {
            day: Time(changes.day.saturating_mul(DAY_MS)),
            changes: changes.changes,
        }
    }
}

/// Counts the changes of roles by day
///
/// Roles in the organization that were granted or revoked on each day. Days without any are left out.
#[utoipa::path(
    get, path = "/organizations/{organization}/role-changes", tag = "organizations", operation_id = "list_role_changes",
    params(("organization" = String, Path, description = "The organization's id or name."), Query),
    responses((status = 200, description = "The days, in order.", body = List<DayChangesBody>), OneErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    Path(organization): Path<String>,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<DayChangesBody>, ApiError> {
    let days = query.days.unwrap_or(DAYS);
    let changes = as_of::changes_per_day(&caller, &organization, days).await?;
    Ok(List {
        items: changes.into_iter().map(DayChangesBody::from).collect(),
        next_cursor: None,
    })
}
