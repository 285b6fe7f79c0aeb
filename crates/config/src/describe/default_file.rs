//! The commented default file: every key with its default, or an example where there is none.

// Writing to a `String` cannot fail.
use std::fmt::Write;

use narthex_settings_reader::{KeyDescription, Presence};

use super::{Table, outline, paragraphs, tables};
use crate::restart_settings::needs_restart;

/// Columns of the file.
const WIDTH: usize = 100;

/// The default file. `# ` begins words, `#` without a blank begins a setting.
pub fn default_file() -> String {
    let outline = outline();
    let mut text = String::new();
    for table in tables(&outline) {
        match table.key {
            None => comment(&mut text, table.outline.doc),
            Some(key) => {
                text.push('\n');
                comment(&mut text, key.doc);
                let optional_table = table.repeated || key.presence != Presence::Defaulted || table.path.contains('.');
                text.push_str(if optional_table { "#" } else { "" });
                text.push_str(&table.header());
                text.push('\n');
                settings(&mut text, &table);
            }
        }
    }
    text
}

fn settings(text: &mut String, table: &Table<'_>) {
    for key in table.values() {
        text.push('\n');
        comment(text, key.doc);
        note(text, key);
        if needs_restart(&table.path, key.name) {
            text.push_str("# A change waits for a restart.\n");
        }
        let value = key
            .example
            .filter(|_| key.presence != Presence::Defaulted)
            .or(key.default)
            .or(key.example);
        let _ = writeln!(text, "#{} = {}", key.name, value.unwrap_or("\"\""));
    }
}

fn note(text: &mut String, key: &KeyDescription) {
    let note = match (key.presence, key.example) {
        (Presence::Required, _) => "# Required.".to_owned(),
        (Presence::Optional, _) => "# Not set by default.".to_owned(),
        (Presence::Defaulted, Some(example)) => format!("# For example: {example}"),
        (Presence::Defaulted, None) => return,
    };
    text.push_str(&note);
    text.push('\n');
}

fn comment(text: &mut String, doc: &[&str]) {
    for paragraph in paragraphs(doc) {
        for line in wrap(&paragraph) {
            let line = format!("# {line}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
}

fn wrap(paragraph: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in paragraph.split(' ') {
        let Some(line) = lines.last_mut() else {
            break;
        };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH - 2 {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}
