//! S3: permission tags.

use super::world::{HOUR_MS, MINUTE_MS, World, actions, carrying, exactly, realm, roles};
use narthex_directory::{
    Among, DesiredTags, Detail, Directory, GrantSource, GrantsWhen, IssuerName, OnEmpty, OrganizationEdit,
    OrganizationRole, OrganizationStatus, OrganizationTags, Page, PlatformRole, Refusal, ScopedRole, TagList, plan,
};

pub async fn a_tag_grants_and_its_absence_closes(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff").await;
    world.organization("other", "", "else").await;
    let synced = world.sync(&world.tagged("ada", &["staff", "unknown"])).await;
    assert_eq!(roles(&synced.principal), ["tools member"]);
    let user = synced.principal.user().id;
    world.later(1_000);
    let synced = world.sync(&world.tagged("ada", &["unknown"])).await;
    assert_eq!(actions(&synced), ["grant.closed"]);
    assert!(synced.principal.memberships().is_empty());
    let grants = world.grants(user, GrantsWhen::Ever).await;
    assert_eq!(grants.len(), 1, "closed, not deleted");
    assert_eq!(grants[0].revoked_at_ms, Some(world.now_ms));
    assert_eq!(
        grants[0].revoked_why.as_deref(),
        Some("the token no longer carries the tag")
    );
}

pub async fn two_lists_give_the_higher_role(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss, both", "staff, both").await;
    assert_eq!(world.roles(&world.tagged("a", &["both"])).await, ["tools admin"]);
    assert_eq!(
        world.roles(&world.tagged("b", &["staff", "boss"])).await,
        ["tools admin"]
    );
    assert_eq!(world.roles(&world.tagged("c", &["staff"])).await, ["tools member"]);
}

pub async fn each_tag_has_a_grant_of_its_own(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff, crew").await;
    let synced = world.sync(&world.tagged("ada", &["staff", "boss", "crew"])).await;
    let user = synced.principal.user().id;
    assert_eq!(synced.principal.grants().len(), 3);
    world.later(1_000);
    assert_eq!(
        world.roles(&world.tagged("ada", &["staff", "crew"])).await,
        ["tools member"]
    );
    world.later(1_000);
    assert_eq!(world.roles(&world.tagged("ada", &["crew"])).await, ["tools member"]);
    assert_eq!(world.grants(user, GrantsWhen::Open).await.len(), 1);
    world.later(1_000);
    assert!(world.roles(&world.tagged("ada", &[""])).await.is_empty());
    assert_eq!(
        world.grants(user, GrantsWhen::Ever).await.len(),
        3,
        "no grant was touched twice"
    );
}

pub async fn a_role_that_changes_closes_and_opens(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "staff").await;
    let first = world.sync(&world.tagged("ada", &["staff"])).await;
    let tags = OrganizationTags {
        admin: TagList::parse("staff").unwrap(),
        ..OrganizationTags::default()
    };
    let edit = OrganizationEdit {
        tags: Some(tags),
        ..OrganizationEdit::default()
    };
    directory
        .update_organization(tools.id, None, edit, world.by())
        .await
        .unwrap();
    world.later(1_000);
    let second = world.sync(&world.tagged("ada", &["staff"])).await;
    assert_eq!(actions(&second), ["grant.closed", "grant.opened"]);
    assert_eq!(roles(&second.principal), ["tools admin"]);
    assert_ne!(first.principal.grants()[0].id, second.principal.grants()[0].id);
}

pub async fn an_organization_that_drops_the_tag_loses_the_member(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "staff").await;
    let user = world.sync(&world.tagged("ada", &["staff"])).await.principal.user().id;
    let edit = OrganizationEdit {
        tags: Some(OrganizationTags::default()),
        ..OrganizationEdit::default()
    };
    directory
        .update_organization(tools.id, None, edit, world.by())
        .await
        .unwrap();
    assert!(world.roles(&world.tagged("ada", &["staff"])).await.is_empty());
    let grants = world.grants(user, GrantsWhen::Ever).await;
    assert_eq!(
        grants[0].revoked_why.as_deref(),
        Some("the tag is no longer listed for it")
    );
}

pub async fn the_platform_role_comes_and_goes_with_its_tag(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.policy.platform_admin_tags = TagList::parse("superAdmin").unwrap();
    let synced = world.sync(&world.tagged("ada", &["superAdmin"])).await;
    assert_eq!(synced.principal.platform_role(), PlatformRole::Admin);
    let user = synced.principal.user().id;
    assert_eq!(
        directory.user(user).await.unwrap().unwrap().platform_role,
        PlatformRole::Admin
    );
    world.later(1_000);
    let synced = world.sync(&world.tagged("ada", &["superadmin"])).await;
    assert_eq!(synced.principal.platform_role(), PlatformRole::User);
    assert_eq!(
        directory.user(user).await.unwrap().unwrap().platform_role,
        PlatformRole::User
    );
}

