//! Deletion of organizations.

use narthex_directory::{
    Deletion, Directory, DocumentAt, DocumentKind, EventFilter, ExternalId, GrantsWhen, MachineKey, MachineKeyId,
    NewDocument, NewTeam, Note, Organization, OrganizationContent, OrganizationFilter, OrganizationRole, Page,
    RemovedIdentity, RemovedKind, Scope, ScopedRole, SecretBytes, SecretHash, StoreError, TeamFilter, TeamId,
};

use super::world::{HOUR_MS, MINUTE_MS, World, actions, realm, roles};

/// The terms of a deletion with a reason.
pub fn deletion(with_content: bool) -> Deletion {
    Deletion {
        with_content,
        why: Some("the contract ended".into()),
        new_key: SecretBytes(vec![7; 32]),
    }
}

async fn names(directory: &dyn Directory) -> Vec<String> {
    let found = directory
        .organizations(OrganizationFilter::default(), Page::default())
        .await;
    found
        .unwrap()
        .items
        .iter()
        .map(|found| found.name.to_string())
        .collect()
}

/// An organization with one of everything.
async fn full(world: &mut World<'_>) -> Organization {
    let directory = world.directory;
    let acme = world.organization("acme", "boss", "staff").await;
    world.sync(&world.tagged("ann", &["staff"])).await;
    let team = NewTeam {
        id: TeamId::new(world.now_ms, &mut world.ids),
        realm: realm("main"),
        organization: Some(acme.id),
        external_id: Some(ExternalId::new("crew").unwrap()),
        name: "Crew".into(),
    };
    directory.create_team(team, world.by()).await.unwrap();
    let key = MachineKey {
        id: MachineKeyId::new(world.now_ms, &mut world.ids),
        organization: acme.id,
        name: "nightly".into(),
        hash: SecretHash([3; 32]),
        role: OrganizationRole::Member,
        created_at_ms: world.now_ms,
        expires_at_ms: world.now_ms + HOUR_MS,
        revoked_at_ms: None,
        last_used_at_ms: None,
    };
    directory.create_machine_key(key, world.by()).await.unwrap();
    let document = NewDocument {
        kind: DocumentKind::Connection,
        name: "hook".into(),
        organization: Some(acme.id),
        body: serde_json::Map::new(),
        secret: None,
    };
    directory
        .save_document(document, DocumentAt::Absent, world.by())
        .await
        .unwrap();
    acme
}

pub async fn an_empty_organization_is_deleted_and_its_name_stays_taken(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let acme = world.organization("acme", "boss", "staff").await;
    world.organization("other", "", "").await;
    assert_eq!(
        directory.organization_content(acme.id).await.unwrap(),
        OrganizationContent::default()
    );
    let stale = directory
        .delete_organization(acme.id, Some(7), deletion(false), world.by())
        .await;
    assert!(matches!(stale, Err(StoreError::VersionMismatch { .. })), "{stale:?}");
    directory
        .delete_organization(acme.id, Some(1), deletion(false), world.by())
        .await
        .unwrap();
    assert_eq!(names(directory).await, ["other"]);
    assert_eq!(directory.organization(acme.id).await, Ok(None));
    assert_eq!(directory.organization_named(acme.name.clone()).await, Ok(None));
    let again = directory
        .delete_organization(acme.id, None, deletion(true), world.by())
        .await;
    assert_eq!(again, Err(StoreError::NotFound { what: "organization" }));
    let new = world.new_organization("acme", "", "");
    let taken = directory.create_organization(new, world.by()).await;
    assert!(
        matches!(taken, Err(StoreError::AlreadyExists { field: "name", .. })),
        "{taken:?}"
    );
    let synced = world.sync(&world.tagged("ann", &["staff"])).await;
    assert!(synced.principal.memberships().is_empty(), "its tags are gone");
}

