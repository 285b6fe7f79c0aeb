//! S1: create, update, link.

use serde_json::json;

use super::world::{MINUTE_MS, World, actions, exactly, realm, roles};
use narthex_directory::{
    Directory, ExternalId, GrantSource, GrantsWhen, IssuerName, NewTeam, Note, OrganizationEdit, OrganizationFilter,
    OrganizationName, OrganizationRole, Origin, Page, Provision, Refusal, Scope, ScopedRole, SyncMode, TeamFilter,
    TeamId, TeamRole, UserEdit, UserFilter, Username,
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
    token.user.username = Some(Username::new("countess").unwrap());
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

pub async fn an_unmapped_username_is_a_new_users_only(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let unmapped = |world: &World<'_>| {
        let mut token = world.token("ada");
        token.issuer = IssuerName::new("second").unwrap();
        token.user.username = None;
        token
    };
    let token = unmapped(&world);
    let ada = world.sync(&token).await.principal.user().clone();
    assert_eq!(ada.username.as_str(), "ada", "a new user takes the external id");
    let mut token = world.token("ada");
    token.user.username = Some(Username::new("countess").unwrap());
    assert_eq!(world.sync(&token).await.principal.user().username.as_str(), "countess");
    let token = unmapped(&world);
    let synced = world.sync(&token).await;
    assert!(synced.plan.is_empty(), "{:?}", actions(&synced));
    assert_eq!(synced.principal.user().username.as_str(), "countess");
    let renamed = UserEdit {
        username: Some(Username::new("lady").unwrap()),
        ..UserEdit::default()
    };
    directory.update_user(ada.id, None, renamed, world.by()).await.unwrap();
    // Another user may have the name that it would have got.
    world.user_named("other", "ada").await;
    let token = unmapped(&world);
    assert_eq!(world.sync(&token).await.principal.user().username.as_str(), "lady");
    let mut token = unmapped(&world);
    token.user.external_id = ExternalId::new("ada-2").unwrap();
    world.sync(&token).await;
    let owner = world.user_named("third", "bob").await.id;
    token.user.external_id = ExternalId::new("bob").unwrap();
    assert_eq!(
        world.refusal(&token).await,
        Refusal::UsernameConflict { owner },
        "nothing is merged"
    );
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

/// Claims only add, so that nothing but an administrator takes away what they gave.
pub async fn an_administrator_takes_claim_links_and_leaves_what_tags_give(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut token = world.linked("ada", "acme", "ops");
    token.tags = exactly(&["staff"]);
    let ada = world.sync(&token).await.principal.user().id;
    let filter = OrganizationFilter {
        external_id: Some("acme".into()),
        ..OrganizationFilter::default()
    };
    let acme = directory
        .organizations(filter, Page::first(1))
        .await
        .unwrap()
        .items
        .pop()
        .unwrap();
    let edit = OrganizationEdit {
        tags: Some(world.new_organization("unused", "", "staff").tags),
        ..OrganizationEdit::default()
    };
    directory
        .update_organization(acme.id, None, edit, world.by())
        .await
        .unwrap();
    let mut other = token.clone();
    other.issuer = IssuerName::new("other").unwrap();
    world.sync(&other).await;
    world.sync(&token).await;
    world
        .grant(ada, ScopedRole::Organization(acme.id, OrganizationRole::Executor))
        .await;
    assert_eq!(roles(&world.load(ada).await), ["the-acme-company admin"]);

    world.later(1_000);
    let (scope, events) = (Scope::Organization(acme.id), world.event_count().await);
    let mut closed = directory
        .revoke_role(ada, scope, Some("left".into()), world.by())
        .await
        .unwrap();
    closed.sort_by(|one, two| one.source.cmp(&two.source));
    let claim = |issuer: &str| GrantSource::Claim {
        each: false,
        issuer: IssuerName::new(issuer).unwrap(),
    };
    let sources = closed.iter().map(|grant| grant.source.clone());
    assert!(sources.eq([GrantSource::Manual, claim("idp"), claim("other")]));
    for grant in &closed {
        let told = (grant.revoked_at_ms, grant.revoked_why.as_deref());
        assert_eq!(told, (Some(world.now_ms), Some("left")));
    }
    let kept = world.grants(ada, GrantsWhen::Ever).await;
    assert!(closed.iter().all(|grant| kept.contains(grant)), "as it was told");
    assert_eq!(world.event_count().await, events + 3);
    let loaded = world.load(ada).await;
    assert_eq!(roles(&loaded), ["the-acme-company member"], "the tag still gives that");
    assert_eq!(loaded.teams().len(), 1, "and the team is another matter");
    assert_eq!(directory.revoke_role(ada, scope, None, world.by()).await, Ok(vec![]));

    // A token that no longer names the organization brings nothing back; one that does, does.
    world.later(1_000);
    assert_eq!(
        world.roles(&world.tagged("ada", &["staff"])).await,
        ["the-acme-company member"]
    );
    assert!(world.sync(&token).await.plan.stale_token, "nor one from before");
    assert_eq!(roles(&world.load(ada).await), ["the-acme-company member"]);
    world.later(1_000);
    assert_eq!(
        world.roles(&world.linked("ada", "acme", "ops")).await,
        ["the-acme-company admin"]
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
    assert_eq!(directory.flush().await, Ok(0));
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

/// Users that an organization's own administrator may see: those who hold a grant there, or got one by a token once.
pub async fn an_organization_has_met_whom_it_has_to_do_with(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let (tools, works) = (
        world.organization("tools", "", "staff").await.id,
        world.organization("works", "", "").await.id,
    );
    let member = world
        .sync(&world.tagged("member", &["staff"]))
        .await
        .principal
        .user()
        .id;
    let linked = world.sync(&world.linked("linked", "acme", "ops")).await.principal;
    let (acme, team) = (linked.memberships()[0].organization, linked.teams()[0].team);
    let user = linked.user().id;
    let by_hand = world.user("by-hand").await.id;
    let role = ScopedRole::Organization(works, OrganizationRole::Executor);
    world.grant(by_hand, role).await;
    let in_team = world.user("in-team").await.id;
    world
        .grant(in_team, ScopedRole::Team(team, narthex_directory::TeamRole::Member))
        .await;
    let stranger = world
        .sync(&world.tagged("stranger", &["other"]))
        .await
        .principal
        .user()
        .id;
    world
        .grant(stranger, ScopedRole::Platform(narthex_directory::PlatformRole::Viewer))
        .await;
    let met = async |organization| {
        let mut met = Vec::new();
        for (name, user) in [
            ("member", member),
            ("linked", user),
            ("by hand", by_hand),
            ("in team", in_team),
            ("stranger", stranger),
        ] {
            if directory.has_met(organization, user).await.unwrap() {
                met.push(name);
            }
        }
        met
    };
    assert_eq!(met(tools).await, ["member"]);
    assert_eq!(met(works).await, ["by hand"]);
    assert_eq!(met(acme).await, ["linked", "in team"]);
    let nobody = narthex_directory::UserId::new(world.now_ms, &mut world.ids);
    assert_eq!(directory.has_met(tools, nobody).await, Ok(false));
    // What a token gave was named by it, also when it is over; what a person gave leaves nothing behind.
    world.later(1_000);
    world.sync(&world.tagged("member", &["none"])).await;
    for scope in [Scope::Organization(works), Scope::Team(team)] {
        for user in [by_hand, in_team] {
            directory.revoke_role(user, scope, None, world.by()).await.unwrap();
        }
    }
    assert_eq!(met(tools).await, ["member"]);
    assert_eq!(met(works).await, [""; 0]);
    assert_eq!(met(acme).await, ["linked"]);
}
