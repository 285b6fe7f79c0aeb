//! `/organizations/{name}/teams/{id}`: a team, its people, and its name.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, Options, Pager, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, ThreeNamed, TwoNamed, Visit, html, see};
use narthex_console_frame::wording::access;
use narthex_console_frame::wording::address::Address;
use narthex_decision::Action;
use narthex_directory::{Edit, EffectiveMember, MembershipRule, Organization, SourceKind, Team, TeamRole};
use narthex_ops::members::{self, Group};
use narthex_ops::teams::{self, TeamChange};
use narthex_ops::{OpError, organizations};

use super::head::{Head, Tab};
use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::grants::{self, GrantRow};
use crate::pages::notice::{self, Notice};
use crate::pages::role_end;

/// Choice of the role: value and label.
const ROLES: [(&str, &str); 2] = [("member", "Member"), ("admin", "Admin")];

#[derive(Template)]
#[template(path = "team.html")]
struct TeamPage<'a> {
    frame: &'a Frame,
    head: Head,
    notice: Option<Notice>,
    faults: &'a Faults,
    name: &'a str,
    external_id: Option<String>,
    href: String,
    teams: String,
    rows: Vec<Row>,
    pager: Pager,
    add: Option<AddForm>,
    rename: Option<RenameForm>,
}

struct AddForm {
    person: Input,
    roles: Options,
    ends: Options,
    why: Input,
}

struct RenameForm {
    name: Input,
    version: u64,
}

struct Row {
    name: String,
    email: Option<Address>,
    role: &'static str,
    /// Address of the page of the person.
    href: String,
    /// Address of the page that ends the person's manual role.
    end: Option<String>,
    grant: Option<GrantRow>,
}

/// Returns the organization and its team.
async fn find(visit: &Visit, name: &str, id: &str) -> Result<(Organization, Team), Failed> {
    let organization = organizations::read(visit.caller(), name).await?;
    let team = teams::read(visit.caller(), id).await?;
    if team.organization == Some(organization.id) {
        Ok((organization, team))
    } else {
        Err(Failed::NoSuchPage)
    }
}

fn address(organization: &Organization, team: &Team) -> String {
    paths::in_organization(organization.name.as_str(), &format!("teams/{}", team.id))
}

/// Shows the team.
pub(super) async fn read(visit: Visit, TwoNamed(name, id): TwoNamed) -> Answer {
    let found = find(&visit, &name, &id).await?;
    show(&visit, &found, StatusCode::OK, (&Fields::default(), &Faults::default())).await
}

/// Renames the team.
pub(super) async fn rename(visit: Visit, TwoNamed(name, id): TwoNamed, Form(fields): Form) -> Answer {
    let found = find(&visit, &name, &id).await?;
    let change = TeamChange {
        name: Edit::Set(fields.text("name").to_owned()),
        ..TeamChange::default()
    };
    match teams::update(visit.caller(), &id, &confirm::version(&fields), change).await {
        Ok(_) => Ok(see(&notice::after(&address(&found.0, &found.1), "saved"))),
        Err(error) => not_done_here(&visit, &found, error, &fields).await,
    }
}

/// Adds a person.
pub(super) async fn add(visit: Visit, TwoNamed(name, id): TwoNamed, Form(fields): Form) -> Answer {
    let found = find(&visit, &name, &id).await?;
    let role: TeamRole = fields.text("role").parse().map_err(|_| Failed::NotAForm)?;
    let (person, terms) = (fields.text("person"), role_end::terms(&visit, &fields)?);
    match members::grant_in_team_to_named(visit.caller(), &id, role, person, terms).await {
        Ok(_) => Ok(see(&notice::after(&address(&found.0, &found.1), "added"))),
        Err(OpError::Unknown { what: "user" }) => {
            let faults = Faults::at("person", "there is no such person");
            show(&visit, &found, StatusCode::UNPROCESSABLE_ENTITY, (&fields, &faults)).await
        }
        Err(error) => not_done_here(&visit, &found, error, &fields).await,
    }
}

async fn not_done_here(visit: &Visit, found: &(Organization, Team), error: OpError, fields: &Fields) -> Answer {
    let (status, faults) = match not_done(error)? {
        NotDone::Faults(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults),
        NotDone::Changed => (
            StatusCode::CONFLICT,
            Faults::at("name", "the team was changed meanwhile; look at it, then try again"),
        ),
    };
    show(visit, found, status, (fields, &faults)).await
}

