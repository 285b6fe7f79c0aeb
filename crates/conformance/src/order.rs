//! The token of a user that counts, and the versions that a plan rests on.

use std::sync::Arc;

use super::world::{HOUR_MS, World, exactly, realm, roles};
use narthex_directory::{
    ActiveIssuers, DesiredTags, Detail, Directory, ExternalId, GrantPolicy, GrantsWhen, IneffectiveReason, IssuerName,
    NewTeam, OrganizationEdit, OrganizationFilter, OrganizationRole, Page, PlatformRole, Scope, ScopedRole, StoreError,
    SyncPolicy, TagList, TeamId, UserFilter, load, plan,
};

pub async fn an_old_token_never_undoes_a_newer_one(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff").await;
    let old = world.tagged("ada", &["boss"]);
    world.sync(&old).await;
    world.later(1_000);
    world.sync(&world.tagged("ada", &["staff"])).await;
    let synced = world.sync(&old).await;
    assert!(synced.plan.stale_token && synced.plan.is_empty());
    assert_eq!(
        roles(&synced.principal),
        ["tools member"],
        "it gets what the directory says now"
    );
}

/// A tag that no organization lists any more gives nothing, whichever token a user comes with.
pub async fn sec_unlisted_tag(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "boss", "staff").await;
    world.organization("works", "", "boss").await;
    let old = world.token("ada");
    world.later(1_000);
    let synced = world.sync(&world.tagged("ada", &["boss"])).await;
    assert_eq!(roles(&synced.principal), ["tools admin", "works member"]);
    let mut other = world.token("ada");
    other.issuer = IssuerName::new("other").unwrap();
    // The lists of `tools`, and what everybody but the newest token gets then.
    let steps: [(&str, &str, &[&str]); 4] = [
        ("boss", "staff", &["tools admin", "works member"]),
        ("chief", "boss", &["tools member", "works member"]),
        ("chief", "staff", &["works member"]),
        ("boss", "staff", &["tools admin", "works member"]),
    ];
    for (admins, members, expected) in steps {
        let edit = OrganizationEdit {
            tags: Some(world.new_organization("unused", admins, members).tags),
            ..OrganizationEdit::default()
        };
        directory
            .update_organization(tools.id, None, edit, world.by())
            .await
            .unwrap();
        assert!(world.sync(&old).await.plan.stale_token);
        assert_eq!(world.roles(&old).await, expected, "an older one");
        assert_eq!(world.roles(&other).await, expected, "another issuer's");
        let loaded = world.load(synced.principal.user().id).await;
        assert_eq!(roles(&loaded), expected, "without a token");
    }

    // What makes platform admins is the issuer's configuration.
    world.policy.platform_admin_tags = TagList::parse("root").unwrap();
    let old = world.token("eve");
    world.later(1_000);
    let synced = world.sync(&world.tagged("eve", &["root"])).await;
    assert_eq!(synced.principal.platform_role(), PlatformRole::Admin);
    assert_eq!(world.sync(&old).await.principal.platform_role(), PlatformRole::Admin);
    world.policy.platform_admin_tags = TagList::parse("ops").unwrap();
    let stale = world.sync(&old).await;
    assert!(stale.plan.stale_token);
    assert_eq!(stale.principal.platform_role(), PlatformRole::User);
}

