//! Access of users, manual grants, and what moves the version numbers.

use super::world::{World, exactly, realm, roles};
use narthex_directory::{
    Directory, Edit, EventFilter, EventOrder, GrantFilter, GrantSource, GrantsWhen, IssuerName, MembershipRule,
    NewTeam, OrganizationEdit, OrganizationRole, OrganizationStatus, Page, PlatformRole, Refusal, Scope, ScopedRole,
    StoreError, SyncError, TeamEdit, TeamId, TeamRole, UserEdit, UserFilter, UserStatus, Username, load,
};

/// A disabled user is refused at every door, and no token enables anybody.
pub async fn sec_disabled_user(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "", "staff").await;
    let ada = world.sync(&world.tagged("ada", &["staff"])).await.principal;
    let stamp = ada.stamp();
    let edit = UserEdit {
        status: Some(UserStatus::Disabled),
        ..UserEdit::default()
    };
    directory
        .update_user(ada.user().id, None, edit, world.by())
        .await
        .unwrap();
    assert!(!directory.versions().is_current(stamp), "cached answers are void");
    let events = world.event_count().await;
    world.later(1_000);
    let mut token = world.linked("ada", "acme", "ops");
    token.tags = exactly(&["staff"]);
    token.user.profile.name = Some("Ada".into());
    let disabled = Refusal::Disabled { user: ada.user().id };
    assert_eq!(world.refusal(&token).await, disabled);
    let loaded = load(
        directory,
        ada.user().id,
        &world.active_issuers(&realm("main")),
        world.now_ms,
    )
    .await;
    assert_eq!(loaded, Err(SyncError::Refused(disabled)));
    assert_eq!(world.event_count().await, events, "nothing was written");
    let user = directory.user(ada.user().id).await.unwrap().unwrap().user;
    assert_eq!((user.status, user.profile.name), (UserStatus::Disabled, None));
}

/// A suspended organization stays suspended whatever tokens say, and every reader sees that it is.
pub async fn sec_disabled_org(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world.sync(&world.linked("ada", "acme", "ops")).await.principal;
    let organization = ada.memberships()[0].organization;
    let edit = OrganizationEdit {
        status: Some(OrganizationStatus::Suspended),
        ..OrganizationEdit::default()
    };
    directory
        .update_organization(organization, None, edit, world.by())
        .await
        .unwrap();
    assert!(!directory.versions().is_current(ada.stamp()), "cached answers are void");
    world.later(1_000);
    let mut token = world.linked("ada", "acme", "ops");
    token.organization.as_mut().unwrap().name = Some("Another label".into());
    let synced = world.sync(&token).await;
    assert_eq!(synced.principal.memberships()[0].status, OrganizationStatus::Suspended);
    assert_eq!(
        world.load(ada.user().id).await.memberships()[0].status,
        OrganizationStatus::Suspended
    );
    let kept = directory.organization(organization).await.unwrap().unwrap();
    assert_eq!(
        (kept.status, kept.label.as_str()),
        (OrganizationStatus::Suspended, "Another label")
    );
}

/// A user made beforehand with the victim's e-mail is not what the victim's token gets.
pub async fn sec_prehijack(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "").await;
    let mut new = world.new_user("mallory");
    new.profile.email = Some("victim@example.com".into());
    let mallory = directory.create_user(new, world.by()).await.unwrap();
    let mut token = world.token("victim");
    token.user.profile.email = Some("victim@example.com".into());
    let victim = world.sync(&token).await.principal;
    assert_ne!(victim.user().id, mallory.id);
    world
        .grant(
            victim.user().id,
            ScopedRole::Organization(tools.id, OrganizationRole::Admin),
        )
        .await;
    assert!(world.load(mallory.id).await.memberships().is_empty());
    // With the victim's username instead: refused, not merged.
    let mut new = world.new_user("mallory2");
    new.username = Username::new("victim2").unwrap();
    let owner = directory.create_user(new, world.by()).await.unwrap().id;
    assert_eq!(
        world.refusal(&world.token("victim2")).await,
        Refusal::UsernameConflict { owner }
    );
}

