//! `GET /api/v1/webhooks/{webhook}/deliveries`

use axum::extract::Path;
use narthex_directory::WaitingState;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::DeliveryBody;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::OneErrors;
use crate::api::response::List;
use narthex_ops::{PageRequest, webhooks};

/// State and page of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// State of the deliveries: by default `waiting`.
    #[serde(default)]
    #[param(inline)]
    state: DeliveryState,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// State of a delivery.
#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
enum DeliveryState {
    /// It will be tried again.
    #[default]
    Waiting,
    /// It was given up after a day.
    Dead,
}

/// Lists the events that wait, or that were given up
///
/// In the order of the events. Those that were given up are kept for 30 days.
#[utoipa::path(
    get, path = "/webhooks/{webhook}/deliveries", tag = "webhooks", operation_id = "list_webhook_deliveries",
    params(("webhook" = String, Path, description = "The webhook's name."), Query),
    responses((status = 200, description = "A page of deliveries.", body = List<DeliveryBody>), OneErrors),
)]
pub(crate) async fn deliveries(
    RequestCaller(caller): RequestCaller,
    Path(webhook): Path<String>,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<DeliveryBody>, ApiError> {
    let page = PageRequest {
        cursor: query.cursor,
        limit: query.limit,
    };
    let state = match query.state {
        DeliveryState::Waiting => WaitingState::Waiting,
        DeliveryState::Dead => WaitingState::Dead,
    };
    let deliveries = webhooks::deliveries(&caller, &webhook, state, page).await?;
    Ok(List::of(deliveries, DeliveryBody::from))
}
