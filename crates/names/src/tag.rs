//! Permission tags: the strings in a token's tags claim, and the lists of them that an organization keeps.
//! They compare exactly. A person types a list with commas; a tag that holds a comma or a double quote goes
//! into double quotes, with quotes inside doubled: `staff, "CN=Ops,DC=corp", "the ""A"" team"`.

mod near;

use std::fmt;
use std::sync::Arc;

use crate::error::NameError;

pub use near::{Difference, difference, is_near, spellings};

/// The longest tag an organization can list, in characters. Longer ones in a token match nothing.
pub const TAG_LENGTH_MAX: usize = 512;
/// The most tags in one list of an organization.
pub const TAGS_PER_LIST_MAX: usize = 1_000;
/// The most tags that a token may carry.
pub const TAGS_PER_TOKEN_MAX: usize = 2_000;

/// One tag as an organization lists it: not empty, no blanks around it, no control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// Takes the text without the blanks around it.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        check(text).map_err(|rule| NameError::Rule {
            what: "tag",
            rule,
            suggestion: None,
        })?;
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({:?})", &*self.0)
    }
}

/// An organization's list of tags: in the order given, each once.
///
/// ```
/// use narthex_names::TagList;
/// let list = TagList::parse(r#" staff, "CN=Ops,DC=corp" ,, staff"#)?;
/// assert_eq!(list.texts().collect::<Vec<_>>(), ["staff", "CN=Ops,DC=corp"]);
/// assert_eq!(list.to_string(), r#"staff, "CN=Ops,DC=corp""#);
/// # Ok::<(), narthex_names::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TagList(Vec<Tag>);

impl TagList {
    /// Reads comma-delimited text. Empty entries are skipped and duplicates count once.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut entries = Vec::new();
        let mut rest = text;
        loop {
            let (entry, after) = entry(rest).map_err(|rule| NameError::Tag {
                position: entries.len() + 1,
                rule,
            })?;
            entries.push(entry);
            match after {
                Some(after) => rest = after,
                None => return Self::from_entries(entries),
            }
        }
    }

    /// Takes entries that are apart already (a JSON array): blanks around each are dropped, empty ones skipped,
    /// duplicates count once. Commas and quotes are part of the tag here.
    pub fn from_entries(entries: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, NameError> {
        let mut tags: Vec<Tag> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let text = entry.as_ref().trim();
            if text.is_empty() {
                continue;
            }
            check(text).map_err(|rule| NameError::Tag {
                position: index + 1,
                rule,
            })?;
            let tag = Tag(text.into());
            if seen.insert(tag.clone()) {
                tags.push(tag);
            }
        }
        if tags.len() > TAGS_PER_LIST_MAX {
            return Err(NameError::TooManyTags {
                found: tags.len(),
                limit: TAGS_PER_LIST_MAX,
            });
        }
        Ok(Self(tags))
    }

    /// The tags, in order.
    pub fn tags(&self) -> &[Tag] {
        &self.0
    }

    /// The tags' texts, in order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Tag::as_str)
    }

    /// Tests whether the list holds exactly this text.
    pub fn contains(&self, text: &str) -> bool {
        self.0.iter().any(|tag| tag.as_str() == text)
    }

    /// Tests whether there are no tags.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The text that [`TagList::parse`] reads back to the same list.
impl fmt::Display for TagList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, tag) in self.texts().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            if tag.contains([',', '"']) {
                write!(f, "\"{}\"", tag.replace('"', "\"\""))?;
            } else {
                f.write_str(tag)?;
            }
        }
        Ok(())
    }
}

