//! S1: create, update, link; and the order of tokens.

use std::sync::Arc;

use serde_json::json;

use super::world::{HOUR_MS, MINUTE_MS, World, actions, realm, roles};
use crate::{
    Detail, Directory, ExternalId, Flush, IssuerName, NewTeam, Note, OrganizationEdit, OrganizationFilter,
    OrganizationName, OrganizationRole, Origin, Page, PlatformRole, Provision, Refusal, StoreError, SyncMode, TagList,
    TeamFilter, TeamId, TeamRole, UserFilter, Username, plan,
};

pub async fn first_use_makes_user_organization_team_and_links(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut token = world.linked("ada", "acme", "ops");
    token.user.profile.email = Some("ada@example.com".into());
    let synced = world.sync(&token).await;
    assert_eq!(
        actions(&synced),
        [
            "user.created",
            "organization.created",
            "team.created",
            "grant.opened",
            "grant.opened"
        ]
    );
    let principal = &synced.principal;
    assert_eq!(roles(principal), ["the-acme-company admin"]);
    let team = &principal.teams()[0];
    assert_eq!((team.name.as_str(), team.role), ("Team ops", TeamRole::Admin));
    assert_eq!(team.organization, Some(principal.memberships()[0].organization));
    assert_eq!(principal.context()["plan"], "gold");
    let organization = directory
        .organization(principal.memberships()[0].organization)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(organization.label, "The acme company");
    assert_eq!(organization.details.timezone.as_deref(), Some("Europe/Prague"));
    assert_eq!(organization.origin, Origin::Claim);
    let user = directory.user(principal.user().id).await.unwrap().unwrap().user;
    assert_eq!(user.profile.email.as_deref(), Some("ada@example.com"));
    assert_eq!(user.last_seen_at_ms, Some(world.now_ms));
    let grant = &principal.grants()[0];
    assert_eq!(grant.token.jti.as_deref(), Some("j1"), "which token gave it");
}

pub async fn the_same_token_again_writes_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff").await;
    let mut token = world.linked("ada", "acme", "ops");
    token.tags = super::world::exactly(&["staff", "other"]);
    let first = world.sync(&token).await;
    let events = world.event_count().await;
    world.later(5_000);
    token.issued_at_ms = Some(world.now_ms);
    token.token.jti = Some("another".into());
    let second = world.sync(&token).await;
    assert!(second.plan.is_empty(), "{:?}", second.plan.changes);
    assert_eq!(world.event_count().await, events);
    assert_eq!(second.principal.memberships(), first.principal.memberships());
    assert_eq!(second.principal.user().version, first.principal.user().version);
}

pub async fn what_sync_gives_is_what_load_gives(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff").await;
    let mut token = world.linked("ada", "acme", "ops");
    token.tags = super::world::exactly(&["staff", "boss"]);
    let first = world.sync(&token).await;
    assert_eq!(*first.principal, world.load(first.principal.user().id).await);
    world.later(MINUTE_MS);
    let mut token = world.linked("ada", "acme", "web");
    token.tags = super::world::exactly(&["staff"]);
    token.user.profile.name = Some("Ada".into());
    let second = world.sync(&token).await;
    assert!(!second.plan.is_empty());
    assert_eq!(*second.principal, world.load(second.principal.user().id).await);
    assert!(directory.versions().is_current(second.principal.stamp()));
}

pub async fn mapped_fields_that_differ_are_updated_and_the_others_stay(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut token = world.linked("ada", "acme", "ops");
    token.user.profile.email = Some("ada@old.example".into());
    token.user.profile.name = Some("Ada".into());
    world.sync(&token).await;
    world.later(1_000);
    let mut token = world.linked("ada", "acme", "ops");
    token.user.profile.email = Some("ada@new.example".into());
    token.user.username = Username::new("countess").unwrap();
    token.context = json!({"plan": null, "seat": 4}).as_object().unwrap().clone();
    token.organization.as_mut().unwrap().name = Some("Acme renamed".into());
    token.organization.as_mut().unwrap().timezone = None;
    token.team.as_mut().unwrap().name = Some("Operations".into());
    let synced = world.sync(&token).await;
    assert_eq!(
        actions(&synced),
        ["user.updated", "organization.updated", "team.updated"]
    );
    let changed: Vec<&str> = synced.plan.changes[0].diff().iter().map(|diff| diff.field).collect();
    assert_eq!(changed, ["username", "email", "context"]);
    let user = world.load(synced.principal.user().id).await.user().clone();
    assert_eq!(user.profile.email.as_deref(), Some("ada@new.example"));
    assert_eq!(user.profile.name.as_deref(), Some("Ada"), "not given: it stays");
    assert_eq!(user.username.as_str(), "countess");
    assert_eq!(user.context, *json!({"plan": "gold", "seat": 4}).as_object().unwrap());
    let name = OrganizationName::new("the-acme-company").unwrap();
    let organization = directory.organization_named(name).await.unwrap().unwrap();
    assert_eq!(
        organization.label, "Acme renamed",
        "the label follows, the name in paths does not"
    );
    assert_eq!(organization.details.timezone.as_deref(), Some("Europe/Prague"));
    let found = UserFilter {
        username: Some("countess".into()),
        ..UserFilter::default()
    };
    assert_eq!(directory.users(found, Page::default()).await.unwrap().items.len(), 1);
}

