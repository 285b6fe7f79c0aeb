//! Rules for values that administrators type: the same as for values in tokens.

use narthex_mapping::{Breach, profile};

use super::error::ApiError;

/// A rule: returns the value to store, `None` for an empty one, or the error.
pub(crate) type Rule = fn(&'static str, &str) -> Result<Option<String>, ApiError>;

/// Applies a rule to an optional value.
pub(crate) fn given(field: &'static str, value: Option<String>, rule: Rule) -> Result<Option<String>, ApiError> {
    value.map_or(Ok(None), |value| rule(field, &value))
}

/// Trims text; empty text is `None`.
pub(crate) fn text(field: &'static str, text: &str) -> Result<Option<String>, ApiError> {
    profile::text(text).map_err(breach(field))
}

/// Checks a country of ISO 3166-1.
pub(crate) fn country(field: &'static str, text: &str) -> Result<Option<String>, ApiError> {
    profile::country(text).map_err(breach(field))
}

/// Checks a name of the tz database.
pub(crate) fn timezone(field: &'static str, text: &str) -> Result<Option<String>, ApiError> {
    profile::timezone(text).map_err(breach(field))
}

/// Checks a language tag of BCP 47.
pub(crate) fn language(field: &'static str, text: &str) -> Result<Option<String>, ApiError> {
    profile::language(text).map_err(breach(field))
}

/// Checks the reason of a change, which is free text.
pub(crate) fn why(why: Option<String>) -> Result<Option<String>, ApiError> {
    given("why", why, text)
}

fn breach(field: &'static str) -> impl FnOnce(Breach) -> ApiError {
    move |breach| ApiError::invalid(field, breach)
}

/// Checks the URL of a website.
///
/// SECURITY: a page shows it as a link; `javascript:` and the like must not get there.
pub(crate) fn website(field: &'static str, value: &str) -> Result<Option<String>, ApiError> {
    let Some(address) = text(field, value)? else {
        return Ok(None);
    };
    let is_site = url::Url::parse(&address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_site {
        Ok(Some(address))
    } else {
        Err(ApiError::invalid(
            field,
            "it must be an `https://` or `http://` address",
        ))
    }
}
