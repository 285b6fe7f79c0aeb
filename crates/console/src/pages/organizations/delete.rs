//! `/organizations/{name}/delete`: an organization is deleted with its content, after its name is typed.

use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, not_done};
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, see};
use narthex_console_frame::wording::number::counted;
use narthex_decision::Action;
use narthex_ops::organizations::{
    self,
    deletion::{self, DeletionTerms},
};

use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::notice;

/// Name of the field with the name.
const TYPED: &str = "typed";

/// Asks before the organization is deleted.
pub(super) async fn question(visit: Visit, Named(name): Named) -> Answer {
    ask(&visit, &name, (&Fields::default(), Again::First)).await
}

/// Deletes the organization.
pub(super) async fn delete(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    let organization = organizations::read(visit.caller(), &name).await?;
    visit.needs(Action::RuleOrganization, Some(organization.id))?;
    if fields.text(TYPED) != organization.name.as_str() {
        let faults = Faults::at(TYPED, "this is not its name in paths; type it as it is shown");
        return ask(&visit, &name, (&fields, Again::Faults(faults))).await;
    }
    let terms = DeletionTerms {
        with_content: true,
        why: None,
    };
    match deletion::delete(visit.caller(), &name, &confirm::version(&fields), terms).await {
        Ok(()) => Ok(see(&notice::after("/organizations", "deleted"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, &name, (&fields, Again::Faults(faults))).await,
            NotDone::Changed => ask(&visit, &name, (&fields, Again::Changed)).await,
        },
    }
}

async fn ask(visit: &Visit, name: &str, (fields, again): (&Fields, Again)) -> Answer {
    let (organization, content) = deletion::content(visit.caller(), name).await?;
    let (label, href) = (&organization.label, paths::organization(organization.name.as_str()));
    let faults = match &again {
        Again::Faults(faults) => faults.clone(),
        Again::First | Again::Changed => Faults::default(),
    };
    let count = |number: u64, one: &str, many: &str| counted(usize::try_from(number).unwrap_or(usize::MAX), one, many);
    let ends = [
        count(content.members, "person", "people"),
        count(content.teams, "team", "teams"),
        count(content.machine_keys, "machine key", "machine keys"),
        count(content.api_keys, "API key", "API keys"),
        count(content.documents, "connection", "connections"),
    ];
    let question = Question {
        crumbs: vec![
            Crumb::new("/organizations", "Organizations"),
            Crumb::new(href.clone(), label.clone()),
        ],
        title: format!("Delete {label}?"),
        line: format!("It cannot be undone. Its name in paths is {}.", organization.name),
        heading: format!("What happens when you delete {label}"),
        consequences: vec![
            Consequence::ends("Everything in it ends").text(format!(": {}.", ends.join(", "))),
            Consequence::ends("No token creates it again").text(" by its external ID."),
            Consequence::stays("Its name is never another’s").text(", so no application takes one for the other."),
            Consequence::stays("Who had which role when stays").text(" on record."),
        ],
        button: format!("Delete {label}"),
        back: href,
        version: Some(organization.version),
        reason: Some(
            Input::text(TYPED, "Type the name in paths to confirm")
                .class("field narrow")
                .code()
                .required()
                .kept(fields, &faults),
        ),
    };
    confirm::ask(visit, &question, again)
}
