//! `/users/{id}/platform-role`: a platform role that is granted manually, and its end.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, Options, Radio, not_done, radios};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, html, see};
use narthex_console_frame::wording::access;
use narthex_decision::Action;
use narthex_directory::{PlatformRole, User};
use narthex_ops::users;

use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::{notice, role_end};

/// Choice of the role: value, label and consequence.
const ROLES: [(&str, &str, &str); 2] = [
    ("viewer", "Platform viewer", "Sees everything, and changes nothing."),
    ("admin", "Platform admin", "Sees and changes everything."),
];

#[derive(Template)]
#[template(path = "platform_role.html")]
struct RolePage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    name: &'a str,
    href: String,
    roles: Vec<Radio>,
    ends: Options,
    why: Input,
}

/// Shows the form.
pub(super) async fn form(visit: Visit, Named(id): Named) -> Answer {
    let user = find(&visit, &id).await?;
    let fields = Fields::parse(b"role=viewer");
    show(&visit, &user, StatusCode::OK, (&fields, &Faults::default()))
}

/// Grants the role.
pub(super) async fn grant(visit: Visit, Named(id): Named, Form(fields): Form) -> Answer {
    let user = find(&visit, &id).await?;
    let role: PlatformRole = fields.text("role").parse().map_err(|_| Failed::NotAForm)?;
    let terms = role_end::terms(&visit, &fields)?;
    match users::grant_platform_role(visit.caller(), &id, role, terms).await {
        Ok(_) => Ok(see(&notice::after(&paths::user(user.id), "added"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                show(&visit, &user, status, (&fields, &faults))
            }
            NotDone::Changed => show(&visit, &user, StatusCode::CONFLICT, (&fields, &Faults::default())),
        },
    }
}

async fn find(visit: &Visit, id: &str) -> Result<User, Failed> {
    visit.needs(Action::WriteUsers, None)?;
    Ok(users::read(visit.caller(), id).await?.user)
}

fn show(visit: &Visit, user: &User, status: StatusCode, (fields, faults): (&Fields, &Faults)) -> Answer {
    let page = RolePage {
        frame: visit.frame(),
        faults,
        name: access::name(user),
        href: paths::user(user.id),
        roles: radios("role", &ROLES, fields.text("role")),
        ends: role_end::options(fields),
        why: Input::text(confirm::WHY, "Reason")
            .class("field narrow")
            .hint("It answers the later question why this person has the role.")
            .kept(fields, faults),
    };
    html(status, &page)
}

/// Asks before the role ends.
pub(super) async fn question(visit: Visit, Named(id): Named) -> Answer {
    ask(&visit, &id, Again::First).await
}

/// Ends the role.
pub(super) async fn end(visit: Visit, Named(id): Named, Form(fields): Form) -> Answer {
    let user = find(&visit, &id).await?;
    match users::revoke_platform_role(visit.caller(), &id, fields.filled(confirm::WHY)).await {
        Ok(()) => Ok(see(&notice::after(&paths::user(user.id), "removed"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, &id, Again::Faults(faults)).await,
            NotDone::Changed => ask(&visit, &id, Again::Changed).await,
        },
    }
}

async fn ask(visit: &Visit, id: &str, again: Again) -> Answer {
    let user = find(visit, id).await?;
    let (name, href) = (access::name(&user), paths::user(user.id));
    let question = Question {
        crumbs: vec![Crumb::new("/users", "Users"), Crumb::new(href.clone(), name)],
        title: format!("Remove {name}’s platform role?"),
        line: "What was granted manually is removed. A role that a tag gives stays.".to_owned(),
        heading: "What happens when you remove it".to_owned(),
        consequences: vec![
            Consequence::ends(format!("{name} has the role no more")).text(", at once."),
            Consequence::stays("It stays on record").text(format!(" that {name} had the role until now, and why.")),
        ],
        button: "Remove the role".to_owned(),
        back: href,
        version: None,
        reason: Some(confirm::reason()),
    };
    confirm::ask(visit, &question, again)
}
