//! Terminal output: marks and colours on a terminal, plain text everywhere else, foreign text escaped, and times in words.

pub mod table;

use std::fmt;
use std::io::IsTerminal as _;

use narthex_template::is_disruptive;

/// Style of standard output: only a terminal has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStyle {
    /// A file, a pipe, a test.
    Plain,
    /// A terminal.
    Colours,
}

/// Tone of a piece of text; on a terminal each has its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As expected.
    Good,
    /// Wrong.
    Bad,
    /// Needs attention.
    Odd,
    /// Secondary.
    Faint,
    /// Main point.
    Strong,
}

impl OutputStyle {
    /// Detects the kind of standard output.
    pub fn of_stdout() -> Self {
        if std::io::stdout().is_terminal() {
            Self::Colours
        } else {
            Self::Plain
        }
    }

    /// Text in its colour.
    pub fn paint<T: fmt::Display>(self, tone: Tone, text: T) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Odd => "33",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        match self {
            Self::Plain => text.to_string(),
            Self::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// Foreign text on one line of a terminal: characters that could move its cursor, turn the text around or hide in it are
/// shown as `\u{…}`, and a long text is cut.
// SECURITY: claims are written by others; an escape sequence in one must not reach the administrator's terminal.
pub fn escape_line(text: &str) -> String {
    let mut line = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LINE_CHARS_MOST {
            line.push('…');
            break;
        }
        if is_disruptive(character) {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
    line
}

/// Formats like [`escape_line`], for text of the explanation itself: cut only if it would fill the terminal.
pub fn escape_sentence(text: &str) -> String {
    let cut: String = text.chars().take(SENTENCE_CHARS_MOST).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    escape_lines(&cut.replace('\n', " ")) + more
}

/// Text of several lines, each as [`escape_line`] would have it, whatever its length.
pub fn escape_lines(text: &str) -> String {
    text.chars().fold(String::new(), |mut lines, character| {
        if is_disruptive(character) && character != '\n' {
            lines.extend(character.escape_unicode());
        } else {
            lines.push(character);
        }
        lines
    })
}

/// A moment as `2026-08-22 14:03:00 UTC`.
pub fn moment(at_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(at_ms) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => "outside of the calendar".to_owned(),
    }
}

/// Distance of a moment from now: `in 5 min`, `2 h 3 min ago`.
pub fn relative(at_ms: i64, now_ms: i64) -> String {
    let difference = at_ms.saturating_sub(now_ms);
    match span(difference) {
        None => "now".to_owned(),
        Some(span) if difference > 0 => format!("in {span}"),
        Some(span) => format!("{span} ago"),
    }
}

/// The length of a time in its two largest units; nothing for less than a second.
pub fn span(milliseconds: i64) -> Option<String> {
    let mut seconds = milliseconds.unsigned_abs() / 1000;
    if seconds == 0 {
        return None;
    }
    let mut parts = Vec::new();
    for (unit, length) in [("y", 31_557_600), ("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)] {
        let count = seconds / length;
        seconds %= length;
        if count > 0 {
            parts.push(format!("{count} {unit}"));
        }
        // Two units that follow each other; "3 d 5 s" says nothing more than "3 d".
        if parts.len() == 2 || (parts.len() == 1 && count == 0) {
            break;
        }
    }
    Some(parts.join(" "))
}

const LINE_CHARS_MOST: usize = 160;
const SENTENCE_CHARS_MOST: usize = 1_200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        for (at, said) in [
            (0, "now"),
            (999, "now"),
            (1_000, "in 1 s"),
            (-65_000, "1 min 5 s ago"),
            (-7_380_000, "2 h 3 min ago"),
            (3_600_000, "in 1 h"),
            (3 * 86_400_000 + 5_000, "in 3 d"),
            (-400 * 86_400_000, "1 y 34 d ago"),
            (i64::MIN, "292271023 y 16 d ago"),
        ] {
            assert_eq!(relative(at, 0), said, "{at}");
        }
    }

    #[test]
    fn sec_terminal_sequences_of_others_are_not_sent_to_the_terminal() {
        assert_eq!(escape_line("a\u{1b}[2Jb\u{202e}c\né"), "a\\u{1b}[2Jb\\u{202e}c\\u{a}é");
        assert_eq!(
            escape_line("a\u{61c}\u{2066}b\u{e0041}"),
            "a\\u{61c}\\u{2066}b\\u{e0041}"
        );
        assert_eq!(escape_lines("a\n\u{1b}"), "a\n\\u{1b}");
        assert_eq!(escape_line(&"x".repeat(200)).chars().count(), 161);
    }

    #[test]
    fn colours_are_for_terminals() {
        assert_eq!(OutputStyle::Plain.paint(Tone::Bad, "no"), "no");
        assert_eq!(OutputStyle::Colours.paint(Tone::Bad, "no"), "\u{1b}[31mno\u{1b}[0m");
    }
}