/// Grants by another issuer's tokens are worth as much as that issuer is trusted now.
pub async fn sec_untrusted_issuer(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff").await;
    let listing = |tags: &str| SyncPolicy {
        platform_admin_tags: TagList::parse(tags).unwrap(),
        ..SyncPolicy::default()
    };
    world.others = vec![("other", listing("root"))];
    // Both issuers speak for the same person; only the other one's tokens give something.
    let mut token = world.linked("ada", "acme", "ops");
    token.issuer = IssuerName::new("other").unwrap();
    token.tags = exactly(&["boss", "root"]);
    let own = std::mem::replace(&mut world.policy, listing("root"));
    let synced = world.sync(&token).await;
    world.policy = own;
    let user = synced.principal.user().id;
    let held = world.grants(user, GrantsWhen::Open).await;
    let everything: &[&str] = &["the-acme-company admin", "tools admin"];
    // The issuers beside the token's, and what it gets then.
    let steps = [
        (vec![("other", listing("root"))], PlatformRole::Admin, everything, 1),
        (vec![("other", listing("ops"))], PlatformRole::User, everything, 1),
        (vec![("third", listing("root"))], PlatformRole::User, &[], 0),
        (vec![("other", listing("root"))], PlatformRole::Admin, everything, 1),
    ];
    for (others, platform, organizations, teams) in steps {
        world.others = others;
        let mut keeps = world.token("ada");
        keeps.tags = DesiredTags::Keep;
        let asked = (*world.sync(&keeps).await.principal).clone();
        for (principal, by) in [(asked, "a token"), (world.load(user).await, "nothing")] {
            assert_eq!(principal.platform_role(), platform, "{by}, {:?}", world.others);
            assert_eq!(roles(&principal), organizations, "{by}, {:?}", world.others);
            assert_eq!(principal.teams().len(), teams, "{by}, {:?}", world.others);
        }
    }
    assert_eq!(world.grants(user, GrantsWhen::Open).await, held, "history stays");
    let mut elsewhere = ActiveIssuers::default();
    elsewhere.add(token.issuer, realm("elsewhere"), &listing("root"));
    let loaded = load(directory, user, &elsewhere, world.now_ms).await.unwrap();
    assert_eq!(loaded.platform_role(), PlatformRole::User, "its realm is another now");
    assert!(loaded.memberships().is_empty() && loaded.teams().is_empty());
}

/// Lists show what a decision finds, and say of each grant what it gives.
pub async fn listings_give_what_decisions_find(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.policy.platform_admin_tags = TagList::parse("root").unwrap();
    let tools = world.organization("tools", "boss", "staff").await;
    let user = world
        .sync(&world.tagged("ada", &["boss", "root"]))
        .await
        .principal
        .user()
        .id;
    let steps = [
        (
            "boss",
            "staff",
            "root",
            Some(OrganizationRole::Admin),
            PlatformRole::Admin,
        ),
        (
            "staff",
            "boss",
            "root",
            Some(OrganizationRole::Member),
            PlatformRole::Admin,
        ),
        ("", "staff", "ops", None, PlatformRole::User),
    ];
    for (admins, members, root, role, platform) in steps {
        let edit = OrganizationEdit {
            tags: Some(world.new_organization("unused", admins, members).tags),
            ..OrganizationEdit::default()
        };
        directory
            .update_organization(tools.id, None, edit, world.by())
            .await
            .unwrap();
        world.policy.platform_admin_tags = TagList::parse(root).unwrap();
        let issuers = world.active_issuers(&realm("main"));
        let mut grant_policy = GrantPolicy::new(directory, &issuers, world.now_ms);
        let loaded = world.load(user).await;
        let found = loaded.membership("tools").map(|membership| membership.role);
        assert_eq!(found, role);
        let listed = directory
            .members(Scope::Organization(tools.id), world.now_ms, Page::first(5))
            .await;
        let members = grant_policy.members(listed.unwrap().items).await.unwrap();
        let role = role.map(|role| ScopedRole::Organization(tools.id, role));
        assert_eq!(members.first().map(|member| member.role), role);
        let entry = directory.user(user).await.unwrap().unwrap();
        assert_eq!(grant_policy.user(entry).await.unwrap().platform_role, platform);
        assert_eq!(loaded.platform_role(), platform);
        let open = world.grants(user, GrantsWhen::Open).await;
        let effective = grant_policy.effective_grants(&realm("main"), open).await.unwrap();
        let gives: Vec<_> = effective.iter().map(|effective| effective.gives).collect();
        let on_platform = match platform {
            PlatformRole::Admin => Ok(ScopedRole::Platform(platform)),
            _ => Err(IneffectiveReason::PlatformTag),
        };
        let mut expected = [on_platform, role.ok_or(IneffectiveReason::OrganizationTag)];
        if matches!(effective[0].grant.role, ScopedRole::Organization(..)) {
            expected.reverse();
        }
        assert_eq!(gives, expected);
    }
}

