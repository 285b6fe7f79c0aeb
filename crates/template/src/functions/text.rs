//! Text. Positions and lengths count UTF-16 units, as in JavaScript.

use std::borrow::Cow;
use std::sync::LazyLock;

use icu_normalizer::DecomposingNormalizerBorrowed;
use regex::Regex;

use super::{Action, Args, Function, Group, example, row};
use crate::error::Fault;
use crate::eval::Run;
use crate::number;
use crate::pattern::{self, Author};
use crate::view::{Val, View};

pub(super) static TABLE: &[Function] = &[
    row(
        Group::Text,
        "lower",
        &["text"],
        "the text in lower case",
        &[example("{{lower(\"Hello\")}}", "{}", "\"hello\"")],
        Action::Eager(|args, run| {
            let text = args.text(0, run)?.to_lowercase();
            run.made(text)
        }),
    ),
    row(
        Group::Text,
        "upper",
        &["text"],
        "the text in upper case",
        &[example("{{upper(\"Hello\")}}", "{}", "\"HELLO\"")],
        Action::Eager(|args, run| {
            let text = args.text(0, run)?.to_uppercase();
            run.made(text)
        }),
    ),
    row(
        Group::Text,
        "trim",
        &["text"],
        "the text without white space at its ends",
        &[example("{{trim(\"  a b \")}}", "{}", "\"a b\"")],
        Action::Eager(|args, run| {
            let text = args
                .text(0, run)?
                .trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
                .to_owned();
            run.made(text)
        }),
    ),
    row(
        Group::Text,
        "capitalize",
        &["text"],
        "the text with its first character in upper case",
        &[example("{{capitalize(\"make it\")}}", "{}", "\"Make it\"")],
        Action::Eager(|args, run| {
            let text = args.text(0, run)?;
            let mut chars = text.chars();
            let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
            let text = first + chars.as_str();
            run.made(text)
        }),
    ),
    row(
        Group::Text,
        "startcase",
        &["text"],
        "the text with every word capitalized and the rest in lower case",
        &[example("{{startcase(\"hello WORLD\")}}", "{}", "\"Hello World\"")],
        Action::Eager(startcase),
    ),
    row(
        Group::Text,
        "length",
        &["value"],
        "how many characters a text, bytes a binary, or items a list has; 0 for undefined and null",
        &[
            example("{{length(\"hello\")}}", "{}", "5"),
            example("{{length(l)}}", r#"{"l":[1,2,3]}"#, "3"),
            example("{{length(none)}}", r#"{"none":null}"#, "0"),
        ],
        Action::Eager(length),
    ),
    row(
        Group::Text,
        "contains",
        &["value", "search"],
        "whether a text contains a text, or a list contains a value",
        &[
            example("{{contains(\"Hello World\"; \"Hello\")}}", "{}", "true"),
            example("{{contains(l; \"admin\")}}", r#"{"l":["admins"]}"#, "false"),
        ],
        Action::Eager(contains),
    ),
    row(
        Group::Text,
        "indexOf",
        &["text", "search", "[start]"],
        "the 0-based position of a text in a text, or of a value in a list; -1 if it is not there",
        &[
            example("{{indexOf(\"Make\"; \"k\")}}", "{}", "2"),
            example("{{indexOf(\"We love Make\"; \"e\"; 7)}}", "{}", "11"),
        ],
        Action::Eager(index_of),
    ),
    row(
        Group::Text,
        "substring",
        &["text", "start", "[end]"],
        "the characters from a 0-based position up to, but not including, another",
        &[example("{{substring(\"Hello\"; 0; 3)}}", "{}", "\"Hel\"")],
        Action::Eager(substring),
    ),
    row(
        Group::Text,
        "split",
        &["text", "separator"],
        "the parts of a text as a list; undefined and null stay as they are",
        &[example("{{split(\"a,b\"; \",\")}}", "{}", r#"["a","b"]"#)],
        Action::Eager(split),
    ),
    row(
        Group::Text,
        "replace",
        &["text", "search", "replacement"],
        "the text with the first occurrence of a text, or what a /regular expression/ with the flags g, i, m, s matches, \
         replaced; `$&` is the match, `$1` a group",
        &[
            example("{{replace(\"Hello World\"; \"Hello\"; \"Hi\")}}", "{}", "\"Hi World\""),
            example("{{replace(\"a-b-c\"; \"/-/g\"; \"+\")}}", "{}", "\"a+b+c\""),
            example(
                "{{replace(\"CORP\\ann\"; \"/^(\\w+)\\\\(.*)$/\"; \"$2@$1\")}}",
                "{}",
                "\"ann@CORP\"",
            ),
        ],
        Action::Eager(replace),
    ),
    row(
        Group::Text,
        "replaceEmojiCharacters",
        &["text", "[replacement]"],
        "the text with its emoji replaced, by nothing if no replacement is given",
        &[example(
            "{{replaceEmojiCharacters(\"hi 👋🏽!\"; \"*\")}}",
            "{}",
            "\"hi *!\"",
        )],
        Action::Eager(replace_emoji),
    ),
    row(
        Group::Text,
        "ascii",
        &["text", "[removeDiacritics]"],
        "the text without the characters that are not ASCII; with true, letters lose their diacritics first",
        &[
            example("{{ascii(\"ěščřž!\"; true)}}", "{}", "\"escrz!\""),
            example("{{ascii(\"Straße\"; true)}}", "{}", "\"Strasse\""),
            example("{{ascii(\"aěb\")}}", "{}", "\"ab\""),
        ],
        Action::Eager(ascii),
    ),
    row(
        Group::Text,
        "toString",
        &["value"],
        "the value as text: numbers in decimal, dates in ISO 8601, lists joined with commas, collections as JSON",
        &[
            example("{{toString(1.50)}}", "{}", "\"1.5\""),
            example("{{toString(c)}}", r#"{"c":{"a":1}}"#, r#""{\"a\":1}""#),
        ],
        Action::Eager(|args, run| {
            let text = args.text(0, run)?.into_owned();
            run.made(text)
        }),
    ),
];

fn startcase<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let text = args.text(0, run)?;
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        // "don't" is one word.
        inside = c.is_alphanumeric() || (inside && matches!(c, '\'' | '\u{2019}'));
    }
    run.made(out)
}

fn length<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let length = match args.view(0) {
        View::Undefined | View::Null => 0,
        View::Array(items) => items.len(),
        View::Object(fields) => fields.len(),
        View::Binary(bytes) => bytes.len(),
        view => units(&run.text(view)?),
    };
    Ok(Val::from(number::of_length(length)))
}

/// The length in UTF-16 units.
fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn contains<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let found = match args.view(0) {
        View::Undefined | View::Null => false,
        View::Array(items) => {
            let mut found = false;
            for item in items.iter() {
                run.meter.burn(1)?;
                found = run.equal(item.view(), args.view(1))?;
                if found {
                    break;
                }
            }
            found
        }
        _ => args.text(0, run)?.contains(&*args.text(1, run)?),
    };
    Ok(Val::from(found))
}

fn index_of<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let start = usize::try_from(args.whole_or(2, 0)?).unwrap_or(0);
    let position = if let View::Array(items) = args.view(0) {
        let mut position = None;
        for (at, item) in items.iter().enumerate().skip(start) {
            run.meter.burn(1)?;
            if run.equal(item.view(), args.view(1))? {
                position = Some(at);
                break;
            }
        }
        position
    } else {
        let (text, search) = (args.text(0, run)?, args.text(1, run)?);
        let from = byte_at(&text, start);
        let rest = text.get(from..).unwrap_or("");
        rest.find(&*search).map(|at| units(text.get(..from + at).unwrap_or("")))
    };
    Ok(Val::from(position.map_or(-1.0, number::of_length)))
}

/// The byte position of a UTF-16 position; the end if it is behind the end.
fn byte_at(text: &str, position: usize) -> usize {
    let mut left = position;
    for (at, c) in text.char_indices() {
        if left < c.len_utf16() {
            return if left == 0 { at } else { at + c.len_utf8() };
        }
        left -= c.len_utf16();
    }
    text.len()
}

fn substring<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let text = args.text(0, run)?;
    let clamp = |position: i64| usize::try_from(position).unwrap_or(0);
    let (start, end) = (clamp(args.whole(1)?), clamp(args.whole_or(2, i64::MAX)?));
    // JavaScript's substring swaps positions that are the wrong way around.
    let (from, to) = (byte_at(&text, start.min(end)), byte_at(&text, start.max(end)));
    let part = text.get(from..to).unwrap_or("").to_owned();
    run.made(part)
}

