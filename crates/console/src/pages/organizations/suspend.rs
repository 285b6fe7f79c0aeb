//! `/organizations/{name}/suspend` and `/organizations/{name}/open`.

use narthex_console_frame::fields::Form;
use narthex_console_frame::form::{NotDone, not_done};
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, see};
use narthex_decision::Action;
use narthex_directory::{Edit, OrganizationStatus};
use narthex_ops::ExpectedVersion;
use narthex_ops::organizations::{self, OrganizationChange};

use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::notice;

/// Asks before the organization is suspended.
pub(super) async fn question(visit: Visit, Named(name): Named) -> Answer {
    ask(&visit, &name, Again::First).await
}

/// Suspends the organization.
pub(super) async fn suspend(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    let expected = confirm::version(&fields);
    let change = OrganizationChange {
        why: fields.filled(confirm::WHY),
        ..status(OrganizationStatus::Suspended)
    };
    match organizations::update(visit.caller(), &name, &expected, change).await {
        Ok(organization) => {
            let address = paths::organization(organization.name.as_str());
            Ok(see(&notice::after(&address, "suspended")))
        }
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, &name, Again::Faults(faults)).await,
            NotDone::Changed => ask(&visit, &name, Again::Changed).await,
        },
    }
}

/// Opens the organization again.
pub(super) async fn open(visit: Visit, Named(name): Named) -> Answer {
    let change = status(OrganizationStatus::Active);
    let opened = organizations::update(visit.caller(), &name, &ExpectedVersion::Any, change).await?;
    let address = paths::organization(opened.name.as_str());
    Ok(see(&notice::after(&address, "opened")))
}

fn status(status: OrganizationStatus) -> OrganizationChange {
    OrganizationChange {
        status: Edit::Set(status),
        ..OrganizationChange::default()
    }
}

async fn ask(visit: &Visit, name: &str, again: Again) -> Answer {
    let organization = organizations::read(visit.caller(), name).await?;
    visit.needs(Action::RuleOrganization, Some(organization.id))?;
    let (label, href) = (&organization.label, paths::organization(organization.name.as_str()));
    let question = Question {
        crumbs: vec![
            Crumb::new("/organizations", "Organizations"),
            Crumb::new(href.clone(), label.clone()),
        ],
        title: format!("Suspend {label}?"),
        line: "Use this when a customer has to be shut out for a while.".to_owned(),
        heading: format!("What happens when you suspend {label}"),
        consequences: vec![
            Consequence::ends(format!("Every request to {label} is refused"))
                .text(" with ")
                .code("organization.suspended", ", on all nodes within a second."),
            Consequence::stays("Roles and tags stay on record")
                .text(format!(" and count again when you open {label}.")),
            Consequence::mind("Its admins cannot come here either").text(" until you open it."),
        ],
        button: format!("Suspend {label}"),
        back: href,
        version: Some(organization.version),
        reason: Some(confirm::reason()),
    };
    confirm::ask(visit, &question, again)
}
