//! The rule of each kind of value: what it takes, and what is kept.
//!
//! Undefined, null and empty text mean "not given" and are `Ok(None)` in every rule but that of ids, where empty text
//! is a broken value: an administrator who maps an id to nothing at all has lost it on the way.

use narthex_directory::{ExternalId, NameError, OrganizationRole, TeamRole, Username};
use narthex_template::Value;

use crate::error::Breach;

mod country;
mod language;
mod property;
mod zone;

pub(crate) use property::{ContextBudget, property};
pub(crate) use zone::ready as zones_ready;

/// The longest profile text, in characters.
pub(crate) const TEXT_CHARACTERS_MAX: usize = 256;

/// Answer of a rule: a value to keep, nothing, or the rule that is broken.
pub(crate) type Verdict<T> = Result<Option<T>, Breach>;

/// An external id.
pub(crate) fn external_id(value: Value) -> Verdict<ExternalId> {
    exact(value, ExternalId::new)
}

/// A username.
pub(crate) fn username(value: Value) -> Verdict<Username> {
    exact(value, Username::new)
}

/// Text that tells one record from another, taken exactly.
// SECURITY: nothing is trimmed, folded or converted here. A number is refused rather than written out, because two
// spellings of one number, or a large number rounded on the way, would be one user or another.
fn exact<T>(value: Value, make: impl FnOnce(String) -> Result<T, NameError>) -> Verdict<T> {
    let text = match value {
        Value::Text(text) => text,
        Value::Undefined | Value::Null => return Ok(None),
        other => return Err(not_text(&other)),
    };
    match make(text) {
        Ok(made) => Ok(Some(made)),
        Err(NameError::Rule { rule, .. }) => Err(Breach::Id { rule }),
        Err(_) => Err(Breach::Id {
            rule: "it cannot be an id",
        }),
    }
}

/// Profile text: trimmed, at most 256 characters, no control characters.
///
/// Only text: a number or a boolean under `name` is a claim of another meaning far more often than a name.
pub(crate) fn text(value: Value) -> Verdict<String> {
    let text = match value {
        Value::Text(text) => text,
        Value::Undefined | Value::Null => return Ok(None),
        other => return Err(not_text(&other)),
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    // Most text is short and plain, which its bytes show at once.
    if trimmed.len() > TEXT_CHARACTERS_MAX && trimmed.chars().count() > TEXT_CHARACTERS_MAX {
        return Err(Breach::TooLong {
            limit: TEXT_CHARACTERS_MAX,
        });
    }
    if !trimmed.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && trimmed.chars().any(char::is_control) {
        return Err(Breach::Control);
    }
    Ok(Some(if trimmed.len() == text.len() {
        text
    } else {
        trimmed.to_owned()
    }))
}

/// A country of ISO 3166-1: alpha-3 in upper case is kept.
pub(crate) fn country(value: Value) -> Verdict<String> {
    text(value)?
        .map(|text| country::alpha_3(&text).map(str::to_owned).ok_or(Breach::Country))
        .transpose()
}

/// A name of the tz database: its spelling there is kept.
pub(crate) fn zone(value: Value) -> Verdict<String> {
    text(value)?
        .map(|text| zone::find(&text).map(str::to_owned).ok_or(Breach::Zone))
        .transpose()
}

/// A language tag: its canonical spelling is kept.
pub(crate) fn language(value: Value) -> Verdict<String> {
    text(value)?
        .map(|text| language::canonical(&text).ok_or(Breach::LanguageTag))
        .transpose()
}

/// A list of all organizations. Empty text means "not given", as undefined and null do: that states nothing.
pub(crate) fn list(value: Value, limit: usize) -> Verdict<Vec<Value>> {
    match value {
        Value::Undefined | Value::Null => Ok(None),
        Value::Text(text) if text.is_empty() => Ok(None),
        Value::Array(items) if items.len() <= limit => Ok(Some(items)),
        Value::Array(items) => Err(Breach::TooManyOrganizations {
            found: items.len(),
            limit,
        }),
        other => Err(Breach::NotList { kind: other.kind() }),
    }
}

/// A role in an organization, as its word.
pub(crate) fn organization_role(value: Value) -> Verdict<OrganizationRole> {
    role(value, ORGANIZATION_ROLES)
}

/// A role in a team, as its word.
pub(crate) fn team_role(value: Value) -> Verdict<TeamRole> {
    role(value, TEAM_ROLES)
}

fn role<R: std::str::FromStr>(value: Value, known: &'static [&'static str]) -> Verdict<R> {
    match value {
        Value::Undefined | Value::Null => Ok(None),
        Value::Text(text) if text.is_empty() => Ok(None),
        Value::Text(text) => text.parse().map(Some).map_err(|_| Breach::Role { known }),
        other => Err(not_text(&other)),
    }
}

