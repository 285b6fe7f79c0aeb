//! The directory behind PgBouncer in transaction mode, where no two transactions meet the same connection of the server.

use std::sync::Arc;
use std::time::Duration;

use narthex_conformance::world::World;
use narthex_directory::{Directory, TokenSync};
use narthex_store::{PostgresDirectory, PostgresOptions};
use narthex_testkit::postgres::{Cluster, Database, Pooler};
use tokio::time::{Instant, sleep};

use super::{database, options};
use crate::every_method;

/// The directory, and what it stands on.
pub(crate) struct Pooled {
    pooler: Pooler,
    database: Database,
}

impl Pooled {
    async fn start() -> Self {
        let database = database().await;
        let pooler = Pooler::start(&database).unwrap();
        Self { pooler, database }
    }

    fn options(&self) -> PostgresOptions {
        options(&self.pooler.url(&self.database))
    }

    /// What the sessions of the server have prepared, are set to and listen to.
    fn left_behind(&self) -> String {
        self.database
            .sql(
                "SELECT pid, query FROM pg_stat_activity WHERE datname = current_database() \
                 AND (query ILIKE 'LISTEN%' OR query ILIKE 'SET statement_timeout%' OR query ILIKE 'UNLISTEN%')",
            )
            .unwrap()
    }
}

pub(crate) async fn open() -> (Arc<dyn Directory>, Pooled) {
    let pooled = Pooled::start().await;
    let directory = PostgresDirectory::open(&pooled.options().with_pooled(true))
        .await
        .unwrap();
    (Arc::new(directory), pooled)
}

narthex_conformance::conformance_suite!(crate::postgres::pooled::open);

/// Every statement there is, by two nodes in turn: one finds out by itself, one is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_works_and_leaves_nothing_behind() {
    let pooled = Pooled::start().await;
    let one = PostgresDirectory::open(&pooled.options()).await.unwrap();
    let two = PostgresDirectory::open(&pooled.options().with_pooled(true))
        .await
        .unwrap();
    every_method::call(&one, &mut |_| {}).await;
    two.health().await.unwrap();
    assert_eq!(pooled.left_behind(), "");
    let told = pooled.pooler.output();
    assert!(!told.contains("prepared statement"), "{told}");
}

/// The schema is made through the pooler, by several nodes that start at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schema_is_made_through_it() {
    let database = Cluster::shared().unwrap().empty_database().unwrap();
    let pooler = Pooler::start(&database).unwrap();
    let options = options(&pooler.url(&database)).with_pooled(true);
    let opening = (0..4).map(|_| {
        let options = options.clone();
        tokio::spawn(async move { PostgresDirectory::open(&options).await.map(drop) })
    });
    for opened in opening.collect::<Vec<_>>() {
        opened.await.unwrap().unwrap();
    }
    assert_eq!(PostgresDirectory::pending(&options).await.unwrap(), []);
    let steps = "SELECT count(*) = max(version) FROM refinery_schema_history";
    assert_eq!(database.sql(steps).unwrap(), "t", "each step once");
}

/// Waits until another node knows of a change; gives how long that took.
async fn known(there: &dyn Directory, looks: bool, policy: u64) -> Duration {
    let begun = Instant::now();
    while there.versions().policy() <= policy {
        assert!(begun.elapsed() < Duration::from_secs(2), "nothing is heard");
        if looks {
            // What the edge does twice a second.
            there.poll_versions().await.unwrap();
        }
        sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

/// With a direct address a change is heard of without asking; without one it is seen by asking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_heard_through_the_direct_address_or_seen_by_asking() {
    let pooled = Pooled::start().await;
    let direct = options(&pooled.database.url());
    let here = PostgresDirectory::open(&pooled.options().with_pooled(true))
        .await
        .unwrap();
    let hears = PostgresDirectory::open(&pooled.options().with_pooled(true).with_direct(direct))
        .await
        .unwrap();
    let looks = PostgresDirectory::open(&pooled.options().with_pooled(true))
        .await
        .unwrap();
    sleep(Duration::from_millis(200)).await;
    let policies = (hears.versions().policy(), looks.versions().policy());
    let mut world = World::new(&here);
    world.organization("tools", "", "staff").await;
    known(&hears, false, policies.0).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(looks.versions().policy(), policies.1, "nobody told it");
    known(&looks, true, policies.1).await;
    let listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()";
    assert_eq!(pooled.database.sql(listening).unwrap(), "1", "the direct one");
}

/// Many first uses at once on two nodes: none fails, each user is there once, and the numbers of events have no gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_first_uses_at_once() {
    let pooled = Pooled::start().await;
    let mut nodes: Vec<Arc<dyn Directory>> = Vec::new();
    for told in [true, false] {
        let options = if told {
            pooled.options().with_pooled(true)
        } else {
            pooled.options()
        };
        nodes.push(Arc::new(PostgresDirectory::open(&options).await.unwrap()));
    }
    let tokens: Vec<_> = {
        let world = World::new(&*nodes[0]);
        (0..600).map(|index| world.token(&format!("user-{index}"))).collect()
    };
    let used = super::concurrency::at_once(&nodes, tokens).await;
    for used in used {
        used.unwrap();
    }
    let count = "SELECT (SELECT count(*) FROM users) || ' ' || (SELECT count(*) - max(sequence) FROM audit_events)";
    assert_eq!(pooled.database.sql(count).unwrap(), "600 0");
}

/// A pooler that is put before the database while a node runs: the node that was not told of it goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_not_told_finds_out_by_the_first_error() {
    let pooled = Pooled::start().await;
    // With one connection for each client nothing gives the pooler away; then that changes.
    let plain = "pool_mode = session\ndefault_pool_size = 40\nmin_pool_size = 0\n";
    let mut pooler = Pooler::start_with_settings(&pooled.database, plain).unwrap();
    let directory = PostgresDirectory::open(&options(&pooler.url(&pooled.database)))
        .await
        .unwrap();
    let nodes: [Arc<dyn Directory>; 1] = [Arc::new(directory)];
    let world = World::new(&*nodes[0]);
    let tokens = |batch: &str| {
        (0..100)
            .map(|index| world.token(&format!("{batch}-{index}")))
            .collect::<Vec<_>>()
    };
    for used in super::concurrency::at_once(&nodes, tokens("before")).await {
        used.unwrap();
    }
    pooler.change("default_pool_size = 4\n").unwrap();
    let met = super::concurrency::at_once(&nodes, tokens("when it changes")).await;
    assert!(met.iter().any(Result::is_err), "the change is met by somebody");
    sleep(Duration::from_secs(1)).await;
    for used in super::concurrency::at_once(&nodes, tokens("after")).await {
        used.unwrap();
    }
    let listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()";
    assert_eq!(pooled.database.sql(listening).unwrap(), "0");
}
