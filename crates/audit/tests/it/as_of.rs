//! Roles at a past time, with their origin.

use narthex_audit::{ROLES_CSV_HEADER, held_roles, origin, roles_csv};
use narthex_conformance::world::World;
use narthex_directory::{Actor, Page, PlatformRole, Scope, ScopedRole};
use narthex_memory::MemoryDirectory;

#[tokio::test]
async fn a_past_role_says_who_granted_and_who_revoked_it_and_why() {
    let directory = MemoryDirectory::default();
    let mut world = World::new(&directory);
    let ada = world.user("ada").await.id;
    let start = world.now_ms;
    world.later(1_000);
    world.grant(ada, ScopedRole::Platform(PlatformRole::Viewer)).await;
    world.later(1_000);
    let by = world.by();
    world
        .directory
        .revoke_role(ada, Scope::Platform, Some("=left".into()), by)
        .await
        .unwrap();
    let at = async |at_ms| {
        held_roles(&directory, Scope::Platform, at_ms, Page::default())
            .await
            .unwrap()
            .items
    };
    assert!(at(start).await.is_empty() && at(start + 2_000).await.is_empty());
    let held = at(start + 1_000).await;
    let [role] = held.as_slice() else { panic!("{held:?}") };
    let alice = Some(Actor::CommandLine(Some("alice (uid 1000)".into())));
    let grant = &role.grants[0];
    assert_eq!((&grant.granted_by, &grant.revoked_by), (&alice, &alice));
    assert_eq!(origin(grant), "by hand, by alice (uid 1000): asked for");
    let line = roles_csv(role);
    assert_eq!(line.split(',').count(), ROLES_CSV_HEADER.split(',').count());
    assert!(
        line.contains(",viewer,viewer,manual,") && line.ends_with(",'=left\r\n"),
        "{line}"
    );
}

#[tokio::test]
async fn a_role_by_a_tag_names_the_tag_and_the_token() {
    let directory = MemoryDirectory::default();
    let mut world = World::new(&directory);
    let tools = world.organization("tools", "boss", "staff").await;
    let token = world.tagged("ada", &["staff"]);
    world.sync(&token).await;
    world.later(1_000);
    world.sync(&world.tagged("ada", &["none"])).await;
    let scope = Scope::Organization(tools.id);
    let held = held_roles(&directory, scope, world.now_ms - 1, Page::default())
        .await
        .unwrap();
    let grant = &held.items[0].grants[0];
    let by = Actor::Token {
        issuer: token.issuer.clone(),
        token: token.token.clone(),
    };
    assert_eq!(grant.granted_by, Some(by));
    assert!(matches!(grant.revoked_by, Some(Actor::Token { .. })));
    assert_eq!(origin(grant), format!("tag \"staff\" of {}", token.issuer));
}