fn not_text(value: &Value) -> Breach {
    Breach::NotText { kind: value.kind() }
}

const ORGANIZATION_ROLES: &[&str] = &[
    OrganizationRole::Executor.as_str(),
    OrganizationRole::Member.as_str(),
    OrganizationRole::Admin.as_str(),
];
const TEAM_ROLES: &[&str] = &[TeamRole::Member.as_str(), TeamRole::Admin.as_str()];

#[cfg(test)]
mod tests {
    use narthex_directory::changes_direction;

    use super::*;

    #[test]
    fn roles_listed_are_the_roles_there_are() {
        assert_eq!(ORGANIZATION_ROLES.len(), OrganizationRole::ALL.len());
        assert_eq!(TEAM_ROLES.len(), TeamRole::ALL.len());
        for role in ORGANIZATION_ROLES {
            assert_eq!(organization_role(Value::from(*role)).unwrap().unwrap().as_str(), *role);
        }
        for wrong in ["Admin", "admin ", "owner"] {
            assert!(
                matches!(organization_role(Value::from(wrong)), Err(Breach::Role { .. })),
                "{wrong}"
            );
        }
    }

    #[test]
    fn ids_are_taken_exactly_or_not_at_all() {
        for good in ["a", "a b", "Ünï", "{{payload.sub}}", "1"] {
            assert_eq!(external_id(Value::from(good)).unwrap().unwrap().as_str(), good);
            assert_eq!(username(Value::from(good)).unwrap().unwrap().as_str(), good);
        }
        for bad in ["", " a", "a\u{a0}", "a\u{0}b", "\u{85}", &"x".repeat(257)] {
            assert!(
                matches!(external_id(Value::from(bad)), Err(Breach::Id { .. })),
                "{bad:?}"
            );
        }
        assert!(matches!(external_id(Value::Undefined), Ok(None)));
        assert!(matches!(external_id(Value::Null), Ok(None)));
        let number = external_id(Value::Number(7.0)).unwrap_err();
        assert!(number.to_string().contains("toString"), "{number}");
        assert!(external_id(Value::Bool(true)).is_err());
    }

    /// The list of names and that of logs are two: neither crate may know the other.
    #[test]
    fn characters_that_change_the_direction_of_text_are_in_no_id_and_raw_in_no_log() {
        for character in ('\0'..=char::MAX).filter(|character| changes_direction(*character)) {
            let text = format!("ann{character}nimda");
            for broken in [
                external_id(Value::from(&*text)).map(drop),
                username(Value::from(&*text)).map(drop),
            ] {
                let problem = broken.unwrap_err().to_string();
                assert!(
                    problem.contains(&format!("U+{:04X}", u32::from(character))),
                    "{problem}"
                );
            }
            assert!(narthex_template::is_disruptive(character), "{character:?}");
        }
    }

    #[test]
    fn profile_text_is_trimmed_and_bounded() {
        let kept = |given: &str| text(Value::from(given));
        assert_eq!(kept(" Ada \n").unwrap().unwrap(), "Ada");
        assert_eq!(kept(" \t").unwrap(), None);
        assert_eq!(kept("").unwrap(), None);
        assert_eq!(kept(&"é".repeat(256)).unwrap().unwrap(), "é".repeat(256));
        assert!(matches!(kept(&"é".repeat(257)), Err(Breach::TooLong { limit: 256 })));
        assert!(matches!(kept("a\u{7f}b"), Err(Breach::Control)));
        assert!(matches!(kept("a\nb"), Err(Breach::Control)));
        for other in [
            Value::Number(1.0),
            Value::Bool(false),
            Value::Array(vec![]),
            Value::Date(0),
        ] {
            assert!(matches!(text(other), Err(Breach::NotText { .. })));
        }
    }
}
