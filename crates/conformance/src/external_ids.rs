//! External ids that an administrator changes.

use narthex_directory::{
    Directory, EditedUser, ExternalId, GrantFilter, Page, PlatformRole, ScopedRole, StoreError, User, UserEdit,
};

use super::world::World;

pub async fn external_ids_change_all_or_none(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let role = ScopedRole::Platform(PlatformRole::Viewer);
    let granted = world.grant(ada.id, role).await.id;
    let to = |user: &User, version: u64, id: &str| EditedUser {
        user: user.id,
        version,
        edit: UserEdit {
            external_id: Some(ExternalId::new(id).unwrap()),
            ..UserEdit::default()
        },
    };
    // The role that was granted moved the version of ada.
    let half = vec![to(&ada, 2, "1"), to(&bob, 7, "2")];
    let refused = directory.update_users(half, world.by()).await;
    assert!(
        matches!(refused, Err(StoreError::VersionMismatch { .. })),
        "{refused:?}"
    );
    let swapped = vec![to(&ada, 2, "bob"), to(&bob, 1, "ada")];
    let refused = directory.update_users(swapped, world.by()).await;
    assert!(matches!(refused, Err(StoreError::AlreadyExists { .. })), "{refused:?}");
    assert_eq!(
        directory.user(ada.id).await.unwrap().unwrap().user.external_id,
        ada.external_id
    );

    let all = vec![to(&ada, 2, "1"), to(&bob, 1, "2")];
    assert_eq!(directory.update_users(all, world.by()).await, Ok(2));
    let synced = world.sync(&world.token("1")).await;
    assert_eq!(
        synced.principal.user().id,
        ada.id,
        "who comes with the new id is who came before"
    );
    let held = world.load(ada.id).await;
    assert_eq!(held.user().external_id.as_str(), "1");
    let filter = GrantFilter {
        user: Some(ada.id),
        ..GrantFilter::default()
    };
    let grants = directory.grants(filter, Page::default()).await.unwrap().items;
    assert!(grants.iter().any(|grant| grant.id == granted), "roles stay");
    let synced = world.sync(&world.token("ada")).await;
    assert_ne!(synced.principal.user().id, ada.id, "the former id is another user's");
}
