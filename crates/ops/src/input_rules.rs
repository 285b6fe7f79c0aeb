//! Rules for values that administrators type: the same as for values in tokens.

use narthex_directory::{Edit, ExternalId, NameError, Realm};
use narthex_mapping::{Breach, profile};

use super::error::OpError;

/// A rule: returns the value to store, `None` for an empty one, or the error.
pub(super) type Rule = fn(&'static str, &str) -> Result<Option<String>, OpError>;

/// Applies a rule to an optional value.
pub(super) fn given(field: &'static str, value: Option<String>, rule: Rule) -> Result<Option<String>, OpError> {
    value.map_or(Ok(None), |value| rule(field, &value))
}

/// Applies a rule to the new value of an edit. A value that the rule finds empty clears.
pub(super) fn edited(field: &'static str, edit: Edit<String>, rule: Rule) -> Result<Edit<String>, OpError> {
    Ok(match edit {
        Edit::Keep => Edit::Keep,
        Edit::Clear => Edit::Clear,
        Edit::Set(value) => rule(field, &value)?.map_or(Edit::Clear, Edit::Set),
    })
}

/// Tests whether an edit changes anything.
pub(super) const fn is_given<T>(edit: &Edit<T>) -> bool {
    !matches!(edit, Edit::Keep)
}

/// Returns the new value of a member that is never empty, if there is one.
///
/// # Errors
///
/// When it is cleared: a change must not succeed if a part of it was ignored.
pub(super) fn never_empty<T>(field: &'static str, edit: Edit<T>) -> Result<Option<T>, OpError> {
    match edit {
        Edit::Keep => Ok(None),
        Edit::Clear => Err(OpError::invalid(field, "it cannot be empty; leave it out to keep it")),
        Edit::Set(value) => Ok(Some(value)),
    }
}

/// Trims text that must not be empty. `empty` is the error for empty text.
pub(super) fn required(field: &'static str, value: &str, empty: &str) -> Result<String, OpError> {
    text(field, value)?.ok_or_else(|| OpError::invalid(field, empty))
}

/// Trims text; empty text is `None`.
pub(super) fn text(field: &'static str, text: &str) -> Result<Option<String>, OpError> {
    profile::text(text).map_err(breach(field))
}

/// Checks a country of ISO 3166-1.
pub(super) fn country(field: &'static str, text: &str) -> Result<Option<String>, OpError> {
    profile::country(text).map_err(breach(field))
}

/// Checks a name of the tz database.
pub(super) fn timezone(field: &'static str, text: &str) -> Result<Option<String>, OpError> {
    profile::timezone(text).map_err(breach(field))
}

/// Checks a language tag of BCP 47.
pub(super) fn language(field: &'static str, text: &str) -> Result<Option<String>, OpError> {
    profile::language(text).map_err(breach(field))
}

/// Checks the reason of a change, which is free text.
pub(super) fn why(why: Option<String>) -> Result<Option<String>, OpError> {
    given("why", why, text)
}

fn breach(field: &'static str) -> impl FnOnce(Breach) -> OpError {
    move |breach| OpError::invalid(field, breach)
}

/// Checks the URL of a website.
///
/// SECURITY: a page shows it as a link; `javascript:` and the like must not get there.
pub(super) fn website(field: &'static str, value: &str) -> Result<Option<String>, OpError> {
    let Some(address) = text(field, value)? else {
        return Ok(None);
    };
    let is_site = url::Url::parse(&address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_site {
        Ok(Some(address))
    } else {
        Err(OpError::invalid(field, "it must be an `https://` or `http://` address"))
    }
}

/// Checks the name of a realm.
pub(super) fn realm(field: &'static str, value: Option<String>) -> Result<Option<Realm>, OpError> {
    value.map(|realm| Realm::new(realm).map_err(name(field))).transpose()
}

/// Checks an external id, which is used exactly as given.
pub(super) fn external_id(field: &'static str, value: Option<String>) -> Result<Option<ExternalId>, OpError> {
    value.map(|id| ExternalId::new(id).map_err(name(field))).transpose()
}

/// Checks the new external id of an edit.
pub(super) fn edited_external_id(field: &'static str, edit: Edit<String>) -> Result<Edit<ExternalId>, OpError> {
    Ok(match edit {
        Edit::Keep => Edit::Keep,
        Edit::Clear => Edit::Clear,
        Edit::Set(id) => Edit::Set(ExternalId::new(id).map_err(name(field))?),
    })
}

/// Parses the id of a record; `what` and `list` are those of [`OpError::NotAnId`].
pub(super) fn id<T: std::str::FromStr>(text: &str, what: &'static str, list: &'static str) -> Result<T, OpError> {
    text.parse().map_err(|_| OpError::NotAnId { what, list })
}

/// For `map_err`: the error for a text of this field that breaks the rule of names.
pub(super) fn name(field: &'static str) -> impl FnOnce(NameError) -> OpError {
    named(field, "")
}

/// For `map_err`: as [`name`], for an organization's name, which is often meant for a label.
pub(super) fn organization_name(field: &'static str) -> impl FnOnce(NameError) -> OpError {
    named(field, ", and `label` for the name that people read")
}

fn named(field: &'static str, and: &'static str) -> impl FnOnce(NameError) -> OpError {
    move |error| match error {
        NameError::Rule {
            rule,
            suggestion: Some(name),
            ..
        } => OpError::invalid(field, format!("{rule}; use one such as `{name}`{and}")),
        NameError::Rule { rule, .. } => OpError::invalid(field, rule),
        other => OpError::invalid(field, other),
    }
}
