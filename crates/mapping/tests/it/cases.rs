//! Plays every file of `tests/cases`: a mapping as in a configuration, claims, and what comes of them. A case is one
//! file; adding one adds no code.

use std::fs;
use std::path::{Path, PathBuf};

use narthex_mapping::{
    Body, IssuerMapping, MappingSettings, MappingSource, OnInvalid, OnMissing, OrganizationSource, RequestFacts,
    TagsSource, TeamSource, UserSource,
};
use serde_json::{Map, Value};
use toml::Table;

use crate::support::{NOW_MS, settings, shown, verified};

#[test]
fn every_case_comes_out_as_written() {
    let mut files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"));
    files.sort();
    assert!(files.len() > 40, "the cases are not where they were");
    let failures: Vec<String> = files.iter().filter_map(|file| play(file).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn play(file: &Path) -> Result<(), String> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let text = fs::read_to_string(file).unwrap();
    let case: Table = text.parse().map_err(|error| format!("{name}: {error}"))?;
    known(
        &case,
        &[
            "about",
            "mapping",
            "tags",
            "on_invalid",
            "body",
            "claims",
            "header",
            "headers",
            "query",
            "expect",
        ],
    )?;
    let (source, settings) = configured(&case)?;
    let expect = table(&case, "expect");
    known(&expect, &["desired", "refused", "skipped", "problems"])?;
    let mapping = match IssuerMapping::compile(&source, &settings) {
        Ok(mapping) => mapping,
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return same(&name, "problems", &problems, &texts(&expect, "problems"));
        }
    };
    same(&name, "problems", &Vec::<String>::new(), &texts(&expect, "problems"))?;
    let claims = verified(&json(&case, "header"), &json(&case, "claims"));
    let (headers, query) = (json(&case, "headers"), json(&case, "query"));
    let request = RequestFacts {
        headers: Some(&headers),
        query: Some(&query),
        body: None,
    };
    let preview = mapping.preview(&claims, &request, NOW_MS);
    let skipped: Vec<String> = preview
        .skipped
        .iter()
        .map(|skipped| format!("{}: {}", skipped.field, skipped.breach))
        .collect();
    let first = preview
        .errors
        .first()
        .map(|error| format!("{}: {error}", error.reason()));
    match mapping.map(&claims, &request, NOW_MS) {
        Ok(identity) => {
            let expected: Value =
                serde_json::from_str(expect.get("desired").and_then(toml::Value::as_str).unwrap_or("null"))
                    .map_err(|error| format!("{name}: {error}"))?;
            same(&name, "desired", &shown(identity.desired()), &expected)?;
            same(&name, "skipped", &skipped, &texts(&expect, "skipped"))?;
            same(&name, "skipped by map", &identity.skipped().len(), &skipped.len())?;
            same(&name, "first error of the preview", &first, &None)?;
            same(
                &name,
                "desired in the preview",
                &preview.desired.as_ref(),
                &Some(identity.desired()),
            )
        }
        Err(error) => {
            let refused = format!("{}: {error}", error.reason());
            let expected = expect.get("refused").and_then(toml::Value::as_str).unwrap_or("nothing");
            same(&name, "refused", &refused.as_str(), &expected)?;
            same(&name, "first error of the preview", &first, &Some(refused))?;
            same(&name, "desired in the preview", &preview.desired, &None)
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(name: &str, what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{name}: {what}\n  found    {found:?}\n  expected {expected:?}"))
}

fn configured(case: &Table) -> Result<(MappingSource, MappingSettings), String> {
    let mapping = table(case, "mapping");
    known(&mapping, &["user", "organization", "team", "context"])?;
    let mut user = table(&mapping, "user");
    let mut organization = table(&mapping, "organization");
    let mut team = table(&mapping, "team");
    let mut tags = table(case, "tags");
    let source = MappingSource {
        rules: Vec::new(),
        user: UserSource {
            external_id: take(&mut user, "external_id"),
            username: take(&mut user, "username"),
            email: take(&mut user, "email"),
            name: take(&mut user, "name"),
            country: take(&mut user, "country"),
            timezone: take(&mut user, "timezone"),
            locale: take(&mut user, "locale"),
            language: take(&mut user, "language"),
        },
        organization: OrganizationSource {
            each: None,
            external_id: take(&mut organization, "external_id"),
            name: take(&mut organization, "name"),
            timezone: take(&mut organization, "timezone"),
            role: take(&mut organization, "role"),
        },
        team: TeamSource {
            external_id: take(&mut team, "external_id"),
            name: take(&mut team, "name"),
            role: take(&mut team, "role"),
        },
        context: table(&mapping, "context")
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        tags: take(&mut tags, "claim").map(|claim| TagsSource {
            claim,
            patterns: narthex_directory::TagPatterns::default(),
            on_missing: match take(&mut tags, "on_missing").as_deref() {
                None | Some("error") => OnMissing::Error,
                Some("keep") => OnMissing::Keep,
                Some("empty") => OnMissing::Empty,
                Some(other) => panic!("{other}"),
            },
        }),
    };
    for left in [&user, &organization, &team, &tags] {
        known(left, &[])?;
    }
    let mut settings = settings();
    if case.get("on_invalid").is_some_and(|word| word.as_str() == Some("skip")) {
        settings.on_invalid = OnInvalid::Skip;
    }
    if case.get("body").is_some() {
        settings.body = Body::AtLogin;
    }
    Ok((source, settings))
}

fn known(table: &Table, keys: &[&str]) -> Result<(), String> {
    table
        .keys()
        .find(|key| !keys.contains(&key.as_str()))
        .map_or(Ok(()), |key| Err(format!("unknown key {key}")))
}

fn table(table: &Table, key: &str) -> Table {
    table
        .get(key)
        .map(|value| value.as_table().unwrap().clone())
        .unwrap_or_default()
}

fn take(table: &mut Table, key: &str) -> Option<String> {
    table.remove(key).map(|value| text(&value))
}

fn text(value: &toml::Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts(table: &Table, key: &str) -> Vec<String> {
    table
        .get(key)
        .map(|value| value.as_array().unwrap().iter().map(text).collect())
        .unwrap_or_default()
}

fn json(table: &Table, key: &str) -> Map<String, Value> {
    table
        .get(key)
        .map(|value| serde_json::from_str(value.as_str().unwrap()).unwrap())
        .unwrap_or_default()
}
