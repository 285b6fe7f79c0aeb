//! Values that people type: the same rules as for values that come in tokens.

use super::error::ApiError;

/// The longest profile text, in characters.
const TEXT_LENGTH_MAX: usize = 256;

/// Text without the blanks around it; nothing left means that it is empty.
pub(crate) fn text(field: &'static str, text: &str) -> Result<Option<String>, ApiError> {
    let text = text.trim();
    if text.chars().count() > TEXT_LENGTH_MAX {
        return Err(ApiError::invalid(field, format!("it is longer than {TEXT_LENGTH_MAX} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(ApiError::invalid(field, "it holds a control character"));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// Why something was done, in words.
pub(crate) fn why(why: Option<String>) -> Result<Option<String>, ApiError> {
    why.map_or(Ok(None), |why| text("why", &why))
}

/// One of the rules here.
pub(crate) type Rule = fn(&'static str, &str) -> Result<Option<String>, ApiError>;

/// A value that may not be given, by a rule.
pub(crate) fn given(field: &'static str, value: Option<String>, rule: Rule) -> Result<Option<String>, ApiError> {
    value.map_or(Ok(None), |value| rule(field, &value))
}

/// A name of the tz database.
pub(crate) fn timezone(field: &'static str, value: &str) -> Result<Option<String>, ApiError> {
    let Some(name) = text(field, value)? else { return Ok(None) };
    let known = jiff::tz::TimeZone::get(&name).ok().and_then(|zone| zone.iana_name().map(str::to_owned));
    known.map(Some).ok_or_else(|| ApiError::invalid(field, "it is no name of the tz database, such as `Europe/Prague`"))
}

/// A country of ISO 3166-1.
pub(crate) fn country(field: &'static str, value: &str) -> Result<Option<String>, ApiError> {
    text(field, value)
}

/// A language tag of BCP 47.
pub(crate) fn language(field: &'static str, value: &str) -> Result<Option<String>, ApiError> {
    text(field, value)
}

/// The address of a site.
///
/// SECURITY: the console shows it as a link; `javascript:` and the like must not get there.
pub(crate) fn website(field: &'static str, value: &str) -> Result<Option<String>, ApiError> {
    let Some(address) = text(field, value)? else { return Ok(None) };
    let is_site = url::Url::parse(&address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_site { Ok(Some(address)) } else { Err(ApiError::invalid(field, "it must be an `https://` or `http://` address")) }
}
