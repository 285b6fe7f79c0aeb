//! `GET /api/v1/decisions`

use axum::Json;
use narthex_engine::Step;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::DecisionsBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::time::Time;
use narthex_ops::decisions;

/// Length of a bucket.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub(crate) enum StepText {
    /// A minute; such buckets are kept for two hours.
    #[serde(rename = "1m")]
    Minute,
    /// Fifteen minutes; such buckets are kept for two days.
    #[serde(rename = "15m")]
    Quarter,
    /// Two hours; such buckets are kept for fourteen days.
    #[serde(rename = "2h")]
    TwoHours,
}

/// Time and length of the buckets.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Time to begin at; by default a day ago.
    from: Option<Time>,
    /// Length of a bucket; by default the shortest one that is kept for that long.
    #[param(inline)]
    step: Option<StepText>,
}

/// Reads decisions over time
///
/// Counts the decisions of the node that answers, since its start: by outcome, reason, route and issuer. Each node counts by
/// itself; `/metrics` has the sums for a monitoring system.
#[utoipa::path(
    get, path = "/decisions", tag = "diagnosis", operation_id = "read_decisions", params(Query),
    responses((status = 200, description = "The counts.", body = DecisionsBody), ListErrors),
)]
pub(crate) async fn read(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<Json<DecisionsBody>, ApiError> {
    let step = query.step.map(|step| match step {
        StepText::Minute => Step::Minute,
        StepText::Quarter => Step::Quarter,
        StepText::TwoHours => Step::TwoHours,
    });
    let from_ms = query.from.map(|Time(at_ms)| at_ms);
    Ok(Json(decisions::read(&caller, from_ms, step)?.into()))
}
