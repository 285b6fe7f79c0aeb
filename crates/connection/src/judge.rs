//! Judgement of a response, and the values that a good one gives.

use narthex_template::{Masked, Value, Zone};
use serde_json::{Map, Value as Json};

use crate::document::{ErrorTemplates, MetadataType, Response};
use crate::error::{ErrorType, RunError};
use crate::evaluate::{Evaluator, text};

/// Values that a response gave.
#[derive(Default)]
pub(crate) struct ResponseValues {
    pub(crate) uid: Option<String>,
    pub(crate) metadata: Option<(MetadataType, String)>,
    pub(crate) data: Map<String, Json>,
    /// The names of the data as they may be shown.
    pub(crate) names: Vec<String>,
    pub(crate) expires_at_ms: Option<i64>,
}

/// Judges a response. A status of 400 and above is an error whatever `valid` says.
pub(crate) fn judge(response: &Response, evaluator: &Evaluator<'_>, status: u16) -> Result<(), RunError> {
    let is_valid = match &response.valid {
        _ if status >= 400 => false,
        Some(test) => evaluator.test(test)?,
        None => (200..=399).contains(&status),
    };
    if is_valid {
        return Ok(());
    }
    // What `valid` has to say is about what `valid` found.
    let invalid = (status < 400).then_some(&response.invalid);
    let of_status = response.status_errors.iter().find(|(own, _)| *own == status);
    let candidates = [
        invalid,
        of_status.map(|(_, templates)| templates),
        Some(&response.error),
    ];
    let mut message = None;
    let mut kind = None;
    for templates in candidates.into_iter().flatten() {
        let ErrorTemplates {
            message: words,
            kind: word,
        } = templates;
        if let (None, Some((pointer, template))) = (&message, words) {
            message = evaluator.told(pointer, template)?;
        }
        if let (None, Some((pointer, template))) = (&kind, word) {
            kind = evaluator.text(pointer, template)?;
        }
    }
    let default = if response.valid.is_some() && status < 400 {
        "Response marked as invalid.".to_owned()
    } else {
        format!("The service answered with status {status}.")
    };
    Err(RunError::Judged {
        kind: kind
            .as_deref()
            .and_then(ErrorType::of_name)
            .unwrap_or(ErrorType::Runtime),
        message: message.unwrap_or(default),
        status,
    })
}

/// Collects the values of a good response: `data`, `uid`, `metadata`, `expires`. Values before an error are given all
/// the same.
///
/// SECURITY: `uid`, `metadata` and the names of the data are shown to every member and kept in clear.
pub(crate) fn give(
    response: &Response,
    evaluator: &Evaluator<'_>,
    pointer: &str,
    zone: &Zone,
    given: &mut ResponseValues,
) -> Result<(), RunError> {
    let at = |name: &str| format!("{pointer}/response/{name}");
    if let Some(data) = &response.data {
        let masked = evaluator.told_document(&at("data"), data)?;
        if let Some(Json::Object(members)) = masked.value.into_json() {
            given.data = members;
        }
        if let Value::Object(members) = masked.shown {
            given.names = members.into_iter().map(|(name, _)| name).collect();
        }
    }
    if let Some(uid) = &response.uid {
        let Masked { value, shown, .. } = evaluator.told_document(&at("uid"), uid)?;
        if matches!(value, Value::Object(_) | Value::Array(_)) {
            let problem = format!("this gives a {}, and a user's id is text or a number", value.kind());
            return Err(RunError::request(at("uid"), problem));
        }
        given.uid = text(&shown).filter(|uid| !uid.is_empty());
    }
    if let Some(metadata) = &response.metadata {
        let shown = evaluator.told_document(&at("metadata/value"), &metadata.value)?.shown;
        given.metadata = text(&shown)
            .filter(|label| !label.is_empty())
            .map(|label| (metadata.kind, label));
    }
    if let Some(expires) = &response.expires {
        let value = evaluator.template(&at("expires"), expires)?.value;
        given.expires_at_ms = instant(&at("expires"), &value, zone)?;
    }
    Ok(())
}

/// A date, in milliseconds since 1970.
fn instant(pointer: &str, value: &Value, zone: &Zone) -> Result<Option<i64>, RunError> {
    match value {
        Value::Undefined | Value::Null => return Ok(None),
        Value::Text(text) if text.is_empty() => return Ok(None),
        // A number of seconds would be a date in January 1970, and a connection that is never refreshed, or always.
        Value::Number(number) if number.abs() < SECONDS_BELOW => {
            let problem = "a number here counts milliseconds since 1970, and this one is too small for that; with seconds \
                           from now write addSeconds(now, …), with seconds since 1970 multiply by 1000";
            return Err(RunError::request(pointer, problem));
        }
        _ => {}
    }
    match value.to_instant_ms(zone) {
        Some(ms) => Ok(Some(ms)),
        None => Err(RunError::request(
            pointer,
            format!("this gives a {} that is no date", value.kind()),
        )),
    }
}

/// The year 1973 in milliseconds, the year 5138 in seconds.
const SECONDS_BELOW: f64 = 1e11;
