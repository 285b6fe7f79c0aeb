//! `/explain`: the effects of a token, and of a request with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use askama::Template;
use axum::Router;
use axum::routing::get;
use http::StatusCode;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use narthex_console_frame::fields::{Fields, Form};
use narthex_console_frame::form::{Faults, Input, NotDone, Options, not_done};
use narthex_console_frame::frame::Frame;
use narthex_console_frame::visit::{Answer, Visit, html};
use narthex_console_frame::wording::reason;
use narthex_decision::{Action, Reason};
use narthex_explain::Explanation;
use narthex_ops::api_keys::sha256;
use narthex_ops::{OpError, RequestToExplain, TokenToExplain, explain};

/// Number of bytes of a token's fingerprint that are shown.
const FINGERPRINT_BYTES: usize = 8;

/// Choice of the method: value and label.
const METHODS: [(&str, &str); 7] = [
    ("GET", "GET"),
    ("POST", "POST"),
    ("PUT", "PUT"),
    ("PATCH", "PATCH"),
    ("DELETE", "DELETE"),
    ("HEAD", "HEAD"),
    ("OPTIONS", "OPTIONS"),
];

pub(super) fn routes() -> Router {
    Router::new().route("/explain", get(form).post(answer))
}

#[derive(Template)]
#[template(path = "explain.html")]
struct FormPage<'a> {
    frame: &'a Frame,
    faults: &'a Faults,
    form: ExplainForm,
}

#[derive(Template)]
#[template(path = "explain_result.html")]
struct ResultPage<'a> {
    frame: &'a Frame,
    form: ExplainForm,
    told: &'a Explanation,
    /// The reason of a refusal, in words.
    words: Option<&'static str>,
    fingerprint: String,
    passed: usize,
    failed: usize,
}

/// The fields but the token.
///
/// SECURITY: a token is a credential, and is never shown again.
struct ExplainForm {
    method: Options,
    path: Input,
    host: Input,
    at: Input,
    headers: String,
    /// Text of the error at the headers.
    headers_error: Option<String>,
    token_error: Option<String>,
}

/// Shows the form.
async fn form(visit: Visit) -> Answer {
    visit.needs(Action::Explain, None)?;
    show(&visit, StatusCode::OK, visit.query(), &Faults::default())
}

fn show(visit: &Visit, status: StatusCode, fields: &Fields, faults: &Faults) -> Answer {
    let page = FormPage {
        frame: visit.frame(),
        faults,
        form: form_of(fields, faults),
    };
    html(status, &page)
}

fn form_of(fields: &Fields, faults: &Faults) -> ExplainForm {
    let kept = |input: Input| input.kept(fields, faults);
    ExplainForm {
        method: Options::new("method", "Method", &METHODS, fields.text("method")),
        path: kept(Input::text("path", "Path").class("field grow").code()),
        host: kept(Input::text("host", "Host").code()),
        at: kept(Input::text("at", "As if it were (UTC)").kind("datetime-local")),
        headers: fields.text("headers").to_owned(),
        headers_error: faults.of("headers").map(str::to_owned),
        token_error: faults.of("token").map(str::to_owned),
    }
}

/// Returns the words for the reason with this code.
fn words(code: &str) -> Option<&'static str> {
    let known = Reason::ALL.iter().find(|reason| reason.code() == code);
    known.map(|reason| reason::in_words(*reason))
}

/// Explains the token.
async fn answer(visit: Visit, Form(fields): Form) -> Answer {
    visit.needs(Action::Explain, None)?;
    let invalid = |faults: &Faults| show(&visit, StatusCode::UNPROCESSABLE_ENTITY, &fields, faults);
    let asked = match asked(&fields) {
        Ok(asked) => asked,
        Err(faults) => return invalid(&faults),
    };
    let fingerprint = fingerprint(&asked.token);
    let told = match explain::explain(visit.caller(), asked).await {
        Ok(told) => told,
        Err(OpError::Refused(refusal)) if refusal.problem.is_some() => {
            return invalid(&Faults::at("path", &refusal.problem.unwrap_or_default()));
        }
        Err(error) => {
            return match not_done(error)? {
                NotDone::Faults(faults) => invalid(&faults),
                NotDone::Changed => invalid(&Faults::default()),
            };
        }
    };
    let count = |outcome: &str| told.token.iter().filter(|step| step.outcome == outcome).count();
    let page = ResultPage {
        frame: visit.frame(),
        words: told.answer.reason.as_deref().and_then(words),
        form: form_of(&fields, &Faults::default()),
        fingerprint,
        passed: count("passed"),
        failed: count("failed"),
        told: &told,
    };
    html(StatusCode::OK, &page)
}

/// Reads the token and the request from the form.
fn asked(fields: &Fields) -> Result<TokenToExplain, Faults> {
    let token = fields.filled("token");
    let token = token.ok_or_else(|| Faults::at("token", "paste a token"))?;
    let at_ms = match fields.filled("at") {
        Some(text) => Some(moment(&text).ok_or_else(|| Faults::at("at", "write a date and a time"))?),
        None => None,
    };
    let request = match fields.filled("path") {
        Some(path) => Some(RequestToExplain {
            method: fields.filled("method").unwrap_or_else(|| "GET".to_owned()),
            path,
            host: fields.filled("host"),
            headers: headers(fields.text("headers"))?,
        }),
        None => None,
    };
    Ok(TokenToExplain { token, request, at_ms })
}

/// Parses the local date and time of the HTML Standard (section 2.4.5.5) as one in UTC, in milliseconds since the epoch.
fn moment(text: &str) -> Option<i64> {
    let local: DateTime = text.parse().ok()?;
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// Parses headers, one a line, as `Name: value`.
fn headers(text: &str) -> Result<BTreeMap<String, String>, Faults> {
    let mut headers = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            return Err(Faults::at("headers", "write each header on a line, as `Name: value`"));
        };
        headers.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok(headers)
}

/// Returns the beginning of the SHA-256 of a token, by which the audit trail knows it.
fn fingerprint(token: &str) -> String {
    let bare = token.strip_prefix("Bearer ").unwrap_or(token).trim();
    let mut text = String::new();
    for byte in sha256(bare.as_bytes()).iter().take(FINGERPRINT_BYTES) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_utc() {
        assert_eq!(moment("2023-11-14T22:13"), Some(1_699_999_980_000));
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn headers_are_read_line_by_line() {
        let read = headers("X-Tenant: acme\r\n\r\n A:b:c ").unwrap();
        assert_eq!(read.get("X-Tenant").map(String::as_str), Some("acme"));
        assert_eq!(read.get("A").map(String::as_str), Some("b:c"));
        assert!(headers("X-Tenant").unwrap_err().of("headers").is_some());
    }
}