pub async fn tags_compare_exactly_and_near_misses_are_pointed_out(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.policy.platform_admin_tags = TagList::parse("Root").unwrap();
    world.organization("tools", "", "Staff Prague").await;
    let token = world.tagged(
        "ada",
        &[
            "staffprague",
            " Staff Prague",
            "/Staff Prague",
            "Ѕtaff Prague",
            "Staff,Staff Prague",
            "Staff",
            "Staff Prague 2",
            "root",
        ],
    );
    assert!(world.roles(&token).await.is_empty(), "no case, no blanks, no prefix");
    let snapshot = directory.snapshot(&token, Detail::Explain).await.unwrap();
    let explained = plan(&token, &snapshot, &world.policy, world.now_ms, &mut world.ids).unwrap();
    let misses: Vec<(&str, &str, bool)> = explained
        .near_misses
        .iter()
        .map(|miss| (miss.tag.as_str(), miss.listed.as_str(), miss.organization.is_some()))
        .collect();
    assert_eq!(
        misses,
        [
            (" Staff Prague", "Staff Prague", true),
            ("/Staff Prague", "Staff Prague", true),
            ("Staff,Staff Prague", "Staff Prague", true),
            ("staffprague", "Staff Prague", true),
            ("Ѕtaff Prague", "Staff Prague", true),
            ("root", "Root", false)
        ]
    );
    assert!(
        directory
            .snapshot(&token, Detail::Sync)
            .await
            .unwrap()
            .near_misses
            .is_empty()
    );
    let exact = world.tagged("ada", &["Staff Prague"]);
    let snapshot = directory.snapshot(&exact, Detail::Explain).await.unwrap();
    assert!(snapshot.near_misses.is_empty() && snapshot.tag_matches.len() == 1);
}

pub async fn empty_texts_and_duplicates_count_for_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "", ",, staff ,").await;
    let synced = world.sync(&world.tagged("ada", &["", "staff", "staff", ""])).await;
    assert_eq!(synced.principal.grants().len(), 1);
    world
        .grant(synced.principal.user().id, ScopedRole::Platform(PlatformRole::Viewer))
        .await;
    world.later(1_000);
    let synced = world.sync(&world.tagged("ada", &[""])).await;
    assert_eq!(
        synced.principal.platform_role(),
        PlatformRole::Viewer,
        "a list of nothing is not an empty list"
    );
    assert!(synced.principal.memberships().is_empty());
}

pub async fn tags_count_in_their_realm_only(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut elsewhere = world.new_organization("elsewhere", "staff", "");
    elsewhere.realm = realm("elsewhere");
    directory.create_organization(elsewhere, world.by()).await.unwrap();
    world.organization("tools", "", "staff").await;
    assert_eq!(world.roles(&world.tagged("ada", &["staff"])).await, ["tools member"]);
}

pub async fn one_issuer_leaves_the_grants_of_another(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff").await;
    world.sync(&world.tagged("ada", &["boss"])).await;
    let mut other = world.tagged("ada", &["staff"]);
    other.issuer = IssuerName::new("other").unwrap();
    let synced = world.sync(&other).await;
    assert_eq!(synced.principal.grants().len(), 2);
    assert_eq!(roles(&synced.principal), ["tools admin"]);
    other.tags = exactly(&["none"]);
    other.issued_at_ms = Some(world.now_ms + 1);
    assert_eq!(world.roles(&other).await, ["tools admin"]);
    other.tags = exactly(&[]);
    other.issued_at_ms = Some(world.now_ms + 2);
    assert!(world.roles(&other).await.is_empty(), "but the empty list takes all");
}

pub async fn the_empty_list_removes_everything_in_the_realm(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.policy.platform_admin_tags = TagList::parse("root").unwrap();
    let tools = world.organization("tools", "", "staff").await;
    let mut new = world.new_organization("abroad", "", "");
    new.realm = realm("abroad");
    let abroad = directory.create_organization(new, world.by()).await.unwrap();
    let mut token = world.linked("ada", "acme", "ops");
    token.tags = exactly(&["staff", "root"]);
    let user = world.sync(&token).await.principal.user().id;
    world
        .grant(user, ScopedRole::Organization(tools.id, OrganizationRole::Admin))
        .await;
    world
        .grant(user, ScopedRole::Organization(abroad.id, OrganizationRole::Member))
        .await;
    world.grant(user, ScopedRole::Platform(PlatformRole::Viewer)).await;
    world.later(1_000);
    let mut token = world.linked("ada", "acme", "ops");
    token.tags = exactly(&[]);
    let synced = world.sync(&token).await;
    assert_eq!(synced.principal.platform_role(), PlatformRole::User);
    assert_eq!(
        roles(&synced.principal),
        ["abroad member"],
        "another realm is not this token's to empty"
    );
    assert!(synced.principal.teams().is_empty());
    assert_eq!(world.grants(user, GrantsWhen::Open).await.len(), 1);
    assert!(world.sync(&token).await.plan.is_empty());
}