pub async fn an_old_token_never_undoes_one_that_changed_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff").await;
    world.sync(&world.tagged("ada", &["staff"])).await;
    world.later(1_000);
    let between = world.tagged("ada", &["boss"]);
    world.later(1_000);
    assert!(
        world.sync(&world.tagged("ada", &["staff"])).await.plan.is_empty(),
        "so nothing was written"
    );
    assert!(world.sync(&between).await.plan.stale_token);
    directory.flush().await.unwrap();
    assert!(
        world.sync(&between).await.plan.stale_token,
        "nor after the memory was written down"
    );
    // Nor one that was planned before the newer one was written.
    world.later(1_000);
    let token = world.tagged("ada", &["boss"]);
    let snapshot = directory.snapshot(&token, Detail::Sync).await.unwrap();
    let lost = Arc::new(plan(&token, &snapshot, &world.policy, world.now_ms, &mut world.ids).unwrap());
    world.later(1_000);
    assert!(world.sync(&world.tagged("ada", &["staff"])).await.plan.is_empty());
    directory.flush().await.unwrap();
    assert_eq!(directory.apply(lost).await, Err(StoreError::Conflict));
}

pub async fn each_issuer_has_its_own_order_of_tokens(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut other = world.token("ada");
    other.issuer = IssuerName::new("other").unwrap();
    other.user.profile.name = Some("Ada".into());
    world.later(HOUR_MS);
    world.sync(&world.token("ada")).await;
    let synced = world.sync(&other).await;
    assert!(!synced.plan.stale_token);
    assert_eq!(synced.principal.user().profile.name.as_deref(), Some("Ada"));
}

pub async fn a_plan_that_lost_its_snapshot_is_a_conflict(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let token = world.linked("ada", "acme", "ops");
    let snapshot = directory.snapshot(&token, Detail::Sync).await.unwrap();
    let mut make = || Arc::new(plan(&token, &snapshot, &world.policy, world.now_ms, &mut world.ids).unwrap());
    let (one, two) = (make(), make());
    directory.apply(one).await.unwrap();
    assert_eq!(directory.apply(two).await, Err(StoreError::Conflict));
    let token = world.tagged("ada", &[]);
    let snapshot = directory.snapshot(&token, Detail::Sync).await.unwrap();
    let lost = Arc::new(plan(&token, &snapshot, &world.policy, world.now_ms, &mut world.ids).unwrap());
    let user = snapshot.standing.unwrap().user.id;
    world
        .grant(
            user,
            narthex_directory::ScopedRole::Platform(narthex_directory::PlatformRole::Viewer),
        )
        .await;
    assert_eq!(
        directory.apply(lost).await,
        Err(StoreError::Conflict),
        "a grant came in between"
    );
}

pub async fn a_plan_rests_on_the_policy_it_saw(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "staff").await;
    let token = world.tagged("ada", &["staff"]);
    let snapshot = directory.snapshot(&token, Detail::Sync).await.unwrap();
    let lost = Arc::new(plan(&token, &snapshot, &world.policy, world.now_ms, &mut world.ids).unwrap());
    let edit = narthex_directory::OrganizationEdit {
        tags: Some(Default::default()),
        ..Default::default()
    };
    directory
        .update_organization(tools.id, None, edit, world.by())
        .await
        .unwrap();
    assert_eq!(directory.apply(lost).await, Err(StoreError::Conflict));
    assert!(world.sync(&token).await.principal.memberships().is_empty());
}

pub async fn a_plan_that_fails_half_way_leaves_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let token = world.linked("ada", "acme", "ops");
    let snapshot = directory.snapshot(&token, Detail::Sync).await.unwrap();
    let lost = Arc::new(plan(&token, &snapshot, &world.policy, world.now_ms, &mut world.ids).unwrap());
    // Between the two another caller creates the same team: user and organization would still go through.
    let new = NewTeam {
        id: TeamId::new(world.now_ms, &mut world.ids),
        realm: realm("main"),
        organization: None,
        external_id: Some(ExternalId::new("ops").unwrap()),
        name: "Ops".into(),
    };
    directory.create_team(new, world.by()).await.unwrap();
    let events = world.event_count().await;
    assert_eq!(directory.apply(lost).await, Err(StoreError::Conflict));
    assert!(
        directory
            .users(UserFilter::default(), Page::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(
        directory
            .organizations(OrganizationFilter::default(), Page::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert_eq!(world.event_count().await, events);
    assert_eq!(
        world.roles(&token).await,
        ["the-acme-company admin"],
        "planned again, it goes through"
    );
}
