//! How SQLite carries out every statement there is: of the statements that the directory really makes, as the log tells
//! them, what `EXPLAIN QUERY PLAN` says. Once without statistics, once in a full file that has them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use narthex_store::Options;
use narthex_store::population::Population;
use rusqlite::Connection;
use tracing_subscriber::EnvFilter;

use crate::{every_method, open_at};

const LARGE: [&str; 9] = [
    "users",
    "user_issuers",
    "organizations",
    "organization_tags",
    "teams",
    "grants",
    "audit_events",
    "seen_tags",
    "sessions",
];

/// What lists goes along an index (or, audit events, the table itself) in the order of the page, and ends with the page.
const LISTS: [&str; 9] = [
    "users",
    "organizations",
    "teams",
    "grants",
    "events",
    "seen_tags",
    "sessions",
    // Whoever changes an organization's tags may ask who would be concerned: that is everybody in the realm.
    "carriers",
    "count_carriers",
];

/// An index of nothing but what is asked for: of the few organizations that the configuration declares.
const PRECISE: &str = "organizations_config";

/// What the log has told, of all files.
static TOLD: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Keep;

impl io::Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TOLD.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The statements that were made in a file since the last time.
fn told(path: &Path) -> Vec<String> {
    let told = std::mem::take(&mut *TOLD.lock().unwrap());
    let name = format!(" path=\"{}\"", path.display());
    let lines = String::from_utf8(told).unwrap();
    lines
        .lines()
        .filter_map(|line| line.strip_suffix(&name))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sqlite_statement_goes_by_an_index() {
    tracing_subscriber::fmt()
        .without_time()
        .with_level(false)
        .with_target(false)
        .with_ansi(false)
        .with_env_filter(EnvFilter::new("narthex_store::statements=trace"))
        .with_writer(|| Keep)
        .init();
    let folder = tempfile::tempdir().unwrap();
    for name in ["sqlite_fresh", "sqlite_filled"] {
        let path = folder.path().join(name);
        if name == "sqlite_filled" {
            let population = Population {
                users: 5_000,
                organizations: 500,
                tags: 1_500,
            };
            narthex_store::population::fill_sqlite(population, &Options::new(&path), &mut |_| {}).unwrap();
            // As on the way out, when there is more than at the last look.
            Connection::open(&path).unwrap().execute_batch("ANALYZE").unwrap();
        }
        let directory = open_at(&path);
        let beside = Connection::open(&path).unwrap();
        told(&path);
        let mut methods: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut complaints = Vec::new();
        every_method::call(&directory, &mut |method| {
            let statements = methods.entry(method).or_default();
            for sql in told(&path).iter().filter(|sql| explains(sql)) {
                let steps = steps(&beside, sql);
                let complaint = steps.iter().find_map(|step| complaint(method, sql, step));
                complaints.extend(complaint.map(|why| format!("{method}: {why} in\n{sql}")));
                let mut text = every_method::shortened(sql) + "\n";
                for step in steps {
                    writeln!(text, "  {step}").unwrap();
                }
                if !statements.contains(&text) {
                    statements.push(text);
                }
            }
        })
        .await;
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        assert!(every_method::names().is_superset(&methods.keys().copied().collect()));
        let mut page = String::new();
        for (method, statements) in methods {
            write!(page, "# {method}\n\n{}\n", statements.join("\n")).unwrap();
        }
        insta::assert_snapshot!(name, page);
    }
}

fn explains(sql: &str) -> bool {
    let words = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];
    words.iter().any(|word| sql.starts_with(word))
}

fn steps(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // The values stay unbound: a plan is the same for all.
    let rows = statement.raw_query().mapped(|row| row.get("detail"));
    rows.collect::<Result<_, _>>().unwrap()
}

/// What is wrong with a step: it looks through a table that may be large.
fn complaint(method: &str, sql: &str, step: &str) -> Option<String> {
    let scanned = step.strip_prefix("SCAN ")?;
    let name = scanned.split(' ').next()?;
    // A step names a table as the statement does: by its other name, if it gives it one.
    let words: Vec<&str> = sql.split([' ', '(', ')', ',']).collect();
    let table = words
        .windows(2)
        .find(|pair| pair[1] == name && LARGE.contains(&pair[0]))
        .map_or(name, |pair| pair[0]);
    // Whoever searches for a part of a name, or counts, looks at everybody, in whatever order.
    let looks_at_all = sql.contains("instr(") || method == "count_carriers";
    let along = scanned.contains("INDEX") || table == "audit_events" || looks_at_all;
    let allowed = !LARGE.contains(&table) || scanned.ends_with(PRECISE) || (along && LISTS.contains(&method));
    (!allowed).then(|| format!("`{step}` of {table}"))
}
