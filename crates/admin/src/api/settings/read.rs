//! `GET /api/v1/settings`

use axum::Json;

use super::SettingsBody;
use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::ListErrors;
use narthex_ops::settings;

/// Reads the state of this installation
///
/// Version, store and configuration of the node that is asked. The file's last change is there also where it was refused.
#[utoipa::path(
    get, path = "/settings", tag = "diagnosis", operation_id = "read_settings",
    responses((status = 200, description = "The state.", body = SettingsBody), ListErrors),
)]
pub(crate) async fn read(RequestCaller(caller): RequestCaller) -> Result<Json<SettingsBody>, ApiError> {
    Ok(Json(settings::read(&caller)?.into()))
}
