//! The reader on whole files, and the generated documents.
//!
//! Cases are files: each `tests/config/bad/NAME.toml` has its report beside it in `NAME.txt`, each
//! `tests/config/good/NAME.toml` must be usable, with its warnings (if any) in `NAME.txt`. `UPDATE=1 cargo nextest run
//! -p narthex-cli` rewrites the reports and the documents under `docs/reference/`.

mod introspection;
mod issuer_document;
mod login;
mod store;
mod upstreams;
mod warnings;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use narthex_settings_reader::{Kind, Presence};
use serde_json::Value;

use super::{Environment, Paint, Reading, describe, read_bytes, read_text};

fn crate_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn variables(name: &str) -> Option<OsString> {
    let value = match name {
        "JWT_SECRET" => "a shared secret of forty-two bytes, or so..",
        "JWT_SECRET_NEXT" => "another shared secret of more than 32 bytes",
        "SHORT_SECRET" => "hunter2",
        "EMPTY_SECRET" => "",
        "STORE_URL" => "postgres://narthex:hunter2@db.example.com,127.0.0.1:5433/narthex",
        "BROKEN_URL" => "postgres://narthex:hunter2@db.example.com",
        "PUBLIC_KEY" => "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n",
        _ => return None,
    };
    Some(value.into())
}

/// The report on a case, the same wherever the repository lies.
fn report_of(reading: &Reading, path: &Path) -> String {
    let folder = format!("{}/", path.parent().unwrap().display());
    reading.report(Paint::Plain).replace(&folder, "")
}

fn read_case(path: &Path) -> Reading {
    let environment = Environment::fixed(path.parent().unwrap(), variables);
    let name = path.file_name().unwrap().to_string_lossy();
    read_text(&name, fs::read_to_string(path).unwrap(), &environment)
}

fn read_toml(source: &str) -> Reading {
    read_text(
        "narthex.toml",
        source.to_owned(),
        &Environment::fixed(&crate_file("tests/config"), variables),
    )
}

fn report_on(source: &str) -> String {
    read_toml(source).report(Paint::Plain)
}

/// Every `*.toml` in a folder of cases.
fn cases(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(crate_file("tests/config").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// The examples of configuration on a page.
fn examples(page: &str) -> Vec<String> {
    let blocks = page.split("```toml\n").skip(1);
    let texts = blocks.map(|block| block.split("```").next().unwrap().to_owned());
    // An example of a part of an issuer leaves the issuer out.
    texts
        .map(|text| {
            match (
                text.find("[issuer.").or(text.find("[[issuer.")),
                text.find("[[issuer]]"),
            ) {
                (Some(part), whole) if whole.is_none_or(|whole| part < whole) => format!("[[issuer]]\n{text}"),
                _ => text,
            }
        })
        .collect()
}

#[test]
fn the_pages_use_keys_that_exist() {
    let mut read = 0;
    for folder in ["how-to", "tutorial", "explanation"] {
        for entry in fs::read_dir(crate_file("../../docs").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let page = fs::read_to_string(&path).unwrap_or_default();
            for example in examples(&page) {
                let report = report_on(&example);
                let wrong = ["unknown key", "is now `"];
                assert!(
                    !wrong.iter().any(|words| report.contains(words)),
                    "{}:\n{example}\n{report}",
                    path.display()
                );
                read += 1;
            }
        }
    }
    assert!(read > 20, "only {read} examples were read");
}

/// Compares with a file that is kept in the repository, or rewrites it under `UPDATE=1`.
fn golden(path: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == text,
        "{} is out of date; run with UPDATE=1 and review the change\n\n{text}",
        path.display()
    );
}

#[test]
fn good_files_are_usable() {
    for path in cases("good") {
        let reading = read_case(&path);
        assert!(
            reading.is_usable(),
            "{}:\n{}",
            path.display(),
            reading.report(Paint::Plain)
        );
        let kept = path.with_extension("txt");
        if reading.is_clean() {
            assert!(
                !kept.exists(),
                "{} has no warnings any more; remove {}",
                path.display(),
                kept.display()
            );
        } else {
            golden(&kept, &report_of(&reading, &path));
        }
    }
}

#[test]
fn bad_files_are_reported_in_full() {
    for path in cases("bad") {
        let reading = read_case(&path);
        let report = report_of(&reading, &path);
        assert!(!reading.is_usable(), "{} is usable", path.display());
        // SECURITY: no report ever shows a secret.
        for secret in ["hunter2", "forty-two", "s3cret"] {
            assert!(!report.contains(secret), "{}:\n{report}", path.display());
        }
        golden(&path.with_extension("txt"), &report);
    }
}

/// The scenarios are played against the whole binary; here, quickly: each begins with a configuration that can be used.
#[test]
fn configurations_of_scenarios_are_usable() {
    let mut seen = 0;
    for entry in fs::read_dir(crate_file("../cli/tests/scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let scenario: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in scenario
            .get("file")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flatten()
        {
            fs::write(folder.path().join(name), text.as_str().unwrap()).unwrap();
        }
        let source = with_addresses(&toml::to_string(&scenario["config"]).unwrap());
        let reading = read_text(
            "narthex.toml",
            source.clone(),
            &Environment::fixed(folder.path(), variables),
        );
        assert!(
            reading.is_usable(),
            "{}:\n{}",
            path.display(),
            reading.report(Paint::Plain)
        );
        seen += 1;
    }
    assert!(seen > 10);
}

/// `${…}` stands for the address of a server that the runner starts.
fn with_addresses(source: &str) -> String {
    let mut parts = source.split("${");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "http://127.0.0.1:9" + part.split_once('}').map_or("", |(_, rest)| rest)
    })
}

