//! The database goes away and comes back, or another takes its place.

use std::time::Duration;

use narthex_conformance::world::World;
use narthex_directory::{People, StoreError, TokenSync};
use narthex_store::{PostgresDirectory, PostgresOptions};
use narthex_testkit::postgres::OwnServer;
use tokio::time::sleep;

use super::{database, options};

/// Calls once; it answers within `most`, whatever it is.
async fn asked(directory: &PostgresDirectory, most: Duration) -> Result<(), StoreError> {
    let begun = tokio::time::Instant::now();
    let answer = directory.health().await;
    assert!(begun.elapsed() < most, "{:?}: {answer:?}", begun.elapsed());
    answer
}

async fn until_healthy(directory: &PostgresDirectory) {
    for _ in 0..200 {
        if asked(directory, Duration::from_secs(12)).await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("still not healthy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_survived_and_loses_nothing_acknowledged() {
    let mut server = OwnServer::start().unwrap();
    server.create_database("narthex").unwrap();
    let directory = PostgresDirectory::open(&options(&server.url("narthex"))).await.unwrap();
    let ada = World::new(&directory).user("ada").await;
    server.kill();
    let mut refusals = 0;
    for _ in 0..50 {
        match asked(&directory, Duration::from_secs(1)).await {
            Err(error @ StoreError::Unavailable(_)) => {
                assert!(error.is_temporary());
                refusals += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refusals, 50);
    let plan = World::new(&directory)
        .try_sync(&World::new(&directory).token("bob"))
        .await;
    assert!(plan.is_err());
    server.start_again().unwrap();
    until_healthy(&directory).await;
    assert_eq!(directory.user(ada.id).await.unwrap().unwrap().user, ada);
    let policy = directory.versions().policy();
    World::new(&directory).organization("tools", "", "").await;
    assert!(directory.versions().policy() > policy);
}

/// The first host takes connections and says nothing; the second one answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_host_is_passed_over_and_the_next_one_serves() {
    let (first, second) = (OwnServer::start().unwrap(), OwnServer::start().unwrap());
    for server in [&first, &second] {
        server.create_database("narthex").unwrap();
    }
    let url = |server: &OwnServer| options(&server.url("narthex"));
    // The same user in both, as replication would have it.
    let ada = World::new(&PostgresDirectory::open(&url(&first)).await.unwrap())
        .user("ada")
        .await;
    let same = World::new(&PostgresDirectory::open(&url(&second)).await.unwrap())
        .user("ada")
        .await;
    assert_eq!(ada, same);
    let (one, two) = (first.url("narthex"), second.url("narthex"));
    let host = |url: &str| url.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
    let both = format!(
        "postgres://narthex@{},{}/narthex?connect_timeout=1",
        host(&one),
        host(&two)
    );
    let options = PostgresOptions::parse(&both).unwrap().with_connections(4);
    let directory = PostgresDirectory::open(&options).await.unwrap();
    asked(&directory, Duration::from_secs(1)).await.unwrap();
    first.freeze("STOP").unwrap();
    // Every connection that was open hangs; each is given up after its own limit, and then never used again.
    until_healthy(&directory).await;
    assert_eq!(directory.user(ada.id).await.unwrap().unwrap().user, ada);
}

/// A host that takes no writes is passed over, and when the one that did no longer does, its connections are too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_that_takes_writes_is_looked_for() {
    let (first, second) = (OwnServer::start().unwrap(), OwnServer::start().unwrap());
    for server in [&first, &second] {
        server.create_database("narthex").unwrap();
        PostgresDirectory::open(&options(&server.url("narthex"))).await.unwrap();
    }
    let read_only = |server: &OwnServer, on: &str| {
        server
            .sql(
                "narthex",
                &format!("ALTER DATABASE narthex SET default_transaction_read_only = {on}"),
            )
            .unwrap();
    };
    read_only(&first, "on");
    let host = |server: &OwnServer| {
        server
            .url("narthex")
            .split_once('@')
            .unwrap()
            .1
            .split_once('/')
            .unwrap()
            .0
            .to_owned()
    };
    let both = format!("postgres://narthex@{},{}/narthex", host(&first), host(&second));
    let directory = PostgresDirectory::open(&PostgresOptions::parse(&both).unwrap())
        .await
        .unwrap();
    World::new(&directory).user("ada").await;
    assert_eq!(second.sql("narthex", "SELECT count(*) FROM users").unwrap(), "1");
    // Now the other way round, as after a failover: what is open ends.
    read_only(&second, "on");
    first
        .sql(
            "postgres",
            "ALTER DATABASE narthex SET default_transaction_read_only = off",
        )
        .unwrap();
    second
        .sql(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'narthex'",
        )
        .unwrap();
    until_healthy(&directory).await;
    World::new(&directory).user("bob").await;
    assert_eq!(first.sql("narthex", "SELECT count(*) FROM users").unwrap(), "1");
}

/// Writers who do not get their turn, and callers for whom no connection is left, hear so after a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_ever() {
    let database = database().await;
    let directory = std::sync::Arc::new(PostgresDirectory::open(&options(&database.url())).await.unwrap());
    World::new(&*directory).user("ada").await;
    // Somebody else keeps the lock that every writer needs.
    let holder = tokio::task::spawn_blocking(move || {
        database
            .sql("SELECT pg_advisory_lock(7953764261206259713), pg_sleep(6)")
            .unwrap();
        database
    });
    sleep(Duration::from_millis(300)).await;
    let start = tokio::time::Instant::now();
    let writers: Vec<_> = (0..12_u64)
        .map(|index| {
            let directory = std::sync::Arc::clone(&directory);
            tokio::spawn(async move {
                let mut world = World::new(&*directory);
                world.ids = narthex_directory::CountingIds((index + 1) << 32);
                let new = world.new_user(&format!("user-{index}"));
                directory.create_user(new, world.by()).await
            })
        })
        .collect();
    for writer in writers {
        let refused = writer.await.unwrap();
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    let _database = holder.await.unwrap();
    let mut world = World::new(&*directory);
    world.ids = narthex_directory::CountingIds(1 << 40);
    world.user("bob").await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_without_the_password() {
    let database = database().await;
    let wrong = database.tcp_url().replace("@127", "x@127");
    let refused = PostgresDirectory::open(&options(&wrong)).await.unwrap_err().to_string();
    assert!(refused.contains("password authentication failed"), "{refused}");
    assert!(!refused.contains("p@ss"), "{refused}");
    PostgresDirectory::open(&options(&database.tcp_url())).await.unwrap();
    let nowhere = "postgres://narthex@127.0.0.1:1/narthex";
    let refused = PostgresDirectory::open(&options(nowhere))
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("refused"), "{refused}");
}
