//! `POST /api/v1/explain`

use axum::Json;
use narthex_decision::Action;

use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::extract::Body;
use crate::api::problems::BodyProblems;
use crate::api::surroundings::ExplainRequest;
use narthex_engine::Explanation;

/// Explains a token
///
/// Each step with its rule, input and result, which key and why, what each template gave, which tag met which
/// organization, what would change in the directory, and the answer. An expired or otherwise refused token is explained
/// too, as if it were good; `answer` says that it is not. Where no signature is proved, what the claims would lead to is left
/// out. Nothing is written.
#[utoipa::path(
    post, path = "/explain", tag = "diagnosis", operation_id = "explain", request_body = ExplainRequest,
    responses((status = 200, description = "The explanation.", body = Explanation), BodyProblems),
)]
pub(crate) async fn explain(
    admin: Admin,
    Body { value: request, .. }: Body<ExplainRequest>,
) -> Result<Json<Explanation>, ApiError> {
    let permit = admin.permit(Action::Explain, None)?;
    Ok(Json(permit.surroundings().explain(request).await?))
}
