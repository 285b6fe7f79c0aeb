//! Files that are damaged, cut, edited or made up: each its own error with the line, and nothing is written.

use std::ops::ControlFlow;

use aws_lc_rs::digest::{SHA256, digest};
use narthex_store::transfer::{LINE_BYTES_MAX, TransferError};
use narthex_testkit::postgres::Database;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{empty, exported, fill, imported, postgres, sqlite};

/// A good file, line by line.
async fn lines() -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    fill(&crate::open_at(&path)).await;
    let (_, file) = exported(sqlite(&path)).await;
    let file = String::from_utf8(file).unwrap();
    file.split_inclusive('\n').map(str::to_owned).collect()
}

/// The last line made true again, as somebody who edits a file can.
fn sealed(mut lines: Vec<String>) -> Vec<String> {
    lines.pop();
    let records = &lines[1..];
    let mut counts = serde_json::Map::new();
    let kinds = [
        "user",
        "user_issuer",
        "organization",
        "former_organization_name",
        "organization_logo",
        "team",
        "grant",
        "audit_event",
        "audit_seal",
        "seal_key",
        "audit_link",
        "audit_checkpoint",
        "audit_key",
        "api_key",
        "machine_key",
        "assertion_key",
        "key_set",
        "document",
        "seen_tag",
        "removed_identity",
        "revocation",
        "erasure_key",
    ];
    for kind in kinds {
        let count = records
            .iter()
            .filter(|line| line.starts_with(&format!("{{\"{kind}\":")));
        counts.insert(kind.to_owned(), count.count().into());
    }
    let sha256 = digest(&SHA256, records.concat().as_bytes());
    let sha256 = sha256
        .as_ref()
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    lines.push(format!(
        "{}\n",
        json!({ "end": { "counts": counts, "sha256": sha256 } })
    ));
    lines
}

/// The number of the first line of a kind, from zero.
fn first(lines: &[String], kind: &str) -> usize {
    lines
        .iter()
        .position(|line| line.starts_with(&format!("{{\"{kind}\":")))
        .unwrap()
}

/// Changes a member of a record, whose line is then as an export would write it.
fn set(lines: &mut [String], index: usize, member: &str, value: Value) {
    let mut record: Value = serde_json::from_str(&lines[index]).unwrap();
    let kind = record.as_object().unwrap().keys().next().unwrap().clone();
    *record[&kind].get_mut(member).unwrap() = value;
    lines[index] = format!("{record}\n");
}

/// A good file, and two empty stores that take none of the others.
struct Stores {
    good: Vec<String>,
    folder: tempfile::TempDir,
    database: Database,
}

impl Stores {
    async fn new() -> Self {
        Self {
            good: lines().await,
            folder: tempfile::tempdir().unwrap(),
            database: empty(),
        }
    }

    /// Neither takes it, both say the same, and both are empty afterwards.
    async fn refused(&self, file: &[u8]) -> String {
        let path = self.folder.path().join("narthex.db");
        let mut said = Vec::new();
        for place in [sqlite(&path), postgres(&self.database)] {
            let error = imported(place.clone(), file).await.unwrap_err();
            said.push(error.to_string());
            match super::export(place, Vec::new(), 7, |_| ControlFlow::Continue(())).await {
                Ok((summary, _)) => assert_eq!(summary.counts.total(), 0, "{error}"),
                // A file that is none of ours does not even make the store.
                Err(absent) => assert!(matches!(absent, TransferError::Absent), "{absent}"),
            }
        }
        let shape = |text: &str| text.split("it does not go with").next().unwrap().to_owned();
        assert_eq!(shape(&said[0]), shape(&said[1]));
        said.swap_remove(0)
    }

    /// An edit gives the number of the line that is then wrong.
    async fn check(&self, edit: impl FnOnce(&mut Vec<String>) -> usize, expected: &str) {
        let mut lines = self.good.clone();
        let line = edit(&mut lines);
        let said = self.refused(lines.concat().as_bytes()).await;
        assert!(said.contains(expected), "{said}\nand not: {expected}");
        assert!(
            said.starts_with(&format!("line {line}: ")),
            "{said}\nand not in line {line}"
        );
    }
}

#[tokio::test]
async fn files_that_are_none_or_of_another_time() {
    let stores = Stores::new().await;
    assert!(stores.refused(b"").await.contains("the file is empty"));
    for foreign in [
        "hello\n",
        "{\"user\":{}}\n",
        "[1]\n",
        "SQLite format 3\0\n",
        "{\"narthex_export\":1}\n",
    ] {
        assert!(
            stores
                .refused(foreign.as_bytes())
                .await
                .contains("line 1: the file is no export of Narthex"),
            "{foreign}"
        );
    }
    let header = |edit: fn(&str) -> String| {
        move |lines: &mut Vec<String>| {
            lines[0] = edit(&lines[0]);
            1
        }
    };
    stores
        .check(
            header(|line| line.replace("\"format\":1", "\"format\":2")),
            "has format 2 and this program reads format 1",
        )
        .await;
    stores
        .check(
            header(|line| line.replace("\"schema\":16", "\"schema\":99")),
            "has schema version 99 and this program 16",
        )
        .await;
    stores
        .check(header(|line| line.replace("\"format\":1,", "")), "`format` is missing")
        .await;
}

