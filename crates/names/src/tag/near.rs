//! Near misses: tags that differ in a way that people overlook. For pointing out only.
//!
//! SECURITY: nothing here ever decides a match. Tags compare byte for byte.

use std::collections::BTreeSet;
use std::fmt;

use super::fold;

/// The most tags that are looked for inside one text.
const PARTS_MAX: usize = 20;

/// The difference between a tag of a token and a listed tag that people take for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Upper and lower case.
    Case,
    /// Blanks, other white space, or characters that are not seen.
    Blanks,
    /// One begins with a slash (a full group path).
    LeadingSlash,
    /// One is a path whose last part is the other.
    Path,
    /// Letters that look alike and belong to different scripts, or another kind of dash.
    LookAlike,
    /// Punctuation at the end.
    Trailing,
    /// The tag is one text that holds several tags.
    OneText,
}

impl Difference {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Blanks => "blanks",
            Self::LeadingSlash => "leading_slash",
            Self::Path => "path",
            Self::LookAlike => "look_alike",
            Self::Trailing => "trailing",
            Self::OneText => "one_text",
        }
    }
}

/// The difference and its remedy, as the end of a sentence.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Case => "they differ in case, and tags compare exactly; use one spelling in both places",
            Self::Blanks => "they differ in blanks or invisible characters, and tags compare exactly; take them out",
            Self::LeadingSlash => {
                "they differ by a leading `/`, and tags compare exactly; have the identity provider send no full group path, \
                 list the tag with the slash, or take it off with a template in `[issuer.tags] claim`"
            }
            Self::Path => {
                "they differ by the path before the last part, and tags compare exactly; list the whole path, or have the \
                 identity provider send the last part only"
            }
            Self::LookAlike => {
                "they look alike and hold characters of different scripts, or different dashes; type the listed one anew"
            }
            Self::Trailing => "they differ in punctuation at the end, and tags compare exactly; take it off",
            Self::OneText => {
                "one text is one tag, commas and all; have the identity provider send a list, or split it with \
                 the function `split` in `[issuer.tags] claim`"
            }
        })
    }
}

/// The difference between a tag of a token and a listed one, if people would take them for the same. Equal ones have none.
pub fn difference(tag: &str, listed: &str) -> Option<Difference> {
    if tag == listed {
        return None;
    }
    let blank = |text: &str| text.chars().filter(|c| !is_unseen(*c)).collect::<String>();
    let (tag_seen, listed_seen) = (blank(tag), blank(listed));
    if tag_seen == listed_seen {
        return Some(Difference::Blanks);
    }
    let (left, right) = (seen(tag), seen(listed));
    if left == right {
        return Some(Difference::Case);
    }
    if slashless(&left) == slashless(&right) {
        return Some(Difference::LeadingSlash);
    }
    if skeleton(&left) == skeleton(&right) {
        return Some(Difference::LookAlike);
    }
    if bare(&left) == bare(&right) && !bare(&left).is_empty() {
        return Some(Difference::Trailing);
    }
    if last_part(&left) == Some(right.as_str()) || last_part(&right) == Some(left.as_str()) {
        return Some(Difference::Path);
    }
    parts(tag)
        .any(|part| seen(part) == right)
        .then_some(Difference::OneText)
}

/// Folded spellings under which a store may hold a listed tag that is a near miss of this one (see [`fold`]).
pub fn spellings(tag: &str) -> BTreeSet<String> {
    let folded = fold(tag);
    let mut spellings = BTreeSet::new();
    let bases = [
        folded.clone(),
        seen(tag),
        skeleton(&seen(tag)),
        bare(&folded).to_owned(),
    ];
    for base in bases {
        spellings.extend(last_part(&base).map(str::to_owned));
        spellings.insert(format!("/{}", slashless(&base)));
        spellings.insert(slashless(&base).to_owned());
        spellings.insert(base);
    }
    spellings.extend(parts(tag).map(fold));
    spellings.remove("");
    spellings.remove("/");
    spellings
}

/// Tests whether people would take the two for the same.
pub fn is_near(tag: &str, listed: &str) -> bool {
    difference(tag, listed).is_some()
}

/// The text as people see it: without case, blanks and what is invisible.
fn seen(tag: &str) -> String {
    fold(tag).chars().filter(|c| !is_unseen(*c)).collect()
}

