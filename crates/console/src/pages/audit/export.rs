//! `/audit/export`: the list as a file.

use axum::body::Body;
use axum::response::IntoResponse as _;
use futures_util::stream;
use http::header;
use narthex_console_frame::visit::{Answer, Visit};
use narthex_directory::StoreError;
use narthex_ops::OpError;
use narthex_ops::audit_events::{self, ExportFormat};

use super::event_query;

/// Sends the file, piece by piece.
pub(super) async fn file(visit: Visit) -> Answer {
    let query = visit.query();
    let format = query.text("format").parse::<ExportFormat>();
    let format = format.map_err(|why| OpError::invalid("format", why))?;
    let export = audit_events::export(visit.caller(), format, event_query(query)?).await?;
    let pieces = stream::try_unfold(export, |mut export| async move {
        let piece = export.next_piece().await?;
        Ok::<_, StoreError>(piece.map(|piece| (piece, export)))
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
