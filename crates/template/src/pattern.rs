//! The regular expressions of `replace`: `/…/flags`, JavaScript's syntax on an engine whose time is linear.

use std::borrow::Cow;

use regex::{Captures, Regex, RegexBuilder};

use crate::error::Fault;
use crate::limits::Meter;

/// A compiled `/…/flags`.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    global: bool,
}

/// Reads `/…/flags`. `None` if the text is no regular expression but plain text to search for.
pub(crate) fn parse(text: &str, author: Author) -> Option<Result<Pattern, String>> {
    let (source, flags) = text.strip_prefix('/')?.rsplit_once('/')?;
    if source.is_empty()
        || !flags
            .chars()
            .all(|flag| matches!(flag, 'd' | 'g' | 'i' | 'm' | 's' | 'u' | 'y'))
    {
        return None;
    }
    Some(compile(source, flags, author))
}

/// Origin of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    /// It stands in the template.
    Template,
    /// It came out of the scope, perhaps out of a claim.
    Scope,
}

fn compile(source: &str, flags: &str, author: Author) -> Result<Pattern, String> {
    if flags.contains('y') {
        return Err("the flag `y` of a regular expression is not supported".to_owned());
    }
    let translated = translate(source, flags)?;
    let regex = RegexBuilder::new(&translated)
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .dot_matches_new_line(flags.contains('s'))
        // SECURITY: searching costs at most the product of this size and the length of the text.
        .size_limit(match author {
            Author::Template => 512 * 1024,
            Author::Scope => 32 * 1024,
        })
        .nest_limit(50)
        .build()
        .map_err(|error| explain(&error))?;
    Ok(Pattern {
        regex,
        global: flags.contains('g'),
    })
}

// SECURITY: the engine's message quotes the pattern, which may come from a claim; only its kind is told.
fn explain(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
        _ => "the regular expression has a syntax error, or repeats or nests too much".to_owned(),
    }
}

/// Rewrites JavaScript's syntax where the engine's differs.
fn translate(source: &str, flags: &str) -> Result<String, String> {
    let mut out = String::with_capacity(source.len() + 16);
    let mut class = false;
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '\\' => {
                let escaped = rest
                    .chars()
                    .nth(1)
                    .ok_or("a regular expression cannot end in a backslash")?;
                taken += escaped.len_utf8();
                out.push_str(&escape(escaped, class)?);
            }
            '[' if class => out.push_str("\\["),
            '[' if rest.starts_with("[^]") => {
                taken = 3;
                out.push_str("(?s:.)");
            }
            '[' => {
                class = true;
                out.push('[');
                if rest.starts_with("[^") {
                    taken = 2;
                    out.push('^');
                }
            }
            ']' => {
                class = false;
                out.push(']');
            }
            '&' | '~' if class => {
                out.push('\\');
                out.push(c);
            }
            '(' if !class => {
                refuse_group(rest)?;
                out.push('(');
            }
            '.' if !class && !flags.contains('s') => out.push_str("[^\\n\\r\\u{2028}\\u{2029}]"),
            c => out.push(c),
        }
        rest = rest.get(taken..).unwrap_or("");
    }
    Ok(out)
}

fn escape(escaped: char, class: bool) -> Result<Cow<'static, str>, String> {
    Ok(Cow::Borrowed(match (escaped, class) {
        ('d', false) => "[0-9]",
        ('d', true) => "0-9",
        ('D', _) => "[^0-9]",
        ('w', false) => "[0-9A-Za-z_]",
        ('w', true) => "0-9A-Za-z_",
        ('W', _) => "[^0-9A-Za-z_]",
        ('s', _) => "[\\s\\u{feff}]",
        ('S', _) => "[^\\s\\u{feff}]",
        ('b', false) => "(?-u:\\b)",
        ('b', true) => "\\x08",
        ('0', _) => "\\x00",
        ('<', _) => "<",
        ('>', _) => ">",
        ('1'..='9' | 'k', false) => {
            return Err("back-references are not supported in regular expressions: they can take forever".to_owned());
        }
        (other, _) => return Ok(Cow::Owned(format!("\\{other}"))),
    }))
}

fn refuse_group(rest: &str) -> Result<(), String> {
    for look in ["(?=", "(?!", "(?<=", "(?<!"] {
        if rest.starts_with(look) {
            return Err("look-ahead and look-behind are not supported in regular expressions: \
                        they can take forever"
                .to_owned());
        }
    }
    if rest.starts_with("(?<") || rest.starts_with("(?P") {
        return Err("named groups are not supported in regular expressions: use $1, $2, …".to_owned());
    }
    Ok(())
}

