//! Users, organizations and teams by hand, and lists.

use super::world::{World, carrying, realm};
use narthex_directory::{
    Among, Cursor, Directory, Edit, EventFilter, ExternalId, GrantFilter, NewTeam, OrganizationEdit,
    OrganizationFilter, OrganizationId, OrganizationName, OrganizationRole, OrganizationStatus, Page, PlatformRole,
    Profile, Scope, ScopedRole, StoreError, TeamEdit, TeamFilter, TeamId, TeamRole, UserEdit, UserFilter, UserId,
    UserStatus,
};

async fn names(directory: &dyn Directory, filter: UserFilter) -> Vec<String> {
    let found = directory.users(filter, Page::default()).await.unwrap().items;
    found.into_iter().map(|entry| entry.user.username.to_string()).collect()
}

pub async fn users_are_made_found_and_edited(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world.user("Ada").await;
    assert_eq!(directory.user(ada.id).await.unwrap().unwrap().user, ada);
    let mut new = world.new_user("bob_1%");
    new.realm = realm("other");
    directory.create_user(new, world.by()).await.unwrap();
    let q = |q: &str| UserFilter {
        q: Some(q.into()),
        ..UserFilter::default()
    };
    assert_eq!(names(directory, q("aDa")).await, ["Ada"], "letters in any case");
    assert_eq!(names(directory, q("%")).await, ["bob_1%"], "no wildcards");
    assert_eq!(names(directory, q("EXAMPLE.com")).await, ["Ada", "bob_1%"]);
    let filter = UserFilter {
        realm: Some(realm("other")),
        ..q("example")
    };
    assert_eq!(names(directory, filter).await, ["bob_1%"]);
    let filter = UserFilter {
        external_id: Some("Ada".into()),
        ..UserFilter::default()
    };
    assert_eq!(names(directory, filter).await, ["Ada"]);
    world.later(1_000);
    let edit = UserEdit {
        email: Edit::Clear,
        name: Edit::Set("Countess".into()),
        status: Some(UserStatus::Disabled),
        ..UserEdit::default()
    };
    let edited = directory
        .update_user(ada.id, Some(1), edit.clone(), world.by())
        .await
        .unwrap();
    assert_eq!((edited.version, edited.updated_at_ms), (2, world.now_ms));
    assert_eq!(
        edited.profile,
        Profile {
            name: Some("Countess".into()),
            ..Profile::default()
        }
    );
    assert_eq!(directory.user(ada.id).await.unwrap().unwrap().user, edited);
    let events = world.event_count().await;
    let same = directory.update_user(ada.id, Some(2), edit, world.by()).await.unwrap();
    assert_eq!(
        (same, world.event_count().await),
        (edited, events),
        "an edit that changes nothing is nothing"
    );
}

