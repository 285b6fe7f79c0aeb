//! The files of `tests/cases`: a JSON scope, `---`, a template, `---`, the result as JSON (or `undefined`).
//!
//! A line `# zone NAME` in the first part sets the zone; `# document` makes the template a JSON document; `# folded NAME`
//! declares a root whose names are looked up without regard to case. Files named `err_*` have no third part: their
//! whole rendered error is a snapshot.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use narthex_template::{Document, Names, Scope, Template, Zone};
use serde_json::{Map, Value as Json};

/// 2023-11-14T22:13:20.123Z
const NOW_MS: i64 = 1_700_000_000_123;

struct Case {
    context: Map<String, Json>,
    template: String,
    expected: Option<String>,
    zone: Zone,
    document: bool,
    names: Names,
}

impl Case {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut parts = text.split("\n---\n");
        let first = parts.next().unwrap();
        let template = parts
            .next()
            .unwrap_or_else(|| panic!("{} has no template", path.display()));
        let json: String = first.lines().filter(|line| !line.starts_with('#')).collect();
        let context: Map<String, Json> =
            serde_json::from_str(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut names = Names::new(context.keys().cloned());
        let mut case_zone = Zone::utc();
        let mut document = false;
        for line in first.lines().filter_map(|line| line.strip_prefix("# ")) {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("zone", name) => case_zone = Zone::named(name).unwrap(),
                ("document", _) => document = true,
                ("folded", name) => {
                    names = Names::new(context.keys().filter(|root| *root != name).cloned()).with_folded_root(name);
                }
                _ => {}
            }
        }
        let expected = parts.next().map(|expected| expected.trim_end().to_owned());
        let template = if expected.is_some() {
            template
        } else {
            template.trim_end_matches('\n')
        };
        Self {
            context,
            template: template.to_owned(),
            expected,
            zone: case_zone,
            document,
            names,
        }
    }

    /// The value as JSON text, or the rendered error.
    fn run(&self) -> Result<String, String> {
        let scope = Scope::new(NOW_MS)
            .with_members(&self.context)
            .with_zone(self.zone.clone());
        let value = if self.document {
            let json: Json = serde_json::from_str(&self.template).unwrap();
            let document = Document::compile(&json, &self.names).map_err(|error| error.render())?;
            document.evaluate(&scope).map_err(|error| error.render())?
        } else {
            let template = Template::compile(&self.template, &self.names).map_err(|error| error.render())?;
            template.evaluate(&scope).map_err(|error| error.render())?
        };
        Ok(value.to_json().map_or("undefined".to_owned(), |json| json.to_string()))
    }
}

#[test]
fn every_case_gives_what_it_says() {
    let mut files: Vec<_> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 100, "the cases are missing");
    let mut wrong = Vec::new();
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let case = Case::read(&path);
        let result = case.run();
        if name.starts_with("err_") {
            match result {
                Ok(value) => wrong.push(format!("{name} gave {value}, not an error")),
                Err(rendered) => insta::assert_snapshot!(name, rendered, &case.template),
            }
            continue;
        }
        let expected = case.expected.unwrap_or_else(|| panic!("{name} has no result"));
        // Parsed and written again: spacing does not count, the order of keys does.
        let expected = serde_json::from_str::<Json>(&expected).map_or(expected, |json| json.to_string());
        match result {
            Ok(value) if value == expected => {}
            Ok(value) => wrong.push(format!("{name} gave {value}, not {expected}")),
            Err(rendered) => wrong.push(format!("{name} failed:\n{rendered}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_snapshot_has_its_case() {
    let names = |folder: &str, prefix: &str, suffix: &str| -> BTreeSet<String> {
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| Some(name.strip_prefix(prefix)?.strip_suffix(suffix)?.to_owned()))
            .collect()
    };
    assert_eq!(
        names("tests/it/snapshots", "it__cases__err_", ".snap"),
        names("tests/cases", "err_", ".txt")
    );
}
