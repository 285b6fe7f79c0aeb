//! `/webhooks/{name}/disable` and `…/enable`.

use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, NotDone, not_done};
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, see};
use narthex_decision::Action;
use narthex_ops::webhooks::{self, WebhookChange};
use narthex_ops::{ExpectedVersion, OpError};

use super::read;
use crate::pages::confirm::{self, Again, Consequence, Crumb, Question};
use crate::pages::notice;

/// Enables the webhook: it sends what it missed.
pub(super) async fn enable(visit: Visit, Named(name): Named) -> Answer {
    let error = match set(&visit, &name, true, &ExpectedVersion::Any).await {
        Ok(()) => return Ok(see(&notice::after(&paths::webhook(&name), "resumed"))),
        Err(error) => error,
    };
    let (status, faults) = match not_done(error)? {
        NotDone::Faults(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults),
        NotDone::Changed => (StatusCode::CONFLICT, Faults::default()),
    };
    let view = webhooks::read(visit.caller(), &name).await?;
    let none = Fields::default();
    read::show(&visit, &view, status, read::Extra::faults(&none, &faults)).await
}

/// Asks before the webhook is disabled.
pub(super) async fn question(visit: Visit, Named(name): Named) -> Answer {
    ask(&visit, &name, Again::First).await
}

/// Disables the webhook.
pub(super) async fn disable(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    match set(&visit, &name, false, &confirm::version(&fields)).await {
        Ok(()) => Ok(see(&notice::after(&paths::webhook(&name), "paused"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => ask(&visit, &name, Again::Faults(faults)).await,
            NotDone::Changed => ask(&visit, &name, Again::Changed).await,
        },
    }
}

async fn set(visit: &Visit, name: &str, enabled: bool, expected: &ExpectedVersion) -> Result<(), OpError> {
    let change = WebhookChange {
        enabled: Some(enabled),
        ..WebhookChange::default()
    };
    webhooks::update(visit.caller(), name, change, expected).await.map(drop)
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
        title: format!("Disable the webhook {name}?"),
        line: "Use this while its receiver is out of order for long.".to_owned(),
        heading: "What happens when you disable it".to_owned(),
        consequences: vec![
            Consequence::ends("Nothing is sent any more"),
            Consequence::stays("Its events wait in the audit")
                .text(". When you enable it, they are sent in their order."),
        ],
        button: format!("Disable {name}"),
        back: href,
        version: Some(view.version),
        reason: None,
    };
    confirm::ask(visit, &question, again)
}