#[test]
fn ten_lines_are_enough() {
    let sample = crate_file("tests/config/good/sample.toml");
    assert!(fs::read_to_string(&sample).unwrap().lines().count() <= 10);
    assert!(read_case(&sample).is_clean());
}

#[test]
fn the_reference_page_is_up_to_date() {
    let sample = fs::read_to_string(crate_file("tests/config/good/sample.toml")).unwrap();
    golden(
        &crate_file("../../docs/reference/configuration.md"),
        &describe::page(&sample),
    );
}

#[test]
fn the_default_file_is_up_to_date() {
    golden(
        &crate_file("../../docs/reference/narthex.default.toml"),
        &describe::default_file(),
    );
}

#[test]
fn the_schema_is_up_to_date() {
    golden(
        &crate_file("../../docs/reference/config.schema.json"),
        &describe::schema(),
    );
}

/// The default file changes nothing as it stands, and every line in it can be uncommented: each key is known, each
/// value reads.
#[test]
fn the_default_file_reads_with_and_without_its_comments() {
    let commented = describe::default_file();
    assert!(read_toml(&commented).is_usable());
    let settings: String = commented
        .lines()
        .filter_map(|line| uncommented(line).map(|line| format!("{line}\n")))
        .collect();
    let (file, walk) = super::file::read(&settings);
    assert!(
        file.is_some() && walk.problems.is_empty(),
        "{}\n{settings}",
        walk.problems.render("default", &settings, Paint::Plain)
    );
}

fn uncommented(line: &str) -> Option<&str> {
    match line.strip_prefix('#') {
        None => Some(line),
        Some(setting) if setting.starts_with(|first: char| first.is_ascii_lowercase() || first == '[') => Some(setting),
        Some(_) => None,
    }
}

/// Every key says what it does, and what is said as its default is what holds without it.
#[test]
fn every_key_is_documented() {
    let outline = describe::outline();
    for table in describe::tables(&outline) {
        for key in &table.outline.keys {
            let place = format!("{}.{}", table.path, key.name);
            let doc = describe::paragraphs(key.doc).join(" ");
            assert!(doc.len() > 10 && doc.ends_with('.'), "`{place}` says `{doc}`");
            match key.presence {
                Presence::Defaulted => assert!(key.default.is_some(), "`{place}` has no default text"),
                Presence::Required | Presence::Optional => {
                    assert!(key.default.is_none(), "`{place}` has a default that is never used");
                    let is_table = matches!(key.kind, Kind::Section(_));
                    assert!(
                        is_table || key.example.is_some(),
                        "`{place}` has neither default nor example"
                    );
                }
            }
        }
    }
}

/// The schema says the same of every key: a description, and `additionalProperties: false` on every table with known
/// keys.
#[test]
fn the_schema_describes_every_key_and_allows_no_other() {
    fn walk(schema: &Value, place: &str, seen: &mut usize) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            assert_eq!(schema["additionalProperties"], Value::Bool(false), "{place}");
            for (name, property) in properties {
                let place = format!("{place}.{name}");
                assert!(
                    property["description"].as_str().is_some_and(|text| !text.is_empty()),
                    "{place}"
                );
                *seen += 1;
                walk(property, &place, seen);
            }
        }
        if let Some(items) = schema.get("items") {
            walk(items, place, seen);
        }
    }
    let schema: Value = serde_json::from_str(&describe::schema()).unwrap();
    let mut seen = 0;
    walk(&schema, "", &mut seen);
    let outline = describe::outline();
    let keys: usize = describe::tables(&outline)
        .iter()
        .map(|table| table.outline.keys.len())
        .sum();
    assert_eq!(seen, keys);
}

