//! What one node changes, the others honour within a second.

use std::time::Duration;

use narthex_conformance::world::{START_MS, World};
use narthex_directory::{
    ActiveIssuers, CountingIds, OrganizationEdit, OrganizationRole, OrganizationTags, People, PlatformRole, Scope,
    ScopedRole, TokenSync, UserEdit, UserStatus, load,
};
use tokio::time::{sleep, timeout};

use super::{database, open_at};

async fn until(what: impl Fn() -> bool) {
    let seen = timeout(Duration::from_secs(1), async {
        while !what() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    seen.await.expect("within a second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_heard_of_without_asking() {
    let database = database().await;
    let (here, there) = (open_at(&database.url()).await, open_at(&database.url()).await);
    // Both listen by now or look when they begin to.
    sleep(Duration::from_millis(200)).await;
    let mut world = World::new(&here);
    let ada = world.sync(&world.token("ada")).await.principal;
    assert!(here.versions().is_current(ada.stamp()));
    let mut beside = World::new(&there);
    beside.ids = CountingIds(1 << 40);
    let known = beside.load(ada.user().id).await;
    assert!(there.versions().is_current(known.stamp()));
    world
        .grant(ada.user().id, ScopedRole::Platform(PlatformRole::Viewer))
        .await;
    assert!(
        !here.versions().is_current(ada.stamp()),
        "at once where it was acknowledged"
    );
    until(|| !there.versions().is_current(known.stamp())).await;
    let again = load(&there, ada.user().id, &ActiveIssuers::default(), START_MS)
        .await
        .unwrap();
    assert_eq!(again.platform_role(), PlatformRole::Viewer);
    assert!(there.versions().is_current(again.stamp()));
    let policy = there.versions().policy();
    world.organization("tools", "", "staff").await;
    until(|| there.versions().policy() > policy).await;
}

/// Whoever may connect may notify, and a number that is told and too high hides no change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_forged_notification() {
    let database = database().await;
    let (here, there) = (open_at(&database.url()).await, open_at(&database.url()).await);
    sleep(Duration::from_millis(200)).await;
    let mut world = World::new(&here);
    let ada = world.sync(&world.token("ada")).await.principal.user().id;
    let all: Vec<String> = (0..=4_096).map(|id| format!("{id}:9000000000000000000")).collect();
    for told in all.chunks(200) {
        database
            .sql(&format!("NOTIFY narthex_versions, '{}'", told.join(" ")))
            .unwrap();
    }
    sleep(Duration::from_millis(300)).await;
    let known = load(&there, ada, &ActiveIssuers::default(), START_MS).await.unwrap();
    assert!(there.versions().is_current(known.stamp()));
    world.grant(ada, ScopedRole::Platform(PlatformRole::Viewer)).await;
    until(|| !there.versions().is_current(known.stamp())).await;
}

/// A connection that listens is cut, and something changes while nobody does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_listens_again_and_looks() {
    let database = database().await;
    let (here, there) = (open_at(&database.url()).await, open_at(&database.url()).await);
    sleep(Duration::from_millis(200)).await;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(database.sql(cut).unwrap(), "2");
    let policy = there.versions().policy();
    World::new(&here).organization("tools", "", "staff").await;
    until(|| there.versions().policy() > policy).await;
}

/// Without a word from anybody, the look of every second is enough.
#[tokio::test]
async fn looking_is_enough() {
    let database = database().await;
    let directory = open_at(&database.url()).await;
    database
        .sql("UPDATE change_counters SET version = version + 1 WHERE id = 0")
        .unwrap();
    database.sql("INSERT INTO change_counters VALUES (8, 3)").unwrap();
    let policy = directory.versions().policy();
    directory.poll_versions().await.unwrap();
    assert_eq!(directory.versions().policy(), policy + 1);
    let stripe = narthex_directory::Stripe::from_number(7).unwrap();
    assert_eq!(directory.versions().stripe(stripe), 3);
    let reopened = open_at(&database.url()).await;
    assert_eq!(reopened.versions().stripe(stripe), 3, "the numbers survive");
}

/// What is remembered of tags never outlives a change, whoever makes it and whether it was heard of or not.
#[tokio::test]
async fn tags_changed_by_another_node_count_at_once() {
    let database = database().await;
    let (here, there) = (open_at(&database.url()).await, open_at(&database.url()).await);
    let mut world = World::new(&here);
    let tools = world.organization("tools", "", "staff").await.id;
    for subject in ["a", "b"] {
        assert_eq!(
            world.roles(&world.tagged(subject, &["staff", "other"])).await,
            ["tools member"]
        );
    }
    let edit = OrganizationEdit {
        tags: Some(OrganizationTags::default()),
        ..OrganizationEdit::default()
    };
    there.update_organization(tools, None, edit, world.by()).await.unwrap();
    assert!(world.roles(&world.tagged("c", &["staff", "other"])).await.is_empty());
    assert!(world.roles(&world.tagged("a", &["staff"])).await.is_empty());
}

/// More numbers than one message holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_very_many_users_is_heard_of_too() {
    let database = database().await;
    let (here, there) = (open_at(&database.url()).await, open_at(&database.url()).await);
    sleep(Duration::from_millis(200)).await;
    let mut world = World::new(&here);
    let tools = world.organization("tools", "", "").await.id;
    let users = "INSERT INTO users SELECT lpad(n::text, 26, '0'), 'main', n::text, n::text, NULL, NULL, NULL, NULL, NULL, \
                 NULL, 'active', '{}', NULL, NULL, 0, 0, 1 FROM generate_series(1, 2000) AS n";
    database.sql(users).unwrap();
    let grants = format!(
        "INSERT INTO grants SELECT lpad(n::text, 26, '0'), lpad(n::text, 26, '0'), '{tools}', NULL, 'member', 'manual', \
         '', '', NULL, NULL, 0, 0, NULL, NULL, NULL, NULL FROM generate_series(1, 2000) AS n"
    );
    database.sql(&grants).unwrap();
    let edit = OrganizationEdit {
        membership: Some(narthex_directory::MembershipRule::ExternalOnly),
        ..OrganizationEdit::default()
    };
    let policy = there.versions().policy();
    here.update_organization(tools, None, edit, world.by()).await.unwrap();
    until(|| there.versions().policy() > policy).await;
    let open = "SELECT count(*) FROM grants WHERE revoked_at_ms IS NULL";
    assert_eq!(database.sql(open).unwrap(), "0");
}

