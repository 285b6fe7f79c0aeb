//! `/connections/{id}/delete`.

use narthex_console_frame::fields::Form;
use narthex_console_frame::form::{NotDone, not_done};
use narthex_console_frame::visit::{Answer, Named, Visit, see};
use narthex_decision::Action;
use narthex_ops::connections;

use super::list_address;
use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::notice;

/// Asks before the connection is deleted.
pub(super) async fn question(visit: Visit, Named(id): Named) -> Answer {
    ask(&visit, &id, Again::First).await
}

/// Deletes the connection.
pub(super) async fn delete(visit: Visit, Named(id): Named, Form(fields): Form) -> Answer {
    let view = connections::read(visit.caller(), &id).await?;
    let list = list_address(&visit, view.organization).await?;
    match connections::delete(visit.caller(), &id, &confirm::version(&fields)).await {
        Ok(()) => Ok(see(&notice::after(&list, "deleted"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, &id, Again::Faults(faults)).await,
            NotDone::Changed => ask(&visit, &id, Again::Changed).await,
        },
    }
}

async fn ask(visit: &Visit, id: &str, again: Again) -> Answer {
    let view = connections::read(visit.caller(), id).await?;
    visit.needs(Action::WriteConnections, Some(view.organization))?;
    let (name, href) = (&view.name, format!("/connections/{}", view.id));
    let question = Question {
        crumbs: vec![
            Crumb::new(list_address(visit, view.organization).await?, "Connections"),
            Crumb::new(href.clone(), name.clone()),
        ],
        title: format!("Delete the connection {name}?"),
        line: "Use this when the service is not called any more.".to_owned(),
        heading: "What happens when you delete it".to_owned(),
        consequences: vec![
            Consequence::ends("Its document and its secrets are gone").text(". They cannot be restored."),
            Consequence::stays("Its events stay in the audit").text(": each token that it minted, and each test."),
        ],
        button: format!("Delete {name}"),
        back: href,
        version: Some(view.version),
        reason: None,
    };
    confirm::ask(visit, &question, again)
}
