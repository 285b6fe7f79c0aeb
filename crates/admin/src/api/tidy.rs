//! Values that people type: the same rules as for values that come in tokens.

use narthex_mapping::{Breach, profile};

use super::error::ApiError;

/// One of the rules here: a value to keep, or nothing, or what is wrong with it.
pub(crate) type Rule = fn(&'static str, &str) -> Result<Option<String>, ApiError>;

/// A value that may not be given, by a rule.
pub(crate) fn given(field: &'static str, value: Option<String>, rule: Rule) -> Result<Option<String>, ApiError> {
    value.map_or(Ok(None), |value| rule(field, &value))
}

/// Text without the blanks around it; nothing left means that it is empty.
pub(crate) fn text(field: &'static str, text: &str) -> Result<Option<String>, ApiError> {
    profile::text(text).map_err(breach(field))
}

/// A country of ISO 3166-1.
pub(crate) fn country(field: &'static str, text: &str) -> Result<Option<String>, ApiError> {
    profile::country(text).map_err(breach(field))
}

/// A name of the tz database.
pub(crate) fn timezone(field: &'static str, text: &str) -> Result<Option<String>, ApiError> {
    profile::timezone(text).map_err(breach(field))
}

/// A language tag of BCP 47.
pub(crate) fn language(field: &'static str, text: &str) -> Result<Option<String>, ApiError> {
    profile::language(text).map_err(breach(field))
}

/// Why something was done, in words.
pub(crate) fn why(why: Option<String>) -> Result<Option<String>, ApiError> {
    given("why", why, text)
}

fn breach(field: &'static str) -> impl FnOnce(Breach) -> ApiError {
    move |breach| ApiError::invalid(field, breach)
}

/// The address of a site.
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