pub async fn users_are_listed_in_pages(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut made = Vec::new();
    for index in 0..7 {
        world.later(1);
        made.push(world.user(&format!("user-{index}")).await.id);
    }
    world.grant(made[3], ScopedRole::Platform(PlatformRole::Admin)).await;
    world.grant(made[4], ScopedRole::Platform(PlatformRole::Viewer)).await;
    let mut seen = Vec::new();
    let mut page = Page::first(3);
    loop {
        let listing = directory.users(UserFilter::default(), page).await.unwrap();
        assert!(listing.items.len() <= 3);
        seen.extend(listing.items);
        match listing.next_cursor {
            Some(cursor) => page = Page::after(Cursor::new(cursor.to_string()), 3),
            None => break,
        }
    }
    assert_eq!(seen.iter().map(|entry| entry.user.id).collect::<Vec<_>>(), made);
    let platform: Vec<PlatformRole> = seen.iter().map(|entry| entry.platform_role).collect();
    assert_eq!(
        platform[2..5],
        [PlatformRole::User, PlatformRole::Admin, PlatformRole::Viewer]
    );
    assert_eq!(
        directory
            .users(UserFilter::default(), Page::first(0))
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    let beyond = Page::after(Cursor::new("7zzzzzzzzzzzzzzzzzzzzzzzzz"), 10);
    let listing = directory.users(UserFilter::default(), beyond).await.unwrap();
    assert!(listing.items.is_empty() && listing.next_cursor.is_none());
}

pub async fn a_cursor_that_the_list_did_not_give_is_refused(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.user("ada").await;
    let now_ms = world.now_ms;
    let page = |text: &str| Page::after(Cursor::new(text), 10);
    for text in [
        "zzz",
        "",
        "12",
        "1:ab",
        "01HF7YAT000000000000000019",
        "01hf7yat00000000000000001",
    ] {
        let refused = [
            directory.users(UserFilter::default(), page(text)).await.map(drop),
            directory
                .organizations(OrganizationFilter::default(), page(text))
                .await
                .map(drop),
            directory.teams(TeamFilter::default(), page(text)).await.map(drop),
            directory.grants(GrantFilter::default(), page(text)).await.map(drop),
            directory.members(Scope::Platform, now_ms, page(text)).await.map(drop),
            directory
                .carriers(carrying(&["staff"], Among::Everybody), page(text))
                .await
                .map(drop),
            directory.api_keys(page(text)).await.map(drop),
            directory
                .machine_keys(OrganizationId::new(0, &mut world.ids), page(text))
                .await
                .map(drop),
        ];
        assert_eq!(refused, std::array::from_fn(|_| Err(StoreError::Cursor)), "{text}");
    }
    for text in ["zzz", "", "-1", "1.5", "1:ab", "01hf7yat000000000000000019"] {
        let refused = directory.events(EventFilter::default(), page(text)).await;
        assert_eq!(refused, Err(StoreError::Cursor), "{text}");
    }
    for text in ["zzz", "", "1", "9:ab", "-1:ab"] {
        let refused = directory.seen_tags(None, page(text)).await;
        assert_eq!(refused, Err(StoreError::Cursor), "{text}");
    }
}

pub async fn unique_things_are_taken_once(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let exists = |what, field, owner| {
        Err::<(), _>(StoreError::AlreadyExists {
            what,
            field,
            owner: Some(owner),
        })
    };
    let ada = world.user("ada").await.id;
    let mut same_external_id = world.new_user("ada");
    same_external_id.username = narthex_directory::Username::new("other").unwrap();
    let mut same_username = world.new_user("other");
    same_username.username = narthex_directory::Username::new("ada").unwrap();
    let both = world.new_user("ada");
    for (new, field) in [
        (same_external_id, "external_id"),
        (same_username, "username"),
        (both, "external_id"),
    ] {
        let taken = directory.create_user(new, world.by()).await;
        assert_eq!(taken.map(drop), exists("user", field, ada.to_string()));
    }
    let mut first = world.new_organization("tools", "", "");
    first.external_id = Some(ExternalId::new("t").unwrap());
    let first = directory.create_organization(first, world.by()).await.unwrap().id;
    let mut same_name = world.new_organization("tools", "", "");
    same_name.realm = realm("other");
    let mut same_external_id = world.new_organization("tools2", "", "");
    same_external_id.external_id = Some(ExternalId::new("t").unwrap());
    for (new, field) in [(same_name, "name"), (same_external_id.clone(), "external_id")] {
        let taken = directory.create_organization(new, world.by()).await;
        assert_eq!(taken.map(drop), exists("organization", field, first.to_string()));
    }
    same_external_id.realm = realm("other");
    let other = directory
        .create_organization(same_external_id, world.by())
        .await
        .unwrap();
    let edit = OrganizationEdit {
        name: Some(OrganizationName::new("tools").unwrap()),
        ..OrganizationEdit::default()
    };
    let taken = directory.update_organization(other.id, None, edit, world.by()).await;
    assert_eq!(taken.map(drop), exists("organization", "name", first.to_string()));
    let mut team = new_team(&mut world, "ops");
    directory.create_team(team.clone(), world.by()).await.unwrap();
    let owner = team.id.to_string();
    team.id = TeamId::new(world.now_ms, &mut world.ids);
    let taken = directory.create_team(team, world.by()).await;
    assert_eq!(taken.map(drop), exists("team", "external_id", owner));
}

pub async fn a_stale_version_is_refused(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mismatch = |what, expected, found| Err::<(), _>(StoreError::VersionMismatch { what, expected, found });
    let ada = world.user("ada").await;
    let edit = UserEdit {
        name: Edit::Set("x".into()),
        ..UserEdit::default()
    };
    let done = directory.update_user(ada.id, Some(7), edit.clone(), world.by()).await;
    assert_eq!(done.map(drop), mismatch("user", 7, 1));
    world.grant(ada.id, ScopedRole::Platform(PlatformRole::Viewer)).await;
    let done = directory.update_user(ada.id, Some(1), edit, world.by()).await;
    assert_eq!(
        done.map(drop),
        mismatch("user", 1, 2),
        "roles are part of what was seen"
    );
    let tools = world.organization("tools", "", "").await;
    let edit = OrganizationEdit {
        label: Some("x".into()),
        ..OrganizationEdit::default()
    };
    let done = directory.update_organization(tools.id, Some(2), edit, world.by()).await;
    assert_eq!(done.map(drop), mismatch("organization", 2, 1));
    let team = new_team(&mut world, "ops");
    let team = directory.create_team(team, world.by()).await.unwrap();
    let edit = TeamEdit {
        name: Some("x".into()),
        ..TeamEdit::default()
    };
    let done = directory.update_team(team.id, Some(2), edit, world.by()).await;
    assert_eq!(done.map(drop), mismatch("team", 2, 1));
}

pub async fn organizations_are_found_by_each_filter(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut new = world.new_organization("tools", "a, \"b,c\"", "d");
    new.external_id = Some(ExternalId::new("t").unwrap());
    directory.create_organization(new, world.by()).await.unwrap();
    world.organization("other", "", "D").await;
    let all = OrganizationFilter::default;
    for (filter, names) in [
        (
            OrganizationFilter {
                tag: Some("d".into()),
                ..all()
            },
            vec!["tools"],
        ),
        (
            OrganizationFilter {
                tag: Some("b,c".into()),
                ..all()
            },
            vec!["tools"],
        ),
        (
            OrganizationFilter {
                q: Some("TOO".into()),
                ..all()
            },
            vec!["tools"],
        ),
        (
            OrganizationFilter {
                realm: Some(realm("main")),
                ..all()
            },
            vec!["tools", "other"],
        ),
        (
            OrganizationFilter {
                external_id: Some("t".into()),
                ..all()
            },
            vec!["tools"],
        ),
    ] {
        let found = directory.organizations(filter, Page::default()).await.unwrap().items;
        let found: Vec<&str> = found.iter().map(|organization| organization.name.as_str()).collect();
        assert_eq!(found, names);
    }
}

pub async fn organizations_are_made_and_edited(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut new = world.new_organization("tools", "a, \"b,c\"", "d");
    new.external_id = Some(ExternalId::new("t").unwrap());
    new.details.website = Some("https://tools.example".into());
    let tools = directory.create_organization(new, world.by()).await.unwrap();
    assert_eq!(directory.organization(tools.id).await.unwrap().as_ref(), Some(&tools));
    assert_eq!(
        directory.organization_named(tools.name.clone()).await.unwrap().as_ref(),
        Some(&tools)
    );
    assert_eq!(tools.tags.admin.texts().collect::<Vec<_>>(), ["a", "b,c"]);
    world.later(1_000);
    let edit = OrganizationEdit {
        name: Some(OrganizationName::new("renamed").unwrap()),
        external_id: Edit::Clear,
        website: Edit::Clear,
        contact_email: Edit::Set("c@example.com".into()),
        status: Some(OrganizationStatus::Suspended),
        ..OrganizationEdit::default()
    };
    let edited = directory
        .update_organization(tools.id, Some(1), edit, world.by())
        .await
        .unwrap();
    assert_eq!((edited.version, edited.updated_at_ms), (2, world.now_ms));
    assert_eq!(directory.organization(tools.id).await.unwrap(), Some(edited));
    assert_eq!(directory.organization_named(tools.name).await, Ok(None));
}

pub async fn members_are_listed_with_their_highest_role(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "boss", "staff").await;
    for subject in ["a", "b", "c", "d", "e"] {
        world.later(1);
        world.sync(&world.tagged(subject, &["staff"])).await;
    }
    let boss = world
        .sync(&world.tagged("f", &["staff", "boss"]))
        .await
        .principal
        .user()
        .id;
    world.later(1);
    world.sync(&world.tagged("c", &["none"])).await;
    let scope = Scope::Organization(tools.id);
    let first = directory.members(scope, world.now_ms, Page::first(3)).await.unwrap();
    let subjects = |items: &[narthex_directory::Member]| {
        items
            .iter()
            .map(|member| member.user.external_id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(subjects(&first.items), ["a", "b", "d"]);
    let rest = Page::after(first.next_cursor.unwrap(), 3);
    let rest = directory.members(scope, world.now_ms, rest).await.unwrap();
    assert_eq!(subjects(&rest.items), ["e", "f"]);
    assert!(rest.next_cursor.is_none());
    assert_eq!(
        rest.items[1].role,
        ScopedRole::Organization(tools.id, OrganizationRole::Admin)
    );
    assert_eq!(rest.items[1].grants.len(), 2);
    world.grant(boss, ScopedRole::Platform(PlatformRole::Viewer)).await;
    let platform = directory
        .members(Scope::Platform, world.now_ms, Page::default())
        .await
        .unwrap()
        .items;
    assert_eq!(subjects(&platform), ["f"]);
    assert_eq!(platform[0].role, ScopedRole::Platform(PlatformRole::Viewer));
}

fn new_team(world: &mut World<'_>, external_id: &str) -> NewTeam {
    NewTeam {
        id: TeamId::new(world.now_ms, &mut world.ids),
        realm: realm("main"),
        organization: None,
        external_id: Some(ExternalId::new(external_id).unwrap()),
        name: format!("Team {external_id}"),
    }
}

pub async fn teams_are_made_listed_and_moved_by_hand(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "").await;
    let other = world.organization("other", "", "").await;
    let mut new = new_team(&mut world, "ops");
    new.organization = Some(tools.id);
    let ops = directory.create_team(new, world.by()).await.unwrap();
    let new = new_team(&mut world, "web");
    directory.create_team(new, world.by()).await.unwrap();
    let ada = world.user("ada").await.id;
    world.grant(ada, ScopedRole::Team(ops.id, TeamRole::Admin)).await;
    let edit = TeamEdit {
        organization: Edit::Set(other.id),
        ..TeamEdit::default()
    };
    let moved = directory.update_team(ops.id, Some(1), edit, world.by()).await.unwrap();
    assert_eq!((moved.organization, moved.version), (Some(other.id), 2));
    assert_eq!(world.load(ada).await.teams()[0].organization, Some(other.id));
    let filter = TeamFilter {
        organization: Some(other.id),
        ..TeamFilter::default()
    };
    assert_eq!(directory.teams(filter, Page::default()).await.unwrap().items, [moved]);
    let filter = TeamFilter {
        external_id: Some("web".into()),
        realm: Some(realm("main")),
        organization: None,
    };
    assert_eq!(directory.teams(filter, Page::default()).await.unwrap().items.len(), 1);
    let members = directory
        .members(Scope::Team(ops.id), world.now_ms, Page::default())
        .await
        .unwrap()
        .items;
    assert_eq!(members[0].role, ScopedRole::Team(ops.id, TeamRole::Admin));
    let mut abroad = world.new_organization("abroad", "", "");
    abroad.realm = realm("abroad");
    let abroad = directory.create_organization(abroad, world.by()).await.unwrap();
    let edit = TeamEdit {
        organization: Edit::Set(abroad.id),
        ..TeamEdit::default()
    };
    let refused = directory.update_team(ops.id, None, edit, world.by()).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "a team stays in its realm"
    );
}

