//! Migrations: the same names and the same tables as SQLite's, made once by whoever starts first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use narthex_conformance::world::World;
use narthex_directory::{People, StoreError};
use narthex_store::{Options, PostgresDirectory, SqliteDirectory};
use narthex_testkit::postgres::{Cluster, Database};
use rusqlite::Connection;

use super::{database, open_at, options};

fn names(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(folder)
        .join("migrations");
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn both_databases_have_the_same_migrations() {
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}

/// A table in words that both databases share.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    /// By name: the type, and whether it must be there.
    columns: BTreeMap<String, (String, bool)>,
    /// In whatever order, which differs where the planners do.
    primary_key: BTreeSet<String>,
    /// Unique, columns (an expression is `?`), and whether it is partial.
    indexes: BTreeSet<(bool, BTreeSet<String>, bool)>,
    /// Columns, the table and the columns that they refer to.
    references: BTreeSet<(Vec<String>, String, Vec<String>)>,
    checks: usize,
}

fn ours(name: &str) -> bool {
    !name.starts_with("refinery") && !name.starts_with("sqlite")
}

fn rows<const N: usize>(connection: &Connection, sql: &str) -> Vec<[String; N]> {
    let mut statement = connection.prepare(sql).unwrap();
    let read = |row: &rusqlite::Row<'_>| {
        let mut values = std::array::from_fn(|_| String::new());
        for (index, value) in values.iter_mut().enumerate() {
            *value = row.get::<_, Option<String>>(index)?.unwrap_or_else(|| "?".to_owned());
        }
        Ok(values)
    };
    statement.query_map([], read).unwrap().map(Result::unwrap).collect()
}

fn of_sqlite(path: &Path) -> BTreeMap<String, Table> {
    let connection = Connection::open(path).unwrap();
    let mut tables = BTreeMap::new();
    for [name, sql] in rows(&connection, "SELECT name, sql FROM sqlite_schema WHERE type = 'table'") {
        if !ours(&name) {
            continue;
        }
        let mut table = Table {
            // A flag is a boolean there and a number with a check here.
            checks: sql.matches("CHECK (").count() - sql.matches("IN (0, 1)").count(),
            ..Table::default()
        };
        let columns =
            format!("SELECT name, type, \"notnull\" || '', pk || '' FROM pragma_table_info('{name}') ORDER BY pk");
        for [column, kind, required, key] in rows(&connection, &columns) {
            if key != "0" {
                table.primary_key.insert(column.clone());
            }
            table.columns.insert(column, (kind, required == "1"));
        }
        let indexes =
            format!("SELECT name, \"unique\" || '', partial || '' FROM pragma_index_list('{name}') WHERE origin = 'c'");
        for [index, unique, partial] in rows(&connection, &indexes) {
            let columns = format!("SELECT name FROM pragma_index_info('{index}') ORDER BY seqno");
            let columns = rows(&connection, &columns).into_iter().map(|[column]| column).collect();
            table.indexes.insert((unique == "1", columns, partial == "1"));
        }
        let keys = format!("SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list('{name}')");
        for [from, to, column] in rows(&connection, &keys) {
            table.references.insert((vec![from], to, vec![column]));
        }
        tables.insert(name, table);
    }
    tables
}

