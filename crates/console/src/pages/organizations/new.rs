//! `/organizations/new`: an organization to create.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, NotDone, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Visit, html, see};
use narthex_directory::Edit;
use narthex_ops::organizations::{self, NewOrganization};

use super::form::{self, OrganizationForm, Values};
use crate::pages::{notice, realms};

#[derive(Template)]
#[template(path = "organization_new.html")]
struct NewPage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    form: OrganizationForm,
    realm: &'a str,
    realms: Vec<String>,
}

/// Shows the form.
pub(super) async fn form(visit: Visit) -> Answer {
    organizations::may_create(visit.caller())?;
    let (fields, none) = (Fields::default(), Faults::default());
    show(&visit, StatusCode::OK, Values::Blank, &fields, &none)
}

/// Creates the organization.
pub(super) async fn create(visit: Visit, Form(fields): Form) -> Answer {
    let text = |name| match form::edit(&fields, name) {
        Edit::Set(text) => Some(text),
        Edit::Keep | Edit::Clear => None,
    };
    let new = NewOrganization {
        name: fields.text("name").to_owned(),
        label: fields.filled("label"),
        realm: fields.filled("realm"),
        external_id: text("external_id"),
        contact_name: text("contact_name"),
        contact_email: text("contact_email"),
        website: text("website"),
        timezone: text("timezone"),
        tags: form::tag_change(&fields),
        membership: form::membership(&fields)?,
        ..NewOrganization::default()
    };
    let error = match organizations::create(visit.caller(), new).await {
        Ok(created) => {
            let address = paths::organization(created.name.as_str());
            return Ok(see(&notice::after(&address, "created")));
        }
        Err(error) => error,
    };
    let (status, faults) = match not_done(error)? {
        NotDone::Faults(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults),
        NotDone::Changed => (StatusCode::CONFLICT, Faults::default()),
    };
    show(&visit, status, Values::Sent(&fields, &faults), &fields, &faults)
}

fn show(visit: &Visit, status: StatusCode, values: Values<'_>, fields: &Fields, faults: &Faults) -> Answer {
    let page = NewPage {
        frame: visit.frame(),
        faults,
        form: OrganizationForm::new(values, None, None),
        realm: fields.text("realm"),
        realms: realms(visit.caller())?,
    };
    html(status, &page)
}
