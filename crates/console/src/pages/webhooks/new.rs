//! `/webhooks/new`: a webhook to create. Its secret is in the answer, and never again.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, NotDone, Radio, not_done, radios};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Visit, html};
use narthex_decision::Action;
use narthex_ops::webhooks::{self, NewWebhook, SignatureScheme};

use super::form::{self, WebhookForm};
use super::read::{self, Fresh};

/// Choice of the signature: value, label and consequence.
const SIGNATURES: [(&str, &str, &str); 2] = [
    (
        "v1",
        "A shared secret",
        "Every library of Standard Webhooks verifies it.",
    ),
    (
        "v1a",
        "A key pair",
        "The receiver gets the public key, with which nothing can be signed. Not every library verifies it.",
    ),
];

#[derive(Template)]
#[template(path = "webhook_new.html")]
struct NewPage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    form: WebhookForm,
    signatures: Vec<Radio>,
}

/// Shows the form, with everything chosen.
pub(super) async fn form(visit: Visit) -> Answer {
    visit.needs(Action::WriteWebhooks, None)?;
    show(&visit, StatusCode::OK, &form::filled("", &[]), &Faults::default())
}

/// Creates the webhook, and shows its secret or its public key.
pub(super) async fn create(visit: Visit, Form(fields): Form) -> Answer {
    visit.needs(Action::WriteWebhooks, None)?;
    let signature = fields.text("signature").parse::<SignatureScheme>();
    let signature = signature.map_err(|_| Failed::NotAForm)?;
    let actions = match form::chosen(&fields, &[]) {
        Ok(actions) => actions,
        Err(faults) => return show(&visit, StatusCode::UNPROCESSABLE_ENTITY, &fields, &faults),
    };
    let new = NewWebhook {
        name: fields.text("name").trim().to_owned(),
        url: fields.text("url").trim().to_owned(),
        actions,
        signature,
        secret: None,
    };
    let error = match webhooks::create(visit.caller(), new).await {
        Ok(created) => {
            let fresh = read::Extra::fresh(Fresh::of(&created));
            return read::show(&visit, &created.webhook, StatusCode::OK, fresh).await;
        }
        Err(error) => error,
    };
    let (status, faults) = match not_done(error)? {
        NotDone::Faults(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults),
        NotDone::Changed => (StatusCode::CONFLICT, Faults::default()),
    };
    show(&visit, status, &fields, &faults)
}

fn show(visit: &Visit, status: StatusCode, fields: &Fields, faults: &Faults) -> Answer {
    let signature = match fields.text("signature") {
        "" => "v1",
        chosen => chosen,
    };
    let page = NewPage {
        frame: visit.frame(),
        faults,
        form: WebhookForm::new(fields, faults),
        signatures: radios("signature", &SIGNATURES, signature),
    };
    html(status, &page)
}
