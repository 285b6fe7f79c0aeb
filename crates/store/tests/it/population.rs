//! What fills a store in bulk is what the product would have written, row for row.

use narthex_conformance::world::World;
use narthex_directory::{
    ActiveIssuers, ApiKey, ApiKeyId, Directory, PlatformRole, ScopedRole, SecretHash, SyncPolicy, sync,
};
use narthex_store::population::Population;
use narthex_store::{Options, PostgresDirectory, PostgresOptions};
use narthex_testkit::postgres::{Cluster, Database};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::{open_at, postgres};

const SOME: Population = Population {
    users: 40,
    organizations: 7,
    tags: 30,
};

/// Every table that is filled, in the order of its key.
const TABLES: [&str; 8] = [
    "users ORDER BY id",
    "user_issuers ORDER BY user_id, issuer",
    "organizations ORDER BY id",
    "organization_tags ORDER BY tag, organization_id",
    "grants ORDER BY id",
    "audit_events ORDER BY sequence",
    "seen_tags ORDER BY realm, tag",
    "change_counters ORDER BY id",
];

/// The same by the product's own way: organizations made by an administrator, then one token of each user.
async fn one_by_one(directory: &dyn Directory) {
    for number in 0..SOME.organizations {
        let new = SOME.organization(number).unwrap();
        directory
            .create_organization(new, Population::administrator())
            .await
            .unwrap();
    }
    for user in 0..SOME.users {
        let at_ms = Population::arrival_ms(user);
        let desired = SOME.desired(user, at_ms).unwrap();
        let mut ids = Population::ids(user);
        sync(
            directory,
            &desired,
            &SyncPolicy::default(),
            &ActiveIssuers::default(),
            at_ms,
            &mut ids,
        )
        .await
        .unwrap();
    }
    directory.flush().await.unwrap();
}

/// A second token like the first is no reason to write, and the next user is a new one.
async fn goes_on(directory: &dyn Directory) {
    for user in 0..=SOME.users {
        let at_ms = Population::arrival_ms(user) + 1;
        let mut ids = Population::ids(user);
        let desired = SOME.desired(user, at_ms).unwrap();
        let synced = sync(
            directory,
            &desired,
            &SyncPolicy::default(),
            &ActiveIssuers::default(),
            at_ms,
            &mut ids,
        )
        .await
        .unwrap();
        assert_eq!(synced.plan.is_empty(), user < SOME.users, "{user}");
        assert_eq!(synced.principal.memberships().len(), 2, "{user}");
        let others = SOME.desired_with_others(user, at_ms + 1).unwrap();
        let synced = sync(
            directory,
            &others,
            &SyncPolicy::default(),
            &ActiveIssuers::default(),
            at_ms + 1,
            &mut ids,
        )
        .await
        .unwrap();
        assert_eq!(synced.plan.changes.len(), 4, "two grants are closed and two are opened");
    }
}

#[tokio::test]
async fn sqlite_is_filled_as_the_product_would_have() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours.db"), folder.path().join("theirs.db"));
    one_by_one(&open_at(&ours)).await;
    let mut told = Vec::new();
    narthex_store::population::fill_sqlite(SOME, &Options::new(&theirs), &mut |done| told.push(done)).unwrap();
    assert_eq!(told.last(), Some(&(SOME.users + SOME.organizations)));
    for table in TABLES {
        let rows = rows(&ours, table);
        assert!(!rows.is_empty(), "{table}");
        assert_eq!(rows, self::rows(&theirs, table), "{table}");
    }
    goes_on(&open_at(&theirs)).await;
    let again = narthex_store::population::fill_sqlite(SOME, &Options::new(&theirs), &mut |_| {});
    assert!(again.unwrap_err().to_string().contains("name a new one"));
}

fn rows(path: &std::path::Path, table: &str) -> Vec<Vec<Value>> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let width = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..width).map(|column| row.get(column)).collect();
    let rows = statement.query_map([], row).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn postgres_is_filled_as_the_product_would_have() {
    let (ours, theirs) = (postgres::database().await, empty());
    one_by_one(&postgres::open_at(&ours.url()).await).await;
    let options = PostgresOptions::parse(&theirs.url()).unwrap();
    narthex_store::population::fill_postgres(SOME, &options, &mut |_| {})
        .await
        .unwrap();
    for table in TABLES {
        let sql = format!("SELECT * FROM {table}");
        let rows = ours.sql(&sql).unwrap();
        assert!(!rows.is_empty(), "{table}");
        assert_eq!(rows, theirs.sql(&sql).unwrap(), "{table}");
    }
    goes_on(&PostgresDirectory::open(&options).await.unwrap()).await;
    let again = narthex_store::population::fill_postgres(SOME, &options, &mut |_| {}).await;
    assert!(again.unwrap_err().to_string().contains("name an empty one"));
}

/// An API key leaves an event, whose number an event of the population would have too.
async fn make_a_key(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let key = ApiKey {
        id: ApiKeyId::new(world.now_ms, &mut world.ids),
        name: "ci".into(),
        hash: SecretHash([7; 32]),
        role: ScopedRole::Platform(PlatformRole::Viewer),
        created_at_ms: world.now_ms,
        expires_at_ms: None,
        revoked_at_ms: None,
        last_used_at_ms: None,
    };
    directory.create_api_key(key, world.by()).await.unwrap();
}

#[tokio::test]
async fn a_store_with_events_alone_is_not_filled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    make_a_key(&open_at(&path)).await;
    let refused = narthex_store::population::fill_sqlite(SOME, &Options::new(&path), &mut |_| {}).unwrap_err();
    assert!(refused.to_string().contains("audit events already"), "{refused}");
    let database = postgres::database().await;
    make_a_key(&postgres::open_at(&database.url()).await).await;
    let options = PostgresOptions::parse(&database.url()).unwrap();
    let refused = narthex_store::population::fill_postgres(SOME, &options, &mut |_| {})
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("audit events already"), "{refused}");
}

fn empty() -> Database {
    Cluster::shared().unwrap().empty_database().unwrap()
}

#[test]
fn tags_without_an_organization_are_refused() {
    let none = Population {
        organizations: 0,
        ..SOME
    };
    let folder = tempfile::tempdir().unwrap();
    let refused = narthex_store::population::fill_sqlite(none, &Options::new(folder.path().join("x.db")), &mut |_| {});
    assert!(refused.unwrap_err().to_string().contains("tags need organizations"));
}
