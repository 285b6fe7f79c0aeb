//! `GET /api/v1/issuers/{name}/refusals`

use axum::Json;
use axum::extract::Path;
use narthex_engine::issuer_refusals::IssuerRefusal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::OneErrors;
use crate::api::time::Time;
use narthex_ops::issuers;

/// The last refused tokens of an issuer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuerRefusals {
    /// The refusals, the newest first.
    items: Vec<IssuerRefusalBody>,
}

/// A refused token. It names claims and holds no value of one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuerRefusalBody {
    /// Time of the refusal.
    at: Time,
    /// Id of the request, as in the log and in the caller's answer.
    request_id: String,
    /// The door.
    #[schema(example = "proxy")]
    door: &'static str,
    /// Stage of the refusal: `keys`, `token`, `mapping`, `tags` or `directory`.
    #[schema(example = "token")]
    stage: &'static str,
    /// The reason.
    #[schema(example = "token.claim_missing")]
    reason: &'static str,
    /// The problem in the words of this case; `null` where the reason says it all.
    #[schema(required, example = "the token lacks the claim `aud`")]
    problem: Option<String>,
}

impl From<IssuerRefusal> for IssuerRefusalBody {
    fn from(refusal: IssuerRefusal) -> Self {
        Self {
            at: Time(refusal.at_ms),
            request_id: refusal.request_id,
            door: refusal.door.as_str(),
            stage: refusal.stage.as_str(),
            reason: refusal.reason.code(),
            problem: refusal.problem,
        }
    }
}

/// Lists the last refused tokens of an issuer
///
/// At most fifty, of the node that is asked, since its start. Requests that were denied for their route or for a role are not
/// among them: their token was accepted.
#[utoipa::path(
    get, path = "/issuers/{name}/refusals", tag = "issuers", operation_id = "list_issuer_refusals",
    params(("name" = String, Path, description = "The issuer's configured name.")),
    responses((status = 200, description = "Its refusals.", body = IssuerRefusals), OneErrors),
)]
pub(crate) async fn list(
    RequestCaller(caller): RequestCaller,
    Path(name): Path<String>,
) -> Result<Json<IssuerRefusals>, ApiError> {
    let refusals = issuers::refusals(&caller, &name)?;
    Ok(Json(IssuerRefusals {
        items: refusals.into_iter().map(IssuerRefusalBody::from).collect(),
    }))
}
