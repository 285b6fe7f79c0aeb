//! Machine keys: found by their hash, ended by revocation, expiry and the suspension of their organization.

use super::world::{MINUTE_MS, World};
use narthex_directory::{
    Directory, EventFilter, ExternalId, MachineKey, MachineKeyError, MachineKeyId, MachineKeyUse, OrganizationEdit,
    OrganizationId, OrganizationRole, OrganizationStatus, Page, PlatformRole, SecretHash, StoreError, UserKind,
    Username, load_machine_key,
};

fn key(world: &mut World<'_>, organization: OrganizationId, byte: u8) -> MachineKey {
    MachineKey {
        id: MachineKeyId::new(world.now_ms, &mut world.ids),
        organization,
        name: format!("key {byte}"),
        hash: SecretHash([byte; 32]),
        role: OrganizationRole::Member,
        created_at_ms: world.now_ms,
        expires_at_ms: world.now_ms + 10 * MINUTE_MS,
        revoked_at_ms: None,
        last_used_at_ms: None,
    }
}

pub async fn machine_keys_are_found_by_hash_and_by_id(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let (tools, other) = (
        world.organization("tools", "", "").await.id,
        world.organization("other", "", "").await.id,
    );
    let [one, two] = [1, 2].map(|byte| key(&mut world, tools, byte));
    let elsewhere = key(&mut world, other, 3);
    for key in [&one, &two, &elsewhere] {
        directory.create_machine_key(key.clone(), world.by()).await.unwrap();
        assert_eq!(directory.machine_key(key.hash).await.unwrap().as_ref(), Some(key));
        assert_eq!(directory.machine_key_of_id(key.id).await.unwrap().as_ref(), Some(key));
    }
    assert_eq!(directory.machine_key(SecretHash([9; 32])).await, Ok(None));
    let first = directory.machine_keys(tools, Page::first(1)).await.unwrap();
    assert_eq!(first.items, std::slice::from_ref(&one));
    let rest = Page::after(first.next_cursor.unwrap(), 5);
    assert_eq!(directory.machine_keys(tools, rest).await.unwrap().items, [two]);
    let twice = key(&mut world, tools, 1);
    let taken = directory.create_machine_key(twice, world.by()).await;
    assert!(
        matches!(
            taken,
            Err(StoreError::AlreadyExists {
                what: "machine key",
                ..
            })
        ),
        "{taken:?}"
    );
    let nowhere = OrganizationId::new(world.now_ms, &mut world.ids);
    let lost = key(&mut world, nowhere, 4);
    assert_eq!(
        directory.create_machine_key(lost, world.by()).await,
        Err(StoreError::NotFound { what: "organization" })
    );
    let events = directory.events(EventFilter::default(), Page::first(9)).await.unwrap();
    let newest = &events.items[0].event;
    assert_eq!(
        (newest.action.as_str(), newest.organization),
        ("machine_key.created", Some(other))
    );
    assert_eq!(newest.detail["role"], "member");
}

pub async fn a_machine_key_acts_as_a_service_with_its_role_alone(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "").await;
    let key = key(&mut world, tools.id, 1);
    directory.create_machine_key(key.clone(), world.by()).await.unwrap();
    let loaded = load_machine_key(directory, key.hash, world.now_ms).await.unwrap();
    let principal = loaded.principal;
    assert_eq!((principal.kind(), loaded.key), (UserKind::Service, key.clone()));
    assert_eq!(principal.platform_role(), PlatformRole::User);
    assert!(principal.grants().is_empty() && principal.teams().is_empty());
    let [membership] = principal.memberships() else {
        panic!("it has one membership");
    };
    assert_eq!(
        (membership.organization, membership.role),
        (tools.id, OrganizationRole::Member)
    );
    let user = principal.user();
    assert_eq!(user.id.to_string(), key.id.to_string());
    assert_eq!(user.username, Username::new("machine-key:tools/key 1").unwrap());
    assert_eq!(
        user.external_id,
        ExternalId::new(format!("machine-key:{}", key.id)).unwrap()
    );
    assert_eq!(user.profile.name.as_deref(), Some("key 1"));
    assert_eq!(principal.valid_until_ms(), Some(key.expires_at_ms));
    assert_eq!(directory.user(user.id).await, Ok(None), "no record is kept of it");
}

