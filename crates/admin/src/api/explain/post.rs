//! `POST /api/v1/explain`

use axum::Json;

use crate::api::error::ApiError;
use crate::api::explain::ExplainRequest;
use crate::api::extract::{Body, RequestCaller};
use crate::api::openapi_errors::BodyErrors;
use narthex_explain::Explanation;
use narthex_ops;

/// Explains a token
///
/// The response lists each step with its rule, input and result. It names the key that was used, with the reason, and
/// the result of each template. It shows the organizations that tags matched, the changes to the directory, and the
/// answer.
///
/// An expired or otherwise refused token is explained too, as if it were good; `answer` says that it is not. Where no
/// signature is proved, the consequences of the claims are left out. Nothing is written.
#[utoipa::path(
    post, path = "/explain", tag = "diagnosis", operation_id = "explain", request_body = ExplainRequest,
    responses((status = 200, description = "The explanation.", body = Explanation), BodyErrors),
)]
pub(crate) async fn explain(
    RequestCaller(caller): RequestCaller,
    Body { value: request, .. }: Body<ExplainRequest>,
) -> Result<Json<Explanation>, ApiError> {
    Ok(Json(narthex_ops::explain::explain(&caller, request.into()).await?))
}
