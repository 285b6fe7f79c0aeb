//! A process that is killed while it writes loses nothing that it acknowledged.
//!
//! The test starts its own binary again, for itself alone and with a variable set: that process provisions users
//! and prints the name of each once it is acknowledged, until it is killed without warning.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use narthex_conformance::world::{START_MS, World};
use narthex_directory::{ActiveIssuers, CountingIds, Page, People, SyncPolicy, TokenSync, UserFilter, sync};

use crate::open_at;

const CHILD: &str = "NARTHEX_CRASH_TEST_DATABASE";

#[expect(
    clippy::disallowed_methods,
    reason = "how the test tells its child where the database is"
)]
fn database_of_the_child() -> Option<std::path::PathBuf> {
    std::env::var(CHILD).ok().map(Into::into)
}

async fn provision_until_killed(path: &std::path::Path) {
    let directory = std::sync::Arc::new(open_at(path));
    let tasks: Vec<_> = (0..8_u64)
        .map(|task| {
            let directory = directory.clone();
            tokio::spawn(async move {
                let mut ids = CountingIds((task << 32) + (u64::from(std::process::id()) << 40));
                for index in 0.. {
                    let name = format!("{}-{task}-{index}", std::process::id());
                    let token = World::new(&*directory).linked(&name, "acme", "ops");
                    sync(
                        &*directory,
                        &token,
                        &SyncPolicy::default(),
                        &ActiveIssuers::default(),
                        START_MS,
                        &mut ids,
                    )
                    .await
                    .unwrap();
                    println!("acknowledged {name}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_acknowledged() {
    if let Some(path) = database_of_the_child() {
        return provision_until_killed(&path).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let mut acknowledged = HashSet::new();
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::a_killed_process_loses_nothing_acknowledged",
                "--nocapture",
            ])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let target = acknowledged.len() + 300 * round;
        while acknowledged.len() < target {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, name)) = line.split_once("acknowledged ") {
                acknowledged.insert(name.to_owned());
            }
        }
        child.kill().unwrap();
        // What it had printed before it died was acknowledged too. A last line may be cut short.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        for line in rest.iter().rev().skip(1) {
            acknowledged.extend(line.split_once("acknowledged ").map(|(_, name)| name.to_owned()));
        }
        child.wait().unwrap();
    }
    let directory = open_at(&path);
    let mut kept = HashSet::new();
    let mut page = Page::first(200);
    loop {
        let listing = directory.users(UserFilter::default(), page).await.unwrap();
        kept.extend(listing.items.iter().map(|entry| entry.user.external_id.to_string()));
        match listing.next_cursor {
            Some(cursor) => page = Page::after(cursor, 200),
            None => break,
        }
    }
    let lost: Vec<&String> = acknowledged.difference(&kept).collect();
    assert!(
        lost.is_empty(),
        "{} of {} lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
}

/// Which token is the newest is known to the next process, whether the last one ended in good order or not.
#[tokio::test]
async fn sec_marks_written_in_short_are_written_out_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let left = || -> i64 {
        let connection = rusqlite::Connection::open(&path).unwrap();
        let count = connection.query_row("SELECT count(*) FROM token_marks", [], |row| row.get(0));
        count.unwrap()
    };
    for in_good_order in [false, true] {
        let directory = open_at(&path);
        let mut world = World::new(&directory);
        world.ids = CountingIds(u64::from(in_good_order) << 32);
        let subject = format!("in good order: {in_good_order}");
        world.sync(&world.tagged(&subject, &["none"])).await;
        world.later(1_000);
        let older = world.tagged(&subject, &["staff"]);
        world.later(1_000);
        assert!(world.sync(&world.tagged(&subject, &["none"])).await.plan.is_empty());
        directory.flush().await.unwrap();
        assert_eq!(left(), 1, "{subject}");
        if in_good_order {
            directory.flush_last().await.unwrap();
            assert_eq!(left(), 0, "{subject}");
        }
        let now_ms = world.now_ms;
        drop(directory);
        let directory = open_at(&path);
        assert_eq!(left(), 0, "{subject}");
        let mut world = World::new(&directory);
        world.now_ms = now_ms;
        assert!(world.sync(&older).await.plan.stale_token, "{subject}");
    }
}