/// A newer token that changed nothing was seen by one node only; an older one that says otherwise comes to another.
#[tokio::test]
async fn sec_an_old_token_never_undoes_a_newer_one_of_another_node() {
    let database = database().await;
    let (here, there) = (open_at(&database.url()).await, open_at(&database.url()).await);
    let mut world = World::new(&here);
    world.organization("tools", "", "staff").await;
    world.sync(&world.tagged("ada", &[])).await;
    world.later(1_000);
    let older = world.tagged("ada", &["staff"]);
    world.later(1_000);
    let newer = world.sync(&world.tagged("ada", &[])).await;
    assert!(newer.plan.is_empty());
    // What the edge does every second.
    here.flush().await.unwrap();
    let mut beside = World::new(&there);
    beside.ids = CountingIds(1 << 40);
    beside.now_ms = world.now_ms;
    let used = beside.sync(&older).await;
    assert!(used.plan.stale_token && used.principal.memberships().is_empty());
}

/// Somebody repeats at another node what was done at the first one: it is done, and known there when that is said.
#[tokio::test]
async fn what_is_so_already_is_known_where_it_is_asked_for_again() {
    let database = database().await;
    let (here, there) = (open_at(&database.url()).await, open_at(&database.url()).await);
    let mut world = World::new(&here);
    let users = [world.user("ada").await.id, world.user("bob").await.id];
    let tools = world.organization("tools", "", "").await.id;
    let scope = Scope::Organization(tools);
    for user in users {
        let role = ScopedRole::Organization(tools, OrganizationRole::Member);
        world.grant(user, role).await;
        here.poll_versions().await.unwrap();
        there.revoke_role(user, scope, None, world.by()).await.unwrap();
        let stripe = narthex_directory::Stripe::of(user);
        assert_eq!(here.revoke_role(user, scope, None, world.by()).await, Ok(vec![]));
        assert_eq!(here.versions().stripe(stripe), there.versions().stripe(stripe));
        let disabled = || UserEdit {
            status: Some(UserStatus::Disabled),
            ..UserEdit::default()
        };
        there.update_user(user, None, disabled(), world.by()).await.unwrap();
        here.update_user(user, None, disabled(), world.by()).await.unwrap();
        assert_eq!(here.versions().stripe(stripe), there.versions().stripe(stripe));
    }
}