pub async fn sec_machine_key_ends(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "").await.id;
    let [open, revoked] = [1, 2].map(|byte| key(&mut world, tools, byte));
    for key in [&open, &revoked] {
        directory.create_machine_key(key.clone(), world.by()).await.unwrap();
    }
    let now_ms = world.now_ms;
    let load = async |hash, at_ms| {
        let loaded = load_machine_key(directory, hash, at_ms).await;
        loaded.map(|loaded| loaded.principal.stamp())
    };
    let unknown = load(SecretHash([7; 32]), now_ms).await;
    assert_eq!(unknown, Err(MachineKeyError::Unknown));
    let (kept, ended) = (
        load(open.hash, now_ms).await.unwrap(),
        load(revoked.hash, now_ms).await.unwrap(),
    );
    let versions = directory.versions();
    assert!(versions.is_current(kept) && versions.is_current(ended));

    assert_eq!(directory.revoke_machine_key(revoked.id, world.by()).await, Ok(true));
    assert_eq!(directory.revoke_machine_key(revoked.id, world.by()).await, Ok(false));
    assert!(!versions.is_current(ended), "cached answers of the key end");
    assert!(versions.is_current(kept), "and those of others stay");
    let refused = load(revoked.hash, now_ms).await.unwrap_err();
    assert_eq!(refused.reason(), Some("key.revoked"));

    let refused = load(open.hash, open.expires_at_ms).await.unwrap_err();
    assert_eq!(refused.reason(), Some("key.expired"));

    for (status, reason) in [
        (OrganizationStatus::Suspended, Some("organization.suspended")),
        (OrganizationStatus::Active, None),
    ] {
        let before = load(open.hash, now_ms).await;
        let edit = OrganizationEdit {
            status: Some(status),
            ..OrganizationEdit::default()
        };
        directory
            .update_organization(tools, None, edit, world.by())
            .await
            .unwrap();
        assert!(
            before.is_ok_and(|stamp| !versions.is_current(stamp)) || status == OrganizationStatus::Active,
            "cached answers end with the suspension"
        );
        let after = load(open.hash, now_ms).await;
        assert_eq!(after.as_ref().err().and_then(MachineKeyError::reason), reason);
    }
}

pub async fn uses_of_machine_keys_are_recorded_together(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "").await.id;
    let [one, two] = [1, 2].map(|byte| key(&mut world, tools, byte));
    for key in [&one, &two] {
        directory.create_machine_key(key.clone(), world.by()).await.unwrap();
    }
    let start_ms = world.now_ms;
    let unknown = MachineKeyId::new(start_ms, &mut world.ids);
    let used = |key, at_ms| MachineKeyUse { key, at_ms };
    let note = async |uses| directory.note_machine_key_uses(uses).await;
    let all = vec![used(one.id, start_ms), used(two.id, start_ms), used(unknown, start_ms)];
    assert_eq!(note(all).await, Ok(2));
    let soon = vec![
        used(one.id, start_ms + MINUTE_MS - 1),
        used(two.id, start_ms + MINUTE_MS),
    ];
    assert_eq!(note(soon).await, Ok(1));
    assert_eq!(note(Vec::new()).await, Ok(0));
    for (key, at_ms) in [(&one, start_ms), (&two, start_ms + MINUTE_MS)] {
        let kept = directory.machine_key_of_id(key.id).await.unwrap().unwrap();
        assert_eq!(kept.last_used_at_ms, Some(at_ms));
    }
}
