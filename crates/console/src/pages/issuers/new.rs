//! `/issuers/new`: an issuer to add, from a token or an address.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, NotDone, Radio, not_done, radios};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Visit, html, see};
use narthex_decision::Action;
use narthex_ops::issuers::{self, documents};

use super::proposal::{self, DocumentForm, SampleForm};
use crate::pages::notice;

/// Choice of the mode: value, label and consequence.
const MODES: [(&str, &str, &str); 2] = [
    (
        "observe",
        "Observe first",
        "Tokens are checked and reported. Nothing is written, and no person is let in.",
    ),
    (
        "enforce",
        "Let people in at once",
        "From the next request on, on all nodes.",
    ),
];

#[derive(Template)]
#[template(path = "issuer_new.html")]
struct SamplePage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    form: SampleForm,
}

#[derive(Template)]
#[template(path = "issuer_new_check.html")]
struct CheckPage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    form: DocumentForm,
    modes: Vec<Radio>,
}

/// Shows the first step: a sample.
pub(super) async fn form(visit: Visit) -> Answer {
    visit.needs(Action::WriteIssuers, None)?;
    ask(&visit, StatusCode::OK, &Fields::default(), &Faults::default())
}

fn ask(visit: &Visit, status: StatusCode, fields: &Fields, faults: &Faults) -> Answer {
    let page = SamplePage {
        frame: visit.frame(),
        faults,
        form: SampleForm::of(fields, faults),
    };
    html(status, &page)
}

/// Shows the second step: the proposal.
pub(super) async fn check(visit: Visit, Form(fields): Form) -> Answer {
    visit.needs(Action::WriteIssuers, None)?;
    let again = |faults: &Faults| ask(&visit, StatusCode::UNPROCESSABLE_ENTITY, &fields, faults);
    let sample = match proposal::sample(&fields) {
        Ok(sample) => sample,
        Err(faults) => return again(&faults),
    };
    let proposed = match issuers::propose(visit.caller(), &sample) {
        Ok(proposed) => proposed,
        Err(error) => {
            return match not_done(error)? {
                NotDone::Faults(faults) => again(&faults),
                NotDone::Changed => again(&Faults::default()),
            };
        }
    };
    show(
        &visit,
        StatusCode::OK,
        DocumentForm::of(proposed, &["mode"]),
        "observe",
        &Faults::default(),
    )
}

fn show(visit: &Visit, status: StatusCode, form: DocumentForm, mode: &str, faults: &Faults) -> Answer {
    let page = CheckPage {
        frame: visit.frame(),
        faults,
        form,
        modes: radios("mode", &MODES, mode),
    };
    html(status, &page)
}

/// Adds the issuer.
pub(super) async fn save(visit: Visit, Form(fields): Form) -> Answer {
    visit.needs(Action::WriteIssuers, None)?;
    let mode = if fields.text("mode") == "enforce" {
        "enforce"
    } else {
        "observe"
    };
    let again = |faults: &Faults| {
        let form = DocumentForm::kept(fields.text("document"), faults);
        show(&visit, StatusCode::UNPROCESSABLE_ENTITY, form, mode, faults)
    };
    let mut document = match proposal::document(&fields) {
        Ok(document) => document,
        Err(faults) => return again(&faults),
    };
    document.insert("mode".to_owned(), mode.into());
    match documents::create(visit.caller(), document).await {
        Ok(_) => Ok(added()),
        Err(error) => match not_done(error)? {
            NotDone::Faults(faults) => again(&faults),
            NotDone::Changed => again(&Faults::default()),
        },
    }
}

/// Leads to the list, where the issuer is within a second.
fn added() -> Response {
    see(&notice::after(&paths::issuers(), "issuer-added"))
}