/// An issuer that asserts another user's e-mail gets a user of its own, or a conflict; never that other user.
pub async fn sec_email_takeover(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut token = world.token("a-1");
    token.user.profile.email = Some("ada@example.com".into());
    let ada = world.sync(&token).await.principal;
    for (realm_name, subject) in [("main", "b-1"), ("other", "b-1"), ("other", "a-1")] {
        let mut token = world.token(subject);
        token.realm = realm(realm_name);
        token.issuer = IssuerName::new("rogue").unwrap();
        token.user.profile.email = Some("ada@example.com".into());
        let rogue = world.sync(&token).await.principal;
        assert_ne!(rogue.user().id, ada.user().id, "{realm_name} {subject}");
    }
    let mut token = world.token("b-2");
    token.user.username = Some(Username::new("a-1").unwrap());
    let owner = ada.user().id;
    assert_eq!(world.refusal(&token).await, Refusal::UsernameConflict { owner });
    let filter = UserFilter {
        email: Some("ada@example.com".into()),
        ..UserFilter::default()
    };
    assert_eq!(directory.users(filter, Page::default()).await.unwrap().items.len(), 4);
}

/// E-mail is data: the strangest address neither breaks nor finds anything but itself.
pub async fn sec_email_parse(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let addresses = [
        "a@evil@corp.com",
        "\"a@evil.com \"@corp.com",
        "a@corp。com",
        "a@corp.com.",
        "A@CORP.COM",
        "a@corp.com",
        "%",
    ];
    for (index, address) in addresses.iter().enumerate() {
        let mut token = world.token(&format!("user-{index}"));
        token.user.profile.email = Some((*address).to_owned());
        world.sync(&token).await;
    }
    for address in addresses {
        let filter = UserFilter {
            email: Some(address.to_owned()),
            ..UserFilter::default()
        };
        let found = directory.users(filter, Page::default()).await.unwrap().items;
        assert_eq!(found.len(), 1, "{address}");
        assert_eq!(found[0].user.profile.email.as_deref(), Some(address));
    }
}

pub async fn a_taken_username_is_a_conflict(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let owner = world.sync(&world.token("ada")).await.principal.user().id;
    let bob = world.sync(&world.token("bob")).await.principal;
    world.later(1_000);
    let mut token = world.token("bob");
    token.user.username = Some(Username::new("ada").unwrap());
    assert_eq!(world.refusal(&token).await, Refusal::UsernameConflict { owner });
    let edit = UserEdit {
        username: Some(Username::new("ada").unwrap()),
        ..UserEdit::default()
    };
    let taken = directory.update_user(bob.user().id, None, edit, world.by()).await;
    assert_eq!(
        taken,
        Err(StoreError::AlreadyExists {
            what: "user",
            field: "username",
            owner: Some(owner.to_string()),
        })
    );
    assert_eq!(world.load(bob.user().id).await.user().username.as_str(), "bob");
    token.realm = realm("other");
    world.sync(&token).await;
}

pub async fn signing_out_everywhere_refuses_older_tokens(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let old = world.token("ada");
    let ada = world.sync(&old).await.principal;
    world.later(1_000);
    let user = directory.revoke_tokens(ada.user().id, world.by()).await.unwrap();
    assert_eq!(user.tokens_not_before_ms, Some(world.now_ms));
    assert!(!directory.versions().is_current(ada.stamp()));
    let user = ada.user().id;
    assert_eq!(world.refusal(&old).await, Refusal::TokenRevoked { user });
    let mut undated = world.token("ada");
    undated.issued_at_ms = None;
    assert_eq!(world.refusal(&undated).await, Refusal::TokenUndated { user });
    world.sync(&world.token("ada")).await;
    let mut by = world.by();
    by.at_ms -= 500;
    let user = directory.revoke_tokens(ada.user().id, by).await.unwrap();
    assert_eq!(
        user.tokens_not_before_ms,
        Some(world.now_ms + 1),
        "never moved back, and the token that came since is refused"
    );

    // A user whose tokens never say when they were issued would be out for good.
    let (stamp, events) = (world.load(ada.user().id).await.stamp(), world.event_count().await);
    let edit = UserEdit {
        accept_older_tokens: true,
        ..UserEdit::default()
    };
    let user = directory
        .update_user(ada.user().id, None, edit.clone(), world.by())
        .await
        .unwrap();
    assert_eq!(user.tokens_not_before_ms, None);
    assert!(!directory.versions().is_current(stamp), "what was kept is asked again");
    assert_eq!(world.event_count().await, events + 1);
    world.sync(&undated).await;
    world.sync(&old).await;
    directory
        .update_user(ada.user().id, None, edit, world.by())
        .await
        .unwrap();
    assert_eq!(world.event_count().await, events + 1, "there is nothing more to accept");
}

