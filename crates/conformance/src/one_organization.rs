//! Issuers of one organization: what their tokens give, and what they never reach.

use super::world::{World, exactly, realm, roles};
use narthex_directory::{Desired, Directory, GrantsWhen, Note, OrganizationName, PlatformRole, SyncPolicy, TagList};

/// The policy of an issuer of the organization `acme`.
fn of_acme() -> SyncPolicy {
    SyncPolicy {
        organization: Some(OrganizationName::new("acme").unwrap()),
        ..SyncPolicy::default()
    }
}

/// A token whose user is of the issuer's own realm, although the organization is of another one.
fn token(world: &World<'_>, tags: &[&str]) -> Desired {
    Desired {
        realm: realm("acme-idp"),
        tags: exactly(tags),
        ..world.token("ada")
    }
}

pub async fn an_issuer_of_one_organization_gives_roles_across_realms(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("acme", "boss", "staff").await;
    world.organization("other", "boss", "staff").await;
    world.policy = of_acme();
    let synced = world.sync(&token(&world, &["boss"])).await;
    assert_eq!(roles(&synced.principal), ["acme admin"]);
    let user = synced.principal.user().id;
    assert_eq!(
        roles(&world.load(user).await),
        ["acme admin"],
        "what sync gives is what load gives"
    );
    assert!(world.sync(&token(&world, &["boss"])).await.plan.is_empty());
    // A team that the claims name is in the organization, and its role counts.
    world.later(1_000);
    let mut linked = world.linked("ada", "acme", "ops");
    linked.realm = realm("acme-idp");
    linked.tags = exactly(&["staff"]);
    let synced = world.sync(&linked).await;
    assert_eq!(synced.principal.teams().len(), 1);
    assert_eq!(world.load(user).await.teams().len(), 1);
    assert_eq!(roles(&synced.principal), ["acme admin"], "by claim");
    // Another organization in the claims gets nothing, and is not created.
    world.later(1_000);
    let mut elsewhere = world.linked("ada", "new", "ops");
    elsewhere.realm = realm("acme-idp");
    let synced = world.sync(&elsewhere).await;
    assert_eq!(synced.plan.notes, [Note::OtherOrganization]);
    let new = OrganizationName::new("new").unwrap();
    assert_eq!(directory.organization_named(new).await.unwrap(), None);
}

/// A grant that was given while the issuer was one of all organizations gives nothing elsewhere.
pub async fn sec_grants_of_an_issuer_that_became_one_of_one_organization(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("acme", "boss", "").await;
    world.organization("other", "boss", "").await;
    world.policy.platform_admin_tags = TagList::parse("boss").unwrap();
    let synced = world.sync(&world.tagged("ada", &["boss"])).await;
    assert_eq!(roles(&synced.principal), ["acme admin", "other admin"]);
    let mut linked = world.linked("ada", "third", "ops");
    linked.tags = exactly(&["boss"]);
    let user = synced.principal.user().id;
    world.later(1_000);
    linked.issued_at_ms = Some(world.now_ms);
    assert_eq!(world.sync(&linked).await.principal.teams().len(), 1);
    let held = world.grants(user, GrantsWhen::Open).await;
    world.policy = SyncPolicy {
        platform_admin_tags: TagList::parse("boss").unwrap(),
        ..of_acme()
    };
    let loaded = world.load(user).await;
    assert_eq!(roles(&loaded), ["acme admin"]);
    assert!(loaded.teams().is_empty(), "a team of another organization");
    assert_eq!(loaded.platform_role(), PlatformRole::User);
    assert_eq!(world.grants(user, GrantsWhen::Open).await, held, "history stays");
    // The organization is gone from the list of the issuer: nothing counts.
    world.policy.organization = Some(OrganizationName::new("nowhere").unwrap());
    assert!(world.load(user).await.memberships().is_empty());
    world.later(1_000);
    assert_eq!(
        roles(&world.sync(&world.tagged("ada", &["boss"])).await.principal),
        [""; 0]
    );
}
