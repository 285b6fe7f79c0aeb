//! Text that is more than text. Each constructor says what it takes; nothing here trims, folds or repairs, so
//! what a database compares is byte for byte what the token or the person said.

use std::fmt;
use std::sync::Arc;

use crate::error::NameError;
use crate::id::{OrganizationId, is_id};

/// The longest external id, username or realm, in characters.
pub const NAME_LENGTH_MAX: usize = 256;
/// The longest organization name (slug), in characters.
pub const SLUG_LENGTH_MAX: usize = 64;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:ident, $suggest:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text exactly as it is, or says which rule it breaks.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, NameError> {
                Ok(Self(checked(text.into(), $what, $check, $suggest)?))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
    };
}

name!(
    /// The boundary inside which external ids are unique and tags count.
    Realm,
    "realm",
    exact,
    tidied
);
name!(
    /// A trusted issuer's configured name (not its `iss`).
    IssuerName,
    "issuer name",
    exact,
    tidied
);
name!(
    /// Id that an identity provider has for a user, an organization or a team. Taken exactly: blanks at an end are
    /// refused, never trimmed; case is kept and counts.
    ExternalId,
    "external id",
    identifier,
    tidied
);
name!(
    /// A user's name to sign in by; unique in the realm, compared exactly.
    Username,
    "username",
    identifier,
    tidied
);
name!(
    /// An organization's name in paths: lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or
    /// a digit, at most 64 characters.
    OrganizationName,
    "organization name",
    slug,
    suggested_slug
);

impl ExternalId {
    /// Takes a value from a store. It may be older than the rule on characters that change the direction of text, and keeps
    /// every other rule.
    pub fn stored(text: impl Into<Arc<str>>) -> Result<Self, NameError> {
        Ok(Self(checked(text.into(), "external id", exact, tidied)?))
    }
}

impl Username {
    /// Takes a value from a store, as [`ExternalId::stored`].
    pub fn stored(text: impl Into<Arc<str>>) -> Result<Self, NameError> {
        Ok(Self(checked(text.into(), "username", exact, tidied)?))
    }
}

impl OrganizationName {
    /// Takes a name that a person chooses. Text that is an id is refused: wherever a name or an id is taken, it would
    /// be read as the id. Names that are kept from before are taken by [`OrganizationName::new`].
    ///
    /// # Errors
    ///
    /// As [`OrganizationName::new`], and on an id.
    pub fn chosen(text: impl Into<Arc<str>>) -> Result<Self, NameError> {
        let name = Self::new(text)?;
        if name.is_an_id() {
            return Err(NameError::Rule {
                what: "organization name",
                rule: "it would be read as an id",
                suggestion: None,
            });
        }
        Ok(name)
    }

    /// Tests whether the name would be read as an id.
    pub fn is_an_id(&self) -> bool {
        is_id(&self.0)
    }

    /// The slug that a display name suggests: `Acme, Inc.` gives `acme-inc`. Letters outside ASCII have no
    /// agreed spelling and become separators; a name of nothing else gives `None`.
    pub fn suggested_by(label: &str) -> Option<Self> {
        let mut slug = String::new();
        for character in label.chars().flat_map(char::to_lowercase) {
            let kept = character.is_ascii_alphanumeric() || matches!(character, '_' | '.');
            match kept {
                true if slug.is_empty() && !character.is_ascii_alphanumeric() => {}
                true => slug.push(character),
                false if slug.is_empty() || slug.ends_with('-') => {}
                false => slug.push('-'),
            }
            if slug.len() == SUGGESTED_LENGTH_MAX {
                break;
            }
        }
        let name = slug.trim_end_matches(['-', '.', '_']);
        self::slug(name).is_ok().then(|| Self(name.into()))
    }

    /// The id as a name: its text is a slug by itself.
    pub fn of_id(id: OrganizationId) -> Self {
        Self(id.to_string().into())
    }

    /// This slug made different by an ending, cut so that both fit.
    pub fn with_ending(&self, ending: &str) -> Result<Self, NameError> {
        let kept: String = self
            .0
            .chars()
            .take(SLUG_LENGTH_MAX.saturating_sub(ending.len() + 1))
            .collect();
        Self::new(format!("{kept}-{ending}"))
    }
}

