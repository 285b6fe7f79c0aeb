//! The English of comments (`docs/STYLE.md`, rules 1 and 2), counted for each crate. The counts may only fall.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Words that no doc comment begins with.
const OPENINGS: [&str; 11] = [
    "What", "Whether", "Who", "Whose", "Whom", "How", "Where", "When", "Which", "Why", "That",
];
/// Words that name no actor.
const NAMELESS: [&str; 3] = ["somebody", "nobody", "whoever"];

/// Crates that have any left: doc comments with such an opening, and comment lines with such a word.
const LEFT: &[(&str, (usize, usize))] = &[];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Doc comments of a file that break rule 1, and comment lines that break rule 2.
fn count(text: &str) -> (usize, usize) {
    let (mut openings, mut nameless, mut in_comment) = (0, 0, false);
    for line in text.lines().map(str::trim_start) {
        let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        if let Some(first) = doc.filter(|_| !in_comment) {
            let word = first.trim_start().split(|c: char| !c.is_alphabetic()).next();
            openings += usize::from(word.is_some_and(|word| OPENINGS.contains(&word)));
        }
        in_comment = doc.is_some();
        if line.starts_with("//") {
            let lower = line.to_lowercase();
            let mut words = lower.split(|c: char| !c.is_alphabetic());
            nameless += usize::from(words.any(|word| NAMELESS.contains(&word)));
        }
    }
    (openings, nameless)
}

#[test]
fn comments_name_things_and_actors() {
    let mut found = BTreeMap::new();
    let mut files = 0;
    for entry in std::fs::read_dir(crates()).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let mut all = Vec::new();
        sources(&folder.join("src"), &mut all);
        files += all.len();
        let counts = all.iter().map(|file| count(&std::fs::read_to_string(file).unwrap()));
        let sum = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if sum != (0, 0) {
            found.insert(name, sum);
        }
    }
    assert!(files > 300, "only {files} files were read");
    let left: BTreeMap<String, (usize, usize)> = LEFT.iter().map(|(name, sum)| ((*name).to_owned(), *sum)).collect();
    assert_eq!(
        found, left,
        "reword what is new (docs/STYLE.md), or lower the table to what is left"
    );
}

#[test]
fn openings_and_nameless_actors_are_counted() {
    assert_eq!(count("/// What it is.\n/// Whether so.\nfn a() {}\n//! How.\n"), (2, 0));
    assert_eq!(
        count("/// Version of the record.\n// For whoever asks, and nobody else.\n"),
        (0, 1)
    );
    assert_eq!(count("/// Whatever comes.\nlet nobody = 1;\n"), (0, 0));
}