/// Tests whether a character takes no ink.
fn is_unseen(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

fn slashless(tag: &str) -> &str {
    tag.trim_start_matches('/')
}

fn bare(tag: &str) -> &str {
    tag.trim_end_matches(['.', ',', ';', ':', '/', '"', '\''])
}

/// The last part of a path.
fn last_part(tag: &str) -> Option<&str> {
    tag.rsplit_once('/')
        .map(|(_, last)| last)
        .filter(|last| !last.is_empty())
}

/// The tags that one text holds, if it holds several. A distinguished name (`CN=Ops,DC=corp`) is one tag.
fn parts(tag: &str) -> impl Iterator<Item = &str> {
    let mark = [',', ';', '|', ' '].into_iter().find(|mark| tag.contains(*mark));
    let parts = mark.filter(|_| !tag.contains('=')).map(|mark| tag.split(mark));
    let parts = parts.into_iter().flatten().map(str::trim);
    parts.filter(|part| !part.is_empty()).take(PARTS_MAX)
}

/// The text with letters of other scripts, full-width letters and other dashes replaced by what they look like.
fn skeleton(tag: &str) -> String {
    tag.chars().map(looks_like).collect()
}

/// Returns the ASCII character that a character looks like, or the character itself. Covers the lower-case letters that
/// are confused in practice (Unicode Technical Standard 39).
const fn looks_like(character: char) -> char {
    match character {
        'а' | 'α' => 'a',
        'ь' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ё' => 'e',
        'һ' => 'h',
        'і' | 'ι' | 'ı' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'ӏ' => 'l',
        'м' => 'm',
        'п' => 'n',
        'о' | 'ο' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'г' => 'r',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'ս' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        'ｚ' => 'z',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => '-',
        '＿' => '_',
        '／' | '\u{2044}' | '\u{2215}' => '/',
        'ａ'..='ｙ' => fullwidth(character),
        other => other,
    }
}

const fn fullwidth(character: char) -> char {
    match char::from_u32(character as u32 - 0xfee0) {
        Some(ascii) => ascii,
        None => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_overlook_is_named() {
        for (tag, listed, expected) in [
            ("acme-admins", "acme-admins", None),
            ("Acme-Admins", "acme-admins", Some(Difference::Case)),
            ("acme-admins ", "acme-admins", Some(Difference::Blanks)),
            ("acme\u{200b}-admins", "acme-admins", Some(Difference::Blanks)),
            ("acme-admins\u{a0}", "acme-admins", Some(Difference::Blanks)),
            ("/acme-admins", "acme-admins", Some(Difference::LeadingSlash)),
            ("acme-admins", "/acme-admins", Some(Difference::LeadingSlash)),
            ("/IT/Staff", "IT/Staff", Some(Difference::LeadingSlash)),
            ("/corp/acme-admins", "acme-admins", Some(Difference::Path)),
            ("аcme-admins", "acme-admins", Some(Difference::LookAlike)),
            ("acme–admins", "acme-admins", Some(Difference::LookAlike)),
            ("acme-admins;", "acme-admins", Some(Difference::Trailing)),
            ("acme-staff,acme-admins", "acme-admins", Some(Difference::OneText)),
            ("acme-staff; acme-admins", "acme-admins", Some(Difference::OneText)),
            ("CN=acme-admins,DC=corp", "acme-admins", None),
            ("acme-staff", "acme-admins", None),
            ("", "acme-admins", None),
        ] {
            assert_eq!(difference(tag, listed), expected, "`{tag}` and `{listed}`");
        }
    }

    /// A store finds a near miss by one of the spellings, under what it keeps of the listed tag.
    #[test]
    fn a_listed_tag_is_found_by_a_spelling() {
        for (tag, listed) in [
            ("Acme-Admins", "acme-admins"),
            ("acme\u{200b}-admins", "acme-admins"),
            ("/acme-admins", "acme-admins"),
            ("acme-admins", "/acme-admins"),
            ("/corp/acme-admins", "acme-admins"),
            ("аcme–admins", "acme-admins"),
            ("acme-admins;", "acme-admins"),
            ("acme-staff,acme-admins", "acme-admins"),
        ] {
            assert!(spellings(tag).contains(&fold(listed)), "{tag}: {:?}", spellings(tag));
        }
        assert!(spellings("").is_empty() && spellings("/").is_empty());
        assert!(spellings(&"a,".repeat(5_000)).len() < 40, "bounded");
    }
}