pub async fn manual_grants_need_an_organization_that_takes_them(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut new = world.new_organization("closed", "", "staff");
    new.membership = MembershipRule::ExternalOnly;
    let closed = directory.create_organization(new, world.by()).await.unwrap();
    let ada = world.sync(&world.tagged("ada", &["staff"])).await.principal;
    assert_eq!(roles(&ada), ["closed member"], "tags count");
    let new = world.new_grant(
        ada.user().id,
        ScopedRole::Organization(closed.id, OrganizationRole::Admin),
    );
    let refused = directory.grant_role(new, world.by()).await;
    assert_eq!(
        refused,
        Err(StoreError::ExternalOnly {
            organization: closed.name.clone()
        })
    );
    world.later(1_000);
    let mut token = world.linked("ada", "acme", "ops");
    token.tags = exactly(&["staff"]);
    let ada = world.sync(&token).await.principal;
    let team = ada.teams()[0].team;
    let organization = ada.teams()[0].organization.unwrap();
    let edit = OrganizationEdit {
        membership: Some(MembershipRule::ExternalOnly),
        ..OrganizationEdit::default()
    };
    let organization = directory
        .update_organization(organization, None, edit, world.by())
        .await
        .unwrap()
        .name;
    let new = world.new_grant(
        ada.user().id,
        ScopedRole::Team(team, narthex_directory::TeamRole::Admin),
    );
    let refused = directory.grant_role(new, world.by()).await;
    assert_eq!(
        refused,
        Err(StoreError::ExternalOnly { organization }),
        "nor do its teams"
    );
}

pub async fn a_manual_role_is_replaced_and_revoked(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "").await;
    let ada = world.user("ada").await.id;
    let member = world
        .grant(ada, ScopedRole::Organization(tools.id, OrganizationRole::Member))
        .await;
    let events = world.event_count().await;
    let again = world
        .grant(ada, ScopedRole::Organization(tools.id, OrganizationRole::Member))
        .await;
    assert_eq!(
        (again.id, world.event_count().await),
        (member.id, events),
        "the same again changes nothing"
    );
    world.later(1_000);
    world
        .grant(ada, ScopedRole::Organization(tools.id, OrganizationRole::Executor))
        .await;
    assert_eq!(roles(&world.load(ada).await), ["tools executor"]);
    world.later(1_000);
    let scope = Scope::Organization(tools.id);
    let closed = directory
        .revoke_role(ada, scope, Some("left".into()), world.by())
        .await
        .unwrap();
    assert_eq!(closed.len(), 1);
    assert_eq!(
        (closed[0].revoked_at_ms, closed[0].revoked_why.as_deref()),
        (Some(world.now_ms), Some("left"))
    );
    assert_eq!(directory.revoke_role(ada, scope, None, world.by()).await, Ok(vec![]));
    assert_eq!(world.grants(ada, GrantsWhen::Ever).await.len(), 2);
    assert!(world.load(ada).await.memberships().is_empty());
}

pub async fn becoming_external_only_closes_manual_grants(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "staff").await;
    let ada = world.sync(&world.tagged("ada", &["staff"])).await.principal.user().id;
    let bob = world.user("bob").await.id;
    for user in [ada, bob] {
        world
            .grant(user, ScopedRole::Organization(tools.id, OrganizationRole::Admin))
            .await;
    }
    let stamp = world.load(bob).await.stamp();
    let edit = OrganizationEdit {
        membership: Some(MembershipRule::ExternalOnly),
        ..OrganizationEdit::default()
    };
    directory
        .update_organization(tools.id, None, edit, world.by())
        .await
        .unwrap();
    assert_eq!(roles(&world.load(ada).await), ["tools member"]);
    assert!(world.load(bob).await.memberships().is_empty());
    assert!(!directory.versions().is_current(stamp));
    let filter = GrantFilter {
        scope: Some(Scope::Organization(tools.id)),
        ..GrantFilter::default()
    };
    let open = directory.grants(filter, Page::default()).await.unwrap().items;
    assert!(open.iter().all(|grant| grant.source != GrantSource::Manual) && open.len() == 1);
}

