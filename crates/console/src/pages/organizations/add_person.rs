//! `/organizations/{name}/people/add`: a person who is added manually.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, Options, Radio, not_done, radios};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, html, see};
use narthex_decision::Action;
use narthex_directory::{Organization, OrganizationRole, StoreError};
use narthex_ops::{OpError, members, organizations};

use crate::pages::{notice, role_end};

#[derive(Template)]
#[template(path = "add_person.html")]
struct AddPage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    label: &'a str,
    href: String,
    people: String,
    person: Input,
    roles: Vec<Radio>,
    ends: Options,
    why: Input,
}

/// Choice of the role: value, label and consequence.
const ROLES: [(&str, &str, &str); 3] = [
    ("executor", "Executor", "Calls what it offers, and nothing else."),
    ("member", "Member", "Uses what it offers."),
    ("admin", "Admin", "Also manages people, tags and connections."),
];

/// Shows the form.
pub(super) async fn form(visit: Visit, Named(name): Named) -> Answer {
    let organization = find(&visit, &name).await?;
    let fields = Fields::parse(b"role=member");
    show(&visit, &organization, StatusCode::OK, &fields, &Faults::default())
}

/// Adds the person.
pub(super) async fn add(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    let organization = find(&visit, &name).await?;
    let role: OrganizationRole = fields.text("role").parse().map_err(|_| Failed::NotAForm)?;
    let (person, terms) = (fields.text("person"), role_end::terms(&visit, &fields)?);
    let Err(error) = members::grant_to_named(visit.caller(), &name, role, person, terms).await else {
        let people = paths::in_organization(organization.name.as_str(), "people");
        return Ok(see(&notice::after(&people, "added")));
    };
    let (status, faults) = match error {
        OpError::Unknown { what: "user" } | OpError::Store(StoreError::NotFound { .. }) => {
            let faults = Faults::at("person", "there is no such person");
            (StatusCode::UNPROCESSABLE_ENTITY, faults)
        }
        error => match not_done(error)? {
            NotDone::Faults(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults),
            NotDone::Changed => (StatusCode::CONFLICT, Faults::default()),
        },
    };
    show(&visit, &organization, status, &fields, &faults)
}

async fn find(visit: &Visit, name: &str) -> Result<Organization, Failed> {
    let organization = organizations::read(visit.caller(), name).await?;
    visit.needs(Action::WriteMembers, Some(organization.id))?;
    Ok(organization)
}

fn show(visit: &Visit, organization: &Organization, status: StatusCode, fields: &Fields, faults: &Faults) -> Answer {
    let name = organization.name.as_str();
    let page = AddPage {
        frame: visit.frame(),
        faults,
        label: &organization.label,
        href: paths::organization(name),
        people: paths::in_organization(name, "people"),
        person: Input::text("person", "Person")
            .class("field narrow")
            .code()
            .required()
            .hint("Username, e-mail, external ID or ID.")
            .kept(fields, faults),
        roles: radios("role", &ROLES, fields.text("role")),
        ends: role_end::options(fields),
        why: Input::text("why", "Reason")
            .class("field narrow")
            .hint("It answers the later question why this person is here.")
            .kept(fields, faults),
    };
    html(status, &page)
}
