//! Organizations that the configuration declares.

use super::world::{World, realm, roles};
use crate::{Directory, OrganizationEdit, OrganizationName, OrganizationStatus, Origin, StoreError};

pub async fn declared_organizations_are_read_only_elsewhere(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "staff").await;
    let declared = world.new_organization("tools", "boss", "");
    assert_eq!(
        directory
            .declare_organizations(vec![declared.clone()], world.by())
            .await,
        Ok(1)
    );
    let kept = directory.organization(tools.id).await.unwrap().unwrap();
    assert_eq!(
        (kept.origin, kept.tags.admin.to_string().as_str()),
        (Origin::Config, "boss"),
        "taken over, not doubled"
    );
    let edit = OrganizationEdit {
        label: Some("x".into()),
        ..OrganizationEdit::default()
    };
    let refused = directory.update_organization(tools.id, None, edit, world.by()).await;
    assert_eq!(
        refused,
        Err(StoreError::DeclaredInConfiguration {
            name: kept.name.clone()
        })
    );
    let ada = world.sync(&world.tagged("ada", &["boss"])).await.principal;
    assert_eq!(roles(&ada), ["tools admin"]);
    let other = world.new_organization("other", "", "");
    assert_eq!(directory.declare_organizations(vec![other], world.by()).await, Ok(2));
    let gone = directory.organization(tools.id).await.unwrap().unwrap();
    assert_eq!((gone.origin, gone.status), (Origin::Api, OrganizationStatus::Suspended));
    let mut elsewhere = declared;
    elsewhere.realm = realm("elsewhere");
    assert!(matches!(
        directory.declare_organizations(vec![elsewhere], world.by()).await,
        Err(StoreError::Refused(_))
    ));
}

pub async fn declaring_twice_changes_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let declared = vec![
        world.new_organization("a", "x", ""),
        world.new_organization("b", "", "y"),
    ];
    assert_eq!(
        directory.declare_organizations(declared.clone(), world.by()).await,
        Ok(2)
    );
    let policy = directory.versions().policy();
    let events = world.event_count().await;
    assert_eq!(directory.declare_organizations(declared, world.by()).await, Ok(0));
    assert_eq!(
        (directory.versions().policy(), world.event_count().await),
        (policy, events)
    );
    let twice = vec![world.new_organization("c", "", ""), world.new_organization("c", "", "")];
    let refused = directory.declare_organizations(twice, world.by()).await;
    assert_eq!(
        refused,
        Err(StoreError::AlreadyExists {
            what: "organization",
            field: "name"
        })
    );
    assert_eq!(world.event_count().await, events, "all or nothing");
    assert!(
        directory
            .organization_named(OrganizationName::new("c").unwrap())
            .await
            .unwrap()
            .is_none()
    );
}
