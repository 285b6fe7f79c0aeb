//! The files of `tests/cases`: a document (or `@` and the path of one), then sections that begin with `--- NAME`.
//!
//! `inputs` is a JSON object with `parameters`, `common`, `data`, `environment` and `show`; each `response` is a status, headers,
//! an empty line and a body; every line of `expect` occurs in the transcript, which is a snapshot as a whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use narthex_connection::{Inputs, Response};
use serde_json::{Map, Value as Json};

use crate::support::transcript;

struct Case {
    document: String,
    inputs: Inputs,
    responses: Vec<Response>,
    expected: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

impl Case {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut parts = text.split("\n--- ");
        let document = parts.next().unwrap();
        let document = match document.strip_prefix('@') {
            Some(path) => fs::read_to_string(folder().join(path.trim())).unwrap(),
            None => document.to_owned(),
        };
        let mut case = Self {
            document,
            inputs: Inputs::default(),
            responses: Vec::new(),
            expected: Vec::new(),
        };
        for part in parts {
            let (name, content) = part.split_once('\n').unwrap_or((part, ""));
            match name {
                "inputs" => case.inputs = inputs(content),
                "response" => case.responses.push(response(content.trim_end_matches('\n'))),
                "expect" => case.expected = content.lines().map(str::to_owned).collect(),
                other => panic!("{}: a section `{other}`", path.display()),
            }
        }
        case
    }
}

fn inputs(content: &str) -> Inputs {
    let mut members: Map<String, Json> = serde_json::from_str(content).unwrap();
    let mut map = |name: &str| match members.remove(name) {
        Some(Json::Object(map)) => map,
        _ => Map::new(),
    };
    let (parameters, common, data) = (map("parameters"), map("common"), map("data"));
    let show = members
        .get("show")
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default();
    Inputs {
        parameters,
        common,
        data,
        environment: members.remove("environment").unwrap_or_default(),
        shown: show.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
    }
}

fn response(content: &str) -> Response {
    let (head, body) = content.split_once("\n\n").unwrap_or((content, ""));
    let mut lines = head.lines();
    Response {
        status: lines.next().unwrap().parse().unwrap(),
        headers: lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
    }
}

#[test]
fn every_case_gives_what_it_says() {
    let mut files: Vec<_> = fs::read_dir(folder().join("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 60, "the cases are missing");
    let mut wrong = Vec::new();
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let case = Case::read(&path);
        let transcript = transcript(&case.document, case.inputs, &case.responses);
        for line in case.expected.iter().filter(|line| !transcript.contains(line.as_str())) {
            wrong.push(format!("{name}: no `{line}` in\n{transcript}\n"));
        }
        if wrong.is_empty() {
            insta::assert_snapshot!(name.clone(), transcript, &name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_snapshot_has_its_case() {
    let names = |folder: PathBuf, prefix: &str, suffix: &str| -> BTreeSet<String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| Some(name.strip_prefix(prefix)?.strip_suffix(suffix)?.to_owned()))
            .collect()
    };
    assert_eq!(
        names(folder().join("it/snapshots"), "it__cases__", ".snap"),
        names(folder().join("cases"), "", ".txt")
    );
}
