//! `GET /api/v1/audit/export`

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, RequestCaller};
use crate::api::openapi_errors::ListErrors;
use crate::api::time::Time;
use narthex_ops::OpError;
use narthex_ops::audit_events::{self, EventQuery, ExportFormat};

/// Format and filters of the export. An event must match all filters that are given.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// `ndjson` (the form that can be verified), `csv` or `ocsf`.
    #[param(default = "ndjson", example = "ndjson")]
    format: Option<String>,
    /// Exports only events about this user.
    user: Option<String>,
    /// Exports only events in this organization (id or name).
    organization: Option<String>,
    /// Exports only events with this action.
    action: Option<String>,
    /// Exports only events by this actor: its name or its kind.
    actor: Option<String>,
    /// Exports only events with this text in their detail; ASCII letters in any case.
    text: Option<String>,
    /// Exports only events at or after this time.
    from: Option<Time>,
    /// Exports only events before this time.
    until: Option<Time>,
}

/// Exports the audit trail
///
/// The oldest event comes first. Each line of NDJSON has the event's number, its hash and the hash before it; the last line is
/// signed. With a filter, the export proves each event, and not that none was left out. An export that fails ends early, and
/// does not verify.
#[utoipa::path(
    get, path = "/audit/export", tag = "diagnosis", operation_id = "export_audit_events", params(Query),
    responses(
        (status = 200, description = "The file.", content(("application/x-ndjson"), ("text/csv"))),
        ListErrors,
    ),
)]
pub(crate) async fn export(
    RequestCaller(caller): RequestCaller,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<Response, ApiError> {
    let format = match query.format.as_deref() {
        None => ExportFormat::default(),
        Some(text) => text.parse().map_err(|why: &str| OpError::invalid("format", why))?,
    };
    let filter = EventQuery {
        user: query.user,
        organization: query.organization,
        action: query.action,
        actor: query.actor,
        text: query.text,
        from_ms: query.from.map(|Time(at_ms)| at_ms),
        until_ms: query.until.map(|Time(at_ms)| at_ms),
        ..EventQuery::default()
    };
    let export = audit_events::export(&caller, format, filter).await?;
    let pieces = stream::try_unfold(export, |mut export| async move {
        let piece = export.next_piece().await?;
        Ok::<_, narthex_directory::StoreError>(piece.map(|piece| (piece, export)))
    });
    let name = match format {
        ExportFormat::Ndjson => "attachment; filename=\"audit.ndjson\"",
        ExportFormat::Csv => "attachment; filename=\"audit.csv\"",
        ExportFormat::Ocsf => "attachment; filename=\"audit.ocsf.ndjson\"",
    };
    let headers = [
        (header::CONTENT_TYPE, format.media_type()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}
