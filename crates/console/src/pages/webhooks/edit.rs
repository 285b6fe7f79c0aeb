//! `/webhooks/{name}/edit`: the address and the events of a webhook.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, NotDone, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Named, Visit, html, see};
use narthex_decision::Action;
use narthex_ops::webhooks::{self, WebhookChange, WebhookView};

use super::form::{self, WebhookForm};
use crate::pages::{confirm, notice};

#[derive(Template)]
#[template(path = "webhook_edit.html")]
struct EditPage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    name: &'a str,
    href: String,
    form: WebhookForm,
    version: u64,
    is_changed: bool,
}

/// Shows the form.
pub(super) async fn form(visit: Visit, Named(name): Named) -> Answer {
    let view = find(&visit, &name).await?;
    let fields = form::filled(&view.settings.url, &view.settings.actions);
    show(&visit, &view, StatusCode::OK, (&fields, &Faults::default()))
}

/// Changes the webhook.
pub(super) async fn save(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    let view = find(&visit, &name).await?;
    let actions = match form::chosen(&fields, &view.settings.actions) {
        Ok(actions) => actions,
        Err(faults) => return show(&visit, &view, StatusCode::UNPROCESSABLE_ENTITY, (&fields, &faults)),
    };
    let change = WebhookChange {
        url: Some(fields.text("url").trim().to_owned()),
        actions: Some(actions),
        enabled: None,
    };
    match webhooks::update(visit.caller(), &name, change, &confirm::version(&fields)).await {
        Ok(_) => Ok(see(&notice::after(&paths::webhook(&name), "saved"))),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => show(&visit, &view, StatusCode::UNPROCESSABLE_ENTITY, (&fields, &faults)),
            NotDone::Changed => {
                let view = find(&visit, &name).await?;
                show(&visit, &view, StatusCode::CONFLICT, (&fields, &Faults::default()))
            }
        },
    }
}

async fn find(visit: &Visit, name: &str) -> Result<WebhookView, Failed> {
    visit.needs(Action::WriteWebhooks, None)?;
    Ok(webhooks::read(visit.caller(), name).await?)
}

fn show(visit: &Visit, view: &WebhookView, status: StatusCode, (fields, faults): (&Fields, &Faults)) -> Answer {
    let page = EditPage {
        frame: visit.frame(),
        faults,
        name: &view.name,
        href: paths::webhook(&view.name),
        form: WebhookForm::of(&view.settings.actions, fields, faults),
        version: view.version,
        is_changed: status == StatusCode::CONFLICT,
    };
    html(status, &page)
}