pub async fn missing_records_are_not_found(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let user = UserId::new(world.now_ms, &mut world.ids);
    let organization = OrganizationId::new(world.now_ms, &mut world.ids);
    let team = TeamId::new(world.now_ms, &mut world.ids);
    let missing = |what| Err::<(), _>(StoreError::NotFound { what });
    assert_eq!(directory.user(user).await, Ok(None));
    assert_eq!(directory.standing(user).await, Ok(None));
    assert_eq!(directory.organization(organization).await, Ok(None));
    assert_eq!(directory.team(team).await, Ok(None));
    let done = directory.update_user(user, None, UserEdit::default(), world.by()).await;
    assert_eq!(done.map(drop), missing("user"));
    assert_eq!(
        directory.revoke_tokens(user, world.by()).await.map(drop),
        missing("user")
    );
    let done = directory
        .update_organization(organization, None, OrganizationEdit::default(), world.by())
        .await;
    assert_eq!(done.map(drop), missing("organization"));
    let done = directory.update_team(team, None, TeamEdit::default(), world.by()).await;
    assert_eq!(done.map(drop), missing("team"));
    let ada = world.user("ada").await.id;
    let roles = [
        (
            ada,
            ScopedRole::Organization(organization, OrganizationRole::Member),
            "organization",
        ),
        (ada, ScopedRole::Team(team, TeamRole::Member), "team"),
        (user, ScopedRole::Platform(PlatformRole::Admin), "user"),
    ];
    for (user, role, what) in roles {
        let new = world.new_grant(user, role);
        assert_eq!(directory.grant_role(new, world.by()).await.map(drop), missing(what));
    }
    let mut new = new_team(&mut world, "ops");
    new.organization = Some(organization);
    assert_eq!(
        directory.create_team(new, world.by()).await.map(drop),
        missing("organization")
    );
}
