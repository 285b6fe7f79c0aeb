//! A new database, whose planner knows nothing yet, looks people up by its indexes however many there come to be.

use std::time::Duration;

use narthex_conformance::world::World;
use narthex_directory::{CountingIds, Detail, TokenSync, UserId};
use narthex_store::{PostgresDirectory, PostgresOptions};

use super::database;

#[tokio::test]
async fn plans_of_an_empty_database_do_for_a_full_one() {
    let database = database().await;
    for table in ["users", "grants", "organization_tags"] {
        let off = format!("ALTER TABLE {table} SET (autovacuum_enabled = false)");
        database.sql(&off).unwrap();
    }
    // Few connections, so that all are sure to have planned while the tables were empty.
    let options = PostgresOptions::parse(&database.url()).unwrap().with_connections(3);
    let directory = PostgresDirectory::open(&options).await.unwrap();
    let mut world = World::new(&directory);
    world.ids = CountingIds(1 << 40);
    let tools = world.organization("tools", "", "staff").await.id;
    let looks = async |world: &mut World<'_>, count: u32| {
        for index in 0..count {
            let token = world.linked(&format!("user-{index}"), "acme", "ops");
            let snapshot = directory.snapshot(&token, Detail::Explain).await.unwrap();
            assert!(snapshot.standing.is_none());
            let tagged = world.tagged(&format!("user-{index}"), &["staff", "x"]);
            let known = directory.snapshot(&tagged, Detail::Explain).await.unwrap();
            assert_eq!(known.tag_matches.len(), 1);
            let nobody = UserId::new(1_000, &mut CountingIds(u64::from(index)));
            assert!(directory.standing(nobody).await.unwrap().is_none());
        }
    };
    looks(&mut world, 3).await;
    world.sync(&world.tagged("ada", &["staff"])).await;
    world.sync(&world.tagged("ada", &[])).await;

    let fill = [
        "INSERT INTO users SELECT lpad(n::text, 26, '0'), 'main', n::text, n::text, NULL, NULL, NULL, NULL, NULL, NULL, \
         'active', '{}', NULL, NULL, 0, 0, 1 FROM generate_series(1, 4000) AS n"
            .to_owned(),
        format!(
            "INSERT INTO grants SELECT lpad(n::text, 26, '0'), lpad(n::text, 26, '0'), '{tools}', NULL, 'member', 'tag', \
             'idp', 'staff', NULL, NULL, 0, 0, NULL, NULL, NULL, NULL FROM generate_series(1, 4000) AS n"
        ),
        format!(
            "INSERT INTO organization_tags SELECT 'main', 'tag-' || n, '{tools}', 'member', 'tag-' || n \
             FROM generate_series(1, 4000) AS n"
        ),
    ];
    for sql in fill {
        database.sql(&sql).unwrap();
    }
    let read = || -> i64 {
        let sum = "SELECT sum(idx_tup_read) + sum(seq_tup_read) FROM pg_stat_user_indexes \
                   JOIN pg_stat_user_tables USING (relid)";
        database.sql(sum).unwrap().parse().unwrap()
    };
    // What a connection has read is counted when it has been idle for a second, or does something after one.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    looks(&mut world, 2).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let before = read();
    looks(&mut world, 20).await;
    for index in 0..10 {
        world.sync(&world.tagged(&format!("new-{index}"), &["staff"])).await;
        world.sync(&world.tagged(&format!("new-{index}"), &[])).await;
    }
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    looks(&mut world, 2).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let rows = read() - before;
    // Some hundred calls, each of a handful of rows; one look through a table would be four thousand.
    assert!(rows > 0 && rows < 4_000, "{rows} rows were read");
}
