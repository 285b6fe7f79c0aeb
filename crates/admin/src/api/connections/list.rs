//! `GET /api/v1/connections`

use narthex_decision::Action;
use narthex_directory::DocumentKind;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ConnectionBody, Sight, found};
use crate::api::access::Admin;
use crate::api::error::ApiError;
use crate::api::extract::{QueryParameters, page};
use crate::api::openapi_errors::ListErrors;
use crate::api::response::List;
use crate::connections::Held;

/// Filter and page of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Returns only connections of this organization (id or name). Required for callers who may not read everything.
    organization: Option<String>,
    /// Cursor of the next page, from `next_cursor`.
    cursor: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(default = 50, maximum = 200)]
    limit: Option<usize>,
}

/// Lists connections
///
/// Sorted by time of creation. Members of the organization see the name and the needs of each connection; its admins
/// see the document too. No response shows a secret.
#[utoipa::path(
    get, path = "/connections", tag = "connections", operation_id = "list_connections", params(Query),
    responses((status = 200, description = "A page of connections.", body = List<ConnectionBody>), ListErrors),
)]
pub(crate) async fn list(
    admin: Admin,
    QueryParameters(query): QueryParameters<Query>,
) -> Result<List<ConnectionBody>, ApiError> {
    let (permit, organization) = match query.organization {
        Some(text) => {
            let (permit, organization) = admin.organization(Action::ListConnections, &text).await?;
            (permit, Some(organization.id))
        }
        None => (admin.permit(Action::ListConnections, None)?, None),
    };
    let page = page(query.cursor, query.limit)?;
    // A connection's cursor is its id; documents of other kinds have other cursors.
    page.after_id()?;
    let documents = permit
        .directory()
        .documents(DocumentKind::Connection, organization, page)
        .await?;
    let next_cursor = documents.next_cursor.map(|cursor| cursor.to_string());
    let items = documents.items.into_iter().map(|document| {
        let held = Held::of(document)?;
        let sight = Sight::of(&admin, &held);
        Ok(found(permit, held, sight).body)
    });
    Ok(List {
        items: items.collect::<Result<_, ApiError>>()?,
        next_cursor,
    })
}
