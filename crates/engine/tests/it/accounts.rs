//! The cache of accounts, over each store: it answers for a token that says the same, until something moves.

use std::sync::Arc;

use narthex_conformance::world::{HOUR_MS, World};
use narthex_directory::{Desired, Directory, IssuerName, OrganizationEdit, Synced};
use narthex_engine::cache::by_identity::AccountCache;
use narthex_memory::MemoryDirectory;
use narthex_store::{Options, PostgresDirectory, PostgresOptions, SqliteDirectory};
use narthex_testkit::postgres::{Cluster, Database};

const GENERATION: u64 = 1;

fn agree(cache: &AccountCache, desired: &Desired, synced: &Synced) {
    let told = (Arc::clone(&synced.principal), &synced.plan.touch, Box::default());
    cache.agree((desired, cache.key(desired)), told, GENERATION);
}

/// Tests whether the cache answers for this token.
fn knows(cache: &AccountCache, world: &World<'_>, desired: &Desired) -> bool {
    let asked = (desired, cache.key(desired));
    let touch_every_ms = world.policy.touch_interval_ms();
    let found = cache.unchanged(asked, GENERATION, world.directory, touch_every_ms, world.now_ms);
    found.is_some()
}

async fn is_known_until_something_moves(directory: &dyn Directory) {
    let (mut world, cache) = (World::new(directory), AccountCache::new(1_000_000).unwrap());
    let tools = world.organization("tools", "", "staff").await;
    let token = world.tagged("ada", &["staff"]);
    let synced = world.sync(&token).await;
    agree(&cache, &token, &synced);
    world.later(1_000);
    let mut fresh = world.tagged("ada", &["staff"]);
    fresh.token.jti = None;
    assert!(knows(&cache, &world, &fresh));
    let mut elsewhere = fresh.clone();
    elsewhere.issuer = IssuerName::new("other").unwrap();
    for other in [
        world.tagged("ada", &["staff", "x"]),
        world.tagged("bob", &["staff"]),
        world.token("ada"),
        elsewhere,
    ] {
        assert!(!knows(&cache, &world, &other), "{other:?}");
    }
    let edit = OrganizationEdit {
        tags: Some(narthex_directory::OrganizationTags::default()),
        ..OrganizationEdit::default()
    };
    let changed = directory.update_organization(tools.id, None, edit, world.by());
    changed.await.unwrap();
    assert!(!knows(&cache, &world, &fresh));
}

async fn a_token_that_is_answered_from_the_cache_is_the_newest(directory: &dyn Directory) {
    let (mut world, cache) = (World::new(directory), AccountCache::new(1_000_000).unwrap());
    world.organization("tools", "boss", "staff").await;
    let token = world.tagged("ada", &["staff"]);
    let synced = world.sync(&token).await;
    agree(&cache, &token, &synced);
    world.later(1_000);
    let between = world.tagged("ada", &["boss"]);
    world.later(1_000);
    let newest = world.tagged("ada", &["staff"]);
    assert!(knows(&cache, &world, &newest));
    assert!(
        world.sync(&between).await.plan.stale_token,
        "the cache knew of a newer one"
    );
    assert!(knows(&cache, &world, &token), "an older one that says the same is fine");
}

async fn a_use_is_written_down_when_it_is_due(directory: &dyn Directory) {
    let (mut world, cache) = (World::new(directory), AccountCache::new(1_000_000).unwrap());
    let token = world.token("ada");
    let synced = world.sync(&token).await;
    agree(&cache, &token, &synced);
    world.later(HOUR_MS);
    assert!(knows(&cache, &world, &token));
    assert_eq!(directory.flush().await, Ok(1));
    let user = directory.user(synced.principal.user().id).await.unwrap().unwrap().user;
    assert_eq!(user.last_seen_at_ms, Some(world.now_ms));
}

/// Nothing moves when a record comes to be that a token names, so such an account has an end of its own.
#[tokio::test]
async fn an_account_is_cached_until_its_end() {
    let directory = MemoryDirectory::default();
    let (mut world, cache) = (World::new(&directory), AccountCache::new(1_000_000).unwrap());
    let token = world.token("ada");
    let synced = world.sync(&token).await;
    let told = (Arc::clone(&synced.principal), &synced.plan.touch, Box::default());
    let ends_ms = world.now_ms + 1_000;
    cache.agree_until((&token, cache.key(&token)), told, GENERATION, Some(ends_ms));
    world.later(999);
    assert!(knows(&cache, &world, &token));
    world.later(1);
    assert!(!knows(&cache, &world, &token));
}

#[tokio::test]
async fn the_cache_of_accounts_over_memory() {
    is_known_until_something_moves(&MemoryDirectory::default()).await;
    a_token_that_is_answered_from_the_cache_is_the_newest(&MemoryDirectory::default()).await;
    a_use_is_written_down_when_it_is_due(&MemoryDirectory::default()).await;
}

#[tokio::test]
async fn the_cache_of_accounts_over_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| SqliteDirectory::open(&Options::new(folder.path().join(name))).unwrap();
    is_known_until_something_moves(&open("one.db")).await;
    a_token_that_is_answered_from_the_cache_is_the_newest(&open("two.db")).await;
    a_use_is_written_down_when_it_is_due(&open("three.db")).await;
}

#[tokio::test]
async fn the_cache_of_accounts_over_postgresql() {
    let (one, two, three) = (database().await, database().await, database().await);
    let open = async |url: String| {
        let options = PostgresOptions::parse(&url).unwrap().with_connections(8);
        PostgresDirectory::open(&options).await.unwrap()
    };
    is_known_until_something_moves(&open(one.url()).await).await;
    a_token_that_is_answered_from_the_cache_is_the_newest(&open(two.url()).await).await;
    a_use_is_written_down_when_it_is_due(&open(three.url()).await).await;
}

/// A new database with the newest schema.
async fn database() -> Database {
    let migrated = async |url: String| {
        PostgresDirectory::open(&PostgresOptions::parse(&url)?).await?;
        Ok(())
    };
    Cluster::shared().unwrap().database("migrated", migrated).await.unwrap()
}