// SECURITY: a missing text stays missing. An empty list would mean "no tags at all" to its reader.
fn split<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    if !args.has(0) {
        return Ok(args.take(0));
    }
    let (text, separator) = (args.text(0, run)?, args.text(1, run)?);
    if separator.is_empty() {
        run.texts(text.chars())
    } else {
        run.texts(text.split(&*separator))
    }
}

fn replace<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let (text, search, replacement) = (args.text(0, run)?, args.text(1, run)?, args.text(2, run)?);
    let mut dynamic = None;
    if args.pattern.is_none()
        && let Some(parsed) = pattern::parse(&search, Author::Scope)
    {
        run.meter.burn(COMPILE_STEPS + text.len())?;
        dynamic = Some(parsed.map_err(|reason| Fault::Pattern { reason })?);
    }
    let replaced = if let Some(pattern) = args.pattern.or(dynamic.as_ref()) {
        run.meter.burn(text.len() / 8)?;
        pattern.replace(&text, &replacement, &mut run.meter)?
    } else {
        let limits = run.meter.limits();
        replace_first(&text, &search, &replacement, run.meter.room()).ok_or(Fault::TooLarge {
            bytes: limits.made_bytes,
        })?
    };
    run.made(replaced)
}

/// Cost of compiling a pattern that is not known before the evaluation, in steps.
const COMPILE_STEPS: usize = 2_000;

