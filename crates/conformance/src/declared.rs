//! Organizations that the configuration declares.

use super::world::{World, realm, roles};
use narthex_directory::{
    Clash, Directory, ExternalId, NewOrganization, OrganizationEdit, OrganizationName, OrganizationStatus, Origin,
    StoreError, rehearse_declaration,
};

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
    let (clash, kept) = refusal(&mut world, elsewhere).await;
    assert_eq!((clash, kept.as_str()), (Clash::Realm, "tools"));
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
    let owner = Some(twice[0].id.to_string());
    let refused = directory.declare_organizations(twice, world.by()).await;
    assert_eq!(
        refused,
        Err(StoreError::AlreadyExists {
            what: "organization",
            field: "name",
            owner,
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

/// A user with a token that names an organization is its admin, and the label in the token gave it its name.
pub async fn sec_declared_over_a_claim(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let eve = world.linked("eve", "e-1", "t-1");
    let taken = world.sync(&eve).await.principal.memberships()[0].name.clone();
    let mut declared = world.new_organization(taken.as_str(), "boss", "");
    for external_id in [None, Some("acme-1")] {
        declared.external_id = external_id.map(|id| ExternalId::new(id).unwrap());
        let (clash, kept) = refusal(&mut world, declared.clone()).await;
        assert_eq!((clash, &kept), (Clash::Token, &taken));
        let kept = directory.organization_named(taken.clone()).await.unwrap().unwrap();
        assert_eq!((kept.origin, kept.version), (Origin::Claim, 1), "it is as it was");
    }
    declared.external_id = Some(ExternalId::new("e-1").unwrap());
    assert_eq!(
        directory.declare_organizations(vec![declared], world.by()).await,
        Ok(1),
        "the operator says that this one is meant"
    );
    let kept = directory.organization_named(taken).await.unwrap().unwrap();
    assert_eq!(kept.origin, Origin::Config);
}

pub async fn what_a_declaration_meets_is_named(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let eve = world.linked("eve", "e-1", "t-1");
    let found = world.sync(&eve).await.principal.memberships()[0].name.clone();
    let mut declared = world.new_organization("mine", "", "");
    declared.external_id = Some(ExternalId::new("e-1").unwrap());
    assert_eq!(
        refusal(&mut world, declared.clone()).await,
        (Clash::ExternalId, found.clone())
    );
    let told = directory
        .declare_organizations(vec![declared.clone()], world.by())
        .await;
    let told = told.unwrap_err().to_string();
    for word in ["`mine`", "`e-1`", "`main`", "made by a token", found.as_str()] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let rename = OrganizationEdit {
        name: Some(declared.name.clone()),
        ..OrganizationEdit::default()
    };
    let kept = directory.organization_named(found).await.unwrap().unwrap();
    directory
        .update_organization(kept.id, None, rename, world.by())
        .await
        .unwrap();
    let mut next = world.new_organization("next", "", "");
    next.external_id.clone_from(&declared.external_id);
    declared.external_id = Some(ExternalId::new("e-1").unwrap());
    assert_eq!(
        directory
            .declare_organizations(vec![declared.clone()], world.by())
            .await,
        Ok(1)
    );
    // What the configuration itself gives away is free for what follows in it.
    declared.external_id = Some(ExternalId::new("e-2").unwrap());
    let both = vec![declared, next];
    assert_eq!(
        rehearse_declaration(directory, both.clone(), world.now_ms).await,
        Ok(())
    );
    assert_eq!(directory.declare_organizations(both, world.by()).await, Ok(2));
}

/// Refusal of a declaration, and the name of the organization that it meets. A rehearsal says the same.
async fn refusal(world: &mut World<'_>, declared: NewOrganization) -> (Clash, OrganizationName) {
    let events = world.event_count().await;
    let rehearsed = rehearse_declaration(world.directory, vec![declared.clone()], world.now_ms).await;
    let refused = world.directory.declare_organizations(vec![declared], world.by()).await;
    assert_eq!(refused.clone().map(|_| ()), rehearsed);
    assert_eq!(world.event_count().await, events, "nothing is changed");
    match refused {
        Err(StoreError::Declaration(conflict)) => (conflict.why, conflict.name.clone()),
        other => panic!("it should have been refused: {other:?}"),
    }
}
