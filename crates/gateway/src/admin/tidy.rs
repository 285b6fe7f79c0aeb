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
