//! The proposal of an issuer, as the wizard and the page of a setup link show it: a sample, then the document with a reason for each
//! setting.

use askama::Template;
use askama::filters::HtmlSafe;
use narthex_console_frame::fields::Fields;
use narthex_console_frame::form::Faults;
use narthex_issuers::IssuerDocument;
use narthex_ops::issuers::{IssuerSample, Proposal, Provider};
use serde_json::{Map, Value};

/// Fields of a sample: a token, or an address.
#[derive(Template)]
#[template(path = "issuer_sample.html")]
pub(crate) struct SampleForm {
    pub(crate) address: String,
    pub(crate) token_error: Option<String>,
    pub(crate) address_error: Option<String>,
}

impl HtmlSafe for SampleForm {}

impl SampleForm {
    /// The fields as they were sent. SECURITY: the token is a credential, and is never shown again.
    pub(crate) fn of(fields: &Fields, faults: &Faults) -> Self {
        Self {
            address: fields.text("issuer").to_owned(),
            token_error: faults.of("token").map(str::to_owned),
            address_error: faults.of("issuer").map(str::to_owned),
        }
    }
}

/// Reads the sample that was sent.
///
/// # Errors
///
/// The fault, if there is none.
pub(crate) fn sample(fields: &Fields) -> Result<IssuerSample, Faults> {
    match (fields.filled("token"), fields.filled("issuer")) {
        (Some(token), _) => Ok(IssuerSample::Token(token.trim().to_owned())),
        (None, Some(address)) => Ok(IssuerSample::Address(address.trim().to_owned())),
        (None, None) => Err(Faults::at(
            "token",
            "paste a token, or write the address of the identity provider",
        )),
    }
}

/// The document, with a reason for each setting where there is a sample.
#[derive(Template)]
#[template(path = "issuer_document.html")]
pub(crate) struct DocumentForm {
    provider: Option<&'static str>,
    rows: Vec<SettingRow>,
    cautions: Vec<String>,
    document: String,
    error: Option<String>,
}

impl HtmlSafe for DocumentForm {}

struct SettingRow {
    field: &'static str,
    value: String,
    reason: String,
    sample: Option<String>,
}

impl DocumentForm {
    /// The document that a proposal makes, without these keys.
    pub(crate) fn of(proposal: Proposal, without: &[&str]) -> Self {
        let mut document = proposal.document();
        if let Value::Object(keys) = &mut document {
            keys.retain(|key, _| !without.contains(&key.as_str()));
        }
        let provider = proposal.provider.map(Provider::label);
        let settings = proposal.settings.into_iter();
        let shown = settings.filter(|setting| !without.iter().any(|key| setting.field.trim_start_matches('/') == *key));
        let row = |setting: narthex_ops::issuers::ProposedSetting| SettingRow {
            field: setting.field,
            value: setting.value.to_string(),
            reason: setting.reason,
            sample: setting.sample.map(|sample| sample.to_string()),
        };
        Self {
            provider,
            rows: shown.map(row).collect(),
            cautions: proposal.cautions,
            document: pretty(&document),
            error: None,
        }
    }

    /// The document as it was sent, with its fault.
    pub(crate) fn kept(text: &str, faults: &Faults) -> Self {
        Self {
            provider: None,
            rows: Vec::new(),
            cautions: Vec::new(),
            document: text.to_owned(),
            error: faults.of("document").map(str::to_owned),
        }
    }
}

/// A document as text, for a person to change.
pub(crate) fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default()
}

/// Reads the document that was sent.
///
/// # Errors
///
/// The fault, if it is no JSON object, or names a member twice.
pub(crate) fn document(fields: &Fields) -> Result<Map<String, Value>, Faults> {
    let read = serde_json::from_str::<IssuerDocument>(fields.text("document"));
    let document = read.map_err(|error| Faults::at("document", &format!("this is no JSON object: {error}")))?;
    Ok(document.0)
}
