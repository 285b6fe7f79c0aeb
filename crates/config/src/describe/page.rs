//! The reference page, `docs/reference/configuration.md`.

// Writing to a `String` cannot fail.
use std::fmt::Write;

use narthex_settings_reader::{KeyDescription, Kind, Presence};

use super::{outline, paragraphs, tables};
use crate::restart_settings::needs_restart;

/// The page. `sample` is the smallest file that runs.
pub(crate) fn page(sample: &str) -> String {
    let outline = outline();
    let mut text = String::from(
        "# Configuration\n\n\
         <!-- Generated from the doc comments in crates/config/src/file/. `UPDATE=1 cargo nextest run -p narthex-config` rewrites it. -->\n\n",
    );
    for table in tables(&outline) {
        match table.key {
            None => {
                prose(&mut text, table.outline.doc);
                let _ = write!(
                    text,
                    "\nThis much is enough to run:\n\n```toml\n{sample}```\n\n\
                     `narthex config default` prints a file with every key and its default, `narthex config schema` a JSON schema for \
                     editors, and `narthex config check` says everything that is wrong with a file.\n\n\
                     A running server takes a changed file into use when it is written, or on `SIGHUP`. Where a key says that a change \
                     waits for a restart, the log says so too. Routes and declared organizations change at the same moment.\n\n\
                     A file with a mistake changes nothing, and neither does one that has lost all issuers or all routes: it looks \
                     emptied or cut off. The log has a line `reload_problem` for each of the first 50 mistakes, with file, line, column, \
                     problem and help, and then one line `reload_refused` that counts all. A file that is cut off between two \
                     sections can be a good one. Where that may happen, end the file with the line `# narthex: end`. Once a file with \
                     this last line is in use, one without it is refused until the next start. It is safer still to write another file and rename it.\n"
                );
            }
            Some(key) => {
                let _ = write!(text, "\n## `{}`\n\n", table.header());
                prose(
                    &mut text,
                    if table.outline.doc.len() > key.doc.len() {
                        table.outline.doc
                    } else {
                        key.doc
                    },
                );
                for key in table.values() {
                    entry(&mut text, &table.path, key);
                }
            }
        }
    }
    text
}

fn entry(text: &mut String, section: &str, key: &KeyDescription) {
    let _ = write!(text, "\n### `{}`\n\n", key.name);
    let state = match (key.presence, key.default) {
        (Presence::Required, _) => "required".to_owned(),
        (Presence::Defaulted, Some(default)) => format!("default `{default}`"),
        (Presence::Defaulted | Presence::Optional, _) => "optional".to_owned(),
    };
    let when = if needs_restart(section, key.name) {
        "; a change waits for a restart"
    } else {
        ""
    };
    let _ = write!(text, "*{}; {state}{when}*\n\n", words(&key.kind));
    prose(text, key.doc);
    if let Some(example) = key.example {
        let _ = write!(text, "\n```toml\n{} = {example}\n```\n", key.name);
    }
}

fn prose(text: &mut String, doc: &[&str]) {
    for paragraph in paragraphs(doc) {
        text.push_str(&paragraph);
        text.push('\n');
    }
}

/// A kind in the words of the documents.
fn words(kind: &Kind) -> String {
    match kind {
        Kind::Boolean => "`true` or `false`".to_owned(),
        Kind::Integer { least, most } => format!("whole number, {least} to {most}"),
        Kind::Text { what, .. } => (*what).to_owned(),
        Kind::Choice(words) => words
            .iter()
            .map(|word| format!("`\"{word}\"`"))
            .collect::<Vec<_>>()
            .join(", "),
        Kind::List(item) => format!("list of {}", plural(item)),
        Kind::OneOrMany(item) if matches!(**item, Kind::Either(_)) => format!("{}, or a list of these", words(item)),
        Kind::OneOrMany(item) => format!("{}, or a list of {}", words(item), plural(item)),
        Kind::Either(kinds) => kinds.iter().map(words).collect::<Vec<_>>().join(", or "),
        Kind::Map(item) if matches!(**item, Kind::OneOrMany(_)) => format!("table; each value is {}", words(item)),
        Kind::Map(item) => format!("table of {}", plural(item)),
        Kind::Section(_) => "table".to_owned(),
    }
}

fn plural(kind: &Kind) -> String {
    match kind {
        Kind::Text { what: "text", .. } => "texts".to_owned(),
        Kind::Text { what, .. } => format!("{what}s"),
        other => words(other),
    }
}