#[tokio::test]
async fn files_that_were_cut_or_damaged() {
    let stores = Stores::new().await;
    let cut = |lines: &mut Vec<String>| {
        lines.pop();
        lines.len() + 1
    };
    stores.check(cut, "ends here without its last line").await;
    let half = |lines: &mut Vec<String>| {
        let last = lines.last_mut().unwrap();
        last.truncate(last.len() / 2);
        lines.len()
    };
    stores
        .check(half, "it is no whole JSON object; the file was cut off")
        .await;
    stores
        .check(
            |lines| {
                lines.push("\n".to_owned());
                lines.len()
            },
            "there is something after the last line",
        )
        .await;
    stores
        .check(
            |lines| {
                lines.remove(first(lines, "seen_tag"));
                lines.len()
            },
            "lines were lost or added",
        )
        .await;
    stores
        .check(
            |lines| {
                let user = first(lines, "user");
                set(lines, user, "name", json!("Mallory"));
                lines.len()
            },
            "the file was changed or damaged",
        )
        .await;
    stores
        .check(
            |lines| {
                lines[4].insert(10, '\u{7}');
                5
            },
            "it is no JSON: a syntax error at column",
        )
        .await;
    stores
        .check(
            |lines| {
                let length = LINE_BYTES_MAX + 1;
                lines[2] = " ".repeat(length);
                3
            },
            "it is longer than 16777216 bytes",
        )
        .await;
}

#[tokio::test]
async fn records_that_are_no_records() {
    let stores = Stores::new().await;
    let replaced = |index: usize, line: &'static str| {
        move |lines: &mut Vec<String>| {
            lines[index] = format!("{line}\n");
            index + 1
        }
    };
    stores
        .check(replaced(1, "{\"person\":{}}"), "`person` is no kind of record")
        .await;
    stores
        .check(replaced(1, "{\"user\":1}"), "a record is one object in another")
        .await;
    stores
        .check(replaced(1, "{}"), "a record is one object in another")
        .await;
    stores.check(replaced(1, "7"), "it is no JSON object").await;
    let edited = |kind: &'static str, from: &'static str, to: &'static str| {
        move |lines: &mut Vec<String>| {
            let index = first(lines, kind);
            assert!(lines[index].contains(from), "{}", lines[index]);
            lines[index] = lines[index].replacen(from, to, 1);
            index + 1
        }
    };
    stores
        .check(edited("user", "\"email\":null,", ""), "user: `email` is missing")
        .await;
    stores
        .check(
            edited("user", "\"email\":null,", "\"email\":null,\"admin\":true,"),
            "user: `admin` is no member of it",
        )
        .await;
    stores
        .check(
            edited("user", "\"email\":null", "\"email\":7"),
            "user: `email` is of another type",
        )
        .await;
    stores
        .check(
            edited("user", "\"status\":\"active\"", "\"status\":null"),
            "user: `status`: it is missing",
        )
        .await;
    stores
        .check(
            edited("user", "\"email\":null,", "\"email\":null,\"email\":null,"),
            "not written as `narthex export` writes it",
        )
        .await;
    stores
        .check(
            edited("user", "\"email\":", "\"email\": "),
            "not written as `narthex export` writes it",
        )
        .await;
    stores
        .check(
            edited("user", "}\n", "}\r\n"),
            "not written as `narthex export` writes it",
        )
        .await;
    stores
        .check(
            edited("user", "\"realm\":\"main\"", "\"realm\":\"\\u006dain\""),
            "not written as",
        )
        .await;
}

#[tokio::test]
async fn records_out_of_order_or_twice() {
    let stores = Stores::new().await;
    let swap = |lines: &mut Vec<String>| {
        lines.swap(1, 2);
        3
    };
    stores.check(swap, "user: it is not in the order of its key").await;
    let twice = |lines: &mut Vec<String>| {
        lines.insert(2, lines[1].clone());
        3
    };
    stores.check(twice, "user: it is there twice").await;
    let late = |lines: &mut Vec<String>| {
        let key_set = lines.remove(first(lines, "key_set"));
        let at = lines.len() - 1;
        lines.insert(at, key_set);
        at + 1
    };
    stores
        .check(late, "key_set: it stands after a record of kind `erasure_key`")
        .await;
}

