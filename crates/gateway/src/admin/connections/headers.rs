//! `POST /api/v1/connections/{connection}/headers`

use axum::Json;
use axum::extract::Path;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use narthex_connection::{Minted, Run, Step};
use narthex_decision::Action;
use serde::Serialize;
use utoipa::ToSchema;

use super::environment;
use crate::admin::access::{Admin, Permit};
use crate::admin::error::ApiError;
use crate::admin::problems::UseProblems;
use crate::connections::{self, Held};

/// A request, ready to be sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct RenderedRequest {
    /// Its method.
    #[schema(example = "GET")]
    method: String,
    /// Its URL.
    #[schema(example = "https://api.example.com/connect")]
    url: String,
    /// Its headers, in order. A name may be there several times.
    headers: Vec<RenderedHeader>,
    /// Its body, where there is one and it is text.
    #[schema(required)]
    body: Option<String>,
    /// Its body in base64, where there is one and it is not text.
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
/// Everything up to the request is evaluated, tokens are minted, and the request is answered for a worker to send; nothing
/// is sent from here. Of a document with several requests it is the first. What the templates see as
/// `environment.context` is the caller's own mapped context. Every token minted is in the audit trail, by the names of its
/// claims and a hash.
#[utoipa::path(
    post, path = "/connections/{connection}/headers", tag = "connections", operation_id = "render_connection",
    params(("connection" = String, Path, description = "The connection's id.")),
    responses((status = 200, description = "The request.", body = RenderedRequest), UseProblems),
)]
pub(crate) async fn headers(admin: Admin, Path(connection): Path<String>) -> Result<Json<RenderedRequest>, ApiError> {
    let (permit, held) = admin.connection(Action::UseConnections, &connection).await?;
    let (mut run, zone) = begin(&admin, permit, &held).await?;
    let step = run.next(&connections::facts(permit.now_ms(), &zone));
    // Before anything is answered: a token that is out must have left its trace.
    record(permit, &held, run.minted()).await?;
    match step.map_err(|error| ApiError::Run(error.to_string()))? {
        Step::Send(request) => Ok(Json(rendered(*request))),
        Step::Wait { .. } | Step::Done(_) => Err(ApiError::Conflict(
            "the document's `condition` says that there is nothing to send",
        )),
    }
}

/// A run of a connection for the caller, in the organization's time zone.
pub(super) async fn begin(
    admin: &Admin,
    permit: Permit<'_>,
    held: &Held,
) -> Result<(Run, narthex_template::Zone), ApiError> {
    let compiled = permit
        .compiled()
        .of(held)
        .map_err(|problems| super::refused(&problems))?;
    let organization = permit.directory().organization(held.organization).await?;
    let organization = organization.ok_or(ApiError::Unknown { what: "organization" })?;
    let settings = permit.surroundings().connections();
    let secrets = held.secrets(settings.sealing.as_deref())?;
    let run = Run::new(
        &compiled,
        connections::inputs(secrets, environment(admin, &organization)),
    );
    let zone = organization
        .details
        .timezone
        .as_deref()
        .and_then(narthex_template::Zone::named);
    Ok((run, zone.unwrap_or_else(narthex_template::Zone::utc)))
}

/// Writes down which tokens were minted.
pub(super) async fn record(permit: Permit<'_>, held: &Held, minted: &[Minted]) -> Result<(), ApiError> {
    let by = permit.by();
    for token in minted {
        permit
            .directory()
            .record(connections::minted_event(held, token, &by))
            .await?;
    }
    Ok(())
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
