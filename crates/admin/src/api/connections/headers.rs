//! `POST /api/v1/connections/{connection}/headers`

use axum::Json;
use axum::extract::Path;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::error::ApiError;
use crate::api::extract::RequestCaller;
use crate::api::openapi_errors::UseErrors;
use narthex_ops::connections;

/// A rendered request, ready to be sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct RenderedRequest {
    /// Its method.
    #[schema(example = "GET")]
    method: String,
    /// Its URL.
    #[schema(example = "https://api.example.com/connect")]
    url: String,
    /// Its headers, in order. A name may occur several times.
    headers: Vec<RenderedHeader>,
    /// Its body, if it has one and it is text.
    #[schema(required)]
    body: Option<String>,
    /// Its body in base64, if it has one and it is not text.
    #[schema(required)]
    body_base64: Option<String>,
}

/// A header.
#[derive(Serialize, ToSchema)]
pub(crate) struct RenderedHeader {
    /// Its name.
    #[schema(example = "Authorization")]
    name: String,
    /// Its value.
    #[schema(example = "Bearer eyJ…")]
    value: String,
}

/// Renders a connection's request
///
/// Narthex evaluates the document up to the request, mints the tokens, and returns the request for your worker to send.
/// It sends nothing itself. For a document with several requests, it returns the first. Templates read the caller's own
/// mapped context as `environment.context`. Every minted token is recorded in the audit trail, by the names of its
/// claims and a hash.
#[utoipa::path(
    post, path = "/connections/{connection}/headers", tag = "connections", operation_id = "render_connection",
    params(("connection" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The request.", body = RenderedRequest), UseErrors),
)]
pub(crate) async fn headers(
    RequestCaller(caller): RequestCaller,
    Path(connection): Path<String>,
) -> Result<Json<RenderedRequest>, ApiError> {
    Ok(Json(rendered(connections::render(&caller, &connection).await?)))
}

fn rendered(request: narthex_connection::Request) -> RenderedRequest {
    let (body, body_base64) = match String::from_utf8(request.body) {
        Ok(text) if text.is_empty() => (None, None),
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
    };
    let header = |(name, value)| RenderedHeader { name, value };
    RenderedRequest {
        method: request.method,
        url: request.url,
        headers: request.headers.into_iter().map(header).collect(),
        body,
        body_base64,
    }
}