/// A kind, a member of its first record, what is put there, and what is said.
type Case = (&'static str, &'static str, Value, &'static str);

/// Somebody who edits a file can make its last line true again; the directory's rules hold all the same.
async fn each_is_refused(cases: &[Case]) {
    let stores = Stores::new().await;
    let good = stores.good.clone();
    for (kind, member, value, expected) in cases {
        let mut lines = good.clone();
        let index = first(&lines, kind);
        set(&mut lines, index, member, value.clone());
        let said = stores.refused(sealed(lines).concat().as_bytes()).await;
        assert!(said.contains(expected), "{said}\nand not: {expected}");
        assert!(said.starts_with(&format!("line {}: {kind}: ", index + 1)), "{said}");
    }
}

#[tokio::test]
async fn sec_a_made_up_file_keeps_the_rules_of_users_and_organizations() {
    let logo = "`bytes`: it is no PNG or JPEG";
    each_is_refused(&[
        (
            "user",
            "id",
            json!("01HF7YAT000000000000000019"),
            "`id`: not the id of a user",
        ),
        ("user", "username", json!(" ada"), "`username`"),
        ("user", "status", json!("root"), "`status`: not a known"),
        ("user", "context", json!([]), "`context` is of another type"),
        ("user", "version", json!(0), "`version`: it is not between 1 and"),
        ("user", "version", json!(i64::MAX), "`version`: it is not between 1 and"),
        ("user", "name", json!("a\0b"), "`name`: it holds the character U+0000"),
        (
            "user_issuer",
            "tags",
            json!(["staff", "a\0b"]),
            "`tags`: a text in it holds the character U+0000",
        ),
        ("organization", "name", json!("../x"), "`name`"),
        (
            "organization",
            "admin_tags",
            json!(["a", " a"]),
            "`admin_tags`: a tag is empty, there twice",
        ),
        (
            "organization",
            "member_tags",
            json!(["a", 7]),
            "`member_tags`: it is no list of texts",
        ),
        ("organization_logo", "bytes", json!("PHN2Zz4"), logo),
    ])
    .await;
}

#[tokio::test]
async fn sec_a_made_up_file_keeps_the_rules_of_grants_and_keys() {
    let source = "`issuer` and `tag` do not go with its `source`";
    let jwk = "{\"kid\":\"one\",\"d\":\"x\"}";
    each_is_refused(&[
        ("grant", "role", json!("owner"), "`role`: not a known"),
        ("grant", "source", json!("manual"), source),
        ("grant", "tag", json!(""), source),
        ("grant", "via", json!("each"), source),
        (
            "audit_event",
            "sequence",
            json!(0),
            "`sequence`: it is not between 1 and",
        ),
        ("audit_event", "actor_kind", json!("god"), "its actor is unknown"),
        ("api_key", "hash", json!("AAAA"), "`hash`: it has 3 bytes and not 32"),
        ("api_key", "hash", json!("AA=="), "`hash` is of another type"),
        ("machine_key", "role", json!("viewer"), "`role`: not a known"),
        (
            "removed_identity",
            "hash",
            json!("AB"),
            "`hash`: it is no SHA-256 in hex",
        ),
        ("removed_identity", "kind", json!("team"), "`kind`: not a known"),
        ("revocation", "kind", json!("sid"), "its `kind`, its `value` and its"),
        (
            "revocation",
            "issued_before_ms",
            json!(1),
            "its `kind`, its `value` and its",
        ),
        (
            "audit_seal",
            "seals",
            json!({"detail.email": "AB"}),
            "`seals`: one of them is no seal",
        ),
        (
            "seal_key",
            "secret",
            json!("AAAA"),
            "`secret`: it has 3 bytes and not 32",
        ),
        (
            "erasure_key",
            "secret",
            json!("AAAA"),
            "`secret`: it has 3 bytes and not 32",
        ),
        (
            "machine_key",
            "hash",
            json!("AAAA"),
            "`hash`: it has 3 bytes and not 32",
        ),
        (
            "assertion_key",
            "public_jwk",
            json!(jwk),
            "`public_jwk`: it holds a private key",
        ),
        (
            "seen_tag",
            "tag",
            json!("x".repeat(600)),
            "`tag`: it is longer than any organization",
        ),
    ])
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Wherever a bit flips or the file ends, but in its first line, which is not part of the digest.
    #[test]
    fn any_damage_is_noticed(place: prop::sample::Index, bit in 0..8_u8, cut: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let lines = lines().await;
            let (first, mut file) = (lines[0].len(), lines.concat().into_bytes());
            let damaged = first + place.index(file.len() - first - 1);
            if cut {
                file.truncate(damaged);
            } else {
                file[damaged] ^= 1 << bit;
            }
            let folder = tempfile::tempdir().unwrap();
            let place = sqlite(&folder.path().join("narthex.db"));
            let refused = imported(place.clone(), &file).await;
            assert!(refused.is_err(), "byte {damaged}");
            assert_eq!(exported(place).await.0.counts.total(), 0);
        });
    }
}

