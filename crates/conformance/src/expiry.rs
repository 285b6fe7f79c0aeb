//! Manual grants that expire.

use narthex_directory::{Directory, GrantsWhen, NewGrant, OrganizationRole, ScopedRole, StoreError};

use super::world::{HOUR_MS, World, roles};

pub async fn a_manual_grant_ends_when_it_expires(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let user = world.user("ada").await.id;
    let organization = world.organization("tools", "", "").await.id;
    let member = ScopedRole::Organization(organization, OrganizationRole::Member);
    let expiring = |world: &mut World<'_>, in_ms: i64| NewGrant {
        expires_at_ms: Some(world.now_ms + in_ms),
        ..world.new_grant(user, member)
    };
    let past = expiring(&mut world, 0);
    let refused = directory.grant_role(past, world.by()).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");

    let new = expiring(&mut world, HOUR_MS);
    let first = directory.grant_role(new.clone(), world.by()).await.unwrap();
    assert_eq!(first.lapses_at_ms, Some(world.now_ms + HOUR_MS));
    let again = directory.grant_role(new, world.by()).await.unwrap();
    assert_eq!(again.id, first.id, "the same until the same time changes nothing");
    assert_eq!(
        world.load(user).await.valid_until_ms(),
        first.lapses_at_ms,
        "no answer outlives the grant"
    );

    let longer = expiring(&mut world, 2 * HOUR_MS);
    let second = directory.grant_role(longer, world.by()).await.unwrap();
    assert_ne!(second.id, first.id);
    world.later(2 * HOUR_MS);
    assert!(
        world.load(user).await.memberships().is_empty(),
        "expired, closed or not"
    );
    let third = world.grant(user, member).await;
    assert_eq!(third.lapses_at_ms, None);
    assert_eq!(roles(&world.load(user).await), ["tools member"]);

    let ends: Vec<_> = world
        .grants(user, GrantsWhen::Ever)
        .await
        .into_iter()
        .map(|grant| grant.revoked_why)
        .collect();
    let ends: Vec<_> = ends.iter().map(Option::as_deref).collect();
    assert_eq!(ends, [Some("the time of its expiry changed"), Some("it expired"), None]);
}

/// A token of the user that comes before the sweep closes the grant for the same reason.
pub async fn a_token_closes_an_expired_grant_as_expired(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let user = world.sync(&world.token("ada")).await.principal.user().id;
    let organization = world.organization("tools", "", "").await.id;
    let member = ScopedRole::Organization(organization, OrganizationRole::Member);
    let expiring = NewGrant {
        expires_at_ms: Some(world.now_ms + HOUR_MS),
        ..world.new_grant(user, member)
    };
    directory.grant_role(expiring, world.by()).await.unwrap();
    world.later(2 * HOUR_MS);
    world.sync(&world.token("ada")).await;
    let grants = world.grants(user, GrantsWhen::Ever).await;
    assert_eq!(grants[0].revoked_why.as_deref(), Some("it expired"));
    assert_eq!(grants[0].revoked_at_ms, grants[0].lapses_at_ms);
}
