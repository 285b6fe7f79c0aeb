//! Text made safe for a place, and back.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Action, Args, Function, Group, example, row};
use crate::error::Fault;
use crate::eval::Run;
use crate::json_text;
use crate::view::Val;

pub(super) static TABLE: &[Function] = &[
    row(
        Group::Text,
        "encodeURL",
        &["text"],
        "the text for one part of a URL: everything but letters, digits and `-_.!~*'()` percent-encoded",
        &[example("{{encodeURL(\"a b/ě\")}}", "{}", "\"a%20b%2F%C4%9B\"")],
        Action::Eager(|args, run| {
            let text = utf8_percent_encode(&args.text(0, run)?, COMPONENT).to_string();
            run.made(text)
        }),
    ),
    row(
        Group::Text,
        "decodeURL",
        &["text"],
        "percent-encoded text decoded",
        &[example(
            "{{decodeURL(\"Automate%20your%20workflow\")}}",
            "{}",
            "\"Automate your workflow\"",
        )],
        Action::Eager(decode_url),
    ),
    row(
        Group::Text,
        "escapeHTML",
        &["text"],
        "the text for HTML: `& < > \" '` as entities",
        &[example(
            "{{escapeHTML(\"<b>Hello</b>\")}}",
            "{}",
            "\"&lt;b&gt;Hello&lt;/b&gt;\"",
        )],
        Action::Eager(escape_html),
    ),
    row(
        Group::Text,
        "stripHTML",
        &["text"],
        "the text without HTML tags and comments",
        &[
            example("{{stripHTML(\"<b>Hello</b>\")}}", "{}", "\"Hello\""),
            example("{{stripHTML(\"1 < 2<!-- x -->\")}}", "{}", "\"1 < 2\""),
        ],
        Action::Eager(strip_html),
    ),
    row(
        Group::Text,
        "escapeMarkdown",
        &["text"],
        "the text for Markdown: signs that mean something there as numeric entities",
        &[example("{{escapeMarkdown(\"# Header\")}}", "{}", "\"&#35; Header\"")],
        Action::Eager(escape_markdown),
    ),
    row(
        Group::Text,
        "escapeJSON",
        &["text"],
        "the text for the inside of a JSON string",
        &[example("{{escapeJSON(\"a\\b\")}}", "{}", r#""a\\\\b""#)],
        Action::Eager(|args, run| {
            let mut escaped = String::new();
            json_text::write_escaped(&args.text(0, run)?, &mut escaped);
            run.made(escaped)
        }),
    ),
];

/// Characters that `encodeURIComponent` encodes.
// SPEC: ECMA-262 19.2.6.4
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

fn decode_url<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let text = args.text(0, run)?;
    let unreadable = || args.unreadable(0, "percent-encoded text");
    let sound = text
        .split('%')
        .skip(1)
        .all(|rest| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2);
    if !sound {
        return Err(unreadable());
    }
    let decoded = percent_decode_str(&text)
        .decode_utf8()
        .map_err(|_| unreadable())?
        .into_owned();
    run.made(decoded)
}

fn escape_html<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let text = args.text(0, run)?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    run.made(out)
}

fn strip_html<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let text = args.text(0, run)?;
    let mut out = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let end = if tag.starts_with("<!--") {
            tag.find("-->").map(|end| end + 3)
        } else if tag
            .as_bytes()
            .get(1)
            .is_some_and(|next| next.is_ascii_alphabetic() || matches!(*next, b'/' | b'!' | b'?'))
        {
            tag.find('>').map(|end| end + 1)
        } else {
            out.push('<');
            Some(1)
        };
        // A tag that never ends takes the rest of the text along, as in a browser.
        rest = end.and_then(|end| tag.get(end..)).unwrap_or("");
    }
    out.push_str(rest);
    run.made(out)
}

fn escape_markdown<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let text = args.text(0, run)?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_{}[]()<>#+-.!|~".contains(c) {
            out.push_str("&#");
            out.push_str(&u32::from(c).to_string());
            out.push(';');
        } else {
            out.push(c);
        }
    }
    run.made(out)
}