/// A change reports the grants that it closes in the order in which they were given, whatever the order in which a
/// store finds them.
pub async fn closed_grants_are_told_in_their_order(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "staff").await;
    let edit = OrganizationEdit {
        membership: Some(MembershipRule::ExternalOnly),
        ..OrganizationEdit::default()
    };
    let changed = directory.update_organization(tools.id, None, edit, world.by());
    changed.await.unwrap();
    let new = NewTeam {
        id: TeamId::new(world.now_ms, &mut world.ids),
        realm: realm("main"),
        organization: None,
        external_id: None,
        name: "ops".into(),
    };
    let team = directory.create_team(new, world.by()).await.unwrap();
    let (ada, bob) = (world.user("ada").await.id, world.user("bob").await.id);
    for user in [bob, ada] {
        world.grant(user, ScopedRole::Team(team.id, TeamRole::Member)).await;
    }
    let edit = TeamEdit {
        organization: Edit::Set(tools.id),
        ..TeamEdit::default()
    };
    directory.update_team(team.id, None, edit, world.by()).await.unwrap();
    let filter = EventFilter {
        action: Some("grant.closed".into()),
        order: EventOrder::OldestFirst,
        ..EventFilter::default()
    };
    let events = directory.events(filter, Page::default()).await.unwrap().items;
    let users: Vec<_> = events.iter().map(|recorded| recorded.event.user).collect();
    assert_eq!(users, [Some(bob), Some(ada)]);
}

pub async fn history_tells_who_had_which_role_when(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "boss", "staff").await;
    let start = world.now_ms;
    let ada = world.sync(&world.tagged("ada", &["staff"])).await.principal.user().id;
    world.later(1_000);
    world.sync(&world.tagged("ada", &["boss"])).await;
    world.later(1_000);
    world.sync(&world.tagged("ada", &["none"])).await;
    let mut held = Vec::new();
    for at in [
        start - 1,
        start,
        start + 999,
        start + 1_000,
        start + 1_999,
        start + 2_000,
    ] {
        let filter = GrantFilter {
            user: Some(ada),
            scope: Some(Scope::Organization(tools.id)),
            when: GrantsWhen::AsOf(at),
        };
        let grants = directory.grants(filter, Page::default()).await.unwrap().items;
        held.push(
            grants
                .iter()
                .map(|grant| grant.role.role_str())
                .collect::<Vec<_>>()
                .join(","),
        );
    }
    assert_eq!(held, ["", "member", "member", "admin", "admin", ""]);
}

pub async fn versions_move_when_an_answer_may_change(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "staff").await;
    let ada = world.sync(&world.tagged("ada", &["staff"])).await.principal.user().id;
    let bob = world.user("bob").await.id;
    let stamps = async |world: &World<'_>| (world.load(ada).await.stamp(), world.load(bob).await.stamp());
    let current = |stamps: (narthex_directory::Stamp, narthex_directory::Stamp)| {
        (
            directory.versions().is_current(stamps.0),
            directory.versions().is_current(stamps.1),
        )
    };

    let before = stamps(&world).await;
    world.grant(ada, ScopedRole::Platform(PlatformRole::Viewer)).await;
    assert_eq!(current(before), (false, true), "a grant");
    let before = stamps(&world).await;
    directory
        .revoke_role(ada, Scope::Platform, None, world.by())
        .await
        .unwrap();
    assert_eq!(current(before), (false, true), "its end");
    let before = stamps(&world).await;
    world.later(1_000);
    world.sync(&world.tagged("ada", &["none"])).await;
    assert_eq!(current(before), (false, true), "a sync that changes something");
    let before = stamps(&world).await;
    let edit = UserEdit {
        name: Edit::Set("Ada".into()),
        ..UserEdit::default()
    };
    directory.update_user(ada, None, edit, world.by()).await.unwrap();
    assert_eq!(current(before), (false, true), "a profile");
    let before = stamps(&world).await;
    let edit = OrganizationEdit {
        label: Some("New".into()),
        ..OrganizationEdit::default()
    };
    directory
        .update_organization(tools.id, None, edit, world.by())
        .await
        .unwrap();
    assert_eq!(current(before), (true, true), "a label decides nothing");
    let edit = OrganizationEdit {
        status: Some(OrganizationStatus::Suspended),
        ..OrganizationEdit::default()
    };
    directory
        .update_organization(tools.id, None, edit, world.by())
        .await
        .unwrap();
    assert_eq!(current(before), (false, false), "a status does");
    let before = stamps(&world).await;
    world.organization("more", "", "staff").await;
    assert_eq!(current(before), (false, false), "and so do new tags");
    let before = stamps(&world).await;
    directory.poll_versions().await.unwrap();
    assert_eq!(current(before), (true, true), "polling one's own changes moves nothing");
}

pub async fn first_uses_move_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "", "staff").await;
    let ada = world.sync(&world.tagged("ada", &["staff"])).await.principal;
    for subject in ["b", "c", "d"] {
        let mut token = world.linked(subject, subject, subject);
        token.tags = exactly(&["staff"]);
        world.sync(&token).await;
    }
    assert!(
        directory.versions().is_current(ada.stamp()),
        "newcomers do not empty anybody's cache"
    );
}