fn words(text: &str) -> Vec<String> {
    text.split(',')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn of_postgres(database: &Database) -> BTreeMap<String, Table> {
    let ask = |sql: &str| -> Vec<Vec<String>> {
        let said = database.sql(sql).unwrap();
        said.lines()
            .map(|line| line.split('|').map(str::to_owned).collect())
            .collect()
    };
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in ask(
        "SELECT table_name, column_name, data_type, is_nullable, collation_name \
                    FROM information_schema.columns WHERE table_schema = 'public'",
    ) {
        let kind = match row[2].as_str() {
            "text" => "TEXT",
            "bigint" | "boolean" => "INTEGER",
            "bytea" => "BLOB",
            other => other,
        };
        assert!(
            kind != "TEXT" || row[4] == "C" || !ours(&row[0]),
            "{row:?} compares by the database's collation"
        );
        let table = tables.entry(row[0].clone()).or_default();
        table.columns.insert(row[1].clone(), (kind.to_owned(), row[3] == "NO"));
    }
    for row in ask(
        "SELECT t.relname, i.indisunique, i.indisprimary, i.indpred IS NOT NULL, \
                    (SELECT string_agg(coalesce(a.attname, '?'), ',' ORDER BY k.position) \
                     FROM unnest(i.indkey) WITH ORDINALITY AS k (number, position) \
                     LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number AND k.number > 0) \
                    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid \
                    WHERE t.relnamespace = 'public'::regnamespace",
    ) {
        let table = tables.entry(row[0].clone()).or_default();
        if row[2] == "t" {
            table.primary_key = words(&row[4]).into_iter().collect();
        } else {
            table
                .indexes
                .insert((row[1] == "t", words(&row[4]).into_iter().collect(), row[3] == "t"));
        }
    }
    let columns_of = |list: &str, table: &str| {
        format!(
            "(SELECT string_agg(a.attname, ',' ORDER BY k.position) FROM unnest(c.{list}) \
             WITH ORDINALITY AS k (number, position) JOIN pg_attribute a ON a.attrelid = c.{table} AND a.attnum = k.number)"
        )
    };
    let constraints = format!(
        "SELECT t.relname, c.contype, coalesce({}, ''), coalesce(r.relname, ''), coalesce({}, '') FROM pg_constraint c \
         JOIN pg_class t ON t.oid = c.conrelid LEFT JOIN pg_class r ON r.oid = c.confrelid \
         WHERE t.relnamespace = 'public'::regnamespace AND c.contype IN ('f', 'c')",
        columns_of("conkey", "conrelid"),
        columns_of("confkey", "confrelid")
    );
    for row in ask(&constraints) {
        let table = tables.entry(row[0].clone()).or_default();
        if row[1] == "c" {
            table.checks += 1;
        } else {
            table
                .references
                .insert((words(&row[2]), row[3].clone(), words(&row[4])));
        }
    }
    tables.retain(|name, _| ours(name));
    tables
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    drop(SqliteDirectory::open(&Options::new(&path)).unwrap());
    let (sqlite, postgres) = (of_sqlite(&path), of_postgres(&database().await));
    assert!(sqlite.len() > 10, "{:?}", sqlite.keys());
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (name, table) in &sqlite {
        assert_eq!(table, &postgres[name], "{name}");
    }
}

#[tokio::test]
async fn pending_migrations_are_told_and_then_none_are() {
    let database = Cluster::shared().unwrap().empty_database().unwrap();
    let options = options(&database.url());
    let pending = PostgresDirectory::pending(&options).await.unwrap();
    assert_eq!((pending[0].version, pending[0].name.as_str()), (1, "directory"));
    assert!(pending[0].sql.contains("CREATE TABLE users"));
    assert_eq!(
        database
            .sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .unwrap(),
        "0"
    );
    let directory = PostgresDirectory::open(&options).await.unwrap();
    let ada = World::new(&directory).user("ada").await;
    assert!(PostgresDirectory::pending(&options).await.unwrap().is_empty());
    drop(directory);
    let again = PostgresDirectory::open(&options).await.unwrap();
    assert_eq!(again.user(ada.id).await.unwrap().unwrap().user, ada);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_nodes_may_start_at_once() {
    let database = Cluster::shared().unwrap().empty_database().unwrap();
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let options = options(&database.url());
            tokio::spawn(async move { PostgresDirectory::open(&options).await.map(drop) })
        })
        .collect();
    for start in starts {
        assert_eq!(start.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let database = database().await;
    let future = "INSERT INTO refinery_schema_history VALUES (999, 'future', '2100-01-01T00:00:00Z', '0')";
    database.sql(future).unwrap();
    let newer = StoreError::SchemaNewer { found: 999, known: 16 };
    let options = options(&database.url());
    assert_eq!(PostgresDirectory::open(&options).await.unwrap_err(), newer);
    assert_eq!(PostgresDirectory::pending(&options).await.unwrap_err(), newer);
}

/// What is acknowledged is on the disk, even where the database's own default is not to wait for it.
#[tokio::test]
async fn every_connection_waits_for_the_disk() {
    let database = database().await;
    let name = database.sql("SELECT current_database()").unwrap();
    database
        .sql(&format!("ALTER DATABASE {name} SET synchronous_commit = off"))
        .unwrap();
    let setting = "SELECT current_setting('synchronous_commit')";
    assert_eq!(database.sql(setting).unwrap(), "off");
    // What the session that writes is set to.
    database.sql("CREATE TABLE noted (setting TEXT)").unwrap();
    let note = "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                INSERT INTO noted VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$";
    database.sql(note).unwrap();
    database
        .sql("CREATE TRIGGER noting AFTER INSERT ON users FOR EACH STATEMENT EXECUTE FUNCTION note()")
        .unwrap();
    let directory = open_at(&database.url()).await;
    let mut world = World::new(&directory);
    world.user("ada").await;
    world.sync(&world.token("bob")).await;
    assert_eq!(
        database.sql("SELECT string_agg(setting, ' ') FROM noted").unwrap(),
        "on on"
    );
}