impl Pattern {
    /// Replaces the first match, or every match with the flag `g`.
    pub(crate) fn replace(&self, text: &str, replacement: &str, meter: &mut Meter) -> Result<String, Fault> {
        let room = meter.room();
        let bytes = meter.limits().made_bytes;
        let mut out = String::new();
        let (mut from, mut end) = (0, 0);
        while let Some(captures) = self.regex.captures_at(text, from) {
            // SECURITY: each search is linear, but a match may be followed by a search through all of the rest.
            meter.burn(1 + (text.len() - from) / 256)?;
            let Some(whole) = captures.get(0) else { break };
            out.push_str(text.get(end..whole.start()).unwrap_or(""));
            expand(replacement, text, &captures, room, &mut out).ok_or(Fault::TooLarge { bytes })?;
            end = whole.end();
            // After an empty match the search goes on one character behind it.
            let next = text.get(end..).and_then(|rest| rest.chars().next());
            from = match next {
                Some(next) if whole.is_empty() => end + next.len_utf8(),
                None if whole.is_empty() => break,
                _ => end,
            };
            if !self.global {
                break;
            }
        }
        out.push_str(text.get(end..).unwrap_or(""));
        if out.len() > room {
            return Err(Fault::TooLarge { bytes });
        }
        Ok(out)
    }
}

fn expand(replacement: &str, text: &str, captures: &Captures<'_>, room: usize, out: &mut String) -> Option<()> {
    let (start, end) = captures.get(0).map_or((0, 0), |whole| (whole.start(), whole.end()));
    let group = |digits: &str| {
        let number: usize = digits.parse().ok()?;
        (number > 0 && number < captures.len()).then(|| captures.get(number).map_or("", |group| group.as_str()))
    };
    substitute(replacement, text, start..end, group, room, out)
}

/// Writes a replacement text: `$&` is the match, `$1` to `$99` are groups, `` $` `` and `$'` what stands before and
/// behind the match, `$$` a dollar sign. `None` as soon as `out` is longer than `room`.
// SECURITY: each `$&` may stand for the whole text: the room has to be looked at piece by piece.
// SPEC: ECMA-262 22.1.3.19.1 GetSubstitution
pub(crate) fn substitute<'t>(
    replacement: &str,
    text: &str,
    found: std::ops::Range<usize>,
    group: impl Fn(&str) -> Option<&'t str>,
    room: usize,
    out: &mut String,
) -> Option<()> {
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        out.push_str(rest.get(..at).unwrap_or(""));
        rest = rest.get(at + 1..).unwrap_or("");
        let two = rest
            .get(..2)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        let one = rest
            .get(..1)
            .filter(|digit| digit.bytes().all(|digit| digit.is_ascii_digit()));
        let grouped = two
            .and_then(|digits| Some((2, group(digits)?)))
            .or_else(|| Some((1, group(one?)?)));
        let (taken, piece) = match rest.as_bytes().first() {
            Some(b'$') => (1, "$"),
            Some(b'&') => (1, text.get(found.clone()).unwrap_or("")),
            Some(b'`') => (1, text.get(..found.start).unwrap_or("")),
            Some(b'\'') => (1, text.get(found.end..).unwrap_or("")),
            _ => grouped.unwrap_or((0, "$")),
        };
        out.push_str(piece);
        if out.len() > room {
            return None;
        }
        rest = rest.get(taken..).unwrap_or("");
    }
    out.push_str(rest);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn replaced(pattern: &str, text: &str, replacement: &str) -> String {
        parse(pattern, Author::Template)
            .unwrap()
            .unwrap()
            .replace(text, replacement, &mut Meter::new(Limits::default()))
            .unwrap()
    }

    #[test]
    fn javascript_syntax_means_what_it_means_in_javascript() {
        assert_eq!(replaced(r"/\d+/g", "a1b22٣", "#"), "a#b#٣");
        assert_eq!(replaced(r"/[[a]/g", "[ab", "#"), "##b");
        assert_eq!(replaced(r"/[^]/", "\nx", "#"), "#x");
        assert_eq!(replaced(r"/./g", "a\nb", "#"), "#\n#");
        assert_eq!(replaced(r"/(a)(b)/", "xaby", "$2$1$3$$$&$`$'"), "xba$3$abxyy");
        assert_eq!(replaced(r"/[\w&&~]/g", "a&~ ", "#"), "### ");
        assert_eq!(replaced(r"/^b/m", "a\nb", "#"), "a\n#");
        assert_eq!(replaced(r"/A/i", "xa", "#"), "x#");
    }

    #[test]
    fn what_cannot_run_in_linear_time_is_an_error() {
        for pattern in [
            r"/(?=a)/",
            r"/(?<!a)/",
            r"/(a)\1/",
            r"/(?<n>a)/",
            "/(/",
            "/a{1000}{1000}{1000}/",
            "/a/y",
        ] {
            assert!(parse(pattern, Author::Template).unwrap().is_err(), "{pattern}");
        }
        for plain in ["/", "//", "/a", "a/g", "/a/x", ""] {
            assert!(parse(plain, Author::Template).is_none(), "{plain}");
        }
    }
}