/// What no line shows by itself: the schema's keys, and the rules between records.
#[tokio::test]
async fn sec_a_made_up_file_keeps_the_rules_between_records() {
    let stores = Stores::new().await;
    let good = stores.good.clone();
    let team = first(&good, "team");
    let grant = first(&good, "grant");
    let cases: &[(usize, &str, Value, &str)] = &[
        (2, "username", json!("ada"), "it does not go with the lines before it"),
        (
            grant,
            "user_id",
            json!("01hf7yat000000000000000zzz"),
            "it does not go with the lines before it",
        ),
        (
            team,
            "organization_id",
            json!("01hf7yat000000000000000zzz"),
            "it does not go with the lines before it",
        ),
        (
            team,
            "realm",
            json!("other"),
            "1 teams lie in an organization of another realm",
        ),
        (
            first(&good, "organization"),
            "has_logo",
            json!(false),
            "say `has_logo` otherwise",
        ),
    ];
    for (index, member, value, expected) in cases {
        let mut lines = good.clone();
        set(&mut lines, *index, member, value.clone());
        let said = stores.refused(sealed(lines).concat().as_bytes()).await;
        assert!(said.contains(expected), "{said}\nand not: {expected}");
        if expected.starts_with("it") {
            assert!(said.starts_with(&format!("line {}: ", index + 1)), "{said}");
        }
    }
    // An open manual grant on an organization that takes none.
    let mut lines = good.clone();
    let manual = lines.iter().position(|line| {
        line.starts_with("{\"grant\"")
            && line.contains("\"source\":\"manual\"")
            && line.contains("\"role\":\"executor\"")
    });
    set(&mut lines, manual.unwrap(), "revoked_at_ms", Value::Null);
    let record: Value = serde_json::from_str(&lines[manual.unwrap()]).unwrap();
    let organization = record["grant"]["organization_id"].as_str().unwrap();
    let organization = lines
        .iter()
        .position(|line| line.contains(&format!("{{\"organization\":{{\"id\":\"{organization}")));
    set(&mut lines, organization.unwrap(), "membership", json!("external_only"));
    let said = stores.refused(sealed(lines).concat().as_bytes()).await;
    assert!(said.contains("on an organization that takes none"), "{said}");
}

/// The index that decides who gets in comes from the organizations' own lists, whatever else a file says.
#[tokio::test]
async fn sec_a_file_cannot_list_tags_apart_from_organizations() {
    let stores = Stores::new().await;
    let good = stores.good.clone();
    assert!(!good.iter().any(|line| line.contains("organization_tag\"")));
    let mut lines = good.clone();
    let at = first(&lines, "organization_logo");
    lines.insert(at, "{\"organization_tag\":{}}\n".to_owned());
    let said = stores.refused(sealed(lines).concat().as_bytes()).await;
    assert!(said.contains("`organization_tag` is no kind of record"), "{said}");
}

#[tokio::test]
async fn a_store_that_holds_something_is_left_alone() {
    let file = lines().await.concat();
    let folder = tempfile::tempdir().unwrap();
    let (path, database) = (folder.path().join("narthex.db"), empty());
    for place in [sqlite(&path), postgres(&database)] {
        let first = imported(place.clone(), file.as_bytes()).await.unwrap();
        let refused = imported(place.clone(), file.as_bytes()).await.unwrap_err().to_string();
        assert!(
            refused.contains("the store is not empty: it holds user (4), user_issuer (3)"),
            "{refused}"
        );
        assert!(refused.contains("name another file or database"), "{refused}");
        assert_eq!(exported(place).await.0, first);
    }
}

#[tokio::test]
async fn there_must_be_a_store_to_export() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let database = empty();
    for place in [sqlite(&path), postgres(&database)] {
        let absent = super::export(place, Vec::new(), 7, |_| ControlFlow::Continue(())).await;
        assert!(matches!(absent, Err(TransferError::Absent)));
    }
    assert!(!path.exists(), "asking makes nothing");
    std::fs::write(&path, b"").unwrap();
    let other = folder.path().join("other.db");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    let absent = super::export(sqlite(&path), Vec::new(), 7, |_| ControlFlow::Continue(())).await;
    assert!(matches!(absent, Err(TransferError::Absent)));
    let foreign = super::export(sqlite(&other), Vec::new(), 7, |_| ControlFlow::Continue(())).await;
    let error = foreign.unwrap_err().to_string();
    assert!(error.contains("of another program"), "{error}");
}