async fn show(
    visit: &Visit,
    (organization, team): &(Organization, Team),
    status: StatusCode,
    (fields, faults): (&Fields, &Faults),
) -> Answer {
    let (query, id) = (visit.query(), team.id.to_string());
    let href = address(organization, team);
    let listing = members::list(visit.caller(), Group::Team(&id), query.page()).await?;
    let members = listing.members;
    let may_change = visit.may(Action::WriteMembers, Some(organization.id));
    let may_add = may_change && organization.membership == MembershipRule::Mixed;
    let row_of = |member: &EffectiveMember| row(visit, organization, (&href, may_change), member);
    let page = TeamPage {
        frame: visit.frame(),
        head: Head::new(organization, Tab::Teams),
        notice: Notice::of(query),
        faults,
        name: &team.name,
        external_id: team.external_id.as_ref().map(ToString::to_string),
        teams: paths::in_organization(organization.name.as_str(), "teams"),
        pager: Pager::new(&href, query, &[], members.items.len(), members.next_cursor.as_ref()),
        rows: members.items.iter().map(row_of).collect(),
        add: may_add.then(|| add_form(fields, faults)),
        rename: may_change.then(|| RenameForm {
            name: match fields.sent("name") {
                Some(_) => Input::text("name", "Name").required().kept(fields, faults),
                None => Input::text("name", "Name").required().value(team.name.clone()),
            },
            version: team.version,
        }),
        href,
    };
    html(status, &page)
}

fn add_form(fields: &Fields, faults: &Faults) -> AddForm {
    AddForm {
        person: Input::text("person", "Person")
            .code()
            .required()
            .hint("Username, e-mail, external ID or ID.")
            .kept(fields, faults),
        roles: Options::new("role", "As", &ROLES, fields.text("role")),
        ends: role_end::options(fields),
        why: Input::text("why", "Reason").class("field full").kept(fields, faults),
    }
}

fn row(visit: &Visit, organization: &Organization, (href, may_change): (&str, bool), member: &EffectiveMember) -> Row {
    let user = &member.user;
    let kind = |effective: &narthex_directory::EffectiveGrant| effective.grant.source.kind();
    let giving = member
        .grants
        .iter()
        .find(|effective| effective.gives == Ok(member.role));
    let is_manual = member
        .grants
        .iter()
        .any(|effective| kind(effective) == SourceKind::Manual);
    Row {
        name: access::name(user).to_owned(),
        email: user.profile.email.as_deref().map(Address::new),
        role: access::role(member.role),
        href: if visit.may(Action::ReadUsers, None) {
            paths::user(user.id)
        } else {
            paths::person(organization.name.as_str(), user.id)
        },
        end: (may_change && is_manual).then(|| format!("{href}/people/{}/end", user.id)),
        grant: giving.map(|effective| grants::row(visit, effective, None)),
    }
}

/// Asks before the person's manual role ends.
pub(super) async fn question(visit: Visit, ThreeNamed(name, id, user): ThreeNamed) -> Answer {
    ask(&visit, (name.as_str(), id.as_str(), user.as_str()), Again::First).await
}

/// Ends the person's manual role.
pub(super) async fn end(visit: Visit, ThreeNamed(name, id, user): ThreeNamed, Form(fields): Form) -> Answer {
    let (organization, team) = find(&visit, &name, &id).await?;
    match members::revoke(visit.caller(), Group::Team(&id), &user, fields.filled(confirm::WHY)).await {
        Ok(()) => Ok(see(&notice::after(&address(&organization, &team), "removed"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => {
                ask(
                    &visit,
                    (name.as_str(), id.as_str(), user.as_str()),
                    Again::Faults(faults),
                )
                .await
            }
            NotDone::Changed => ask(&visit, (name.as_str(), id.as_str(), user.as_str()), Again::Changed).await,
        },
    }
}

async fn ask(visit: &Visit, (name, id, user): (&str, &str, &str), again: Again) -> Answer {
    let (organization, team) = find(visit, name, id).await?;
    visit.needs(Action::WriteMembers, Some(organization.id))?;
    let found = members::read(visit.caller(), Group::Team(id), user).await?;
    let (person, href) = (access::name(&found.member.user), address(&organization, &team));
    let question = Question {
        crumbs: vec![
            Crumb::new(paths::in_organization(organization.name.as_str(), "teams"), "Teams"),
            Crumb::new(href.clone(), team.name.clone()),
        ],
        title: format!("Remove {person}’s role in {}?", team.name),
        line: "What was granted manually is removed.".to_owned(),
        heading: "What happens when you remove it".to_owned(),
        consequences: vec![
            Consequence::ends(format!("{person} is not in the team by a manual role any more")).text(", at once."),
            Consequence::stays(format!("The role in {} stays", organization.label)).text(", if there is one."),
        ],
        button: "Remove the role".to_owned(),
        back: href,
        version: None,
        reason: Some(confirm::reason()),
    };
    confirm::ask(visit, &question, again)
}