fn replace_first(text: &str, search: &str, replacement: &str, room: usize) -> Option<String> {
    let Some(at) = text.find(search) else {
        return Some(text.to_owned());
    };
    let found = at..at + search.len();
    let mut out = text.get(..at).unwrap_or("").to_owned();
    pattern::substitute(replacement, text, found.clone(), |_| None, room, &mut out)?;
    out.push_str(text.get(found.end..).unwrap_or(""));
    Some(out)
}

/// An emoji: a flag, or a picture with its variation, skin tone and joined pictures.
static EMOJI: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let picture = r"(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\x{FE0F})\x{FE0F}?\p{Emoji_Modifier}?";
    Regex::new(&format!(r"\p{{Regional_Indicator}}{{2}}|[0-9#*]\x{{FE0F}}?\x{{20E3}}|{picture}(?:\x{{200D}}\p{{Extended_Pictographic}}\x{{FE0F}}?\p{{Emoji_Modifier}}?)*")).ok()
});

fn replace_emoji<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let text = args.text(0, run)?;
    let replacement = args.text_or(1, "", run)?;
    run.meter.burn(text.len() / 2)?;
    let Some(emoji) = EMOJI.as_ref() else {
        return Ok(Val::UNDEFINED);
    };
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for found in emoji.find_iter(&text) {
        let kept = text.get(end..found.start()).unwrap_or("");
        run.meter.make(kept.len() + replacement.len())?;
        out.push_str(kept);
        out.push_str(&replacement);
        end = found.end();
    }
    out.push_str(text.get(end..).unwrap_or(""));
    run.made(out)
}

fn ascii<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let text = args.text(0, run)?;
    let text = if args.view(1).is_truthy() {
        let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize(&text);
        let mut folded = String::with_capacity(decomposed.len());
        for c in decomposed.chars() {
            match letters(c) {
                Some(ascii) => folded.push_str(ascii),
                None => folded.push(c),
            }
        }
        Cow::Owned(folded)
    } else {
        text
    };
    let kept: String = text.chars().filter(char::is_ascii).collect();
    run.made(kept)
}

/// Latin letters that are letters of their own, not a letter with a mark.
fn letters(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'ẞ' => "SS",
        'æ' => "ae",
        'Æ' => "AE",
        'œ' => "oe",
        'Œ' => "OE",
        'ø' => "o",
        'Ø' => "O",
        'ł' => "l",
        'Ł' => "L",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'þ' => "th",
        'Þ' => "Th",
        'ħ' => "h",
        'Ħ' => "H",
        'ı' => "i",
        'ŧ' => "t",
        'Ŧ' => "T",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_utf16_units() {
        assert_eq!(units("a😀b"), 4);
        assert_eq!(byte_at("a😀b", 3), 5);
        assert_eq!(byte_at("a😀b", 9), 6);
        assert!(EMOJI.is_some());
    }
}
