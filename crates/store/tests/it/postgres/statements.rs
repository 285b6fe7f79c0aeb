//! How PostgreSQL carries out every statement there is: as the server tells it of the statements that the directory really
//! makes, those of foreign keys included. Once in a database that has no statistics, once in a full one that has.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use narthex_store::population::Population;
use narthex_store::{PostgresDirectory, PostgresOptions};
use narthex_testkit::postgres::OwnServer;
use serde_json::Value;

use crate::every_method;

/// Tables that grow with the number of people, and are never looked through.
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

/// What lists goes along an index in the order of the page, and ends with the page.
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

/// The version of PostgreSQL whose plans are kept beside this file.
const SNAPSHOTS_OF: &str = "15";

/// Indexes that need no value to begin with: of nothing but what is asked for (what the configuration declares, roles on the
/// platform), or in the order in which some are asked for (what lapses next, the newest event, the oldest refusal).
const ORDERED: [&str; 6] = [
    "organizations_config",
    "grants_platform",
    "grants_lapse",
    "sessions_lapse",
    "audit_events_pkey",
    "audit_events_refusals",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_goes_by_an_index() {
    let server = OwnServer::start_explaining().unwrap();
    let version = server
        .sql("postgres", "SELECT current_setting('server_version_num')::int / 10000")
        .unwrap();
    for name in ["fresh", "filled"] {
        server.create_database(name).unwrap();
        let options = PostgresOptions::parse(&server.url(name)).unwrap().with_connections(4);
        if name == "filled" {
            // As many as the server's statistics take in whole, without a choice by chance: fewer than 30,000 rows in
            // any table.
            let population = Population {
                users: 9_000,
                organizations: 900,
                tags: 2_700,
            };
            narthex_store::population::fill_postgres(population, &options, &mut |_| {})
                .await
                .unwrap();
        }
        let directory = PostgresDirectory::open(&options).await.unwrap();
        let begins = begins(&server, name);
        assert!(begins.len() > LARGE.len());
        let mut seen = server.plans(name).unwrap().len();
        let mut methods: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut complaints = Vec::new();
        every_method::call(&directory, &mut |method| {
            let plans = server.plans(name).unwrap();
            for plan in plans[seen..].iter().filter(|plan| belongs(method, plan)) {
                let mut text = shown(plan);
                // With a handful of rows both indexes cost the same, and chance decides.
                if name == "fresh" {
                    text = text.replace(
                        "by grants_platform in grants where (user_id = u.id)",
                        "by grants_open in grants where (user_id = u.id)",
                    );
                }
                complaints
                    .extend(complaint(method, &plan["Plan"], &begins).map(|why| format!("{method}: {why} in\n{text}")));
                let statements = methods.entry(method).or_default();
                if !statements.contains(&text) {
                    statements.push(text);
                }
            }
            seen = plans.len();
        })
        .await;
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        assert_eq!(
            methods.keys().copied().collect::<std::collections::BTreeSet<_>>(),
            every_method::names()
        );
        let mut page = String::new();
        for (method, statements) in methods {
            write!(page, "# {method}\n\n{}\n", statements.join("\n")).unwrap();
        }
        // Another version's planner finds its own ways; what must hold of them is asserted above.
        if version == SNAPSHOTS_OF {
            insta::assert_snapshot!(name, page);
        }
    }
}

/// A new connection sets itself up, and the task that listens looks at the numbers, during whatever else goes on.
fn belongs(method: &str, plan: &Value) -> bool {
    let sql = plan["Query Text"].as_str().unwrap();
    !sql.starts_with("SET ") && (method == "poll_versions" || !sql.contains("(SELECT sum(a.version)"))
}

/// A statement, and its plan without figures.
fn shown(plan: &Value) -> String {
    let mut text = every_method::shortened(plan["Query Text"].as_str().unwrap()) + "\n";
    show(&plan["Plan"], 1, &mut text);
    text
}

fn show(node: &Value, depth: usize, text: &mut String) {
    let word = |name: &str| node[name].as_str();
    let kind = word("Node Type").unwrap();
    write!(text, "{}{}", "  ".repeat(depth), word("Operation").unwrap_or(kind)).unwrap();
    for (before, name) in [
        (" of ", "Subplan Name"),
        (" by ", "Index Name"),
        (" in ", "Relation Name"),
        (" where ", "Index Cond"),
    ] {
        if let Some(value) = word(name) {
            write!(text, "{before}{value}").unwrap();
        }
    }
    text.push('\n');
    for inner in node["Plans"].as_array().into_iter().flatten() {
        show(inner, depth + 1, text);
    }
}

/// What is wrong with a plan: it looks through a table that may be large, or does not know where in an index to begin.
fn complaint(method: &str, node: &Value, begins: &BTreeMap<String, String>) -> Option<String> {
    let word = |name: &str| node[name].as_str().unwrap_or_default();
    let table = word("Relation Name");
    if LARGE.contains(&table) && word("Node Type") == "Seq Scan" {
        return Some(format!("{table} is looked through"));
    }
    let index = word("Index Name");
    if let Some(column) = begins.get(index)
        && !word("Index Cond").contains(&format!("{column} = "))
        && !ORDERED.contains(&index)
        && !LISTS.contains(&method)
    {
        return Some(format!("{index} is read without a value for its {column}"));
    }
    let inner = node["Plans"].as_array().into_iter().flatten();
    inner.into_iter().find_map(|node| complaint(method, node, begins))
}

/// What each index of a large table begins with.
fn begins(server: &OwnServer, database: &str) -> BTreeMap<String, String> {
    let sql = "SELECT indexrelid::regclass || ' ' || pg_get_indexdef(indexrelid, 1, true) FROM pg_index \
               WHERE indrelid::regclass::text = ANY (string_to_array('TABLES', ' '))";
    let lines = server.sql(database, &sql.replace("TABLES", &LARGE.join(" "))).unwrap();
    let pair = |line: &str| {
        line.split_once(' ')
            .map(|(index, column)| (index.to_owned(), column.to_owned()))
    };
    lines.lines().filter_map(pair).collect()
}