impl From<&ExternalId> for Username {
    /// Both have one rule.
    fn from(external_id: &ExternalId) -> Self {
        Self(Arc::clone(&external_id.0))
    }
}

/// Leaves room for an ending that tells two suggestions apart.
const SUGGESTED_LENGTH_MAX: usize = 48;

/// Returns the text, or the error of the rule that it breaks.
fn checked(
    text: Arc<str>,
    what: &'static str,
    check: fn(&str) -> Result<(), &'static str>,
    suggest: fn(&str) -> Option<String>,
) -> Result<Arc<str>, NameError> {
    match check(&text) {
        Ok(()) => Ok(text),
        Err(rule) => Err(NameError::Rule {
            what,
            rule,
            suggestion: suggest(&text),
        }),
    }
}

// SECURITY: an id that is trimmed or folded here but not at the identity provider is a second spelling of another
// user's id. Refuse instead.
fn exact(text: &str) -> Result<(), &'static str> {
    // Nearly every id is visible ASCII, where only the length is left to look at.
    if (1..=NAME_LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.chars().count() > NAME_LENGTH_MAX {
        return Err("it is longer than 256 characters");
    }
    if text.chars().any(char::is_control) {
        return Err("it holds a control character");
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Err("it begins or ends with a blank");
    }
    Ok(())
}

/// The rule of new external ids and usernames.
// SECURITY: text with these characters can look like another user's id, to the person who compares the two.
fn identifier(text: &str) -> Result<(), &'static str> {
    exact(text)?;
    if text.is_ascii() {
        return Ok(());
    }
    text.chars().find_map(direction_rule).map_or(Ok(()), Err)
}

/// Tests whether a character changes the direction of the text around it: Unicode's property `Bidi_Control` (UAX #9,
/// section 2).
pub const fn changes_direction(character: char) -> bool {
    direction_rule(character).is_some()
}

/// The rule that such a character breaks, which names it.
const fn direction_rule(character: char) -> Option<&'static str> {
    macro_rules! holds {
        ($code:literal) => {
            Some(concat!(
                "it holds ",
                $code,
                ", a character that changes the direction of text"
            ))
        };
    }
    match character {
        '\u{61c}' => holds!("U+061C"),
        '\u{200e}' => holds!("U+200E"),
        '\u{200f}' => holds!("U+200F"),
        '\u{202a}' => holds!("U+202A"),
        '\u{202b}' => holds!("U+202B"),
        '\u{202c}' => holds!("U+202C"),
        '\u{202d}' => holds!("U+202D"),
        '\u{202e}' => holds!("U+202E"),
        '\u{2066}' => holds!("U+2066"),
        '\u{2067}' => holds!("U+2067"),
        '\u{2068}' => holds!("U+2068"),
        '\u{2069}' => holds!("U+2069"),
        _ => None,
    }
}

fn slug(text: &str) -> Result<(), &'static str> {
    if !text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit()) {
        return Err("it must begin with a lower-case letter or a digit");
    }
    if text.len() > SLUG_LENGTH_MAX {
        return Err("it is longer than 64 characters");
    }
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte))
    {
        return Err("it may hold lower-case letters, digits, `-`, `_` and `.` only");
    }
    Ok(())
}

/// The slug that may stand in the place of text that is none.
fn suggested_slug(text: &str) -> Option<String> {
    let name = OrganizationName::suggested_by(text)?;
    (!name.is_an_id()).then(|| name.to_string())
}

