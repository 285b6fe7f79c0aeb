//! `docs/reference/export.md`, and that nothing of the schema is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use rusqlite::Connection;

use narthex_store::{Options, SqliteDirectory};
use narthex_tables::transfer::LINE_BYTES_MAX;
use narthex_tables::transfer::schema::{CHANGE_COUNTERS, Holds, ORGANIZATION_TAGS, TABLES, Table};

/// A table's columns, each with its type and whether it must hold something; and the key.
type Shape = (BTreeMap<String, (String, bool)>, Vec<String>);

fn shape_of(table: &Table) -> Shape {
    let columns = table.columns.iter().map(|column| {
        let kind = match column.holds {
            Holds::Text(_) | Holds::Object | Holds::Texts(_) => "TEXT",
            Holds::Time | Holds::Count | Holds::Flag => "INTEGER",
            Holds::Bytes(_) => "BLOB",
        };
        (column.name.to_owned(), (kind.to_owned(), !column.optional))
    });
    let key = table
        .columns
        .iter()
        .take(table.key)
        .map(|column| column.name.to_owned());
    (columns.collect(), key.collect())
}

fn shape_in(connection: &Connection, table: &str) -> Shape {
    let sql = format!("SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table}')");
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get::<_, i64>(3)?,
        ))
    });
    let rows: Vec<(String, String, bool, i64)> = rows.unwrap().map(Result::unwrap).collect();
    let mut key: Vec<(i64, String)> = rows
        .iter()
        .filter(|row| row.3 > 0)
        .map(|row| (row.3, row.0.clone()))
        .collect();
    key.sort();
    let columns = rows
        .into_iter()
        .map(|(name, kind, required, _)| (name, (kind, required)));
    (columns.collect(), key.into_iter().map(|(_, name)| name).collect())
}

/// A table or a column that a migration adds and an export would leave behind fails here.
#[test]
fn every_table_and_column_is_moved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    drop(SqliteDirectory::open(&Options::new(&path)).unwrap());
    let connection = Connection::open(&path).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'refinery%'",
        )
        .unwrap();
    let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let there: BTreeSet<String> = names.map(Result::unwrap).collect();
    let moved = TABLES.iter().chain([&ORGANIZATION_TAGS]).map(|table| table.name);
    // What is in `token_marks` is written out to `user_issuers` first. Sessions and what belongs to them, the progress of
    // webhooks, and refused requests are not moved.
    let left = [
        "token_marks",
        "sessions",
        "one_time_values",
        "logout_marks",
        "webhook_progress",
        "webhook_waiting",
        "webhook_attempts",
        "webhook_sender",
        "denials",
    ];
    let moved = moved.chain([CHANGE_COUNTERS]).chain(left);
    let moved: BTreeSet<String> = moved.map(str::to_owned).collect();
    assert_eq!(there, moved);
    for table in TABLES.iter().chain([&ORGANIZATION_TAGS]) {
        assert_eq!(shape_in(&connection, table.name), shape_of(table), "{}", table.name);
    }
}

/// A row stands after the rows that it refers to.
#[test]
fn parents_stand_before_their_children() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    drop(SqliteDirectory::open(&Options::new(&path)).unwrap());
    let connection = Connection::open(&path).unwrap();
    let mut references = 0;
    for (index, table) in TABLES.iter().enumerate() {
        let sql = format!("SELECT \"table\" FROM pragma_foreign_key_list('{}')", table.name);
        let mut statement = connection.prepare(&sql).unwrap();
        let parents = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        for parent in parents.map(Result::unwrap) {
            let before = TABLES.iter().take(index).any(|table| table.name == parent);
            assert!(before, "{} refers to {parent}", table.name);
            references += 1;
        }
    }
    assert!(references >= 8, "{references}");
}

/// `UPDATE=1 cargo nextest run -p narthex-store` rewrites the page.
#[test]
fn the_reference_of_the_format_is_up_to_date() {
    let mut page = INTRODUCTION.replace("LINE_BYTES_MAX", &LINE_BYTES_MAX.to_string());
    for table in TABLES {
        let _ = write!(page, "\n### `{}`\n\n| member | holds |\n|---|---|\n", table.kind);
        for (index, column) in table.columns.iter().enumerate() {
            let holds = match column.holds {
                Holds::Text(_) => "text",
                Holds::Time => "milliseconds since 1970",
                Holds::Count => "a number from 1",
                Holds::Flag => "`true` or `false`",
                Holds::Bytes(_) => "bytes, base64url without padding",
                Holds::Object => "an object",
                Holds::Texts(_) => "an array of texts",
            };
            let key = if index < table.key { "; key" } else { "" };
            let optional = if column.optional { ", or `null`" } else { "" };
            let _ = writeln!(page, "| `{}` | {holds}{optional}{key} |", column.name);
        }
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/export.md");
    #[expect(clippy::disallowed_methods, reason = "how golden documents are rewritten")]
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&kept, &page).unwrap();
    }
    let current = std::fs::read_to_string(&kept).unwrap_or_default();
    assert!(
        current == page,
        "{} is out of date; run with UPDATE=1 and review the change",
        kept.display()
    );
}

const INTRODUCTION: &str = r#"# The format of an export

<!-- Generated from crates/store/src/transfer/reference.rs. UPDATE=1 cargo nextest run -p narthex-store rewrites it. -->

What `narthex export` writes and `narthex import` reads: one JSON object in each line, UTF-8, lines end with a line feed and have
LINE_BYTES_MAX bytes at the most. How to use it: [Move to PostgreSQL, and back](../how-to/move-to-postgresql.md).

```text
{"narthex_export":{"format":1,"schema":4,"program":"0.1.0","store":"sqlite","exported_at_ms":1800000000000}}
{"user":{"id":"01k…","realm":"corp","external_id":"ada",…}}
{"grant":{"id":"01k…","user_id":"01k…",…}}
{"end":{"counts":{"user":1,…},"sha256":"…"}}
```

* The **first line** says what the file is. `store` and the time tell where it comes from and change nothing.
* **Records** follow, kind by kind in the order below, those of a kind in the order of their key, byte for byte. Each has every member,
  in this order, with `null` where there is nothing. So two stores that hold the same give the same lines.
* The **last line** has the number of records of each kind and the SHA-256 (hex) of all their lines, line feeds included. A file
  without it was cut off.

Import takes exactly what export writes: another format or schema version, an unknown kind or member, one that is missing or there
twice, another order, other blanks or escapes, a wrong number or digest, anything after the last line is an error with the number of
the line. A record must also keep the directory's own rules (those for names, roles, tags, ids) and those of the schema.

`jq` reads it: `jq -c 'select(.grant) | .grant' narthex-export.ndjson`.

## What is not in it

* The index from tags to organizations: it is written from the organizations' own lists.
* The counters by which nodes hear of changes: each database has its own. An import moves the target's.
* Sessions, sign-ins that are under way, and the logouts that identity providers announced. After an import, browsers sign in again;
  a token whose session its provider has ended counts until it expires.
* The denials of the last hour.
* U+0000 in a text that a token or a person brought, which PostgreSQL cannot keep: U+FFFD stands for it. Seen tags that no
  organization could list.

## Kinds

"#;