pub async fn a_user_without_an_organization_is_fine(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let synced = world.sync(&world.token("ada")).await;
    assert_eq!(actions(&synced), ["user.created"]);
    assert!(synced.principal.memberships().is_empty());
}

pub async fn claim_links_only_add(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.sync(&world.linked("ada", "acme", "ops")).await;
    world.later(1_000);
    let synced = world.sync(&world.linked("ada", "globex", "web")).await;
    assert_eq!(
        roles(&synced.principal),
        ["the-acme-company admin", "the-globex-company admin"]
    );
    world.later(1_000);
    let synced = world.sync(&world.token("ada")).await;
    assert!(synced.plan.is_empty());
    assert_eq!(
        (synced.principal.memberships().len(), synced.principal.teams().len()),
        (2, 2)
    );
}

pub async fn a_claimed_role_follows_the_newest_token(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.sync(&world.linked("ada", "acme", "ops")).await;
    world.later(1_000);
    let mut token = world.linked("ada", "acme", "ops");
    token.organization.as_mut().unwrap().role = OrganizationRole::Member;
    let synced = world.sync(&token).await;
    assert_eq!(actions(&synced), ["grant.closed", "grant.opened"]);
    assert_eq!(roles(&synced.principal), ["the-acme-company member"]);
}

pub async fn a_team_is_linked_but_never_moved(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let new = NewTeam {
        id: TeamId::new(world.now_ms, &mut world.ids),
        realm: realm("main"),
        organization: None,
        external_id: Some(ExternalId::new("ops").unwrap()),
        name: "Team ops".into(),
    };
    let team = directory.create_team(new, world.by()).await.unwrap();
    let synced = world.sync(&world.linked("ada", "acme", "ops")).await;
    assert_eq!(synced.principal.teams()[0].team, team.id, "linked, not made again");
    let acme = synced.principal.memberships()[0].organization;
    assert_eq!(directory.team(team.id).await.unwrap().unwrap().organization, Some(acme));
    world.later(1_000);
    let events = world.event_count().await;
    assert_eq!(
        world.refusal(&world.linked("bob", "globex", "ops")).await,
        Refusal::TeamConflict { team: team.id }
    );
    assert_eq!(
        world.event_count().await,
        events,
        "a refused token leaves nothing behind"
    );
}