/// Folds a tag to the form that two tags share when a person would call them the same: case and blanks do not count.
/// For pointing out near misses only.
///
/// SECURITY: never decides a match.
pub fn fold(tag: &str) -> String {
    tag.chars()
        .filter(|character| !character.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Separator that makes this one tag look like a list, if there is one. A distinguished name (`CN=Ops,DC=corp`) is one
/// tag.
pub fn several_tags_in_one(tag: &str) -> Option<char> {
    let parted = |mark: &char| tag.split(*mark).filter(|part| !part.trim().is_empty()).count() > 1;
    [';', ','].into_iter().find(parted).filter(|_| !tag.contains('='))
}

fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.chars().count() > TAG_LENGTH_MAX {
        return Err("it is longer than 512 characters");
    }
    if text.chars().any(char::is_control) {
        return Err("it holds a control character");
    }
    Ok(())
}

/// One entry, and what follows its comma if there is one.
fn entry(text: &str) -> Result<(String, Option<&str>), &'static str> {
    let Some(quoted) = text.trim_start().strip_prefix('"') else {
        return Ok(match text.split_once(',') {
            Some((entry, after)) => (entry.to_owned(), Some(after)),
            None => (text.to_owned(), None),
        });
    };
    let mut entry = String::new();
    let mut rest = quoted;
    loop {
        let (inside, after) = rest.split_once('"').ok_or("its double quote is never closed")?;
        entry.push_str(inside);
        if let Some(after) = after.strip_prefix('"') {
            entry.push('"');
            rest = after;
        } else {
            rest = after.trim_start();
            break;
        }
    }
    match rest.strip_prefix(',') {
        Some(after) => Ok((entry, Some(after))),
        None if rest.is_empty() => Ok((entry, None)),
        None => Err("text follows its closing quote; separate tags by commas"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Vec<String> {
        TagList::parse(text).unwrap().texts().map(str::to_owned).collect()
    }

    #[test]
    fn splits_at_commas_and_drops_blanks_around_entries() {
        assert_eq!(parsed("adminTag1,memberTag1"), ["adminTag1", "memberTag1"]);
        assert_eq!(parsed(" a b ,\tc\n"), ["a b", "c"]);
        assert_eq!(parsed(""), Vec::<String>::new());
        assert_eq!(parsed(",, a ,,"), ["a"]);
        assert_eq!(parsed("a,A,a"), ["a", "A"], "case counts, duplicates do not");
    }

    #[test]
    fn reads_commas_and_quotes_inside_quotes() {
        assert_eq!(parsed(r#""a,b", c"#), ["a,b", "c"]);
        assert_eq!(parsed(r#" "the ""A"" team" "#), [r#"the "A" team"#]);
        assert_eq!(
            parsed(r#"a"b,c"#),
            [r#"a"b"#, "c"],
            "a quote inside an unquoted entry is itself"
        );
        assert_eq!(parsed(r#""""#), Vec::<String>::new());
    }

    #[test]
    fn says_which_entry_is_wrong() {
        for (text, position) in [(r#"a,"b"#, 2), (r#""a" b"#, 1), ("a,b\u{7}c", 2)] {
            assert!(matches!(TagList::parse(text), Err(NameError::Tag { position: found, .. }) if found == position));
        }
        assert!(TagList::parse(&"x".repeat(513)).is_err());
        let many = (0..1_001).map(|index| index.to_string());
        assert_eq!(
            TagList::from_entries(many),
            Err(NameError::TooManyTags {
                found: 1_001,
                limit: 1_000
            })
        );
    }

    #[test]
    fn folds_case_and_blanks_for_near_misses() {
        assert_eq!(fold(" Team A"), fold("teama "));
        assert_ne!(fold("team-a"), fold("teama"));
    }

    proptest! {
        #[test]
        fn what_is_rendered_reads_back(entries in proptest::collection::vec("[ a-c,\"]{0,6}", 0..6)) {
            let list = TagList::from_entries(&entries).unwrap();
            prop_assert_eq!(TagList::parse(&list.to_string()).unwrap(), list);
        }

        #[test]
        fn parsing_never_fails_otherwise_than_by_an_error(text in "\\PC{0,40}") {
            let _ = TagList::parse(&text);
        }
    }
}
