//! `/connections` and `/organizations/{name}/connections`: the services that are called with a signed token.

use std::collections::HashMap;

use askama::Template;
use axum::Router;
use axum::routing::{get, post};
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, page};
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_directory::OrganizationId;
use narthex_ops::connections::{self, ConnectionView};
use narthex_ops::{OpError, organizations};

use super::notice::Notice;
use super::organizations::{Head, Tab};

mod delete;
mod edit;
mod new;
mod test;

pub(super) fn routes() -> Router {
    Router::new()
        .route("/connections", get(list))
        .route("/connections/{id}", get(edit::form).post(edit::save))
        .route("/connections/{id}/test", post(test::test))
        .route("/connections/{id}/delete", get(delete::question).post(delete::delete))
        .route("/organizations/{name}/connections", get(list_of_organization))
        .route(
            "/organizations/{name}/connections/new",
            get(new::form).post(new::create),
        )
}

#[derive(Template)]
#[template(path = "connections.html")]
struct ListPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    rows: Vec<Row>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "organization_connections.html")]
struct OrganizationPage<'a> {
    frame: &'a Frame,
    head: Head,
    notice: Option<Notice>,
    rows: Vec<Row>,
    pager: Pager,
    /// Address of the page that creates one, for a caller who may.
    create: Option<String>,
}

struct Row {
    href: String,
    name: String,
    organization: Option<String>,
    /// Display label or id of the account at the service.
    account: Option<String>,
    kept: usize,
    missing: usize,
    updated: Moment,
}

/// Shows the connections of all organizations.
async fn list(visit: Visit) -> Answer {
    let query = visit.query();
    let listing = connections::list(visit.caller(), None, query.page()).await?;
    let mut names: HashMap<OrganizationId, Option<String>> = HashMap::new();
    for view in &listing.items {
        if names.contains_key(&view.organization) {
            continue;
        }
        let name = organization_name(&visit, view.organization).await?;
        names.insert(view.organization, name);
    }
    let row_of = |view: &ConnectionView| row(&visit, view, names.get(&view.organization).cloned().flatten());
    page(&ListPage {
        frame: visit.frame(),
        notice: Notice::of(query),
        pager: Pager::new(
            "/connections",
            query,
            &[],
            listing.items.len(),
            listing.next_cursor.as_ref(),
        ),
        rows: listing.items.iter().map(row_of).collect(),
    })
}

/// Shows the connections of an organization.
async fn list_of_organization(visit: Visit, Named(name): Named) -> Answer {
    let organization = organizations::read(visit.caller(), &name).await?;
    let query = visit.query();
    let listing = connections::list(visit.caller(), Some(&name), query.page()).await?;
    let own_name = organization.name.as_str();
    let path = paths::in_organization(own_name, "connections");
    let may_create = visit.may(Action::WriteConnections, Some(organization.id));
    page(&OrganizationPage {
        frame: visit.frame(),
        head: Head::new(&organization, Tab::Connections),
        notice: Notice::of(query),
        pager: Pager::new(&path, query, &[], listing.items.len(), listing.next_cursor.as_ref()),
        rows: listing.items.iter().map(|view| row(&visit, view, None)).collect(),
        create: may_create.then(|| format!("{path}/new")),
    })
}

fn row(visit: &Visit, view: &ConnectionView, organization: Option<String>) -> Row {
    let needs = || view.parameters.iter().chain(&view.common);
    Row {
        href: format!("/connections/{}", view.id),
        name: view.name.clone(),
        organization,
        account: account(view),
        kept: needs().filter(|need| need.given).count(),
        missing: needs().filter(|need| need.needed && !need.given).count(),
        updated: visit.moment(view.updated_at_ms),
    }
}

/// Returns the display label or the id of the account at the service, if a run learned it.
fn account(view: &ConnectionView) -> Option<String> {
    let label = view.metadata.as_ref().map(|label| label.value.clone());
    label.or_else(|| view.uid.clone())
}

/// Returns the name of an organization; `None` for a caller who may only use its connections.
async fn organization_name(visit: &Visit, id: OrganizationId) -> Result<Option<String>, Failed> {
    match organizations::read(visit.caller(), &id.to_string()).await {
        Ok(organization) => Ok(Some(organization.name.to_string())),
        Err(OpError::Forbidden { .. } | OpError::Unknown { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns the address of the list that a connection of this organization is in.
async fn list_address(visit: &Visit, id: OrganizationId) -> Result<String, Failed> {
    let name = organization_name(visit, id).await?;
    Ok(name.map_or_else(
        || "/connections".to_owned(),
        |name| paths::in_organization(&name, "connections"),
    ))
}