/// A key that no section knows is an error in every section, with the nearest known key named.
#[test]
fn unknown_keys_are_errors_everywhere() {
    let outline = describe::outline();
    let tables = describe::tables(&outline);
    for table in &tables {
        let header = match table.path.split_once('.') {
            _ if table.path.is_empty() => String::new(),
            // A sub-table stands in its table, or in the last of its list.
            Some((outer, _)) => {
                let outer = tables.iter().find(|table| table.path == outer).unwrap();
                format!("{}\n{}\n", outer.header(), table.header())
            }
            None => format!("{}\n", table.header()),
        };
        let known = table.outline.keys.first().unwrap().name;
        let typed = format!("{known}x");
        let report = report_on(&format!("{header}{typed} = 1\n"));
        assert!(
            report.contains(&format!("error: unknown key `{typed}`")),
            "{header}\n{report}"
        );
        assert!(report.contains("did you mean"), "{header}\n{report}");
    }
}

/// A byte of another encoding is a problem like others: with its place, and without an end to the process.
#[test]
fn a_file_of_another_encoding_is_reported() {
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for (bytes, place, help) in [
        (
            b"# caf\xe9\n[listen]\n".to_vec(),
            "narthex.toml:1:6",
            "save it as UTF-8;",
        ),
        (b"# caf\xe9".to_vec(), "narthex.toml:1:6", "save it as UTF-8;"),
        (b"a = 1\n# \xe2\x82".to_vec(), "narthex.toml:2:3", "save it as UTF-8;"),
        (
            utf_16("\u{feff}[listen]\r\n"),
            "narthex.toml:1:1",
            "it looks like UTF-16",
        ),
        (utf_16("[listen]\r\n"), "narthex.toml:1:2", ""),
        (utf_16("# caf\u{e9}\n"), "narthex.toml:1:11", "save it as UTF-8;"),
    ] {
        let reading = read_bytes(
            "narthex.toml",
            bytes,
            &Environment::fixed(&crate_file("tests"), variables),
        );
        let report = reading.report(Paint::Plain);
        assert!(
            !reading.is_usable() && report.contains(place) && report.contains(help),
            "{report}"
        );
        assert!(serde_json::to_string(&reading.rows()).unwrap().contains("\"line\":"));
    }
}

/// Each default that is documented reads as what it is said to be.
#[test]
fn every_default_reads() {
    let reading = read_toml("");
    assert!(reading.is_usable(), "{}", reading.report(Paint::Plain));
}

/// Keys that bind a token to its issuer and to this audience cannot be left out, in the reader and in the schema.
#[test]
fn sec_config_required() {
    let complete = [
        "name = \"corp\"",
        "issuer = \"https://id.example.com\"",
        "jwks_url = \"https://id.example.com/keys\"",
        "audiences = [\"my-app\"]",
    ];
    assert!(read_toml(&format!("[[issuer]]\n{}\n", complete.join("\n"))).is_usable());
    for (left_out, line) in complete.iter().enumerate() {
        let rest: Vec<&str> = complete
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != left_out)
            .map(|(_, line)| *line)
            .collect();
        assert!(
            !read_toml(&format!("[[issuer]]\n{}\n", rest.join("\n"))).is_usable(),
            "usable without {line}"
        );
    }
    for empty in ["audiences = []", "audiences = [\"\"]", "issuer = \"\""] {
        let key = empty.split(' ').next().unwrap();
        let lines: Vec<&str> = complete
            .iter()
            .map(|line| {
                if line.starts_with(&format!("{key} ")) {
                    empty
                } else {
                    line
                }
            })
            .collect();
        assert!(
            !read_toml(&format!("[[issuer]]\n{}\n", lines.join("\n"))).is_usable(),
            "usable with {empty}"
        );
    }
}

/// Neither the report nor the compiled value shows a secret, however it is printed.
#[test]
fn sec_config_prints_no_secret() {
    let reading = read_case(&crate_file("tests/config/good/full.toml"));
    let printed = format!("{reading:?} {reading:#?}");
    assert!(
        !printed.contains("forty-two") && !printed.contains("another shared secret"),
        "{printed}"
    );
    // "forty" as a list of bytes.
    assert!(!printed.contains("102, 111, 114, 116, 121"), "{printed}");
}

/// Secrets are read from the places that are named, and nowhere else: a key that would hold one does not exist.
#[test]
fn sec_secrets_are_never_values() {
    for key in [
        "secret",
        "shared_secret",
        "client_secret",
        "password",
        "bearer_token",
        "private_key",
    ] {
        let report = report_on(&format!("[[issuer]]\n{key} = \"hunter2\"\n"));
        assert!(report.contains(&format!("unknown key `{key}`")), "{report}");
        assert!(report.contains("secrets are never written in this file"), "{report}");
        assert!(!report.contains("hunter2"), "{report}");
    }
}
