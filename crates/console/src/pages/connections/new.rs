//! `/organizations/{name}/connections/new`: a connection to create. Its secrets are set once its document says which.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, html, see};
use narthex_decision::Action;
use narthex_directory::Organization;
use narthex_ops::connections::{self, NewConnection};
use narthex_ops::organizations;
use serde_json::Map;

use crate::pages::notice;

#[derive(Template)]
#[template(path = "connection_new.html")]
struct NewPage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    label: &'a str,
    list: String,
    input: Input,
    document: &'a str,
    document_error: Option<&'a str>,
}

/// Shows the form.
pub(super) async fn form(visit: Visit, Named(name): Named) -> Answer {
    let organization = find(&visit, &name).await?;
    let (fields, none) = (Fields::default(), Faults::default());
    show(&visit, &organization, StatusCode::OK, &fields, &none)
}

/// Creates the connection.
pub(super) async fn create(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    let organization = find(&visit, &name).await?;
    let new = NewConnection {
        name: fields.text("name").to_owned(),
        document: fields.text("document").replace("\r\n", "\n"),
        parameters: Map::new(),
        common: Map::new(),
    };
    let error = match connections::create(visit.caller(), &name, new).await {
        Ok(created) => return Ok(see(&notice::after(&format!("/connections/{}", created.id), "created"))),
        Err(error) => error,
    };
    let (status, faults) = match not_done(error)? {
        NotDone::Faults(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults),
        NotDone::Changed => (StatusCode::CONFLICT, Faults::default()),
    };
    show(&visit, &organization, status, &fields, &faults)
}

async fn find(visit: &Visit, name: &str) -> Result<Organization, Failed> {
    let organization = organizations::read(visit.caller(), name).await?;
    visit.needs(Action::WriteConnections, Some(organization.id))?;
    Ok(organization)
}

fn show(visit: &Visit, organization: &Organization, status: StatusCode, fields: &Fields, faults: &Faults) -> Answer {
    let page = NewPage {
        frame: visit.frame(),
        faults,
        label: &organization.label,
        list: paths::in_organization(organization.name.as_str(), "connections"),
        input: Input::text("name", "Name").required().kept(fields, faults),
        document: fields.text("document"),
        document_error: faults.of("document"),
    };
    html(status, &page)
}
