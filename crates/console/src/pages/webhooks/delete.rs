//! `/webhooks/{name}/delete`.

use narthex_console_frame::fields::Form;
use narthex_console_frame::form::{NotDone, not_done};
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, see};
use narthex_decision::Action;
use narthex_ops::webhooks;

use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::notice;

/// Asks before the webhook is deleted.
pub(super) async fn question(visit: Visit, Named(name): Named) -> Answer {
    ask(&visit, &name, Again::First).await
}

/// Deletes the webhook.
pub(super) async fn delete(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    match webhooks::delete(visit.caller(), &name, &confirm::version(&fields)).await {
        Ok(()) => Ok(see(&notice::after("/webhooks", "deleted"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, &name, Again::Faults(faults)).await,
            NotDone::Changed => ask(&visit, &name, Again::Changed).await,
        },
    }
}

async fn ask(visit: &Visit, name: &str, again: Again) -> Answer {
    visit.needs(Action::WriteWebhooks, None)?;
    let view = webhooks::read(visit.caller(), name).await?;
    let href = paths::webhook(name);
    let question = Question {
        crumbs: vec![
            Crumb::new("/webhooks", "Webhooks"),
            Crumb::new(href.clone(), name.to_owned()),
        ],
        title: format!("Delete the webhook {name}?"),
        line: "Use this when its receiver is no longer there.".to_owned(),
        heading: "What happens when you delete it".to_owned(),
        consequences: vec![
            Consequence::ends("What waits for it and what was given up is not sent"),
            Consequence::ends("Its secret and the list of its deliveries are gone"),
            Consequence::stays("The events stay in the audit").text(". Another webhook can send them again."),
        ],
        button: format!("Delete {name}"),
        back: href,
        version: Some(view.version),
        reason: None,
    };
    confirm::ask(visit, &question, again)
}