pub async fn the_empty_list_may_spare_manual_grants(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.policy.on_empty = OnEmpty::RevokeSynced;
    let tools = world.organization("tools", "", "staff").await;
    let user = world.sync(&world.tagged("ada", &["staff"])).await.principal.user().id;
    world
        .grant(user, ScopedRole::Organization(tools.id, OrganizationRole::Admin))
        .await;
    world.later(1_000);
    let synced = world.sync(&world.tagged("ada", &[])).await;
    assert_eq!(actions(&synced), ["grant.closed"]);
    assert_eq!(synced.principal.grants()[0].source, GrantSource::Manual);
}

pub async fn a_missing_claim_keeps_what_was_granted(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "", "staff").await;
    world.sync(&world.tagged("ada", &["staff"])).await;
    for tags in [DesiredTags::Keep, DesiredTags::NotConfigured] {
        world.later(1_000);
        let mut token = world.token("ada");
        token.tags = tags;
        let synced = world.sync(&token).await;
        assert!(synced.plan.is_empty());
        assert_eq!(roles(&synced.principal), ["tools member"]);
    }
}

pub async fn manual_grants_survive_every_other_list(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "boss", "staff").await;
    let user = world.user("ada").await.id;
    world
        .grant(user, ScopedRole::Organization(tools.id, OrganizationRole::Admin))
        .await;
    world.grant(user, ScopedRole::Platform(PlatformRole::Admin)).await;
    for tags in [&["staff"][..], &["x"], &["boss", "staff"], &[""]] {
        world.later(1_000);
        let synced = world.sync(&world.tagged("ada", tags)).await;
        assert_eq!(roles(&synced.principal), ["tools admin"]);
        assert_eq!(synced.principal.platform_role(), PlatformRole::Admin);
    }
}

pub async fn synced_grants_lapse_without_assertion(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.policy.lease_ms = Some(24 * HOUR_MS);
    world.organization("tools", "", "staff").await;
    let synced = world.sync(&world.tagged("ada", &["staff"])).await;
    let user = synced.principal.user().id;
    assert_eq!(synced.principal.valid_until_ms(), Some(world.now_ms + 24 * HOUR_MS));
    world.later(20 * HOUR_MS);
    let synced = world.sync(&world.tagged("ada", &["staff"])).await;
    assert!(synced.plan.is_empty() && synced.plan.touch.due);
    assert_eq!(directory.flush().await, Ok(1));
    world.later(20 * HOUR_MS);
    assert_eq!(
        roles(&world.load(user).await),
        ["tools member"],
        "asserted twenty hours ago"
    );
    world.later(4 * HOUR_MS);
    assert!(world.load(user).await.memberships().is_empty(), "lapsed, closed or not");
    let synced = world.sync(&world.tagged("ada", &["staff"])).await;
    assert_eq!(actions(&synced), ["grant.closed", "grant.opened"]);
    assert_eq!(roles(&synced.principal), ["tools member"]);
    let grants = world.grants(user, GrantsWhen::Ever).await;
    assert_eq!(
        grants[0].revoked_at_ms, grants[0].lapses_at_ms,
        "closed when it lapsed, not when it was noticed"
    );
}

pub async fn lapsed_grants_are_closed_when_they_lapsed(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.policy.lease_ms = Some(HOUR_MS);
    world.organization("tools", "", "staff").await;
    for user in ["a", "b", "c"] {
        world.sync(&world.tagged(user, &["staff"])).await;
    }
    assert_eq!(directory.close_lapsed(100, world.by()).await, Ok(0));
    world.later(HOUR_MS + MINUTE_MS);
    assert_eq!(directory.close_lapsed(2, world.by()).await, Ok(2));
    assert_eq!(directory.close_lapsed(100, world.by()).await, Ok(1));
    assert_eq!(directory.close_lapsed(100, world.by()).await, Ok(0));
}

pub async fn too_many_tags_are_refused(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tags: Vec<String> = (0..2_001).map(|index| format!("tag {index}")).collect();
    let mut token = world.tagged("ada", &[]);
    token.tags = DesiredTags::Exactly(tags.clone());
    assert_eq!(
        world.refusal(&token).await,
        Refusal::TooManyTags {
            found: 2_001,
            limit: 2_000
        }
    );
    token.tags = DesiredTags::Exactly(tags[..2_000].to_vec());
    world.sync(&token).await;
}

