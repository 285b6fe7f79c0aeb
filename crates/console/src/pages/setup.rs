//! `/setup?code=…`: the page of a setup link, on which an organization's admin adds the organization's own identity provider. The code
//! is the credential, so the page has no frame and no session.
//!
//! SECURITY: the code is in the query or in a form, which no log has; the log has paths.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, Uri};
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, NotDone, not_done};
use narthex_console_frame::frame::theme;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, html, see};
use narthex_console_frame::{Console, stylesheet};
use narthex_explain::Explanation;
use narthex_ops::issuers::setup_links::SetupHolder;
use narthex_session::cookie::Secret;
use serde_json::Value;

use super::issuers::proposal::{self, DocumentForm, SampleForm};

/// Keys of a proposal that a setup link does not let choose.
const CHOSEN_HERE: [&str; 3] = ["name", "mode", "token_from"];

/// Name of the field with the secret of the link.
const CODE: &str = "code";

pub(crate) fn routes(console: Arc<Console>) -> Router {
    Router::new()
        .route("/setup", get(first))
        .route("/setup/check", post(check))
        .route("/setup/save", post(save))
        .route("/setup/test", post(test))
        .route("/setup/switch-on", post(switch_on))
        .with_state(console)
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage<'a> {
    theme: Option<&'static str>,
    stylesheet: &'static str,
    organization: &'a str,
    /// Secret of the link.
    code: String,
    faults: &'a Faults,
    step: Step<'a>,
}

/// Step of the page.
enum Step<'a> {
    /// Asks for a sample.
    Sample(SampleForm),
    /// Shows the document, to be checked and saved.
    Check(DocumentForm),
    /// The issuer observes: a token can be tested, and the issuer switched on.
    Observing {
        issuer: &'a str,
        document: String,
        told: Option<Box<Explanation>>,
    },
    /// The issuer lets people in, and the link has ended.
    Done { issuer: &'a str },
}

/// A browser with a link that works.
struct Guest {
    holder: SetupHolder,
    code: String,
    theme: Option<&'static str>,
}

impl Guest {
    /// SECURITY: a link that does not work is the page for what is not there, whatever the reason.
    async fn enter(console: &Console, text: &str, headers: &HeaderMap) -> Result<Self, Failed> {
        let secret = Secret::parse(text).ok_or(Failed::NoSuchPage)?;
        Ok(Self {
            holder: console.operations().setup_holder(&secret).await?,
            code: secret.as_str().to_owned(),
            theme: theme(headers),
        })
    }

    fn show(&self, status: StatusCode, step: Step<'_>, faults: &Faults) -> Answer {
        let page = SetupPage {
            theme: self.theme,
            stylesheet: stylesheet::path(),
            organization: &self.holder.organization().label,
            code: self.code.clone(),
            faults,
            step,
        };
        html(status, &page)
    }

    fn ask(&self, fields: &Fields, faults: &Faults) -> Answer {
        let status = if faults.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        };
        self.show(status, Step::Sample(SampleForm::of(fields, faults)), faults)
    }

    /// Shows the issuer that observes, or asks for a sample if there is none yet.
    async fn now(&self, told: Option<Box<Explanation>>, faults: &Faults) -> Answer {
        let Some(issuer) = self.holder.issuer().await? else {
            return self.ask(&Fields::default(), faults);
        };
        let status = if faults.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        };
        let step = Step::Observing {
            issuer: &issuer.name,
            document: proposal::pretty(&Value::Object(issuer.body.clone())),
            told,
        };
        self.show(status, step, faults)
    }
}

fn faults_of(error: narthex_ops::OpError) -> Result<Faults, Failed> {
    Ok(match not_done(error)? {
        NotDone::Faults(faults) => faults,
        NotDone::Changed => Faults::at(
            "document",
            "another browser with this link was faster; load the page again",
        ),
    })
}

async fn first(State(console): State<Arc<Console>>, uri: Uri, headers: HeaderMap) -> Answer {
    let query = Fields::parse(uri.query().unwrap_or_default().as_bytes());
    let guest = Guest::enter(&console, query.text(CODE), &headers).await?;
    guest.now(None, &Faults::default()).await
}

/// Shows the proposal.
async fn check(State(console): State<Arc<Console>>, headers: HeaderMap, Form(fields): Form) -> Answer {
    let guest = Guest::enter(&console, fields.text(CODE), &headers).await?;
    let sample = match proposal::sample(&fields) {
        Ok(sample) => sample,
        Err(faults) => return guest.ask(&fields, &faults),
    };
    match guest.holder.propose(&sample) {
        Ok(proposed) => {
            let form = DocumentForm::of(proposed, &CHOSEN_HERE);
            guest.show(StatusCode::OK, Step::Check(form), &Faults::default())
        }
        Err(error) => guest.ask(&fields, &faults_of(error)?),
    }
}

/// Saves the issuer, which observes.
async fn save(State(console): State<Arc<Console>>, headers: HeaderMap, Form(fields): Form) -> Answer {
    let mut guest = Guest::enter(&console, fields.text(CODE), &headers).await?;
    let faults = match proposal::document(&fields) {
        Ok(document) => match guest.holder.save(document).await {
            Ok(_) => return Ok(see(&format!("/setup?{CODE}={}", guest.code))),
            Err(error) => faults_of(error)?,
        },
        Err(faults) => faults,
    };
    let form = DocumentForm::kept(fields.text("document"), &faults);
    guest.show(StatusCode::UNPROCESSABLE_ENTITY, Step::Check(form), &faults)
}

/// Explains a token of the issuer.
async fn test(State(console): State<Arc<Console>>, headers: HeaderMap, Form(fields): Form) -> Answer {
    let guest = Guest::enter(&console, fields.text(CODE), &headers).await?;
    let Some(token) = fields.filled("token") else {
        return guest.now(None, &Faults::at("token", "paste a token")).await;
    };
    match guest.holder.test(token).await {
        Ok(told) => guest.now(Some(Box::new(told)), &Faults::default()).await,
        Err(error) => guest.now(None, &faults_of(error)?).await,
    }
}

/// Lets people in, and ends the link.
async fn switch_on(State(console): State<Arc<Console>>, headers: HeaderMap, Form(fields): Form) -> Answer {
    let Guest { holder, code, theme } = Guest::enter(&console, fields.text(CODE), &headers).await?;
    let organization = holder.organization().label.clone();
    let issuer = holder.switch_on().await?;
    let page = SetupPage {
        theme,
        stylesheet: stylesheet::path(),
        organization: &organization,
        code,
        faults: &Faults::default(),
        step: Step::Done { issuer: &issuer.name },
    };
    html(StatusCode::OK, &page)
}