pub async fn a_team_without_an_organization_is_left_alone(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut token = world.linked("ada", "acme", "ops");
    token.organization = None;
    let synced = world.sync(&token).await;
    assert_eq!(synced.plan.notes, [Note::TeamWithoutOrganization]);
    assert!(
        directory
            .teams(TeamFilter::default(), Page::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

pub async fn an_organization_never_takes_a_name_that_is_taken(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let first = world.organization("the-acme-company", "", "").await;
    let synced = world.sync(&world.linked("ada", "acme", "ops")).await;
    let made = &synced.principal.memberships()[0];
    assert_ne!(made.organization, first.id);
    assert!(made.name.as_str().starts_with("the-acme-company-"), "{}", made.name);
    let mut token = world.linked("bob", "日本", "x");
    token.organization.as_mut().unwrap().name = None;
    let synced = world.sync(&token).await;
    assert!(
        synced.principal.memberships()[0]
            .name
            .as_str()
            .starts_with("organization-")
    );
}

pub async fn identifiers_compare_case_sensitively(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "", "Staff").await;
    let lower = world.sync(&world.tagged("ada", &["staff"])).await;
    let upper = world.sync(&world.tagged("ADA", &["Staff"])).await;
    assert_ne!(lower.principal.user().id, upper.principal.user().id);
    assert!(lower.principal.memberships().is_empty());
    assert_eq!(roles(&upper.principal), ["tools member"]);
    let mut elsewhere = world.token("ada");
    elsewhere.realm = realm("MAIN");
    let elsewhere = world.sync(&elsewhere).await;
    assert_ne!(elsewhere.principal.user().id, lower.principal.user().id);
    let organizations = [world.linked("x", "acme", "t"), world.linked("x", "Acme", "T")];
    for token in &organizations {
        world.sync(token).await;
    }
    let acmes = OrganizationFilter {
        external_id: Some("Acme".into()),
        ..OrganizationFilter::default()
    };
    assert_eq!(
        directory
            .organizations(acmes, Page::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    assert_eq!(
        directory
            .teams(TeamFilter::default(), Page::default())
            .await
            .unwrap()
            .items
            .len(),
        2
    );
    let filter = UserFilter {
        username: Some("Ada".into()),
        ..UserFilter::default()
    };
    assert!(directory.users(filter, Page::default()).await.unwrap().items.is_empty());
}

pub async fn long_and_unusual_text_survives(directory: &dyn Directory) {
    let mut world = World::new(directory);
    for subject in [
        &"𝕏".repeat(256),
        "O'Brien; DROP TABLE users--",
        "e\u{301}",
        "é",
        "a%_\\b",
        "\u{202e}rtl",
    ] {
        let mut token = world.token(subject);
        token.user.profile.name = Some("\"quoted\" \\ name, 名".into());
        token.context = json!({"k\"ey": ["\u{1F600}", 1.5, {"deep": null}]})
            .as_object()
            .unwrap()
            .clone();
        let synced = world.sync(&token).await;
        assert_eq!(synced.plan.changes.len(), 1, "each of these is a user of its own");
        let user = world.load(synced.principal.user().id).await.user().clone();
        assert_eq!(user.external_id.as_str(), subject);
        assert_eq!(user.profile, token.user.profile);
        assert_eq!(user.context, token.context);
        assert!(world.sync(&token).await.plan.is_empty());
    }
}

pub async fn link_only_creates_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.policy.provision = Provision::LinkOnly;
    assert_eq!(
        world.refusal(&world.linked("ada", "acme", "ops")).await,
        Refusal::NotProvisioned
    );
    let ada = world.user("ada").await;
    let synced = world.sync(&world.linked("ada", "acme", "ops")).await;
    assert_eq!(synced.plan.notes, [Note::OrganizationNotProvisioned]);
    assert_eq!(
        actions(&synced),
        ["user.updated"],
        "a context is mapped, and fields are kept in step"
    );
    let mut new = world.new_organization("acme", "", "");
    new.external_id = Some(ExternalId::new("acme").unwrap());
    directory.create_organization(new, world.by()).await.unwrap();
    let synced = world.sync(&world.linked("ada", "acme", "ops")).await;
    assert_eq!(synced.principal.user().id, ada.id);
    assert_eq!(synced.plan.notes, [Note::TeamNotProvisioned]);
    assert_eq!(roles(&synced.principal), ["acme admin"]);
}

pub async fn provision_off_takes_tags_only(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.policy.provision = Provision::Off;
    world.organization("tools", "", "staff").await;
    let mut token = world.linked("ada", "acme", "ops");
    token.tags = super::world::exactly(&["staff"]);
    token.user.profile.name = Some("Ada".into());
    assert_eq!(world.refusal(&token).await, Refusal::NotProvisioned);
    world.user("ada").await;
    let synced = world.sync(&token).await;
    assert_eq!(synced.plan.notes, [Note::ProvisionOff]);
    assert_eq!(actions(&synced), ["grant.opened"]);
    assert_eq!(roles(&synced.principal), ["tools member"]);
    assert_eq!(synced.principal.user().profile.name, None);
}

pub async fn observe_writes_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.policy.mode = SyncMode::Observe;
    assert_eq!(
        world.refusal(&world.linked("ada", "acme", "ops")).await,
        Refusal::NotProvisioned
    );
    assert_eq!(world.event_count().await, 0);
    world.user("ada").await;
    let synced = world.sync(&world.linked("ada", "acme", "ops")).await;
    assert!(synced.plan.observed && !synced.plan.is_empty(), "the plan is reported");
    assert!(synced.principal.memberships().is_empty(), "and not made");
    assert_eq!(world.event_count().await, 1);
    assert_eq!(directory.flush(Flush::All).await, Ok(0));
}

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
    let mut undated = world.tagged("ada", &["boss"]);
    undated.issued_at_ms = None;
    assert_eq!(
        world.roles(&undated).await,
        ["tools admin"],
        "without `iat` no order is known"
    );
    assert!(
        world.sync(&old).await.plan.stale_token,
        "and the newest known one stays"
    );
}

/// Whichever token somebody comes with: what no organization lists any more gives nothing.
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
    directory.flush(Flush::All).await.unwrap();
    assert!(
        world.sync(&between).await.plan.stale_token,
        "nor after the memory was written down"
    );
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
        .grant(user, crate::ScopedRole::Platform(crate::PlatformRole::Viewer))
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
    let edit = crate::OrganizationEdit {
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
    // Between the two somebody else makes the same team: user and organization would still go through.
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

pub async fn a_declared_organization_keeps_its_label(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut new = world.new_organization("acme", "", "");
    new.external_id = Some(ExternalId::new("acme").unwrap());
    directory.declare_organizations(vec![new], world.by()).await.unwrap();
    let synced = world.sync(&world.linked("ada", "acme", "ops")).await;
    assert_eq!(synced.plan.notes, [Note::OrganizationDeclared]);
    assert_eq!(roles(&synced.principal), ["acme admin"]);
    let organization = directory
        .organization(synced.principal.memberships()[0].organization)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(organization.label, "ACME");
}
