//! `/organizations/{name}/people/{id}`: a person in an organization, and the end of the person's manual role.

use askama::Template;
use narthex_console_frame::fields::Form;
use narthex_console_frame::form::{NotDone, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, TwoNamed, Visit, page, see};
use narthex_console_frame::wording::access;
use narthex_console_frame::wording::address::Address;
use narthex_decision::Action;
use narthex_directory::{Organization, SourceKind};
use narthex_ops::members::{self, Group, GroupMember};
use narthex_ops::organizations;

use super::head::{Head, Tab};
use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::grants::{self, GrantRow};
use crate::pages::notice;

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage<'a> {
    frame: &'a Frame,
    head: Head,
    name: &'a str,
    username: &'a str,
    email: Option<Address>,
    role: String,
    grants: Vec<GrantRow>,
    people: String,
    end: Option<String>,
}

/// Shows why the person is here.
pub(super) async fn read(visit: Visit, TwoNamed(name, id): TwoNamed) -> Answer {
    let organization = organizations::read(visit.caller(), &name).await?;
    let found = members::read(visit.caller(), Group::Organization(&name), &id).await?;
    let member = &found.member;
    let own_name = organization.name.as_str();
    let may_end = visit.may(Action::WriteMembers, Some(organization.id)) && is_manual(&found);
    let rows = member.grants.iter();
    page(&PersonPage {
        frame: visit.frame(),
        head: Head::new(&organization, Tab::People),
        name: access::name(&member.user),
        username: member.user.username.as_str(),
        email: member.user.profile.email.as_deref().map(Address::new),
        role: access::role(member.role).to_lowercase(),
        grants: rows
            .map(|effective| grants::row(&visit, effective, Some(own_name)))
            .collect(),
        people: paths::in_organization(own_name, "people"),
        end: may_end.then(|| paths::person(own_name, member.user.id) + "/end"),
    })
}

fn is_manual(found: &GroupMember) -> bool {
    let mut kinds = found
        .member
        .grants
        .iter()
        .map(|effective| effective.grant.source.kind());
    kinds.any(|kind| kind == SourceKind::Manual)
}

/// Asks before the person's manual role ends.
pub(super) async fn question(visit: Visit, TwoNamed(name, id): TwoNamed) -> Answer {
    ask(&visit, (name.as_str(), id.as_str()), Again::First).await
}

/// Ends the person's manual role.
pub(super) async fn end(visit: Visit, TwoNamed(name, id): TwoNamed, Form(fields): Form) -> Answer {
    let organization = organizations::read(visit.caller(), &name).await?;
    let group = Group::Organization(&name);
    match members::revoke(visit.caller(), group, &id, fields.filled(confirm::WHY)).await {
        Ok(()) => Ok(see(&notice::after(&people_of(&organization), "removed"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, (name.as_str(), id.as_str()), Again::Faults(faults)).await,
            NotDone::Changed => ask(&visit, (name.as_str(), id.as_str()), Again::Changed).await,
        },
    }
}

fn people_of(organization: &Organization) -> String {
    paths::in_organization(organization.name.as_str(), "people")
}

async fn ask(visit: &Visit, (name, id): (&str, &str), again: Again) -> Answer {
    let organization = organizations::read(visit.caller(), name).await?;
    visit.needs(Action::WriteMembers, Some(organization.id))?;
    let found = members::read(visit.caller(), Group::Organization(name), id).await?;
    let member = &found.member;
    let (person, label) = (access::name(&member.user), &organization.label);
    let role = access::role(member.role).to_lowercase();
    let giving = member.grants.iter().filter(|effective| effective.gives.is_ok());
    let mut left = giving.filter(|effective| effective.grant.source.kind() != SourceKind::Manual);
    let ends = if left.next().is_some() {
        Consequence::mind(format!("{person} keeps the role that tokens give")).text(format!(" in {label}."))
    } else {
        Consequence::ends(format!("{person} has no role in {label} any more"))
            .text(", at once: nothing in the last token gives one.")
    };
    let address = paths::person(organization.name.as_str(), member.user.id);
    let question = Question {
        crumbs: vec![
            Crumb::new(people_of(&organization), "People"),
            Crumb::new(address, person),
        ],
        title: format!("Remove {person}’s role?"),
        line: format!("{person} has the role {role} in {label}. What was granted manually is removed."),
        heading: "What happens when you remove it".to_owned(),
        consequences: vec![
            ends,
            Consequence::stays("It stays on record").text(format!(" that {person} had the role until now, and why.")),
        ],
        button: "Remove the role".to_owned(),
        back: people_of(&organization),
        version: None,
        reason: Some(confirm::reason()),
    };
    confirm::ask(visit, &question, again)
}
