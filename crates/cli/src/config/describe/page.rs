//! The reference page, `docs/reference/configuration.md`.

use super::{outline, paragraphs, tables, words};
use crate::config::read::{Key, Presence};

/// The page. `sample` is the smallest file that runs.
pub(crate) fn page(sample: &str) -> String {
    let outline = outline();
    let mut text = String::from(
        "# Configuration\n\n\
         <!-- Generated from the doc comments in crates/cli/src/config/file/. UPDATE=1 cargo nextest run -p narthex-cli rewrites it. -->\n\n",
    );
    for table in tables(&outline) {
        match table.key {
            None => {
                prose(&mut text, table.outline.doc);
                text.push_str(&format!(
                    "\nThis much is enough to run:\n\n```toml\n{sample}```\n\n\
                     `narthex config default` prints a file with every key and its default, `narthex config schema` a JSON schema for \
                     editors, and `narthex config check` says everything that is wrong with a file.\n"
                ));
            }
            Some(key) => {
                text.push_str(&format!("\n## `{}`\n\n", table.header()));
                prose(
                    &mut text,
                    if table.outline.doc.len() > key.doc.len() {
                        table.outline.doc
                    } else {
                        key.doc
                    },
                );
                for key in table.values() {
                    entry(&mut text, key);
                }
            }
        }
    }
    text
}

fn entry(text: &mut String, key: &Key) {
    text.push_str(&format!("\n### `{}`\n\n", key.name));
    let state = match (key.presence, key.default) {
        (Presence::Required, _) => "required".to_owned(),
        (Presence::Defaulted, Some(default)) => format!("default `{default}`"),
        (Presence::Defaulted | Presence::Optional, _) => "optional".to_owned(),
    };
    text.push_str(&format!("*{}; {state}*\n\n", words(&key.kind)));
    prose(text, key.doc);
    if let Some(example) = key.example {
        text.push_str(&format!("\n```toml\n{} = {example}\n```\n", key.name));
    }
}

fn prose(text: &mut String, doc: &[&str]) {
    for paragraph in paragraphs(doc) {
        text.push_str(&paragraph);
        text.push('\n');
    }
}