pub async fn an_organization_with_content_is_deleted_only_on_purpose(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let acme = full(&mut world).await;
    let content = OrganizationContent {
        members: 1,
        teams: 1,
        machine_keys: 1,
        api_keys: 0,
        documents: 1,
    };
    assert_eq!(directory.organization_content(acme.id).await, Ok(content));
    let refused = directory
        .delete_organization(acme.id, None, deletion(false), world.by())
        .await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(
        directory.organization_content(acme.id).await,
        Ok(content),
        "all or nothing"
    );
    world.later(MINUTE_MS);
    directory
        .delete_organization(acme.id, None, deletion(true), world.by())
        .await
        .unwrap();

    assert_eq!(directory.organization_content(acme.id).await.unwrap().members, 0);
    let teams = directory.teams(TeamFilter::default(), Page::default()).await.unwrap();
    assert!(teams.items.is_empty(), "{teams:?}");
    assert_eq!(
        directory.document(DocumentKind::Connection, "hook".into()).await,
        Ok(None)
    );
    let key = directory.machine_key(SecretHash([3; 32])).await.unwrap().unwrap();
    assert_eq!(key.revoked_at_ms, Some(world.now_ms));
    let ann = world.sync(&world.token("ann")).await.principal.user().id;
    let grants = world.grants(ann, GrantsWhen::Ever).await;
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0].scope(), Scope::Organization(acme.id));
    assert_eq!(grants[0].revoked_at_ms, Some(world.now_ms));
    assert_eq!(grants[0].revoked_why.as_deref(), Some("the organization was deleted"));
    let new = world.new_grant(ann, ScopedRole::Organization(acme.id, OrganizationRole::Member));
    let granted = directory.grant_role(new, world.by()).await;
    assert_eq!(granted.map(drop), Err(StoreError::NotFound { what: "organization" }));

    let filter = EventFilter {
        organization: Some(acme.id),
        ..EventFilter::default()
    };
    let events = directory.events(filter, Page::first(200)).await.unwrap().items;
    let told = events
        .iter()
        .find(|recorded| recorded.event.action == "organization.deleted");
    let detail = &told.unwrap().event.detail;
    assert_eq!(detail["name"], "acme");
    assert_eq!(detail["why"], "the contract ended");
    for action in [
        "connection.deleted",
        "machine_key.revoked",
        "team.deleted",
        "grant.closed",
    ] {
        assert!(
            events.iter().any(|recorded| recorded.event.action == action),
            "{action}"
        );
    }
}

/// No token creates a deleted organization again: not by its claims, not by `each`, not by a tag pattern.
pub async fn sec_deleted_organization(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let token = world.linked("ann", "acme", "crew");
    let synced = world.sync(&token).await;
    let acme = synced.principal.memberships()[0].clone();
    directory
        .delete_organization(acme.organization, None, deletion(true), world.by())
        .await
        .unwrap();
    world.later(MINUTE_MS);
    let synced = world.sync(&world.linked("ann", "acme", "crew")).await;
    assert_eq!(synced.plan.notes, [Note::OrganizationDeleted]);
    assert!(synced.principal.memberships().is_empty());
    assert!(names(directory).await.is_empty());

    let identity = RemovedIdentity {
        kind: RemovedKind::Organization,
        realm: realm("main"),
        external_id: ExternalId::new("acme").unwrap(),
    };
    assert_eq!(directory.lift_erasure(identity.clone(), world.by()).await, Ok(true));
    assert_eq!(directory.lift_erasure(identity, world.by()).await, Ok(false), "once");
    world.later(MINUTE_MS);
    let synced = world.sync(&world.linked("ann", "acme", "crew")).await;
    assert!(actions(&synced).contains(&"organization.created"));
    let [found]: [String; 1] = roles(&synced.principal).try_into().unwrap();
    assert_ne!(
        found,
        format!("{} admin", acme.name),
        "it is another one, with another name: {found}"
    );
}
