//! Language tags of BCP 47, and their canonical spelling. Well-formedness only: the application that uses a tag decides
//! whether its subtags are registered.
//!
//! Read here and not by `oxilangtag`, which takes a variant or a singleton twice (RFC 5646 2.2.5 and 2.2.6).

use std::iter::Peekable;
use std::str::Split;

/// The tag with hyphens and in canonical case, if it is well-formed. Underscores are taken for hyphens (`en_US`).
pub(super) fn canonical(text: &str) -> Option<String> {
    let tag = text.replace('_', "-");
    is_well_formed(&tag).then(|| spelled(&tag))
}

// SPEC: RFC 5646 2.1, Language-Tag
fn is_well_formed(tag: &str) -> bool {
    if IRREGULAR.iter().any(|known| known.eq_ignore_ascii_case(tag)) {
        return true;
    }
    let mut subtags = tag.split('-').peekable();
    if !subtags.peek().is_some_and(|first| first.eq_ignore_ascii_case("x")) && !takes_language(&mut subtags) {
        return false;
    }
    takes_private_use(&mut subtags) && subtags.next().is_none()
}

/// Language, script, region, variants and extensions.
fn takes_language(subtags: &mut Peekable<Split<'_, char>>) -> bool {
    let Some(language) = subtags.next_if(|subtag| is_alpha(subtag, 2, 8)) else {
        return false;
    };
    if language.len() <= 3 {
        for _ in 0..EXTENDED_MAX {
            subtags.next_if(|subtag| is_alpha(subtag, 3, 3));
        }
    }
    subtags.next_if(|subtag| is_alpha(subtag, 4, 4));
    subtags.next_if(|subtag| is_alpha(subtag, 2, 2) || is_digits(subtag, 3));
    let mut variants: Vec<&str> = Vec::new();
    while let Some(variant) = subtags.next_if(|subtag| is_variant(subtag)) {
        if variants.iter().any(|earlier| earlier.eq_ignore_ascii_case(variant)) {
            return false;
        }
        variants.push(variant);
    }
    let mut singletons: Vec<&str> = Vec::new();
    while let Some(singleton) = subtags.next_if(|subtag| is_alphanumeric(subtag, 1, 1) && !is_x(subtag)) {
        if singletons.iter().any(|earlier| earlier.eq_ignore_ascii_case(singleton)) || !takes(subtags, 2) {
            return false;
        }
        singletons.push(singleton);
    }
    true
}

/// `x` and what follows it, if it is there.
fn takes_private_use(subtags: &mut Peekable<Split<'_, char>>) -> bool {
    subtags.next_if(|subtag| is_x(subtag)).is_none() || takes(subtags, 1)
}

/// One subtag of at least `length_min` letters and digits, and all that follow.
fn takes(subtags: &mut Peekable<Split<'_, char>>, length_min: usize) -> bool {
    let mut any = false;
    while subtags
        .next_if(|subtag| is_alphanumeric(subtag, length_min, 8))
        .is_some()
    {
        any = true;
    }
    any
}

/// Lower case, but for regions (`US`) and scripts (`Latn`) before the first singleton.
// SPEC: RFC 5646 2.1.1
fn spelled(tag: &str) -> String {
    let mut spelled = String::with_capacity(tag.len());
    let mut after_singleton = false;
    for (at, subtag) in tag.split('-').enumerate() {
        if at > 0 {
            spelled.push('-');
        }
        let special = at > 0 && !after_singleton;
        for (position, character) in subtag.chars().enumerate() {
            let upper = special && (subtag.len() == 2 || subtag.len() == 4 && position == 0);
            spelled.push(if upper {
                character.to_ascii_uppercase()
            } else {
                character.to_ascii_lowercase()
            });
        }
        after_singleton |= subtag.len() == 1;
    }
    spelled
}

fn is_x(subtag: &str) -> bool {
    subtag.eq_ignore_ascii_case("x")
}

fn is_alpha(subtag: &str, shortest: usize, longest: usize) -> bool {
    (shortest..=longest).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_digits(subtag: &str, length: usize) -> bool {
    subtag.len() == length && subtag.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_alphanumeric(subtag: &str, shortest: usize, longest: usize) -> bool {
    (shortest..=longest).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_variant(subtag: &str) -> bool {
    is_alphanumeric(subtag, 5, 8)
        || is_alphanumeric(subtag, 4, 4) && subtag.starts_with(|first: char| first.is_ascii_digit())
}

/// The most extended language subtags.
const EXTENDED_MAX: usize = 3;

/// Tags from before the grammar, which it does not cover.
// SPEC: RFC 5646 2.1, irregular
const IRREGULAR: &[&str] = &[
    "en-gb-oed",
    "i-ami",
    "i-bnn",
    "i-default",
    "i-enochian",
    "i-hak",
    "i-klingon",
    "i-lux",
    "i-mingo",
    "i-navajo",
    "i-pwn",
    "i-tao",
    "i-tay",
    "i-tsu",
    "sgn-be-fr",
    "sgn-be-nl",
    "sgn-ch-de",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples are those of RFC 5646 appendix A, and what identity providers send.
    #[test]
    fn takes_language_tags_and_spells_them_canonically() {
        for (given, kept) in [
            ("de", "de"),
            ("EN", "en"),
            ("en_US", "en-US"),
            ("en-us", "en-US"),
            ("cs_CZ", "cs-CZ"),
            ("zh_hant_tw", "zh-Hant-TW"),
            ("sr-Latn", "sr-Latn"),
            ("es-419", "es-419"),
            ("ca-es-valencia", "ca-ES-valencia"),
            ("sl-rozaj-biske", "sl-rozaj-biske"),
            ("de-CH-1901", "de-CH-1901"),
            ("zh-cmn-hans-cn", "zh-cmn-Hans-CN"),
            ("hy-Latn-IT-arevela", "hy-Latn-IT-arevela"),
            ("de-DE-u-CO-phonebk", "de-DE-u-co-phonebk"),
            ("en-a-myext-b-another", "en-a-myext-b-another"),
            ("en-US-x-Twain", "en-US-x-twain"),
            ("x-whatever", "x-whatever"),
            ("i-KLINGON", "i-klingon"),
            ("zh-min-nan", "zh-min-nan"),
            ("und", "und"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(kept), "{given}");
        }
        for not in [
            "",
            "e",
            "-",
            "en-",
            "-en",
            "en--US",
            "english language",
            "en_US.UTF-8",
            "C",
            "a-DE",
            "de-419-DE",
            "en-a",
            "en-a-bbb-a-ccc",
            "de-1901-1901",
            "x",
            "en-x",
            "čs",
            "en-US-DE",
            "toolonglanguage",
            "en-US-u",
            "12",
        ] {
            assert_eq!(canonical(not), None, "{not}");
        }
    }

    #[test]
    fn irregular_tags_are_listed_as_compared() {
        assert!(IRREGULAR.iter().all(|tag| *tag == tag.to_ascii_lowercase()));
        assert_eq!(canonical("en-gb-OED").as_deref(), Some("en-GB-oed"));
        assert_eq!(canonical("sgn-be-fr").as_deref(), Some("sgn-BE-FR"));
    }
}