/// The text without the blanks at its ends and without control characters, if it is one to propose: it looks like what it is.
fn tidied(text: &str) -> Option<String> {
    let kept: String = text.chars().filter(|character| !character.is_control()).collect();
    let kept = kept.trim();
    let looks_so = |character: char| character.is_alphanumeric() || character.is_ascii_graphic() || character == ' ';
    (kept.chars().all(looks_so) && exact(kept).is_ok()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_external_ids_exactly() {
        for text in [
            "a",
            "Ünïcode 名",
            "a b",
            "O'Brien\\",
            "a@evil@corp.com",
            &"x".repeat(256),
        ] {
            assert_eq!(ExternalId::new(text).unwrap().as_str(), text);
        }
        for text in ["", " a", "a ", "a\u{a0}", "a\nb", "a\0", &"x".repeat(257)] {
            assert!(ExternalId::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sec_no_new_id_changes_the_direction_of_text() {
        let refused: Vec<char> = ('\0'..=char::MAX)
            .filter(|character| changes_direction(*character))
            .collect();
        assert_eq!(refused.len(), 12);
        for character in refused {
            let text = format!("ada{character}x");
            let rule = format!("it holds U+{:04X}, a character", u32::from(character));
            for error in [ExternalId::new(&*text).unwrap_err(), Username::new(&*text).unwrap_err()] {
                assert!(error.to_string().contains(&rule), "{error}");
                assert_eq!(error.suggestion(), None);
            }
            // One that is kept from before is read.
            assert_eq!(ExternalId::stored(&*text).unwrap().as_str(), text);
            assert_eq!(Username::stored(&*text).unwrap().as_str(), text);
        }
        assert!(
            ExternalId::new("\u{5e9}\u{5dc}\u{5d5}\u{5dd}").is_ok(),
            "letters have a direction of their own"
        );
        assert!(ExternalId::stored("a\nb").is_err() && Username::stored("").is_err());
    }

    #[test]
    fn keeps_case_apart() {
        assert_ne!(Username::new("Ada").unwrap(), Username::new("ada").unwrap());
    }

    #[test]
    fn takes_slugs_that_are_safe_in_a_path() {
        for text in ["acme", "4you", "a.b-c_d", &"x".repeat(64)] {
            assert!(OrganizationName::new(text).is_ok(), "{text}");
        }
        for text in ["", ".", "..", "-a", "Acme", "a/b", "a b", "é", "a%2f", &"x".repeat(65)] {
            assert!(OrganizationName::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nobody_chooses_an_id_as_a_name() {
        let id = "01hf7yat000000000000000019";
        assert!(OrganizationName::new(id).is_ok(), "one that is kept is read");
        let refused = OrganizationName::chosen(id).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the organization name is not usable: it would be read as an id"
        );
        for text in [
            "acme",
            "01hf7yat00000000000000001",
            "01hf7yat000000000000000019-x",
            "z".repeat(26).as_str(),
        ] {
            assert!(OrganizationName::chosen(text).is_ok(), "{text}");
        }
        assert!(OrganizationName::chosen("Acme").is_err());
    }

    #[test]
    fn a_refusal_suggests_what_could_be_used() {
        for (refused, suggestion) in [
            (OrganizationName::new("Acme Corp!").map(drop), Some("acme-corp")),
            (OrganizationName::new("名前").map(drop), None),
            // What it suggests would be read as an id.
            (OrganizationName::new("01HF7YAT000000000000000019").map(drop), None),
            (Realm::new(" corp").map(drop), Some("corp")),
            (ExternalId::new("a\u{7}b ").map(drop), Some("ab")),
            (Username::new(" ").map(drop), None),
            // It would not look like what it is.
            (Username::new(" a\u{202e}b").map(drop), None),
            (IssuerName::new("x".repeat(257)).map(drop), None),
        ] {
            let error = refused.unwrap_err();
            assert_eq!(error.suggestion(), suggestion, "{error}");
            let told = error.to_string();
            assert!(told.starts_with("the ") && !told.contains("  "), "{told}");
            assert_eq!(told.contains("; use one such as `"), suggestion.is_some(), "{told}");
        }
    }

    #[test]
    fn suggests_a_slug_from_a_label() {
        let suggested = |label: &str| OrganizationName::suggested_by(label).map(|name| name.to_string());
        assert_eq!(suggested("Acme, Inc."), Some("acme-inc".into()));
        assert_eq!(suggested("  ..ACME  "), Some("acme".into()));
        assert_eq!(suggested("Société Générale"), Some("soci-t-g-n-rale".into()));
        assert_eq!(suggested("名前"), None);
        assert_eq!(suggested(&"x".repeat(100)), Some("x".repeat(48)));
        let full = OrganizationName::new("x".repeat(64)).unwrap();
        assert_eq!(full.with_ending("abc").unwrap().as_str().len(), 64);
    }
}
