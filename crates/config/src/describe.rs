//! The documents: reference page, default file and JSON schema, all from the one description of every key in
//! [`super::file`].

mod default_file;
#[cfg(test)]
mod page;
mod schema;

pub use default_file::default_file;
#[cfg(test)]
pub(crate) use page::page;
pub use schema::schema;

use narthex_settings_reader::{FromToml, KeyDescription, Kind, Outline};

use super::file::ConfigFile;

/// The whole file as the documents see it.
pub(crate) fn outline() -> Outline {
    match ConfigFile::kind() {
        Kind::Section(outline) => outline,
        _ => Outline {
            doc: &[],
            keys: Vec::new(),
        },
    }
}

/// A table of the file: how its header is written, and what is in it.
pub(crate) struct Table<'o> {
    /// Without brackets: `issuer.mapping.user`.
    pub(crate) path: String,
    /// `[[issuer]]` rather than `[listen]`.
    pub(crate) repeated: bool,
    /// The key that holds it; `None` for the file itself.
    pub key: Option<&'o KeyDescription>,
    /// Keys of the table.
    pub(crate) outline: &'o Outline,
}

impl Table<'_> {
    /// `[listen]` or `[[issuer]]`.
    pub(crate) fn header(&self) -> String {
        if self.repeated {
            format!("[[{}]]", self.path)
        } else {
            format!("[{}]", self.path)
        }
    }

    /// The keys that are not tables themselves.
    pub(crate) fn values(&self) -> impl Iterator<Item = &KeyDescription> {
        self.outline.keys.iter().filter(|key| section_in(&key.kind).is_none())
    }
}

/// Every table of the file, in the order of the documents, the file itself first.
pub(crate) fn tables(outline: &Outline) -> Vec<Table<'_>> {
    let mut found = vec![Table {
        path: String::new(),
        repeated: false,
        key: None,
        outline,
    }];
    collect(outline, "", &mut found);
    found
}

fn collect<'o>(outline: &'o Outline, path: &str, found: &mut Vec<Table<'o>>) {
    for key in &outline.keys {
        if let Some((inner, repeated)) = section_in(&key.kind) {
            let path = if path.is_empty() {
                key.name.to_owned()
            } else {
                format!("{path}.{}", key.name)
            };
            found.push(Table {
                path: path.clone(),
                repeated,
                key: Some(key),
                outline: inner,
            });
            collect(inner, &path, found);
        }
    }
}

fn section_in(kind: &Kind) -> Option<(&Outline, bool)> {
    match kind {
        Kind::Section(outline) => Some((outline, false)),
        Kind::List(item) => match &**item {
            Kind::Section(outline) => Some((outline, true)),
            _ => None,
        },
        _ => None,
    }
}

/// Doc comments as text: paragraphs on one line each, code blocks line by line. An empty line is between two
/// paragraphs.
pub(crate) fn paragraphs(doc: &[&str]) -> Vec<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    let mut open = false;
    let mut in_code = false;
    for line in doc {
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        let fence = line.starts_with("```");
        if fence || in_code {
            paragraphs.push(line.to_owned());
            in_code = in_code != fence;
            open = false;
        } else if line.is_empty() {
            paragraphs.push(String::new());
            open = false;
        } else if open {
            if let Some(last) = paragraphs.last_mut() {
                last.push(' ');
                last.push_str(line);
            }
        } else {
            paragraphs.push(line.to_owned());
            open = true;
        }
    }
    paragraphs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doc_comments_become_paragraphs() {
        let doc = [" One", " two.", "", " Three.", " ```toml", " [a]", " b = 1", " ```"];
        assert_eq!(
            paragraphs(&doc),
            ["One two.", "", "Three.", "```toml", "[a]", "b = 1", "```"]
        );
    }
}
