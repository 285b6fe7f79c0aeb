//! `/users/{id}/erase`: a user is erased, after the username is typed.

use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, not_done};
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, see};
use narthex_console_frame::wording::access;
use narthex_decision::Action;
use narthex_directory::User;
use narthex_ops::erasure::{self, ErasureTerms};
use narthex_ops::users;

use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::notice;

/// Name of the field with the username.
const TYPED: &str = "typed";

/// Asks before the user is erased.
pub(super) async fn question(visit: Visit, Named(id): Named) -> Answer {
    let user = find(&visit, &id).await?;
    ask(&visit, &user, (&Fields::default(), Again::First))
}

/// Erases the user.
pub(super) async fn erase(visit: Visit, Named(id): Named, Form(fields): Form) -> Answer {
    let user = find(&visit, &id).await?;
    if fields.text(TYPED) != user.username.as_str() {
        let faults = Faults::at(TYPED, "this is not the username; type it as it is shown");
        return ask(&visit, &user, (&fields, Again::Faults(faults)));
    }
    let expected = confirm::version(&fields);
    match erasure::erase(visit.caller(), &id, &expected, ErasureTerms::default()).await {
        Ok(erased) => Ok(see(&notice::after(&paths::user(erased.user.id), "erased"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, &user, (&fields, Again::Faults(faults))),
            NotDone::Changed => ask(&visit, &user, (&fields, Again::Changed)),
        },
    }
}

async fn find(visit: &Visit, id: &str) -> Result<User, Failed> {
    visit.needs(Action::WriteUsers, None)?;
    Ok(users::read(visit.caller(), id).await?.user)
}

fn ask(visit: &Visit, user: &User, (fields, again): (&Fields, Again)) -> Answer {
    let (name, href) = (access::name(user), paths::user(user.id));
    let faults = match &again {
        Again::Faults(faults) => faults.clone(),
        Again::First | Again::Changed => Faults::default(),
    };
    let question = Question {
        crumbs: vec![Crumb::new("/users", "Users"), Crumb::new(href.clone(), name)],
        title: format!("Erase {name}?"),
        line: format!("It cannot be undone. The username is {}.", user.username),
        heading: "What happens when you erase this user".to_owned(),
        consequences: vec![
            Consequence::ends("Personal values are removed")
                .text(" from the record, the audit and later exports: names, e-mail, external ID, context, reasons."),
            Consequence::ends("Sessions and roles end").text(", at once."),
            Consequence::ends("Tokens from before are refused").text(" with ").code(
                "token.revoked",
                ". A later one creates the user anew, unless the user is disabled now.",
            ),
            Consequence::stays("Who had which role when stays").text(", under a pseudonym."),
            Consequence::mind("Logs, backups, earlier exports and receivers of webhooks may hold copies").text("."),
        ],
        button: "Erase user".to_owned(),
        back: href,
        version: Some(user.version),
        reason: Some(
            Input::text(TYPED, "Type the username to confirm")
                .class("field narrow")
                .code()
                .required()
                .kept(fields, &faults),
        ),
    };
    confirm::ask(visit, &question, again)
}
