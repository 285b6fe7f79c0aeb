//! `/organizations/{name}/teams`: the teams of an organization.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, Pager, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, html, see};
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_directory::{Organization, Team};
use narthex_ops::teams::{self, NewTeam};
use narthex_ops::{PageRequest, organizations};

use super::head::{Head, Tab};
use crate::pages::notice::{self, Notice};

#[derive(Template)]
#[template(path = "teams.html")]
struct TeamsPage<'a> {
    frame: &'a Frame,
    head: Head,
    notice: Option<Notice>,
    faults: &'a Faults,
    rows: Vec<Row>,
    pager: Pager,
    /// Field of the name of a new team, for a caller who may create one.
    input: Option<Input>,
}

struct Row {
    href: String,
    name: String,
    external_id: Option<String>,
    created: Moment,
}

/// Shows the list.
pub(super) async fn list(visit: Visit, Named(name): Named) -> Answer {
    let organization = organizations::read(visit.caller(), &name).await?;
    let (fields, none) = (Fields::default(), Faults::default());
    show(&visit, &organization, StatusCode::OK, &fields, &none).await
}

/// Creates a team.
pub(super) async fn create(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    let organization = organizations::read(visit.caller(), &name).await?;
    let new = NewTeam {
        name: fields.text("name").to_owned(),
        external_id: None,
    };
    let Err(error) = teams::create(visit.caller(), &name, new).await else {
        let address = paths::in_organization(organization.name.as_str(), "teams");
        return Ok(see(&notice::after(&address, "created")));
    };
    let (status, faults) = match not_done(error)? {
        NotDone::Faults(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults),
        NotDone::Changed => (StatusCode::CONFLICT, Faults::default()),
    };
    show(&visit, &organization, status, &fields, &faults).await
}

async fn show(
    visit: &Visit,
    organization: &Organization,
    status: StatusCode,
    fields: &Fields,
    faults: &Faults,
) -> Answer {
    let query = visit.query();
    let name = organization.name.as_str();
    let page: PageRequest = query.page();
    let listing = teams::list_of_organization(visit.caller(), name, None, page).await?;
    let path = paths::in_organization(name, "teams");
    let may_create = visit.may(Action::WriteMembers, Some(organization.id));
    let input = Input::text("name", "Name").class("field grow").required();
    let page = TeamsPage {
        frame: visit.frame(),
        head: Head::new(organization, Tab::Teams),
        notice: Notice::of(query),
        faults,
        pager: Pager::new(&path, query, &[], listing.items.len(), listing.next_cursor.as_ref()),
        rows: listing.items.iter().map(|team| row(visit, name, team)).collect(),
        input: may_create.then(|| input.kept(fields, faults)),
    };
    html(status, &page)
}

fn row(visit: &Visit, organization: &str, team: &Team) -> Row {
    Row {
        href: paths::in_organization(organization, &format!("teams/{}", team.id)),
        name: team.name.clone(),
        external_id: team.external_id.as_ref().map(ToString::to_string),
        created: visit.moment(team.created_at_ms),
    }
}