pub async fn a_suspended_organization_keeps_its_members(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "staff").await;
    let edit = OrganizationEdit {
        status: Some(OrganizationStatus::Suspended),
        ..OrganizationEdit::default()
    };
    directory
        .update_organization(tools.id, None, edit, world.by())
        .await
        .unwrap();
    let synced = world.sync(&world.tagged("ada", &["staff"])).await;
    let membership = synced.principal.membership("tools").unwrap();
    assert_eq!(membership.status, OrganizationStatus::Suspended);
    assert_eq!(membership.role, OrganizationRole::Member);
}

/// A caller who may see an organization's people only must not learn from a tag who else there is.
pub async fn carriers_are_told_apart_by_membership(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "", "staff").await.id;
    world.organization("toys", "", "temps").await;
    let mut users = Vec::new();
    for (name, tags) in [
        ("member", ["staff", "x"]),
        ("stranger", ["y", "x"]),
        ("neighbour", ["temps", "x"]),
        ("other", ["staff", "y"]),
        ("late", ["staff", "x"]),
        ("gone", ["staff", "x"]),
    ] {
        world.policy.lease_ms = (name == "late").then_some(HOUR_MS);
        users.push(world.sync(&world.tagged(name, &tags)).await.principal.user().id);
    }
    world.later(2 * HOUR_MS);
    world.sync(&world.tagged("gone", &["x"])).await;
    directory.flush().await.unwrap();
    let now_ms = world.now_ms;
    let found = async |tags: &[&str], among: Among| {
        let filter = carrying(tags, among);
        let (first, count) = (Page::first(2), directory.count_carriers(filter.clone(), 100).await);
        let mut page = directory.carriers(filter.clone(), first).await.unwrap();
        let mut found: Vec<_> = page.items.into_iter().map(|carrier| carrier.user.id).collect();
        while let Some(cursor) = page.next_cursor {
            page = directory
                .carriers(filter.clone(), Page::after(cursor, 2))
                .await
                .unwrap();
            found.extend(page.items.into_iter().map(|carrier| carrier.user.id));
        }
        assert_eq!(count, Ok(found.len()), "{filter:?}");
        assert_eq!(directory.count_carriers(filter, 2).await, Ok(found.len().min(2)));
        let names = ["member", "stranger", "neighbour", "other", "late", "gone"];
        let named = names.into_iter().zip(&users).filter(|(_, id)| found.contains(id));
        named.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let all = ["member", "stranger", "neighbour", "late", "gone"];
    assert_eq!(found(&["x"], Among::Everybody).await, all);
    assert_eq!(found(&["x"], Among::Members(tools, now_ms)).await, ["member"]);
    assert_eq!(
        found(&["x", "staff"], Among::Members(tools, now_ms)).await,
        ["member", "other"]
    );
    let others = ["stranger", "neighbour", "late", "gone"];
    assert_eq!(found(&["x"], Among::Others(tools, now_ms)).await, others);
    let before = Among::Members(tools, now_ms - 2 * HOUR_MS);
    assert_eq!(
        found(&["x"], before).await,
        ["member", "late"],
        "its lease had not run out"
    );
}

/// A preview goes by what tokens said last: other tags are noted with the next batch, also where they change no role.
pub async fn other_tags_are_noted_with_the_next_batch(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.sync(&world.tagged("ada", &["x", "y"])).await;
    let carries = async |tag: &str| {
        let found = directory.count_carriers(carrying(&[tag], Among::Everybody), 10).await;
        found.unwrap() == 1
    };
    world.later(MINUTE_MS);
    assert!(
        !world.sync(&world.tagged("ada", &["y", "x", "y"])).await.plan.touch.due,
        "the same tags"
    );
    world.later(1_000);
    let other = world.tagged("ada", &["x", "z\"", "ž"]);
    let synced = world.sync(&other).await;
    assert!(synced.plan.is_empty() && synced.plan.touch.due);
    assert!(carries("y").await && !carries("ž").await, "off the request");
    assert_eq!(directory.flush().await, Ok(1));
    assert!(!carries("y").await && carries("ž").await);
    let seen = directory.seen_tags(None, Page::default()).await.unwrap().items;
    assert_eq!(
        seen.iter().map(|seen| seen.tag.as_str()).collect::<Vec<_>>(),
        ["x", "y", "z\"", "ž"]
    );
    world.later(MINUTE_MS);
    assert!(!world.sync(&other).await.plan.touch.due, "they are written");
    // A token without a list says nothing about it, and the empty list is one.
    world.later(MINUTE_MS);
    assert!(!world.sync(&world.token("ada")).await.plan.touch.due);
    world.later(1_000);
    assert!(world.sync(&world.tagged("ada", &[])).await.plan.touch.due);
    directory.flush().await.unwrap();
    assert!(!carries("x").await);
    assert!(!world.sync(&world.tagged("ada", &[])).await.plan.touch.due);
}
