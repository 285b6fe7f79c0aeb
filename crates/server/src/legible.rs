//! Lines of the log that say what they show: a character that would change how a line is read is written as its number.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use narthex_template::is_disruptive;

/// Format of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON: such a character stands in a string, and is written as JSON writes it.
    Json,
    /// Text.
    Text,
    /// Text with the escape sequences of colours, which the log itself makes; it escapes those of others.
    Colours,
}

/// A way out for whole lines.
#[derive(Debug)]
pub(super) struct Legible<W> {
    out: W,
    form: Form,
}

impl<W> Legible<W> {
    pub(super) const fn new(out: W, form: Form) -> Self {
        Self { out, form }
    }
}

// SECURITY: paths, claims and the answers of services come into the log. One place escapes them all, whichever field they
// are in.
impl<W: Write> Write for Legible<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.out.write_all(legible(lines, self.form).as_ref())?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn legible(lines: &[u8], form: Form) -> Cow<'_, [u8]> {
    let (line, end) = match lines.strip_suffix(b"\n") {
        Some(line) => (line, "\n"),
        None => (lines, ""),
    };
    if line.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return Cow::Borrowed(lines);
    }
    let mut written = String::with_capacity(lines.len());
    for character in String::from_utf8_lossy(line).chars() {
        match character {
            '\u{1b}' if form == Form::Colours => written.push(character),
            _ if !is_disruptive(character) => written.push(character),
            _ if form == Form::Json => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing into a text cannot fail.
                    let _ = write!(written, "\\u{unit:04x}");
                }
            }
            _ => written.extend(character.escape_unicode()),
        }
    }
    written.push_str(end);
    Cow::Owned(written.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, form: Form) -> String {
        let mut out = Vec::new();
        Legible::new(&mut out, form).write_all(text.as_bytes()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sec_format_characters_never_reach_a_log_line() {
        let disruptive = (0..=0x0010_ffff)
            .filter_map(char::from_u32)
            .filter(|character| is_disruptive(*character) && *character != '\u{1b}');
        for character in disruptive {
            for form in [Form::Json, Form::Text, Form::Colours] {
                let written = line(&format!("a{character}b\n"), form);
                assert!(!written.trim_end_matches('\n').contains(character), "{character:?}");
                assert_eq!(written.matches('\n').count(), 1, "{character:?}");
            }
            let json = line(&format!("\"a{character}b\"\n"), Form::Json);
            let read: String = serde_json::from_str(&json).unwrap();
            assert_eq!(read, format!("a{character}b"), "nothing is lost in JSON");
        }
        assert_eq!(line("\u{1b}[31m", Form::Text), "\\u{1b}[31m");
        assert_eq!(line("\u{1b}[31m", Form::Colours), "\u{1b}[31m");
        assert_eq!(line("\u{202e}x\n", Form::Text), "\\u{202e}x\n");
        assert_eq!(line("\u{e0041}", Form::Json), "\\udb40\\udc41");
        assert_eq!(line("pl\u{e4}in\n", Form::Json), "pl\u{e4}in\n");
    }
}
