//! P10 and the store's part of P9: opening a database with a million users, and what it holds in memory.

use narthex_conformance::world::START_MS;
use narthex_directory::{CountingIds, Page, People, TokenSync, UserFilter, UserId};
use narthex_store::{Options, SqliteDirectory};
use rusqlite::{Connection, params};
use tokio::time::Instant;

use crate::median;

const USERS: u64 = 1_000_000;

pub(crate) async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    drop(SqliteDirectory::open(&Options::new(&path)).unwrap());
    let ids = fill(&path);
    let mut opened = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let directory = SqliteDirectory::open(&Options::new(&path)).unwrap();
        directory.health().await.unwrap();
        directory.users(UserFilter::default(), Page::first(1)).await.unwrap();
        opened.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    println!(
        "P10 open and first answer with {USERS} users: {:.1} ms (bar for the whole start: 150 ms)",
        median(opened)
    );
    let before = resident_mib();
    let directory = SqliteDirectory::open(&Options::new(&path)).unwrap();
    for id in ids.iter().step_by(10) {
        directory.standing(*id).await.unwrap().unwrap();
    }
    println!(
        "P9 the store after 100000 looks at {USERS} users: {:.0} MiB resident more",
        resident_mib() - before
    );
}

fn fill(path: &std::path::Path) -> Vec<UserId> {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; BEGIN")
        .unwrap();
    let mut source = CountingIds(0);
    let mut made = Vec::new();
    for index in 0..USERS {
        let id = UserId::new(START_MS + i64::try_from(index).unwrap(), &mut source);
        let subject = format!("{:016x}-{index}", index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        connection
            .prepare_cached(
                "INSERT INTO users (id, realm, external_id, username, email, status, context, created_at_ms, \
                 updated_at_ms, version) VALUES (?1, 'main', ?2, ?2, ?3, 'active', '{}', 0, 0, 1)",
            )
            .unwrap()
            .execute(params![id.to_string(), subject, format!("{subject}@example.com")])
            .unwrap();
        made.push(id);
    }
    connection
        .execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    made
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1_024.0
}
