//! `/issuers/{name}/change` and `/issuers/{name}/delete`: the document of an issuer made at run time.

use askama::Template;
use http::StatusCode;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, NotDone, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Named, Visit, html, see};
use narthex_decision::Action;
use narthex_ops::ExpectedVersion;
use narthex_ops::issuers::documents;
use serde_json::Value;

use super::proposal::{self, DocumentForm};
use crate::pages::notice;

#[derive(Template)]
#[template(path = "issuer_change.html")]
struct ChangePage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    name: &'a str,
    href: String,
    version: String,
    form: DocumentForm,
    organization: Option<String>,
    off_because: Option<String>,
}

/// Shows the document.
pub(super) async fn form(visit: Visit, Named(name): Named) -> Answer {
    visit.needs(Action::WriteIssuers, None)?;
    let record = documents::read(visit.caller(), &name).await?;
    let text = proposal::pretty(&Value::Object(record.document.body.clone()));
    let version = record.document.version.to_string();
    show(&visit, (&name, &version, &text), StatusCode::OK, &Faults::default()).await
}

async fn show(visit: &Visit, (name, version, text): (&str, &str, &str), status: StatusCode, faults: &Faults) -> Answer {
    let record = documents::read(visit.caller(), name).await?;
    let off_because = match &record.state {
        Some(narthex_issuers::DocumentState::Off(reason)) => Some(reason.to_string()),
        _ => None,
    };
    let page = ChangePage {
        frame: visit.frame(),
        faults,
        name,
        href: paths::issuer(name),
        version: version.to_owned(),
        form: DocumentForm::kept(text, faults),
        organization: record.organization.map(|name| name.to_string()),
        off_because,
    };
    html(status, &page)
}

/// Replaces the document.
pub(super) async fn save(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    visit.needs(Action::WriteIssuers, None)?;
    let faults = match proposal::document(&fields) {
        Ok(document) => {
            let saved = documents::replace(visit.caller(), &name, document, &expected(&fields)).await;
            match saved.map_err(not_done) {
                Ok(_) => return Ok(see(&notice::after(&paths::issuers(), "saved"))),
                Err(error) => match error? {
                    NotDone::Faults(faults) => faults,
                    NotDone::Changed => Faults::at(
                        "document",
                        "the issuer has changed since this page was shown; open it again",
                    ),
                },
            }
        }
        Err(faults) => faults,
    };
    let shown = (name.as_str(), fields.text("version"), fields.text("document"));
    show(&visit, shown, StatusCode::UNPROCESSABLE_ENTITY, &faults).await
}

/// Deletes the issuer.
pub(super) async fn delete(visit: Visit, Named(name): Named, Form(fields): Form) -> Answer {
    visit.needs(Action::WriteIssuers, None)?;
    documents::delete(visit.caller(), &name, &expected(&fields)).await?;
    Ok(see(&notice::after(&paths::issuers(), "deleted")))
}

fn expected(fields: &Fields) -> ExpectedVersion {
    let version = fields.text("version").parse();
    version.map_or(ExpectedVersion::Unstated, |version| {
        ExpectedVersion::OneOf(vec![version])
    })
}
