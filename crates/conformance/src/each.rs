//! Tokens that state all organizations of their user (`each`).

use super::world::{World, actions, exactly, realm, roles};
use narthex_directory::{
    Desired, DesiredMembership, DesiredOrganization, DesiredTeam, Directory, ExternalId, GrantSource, GrantsWhen,
    IssuerName, NewOrganization, Note, OrganizationRole, Provision, Refusal, ScopedRole, TeamRole,
};

fn organization(external_id: &str, role: OrganizationRole) -> DesiredMembership {
    DesiredMembership {
        organization: DesiredOrganization {
            external_id: ExternalId::new(external_id).unwrap(),
            name: None,
            timezone: None,
            role,
        },
        team: None,
    }
}

fn with_team(external_id: &str, team: &str, role: TeamRole) -> DesiredMembership {
    DesiredMembership {
        team: Some(DesiredTeam {
            external_id: ExternalId::new(team).unwrap(),
            name: None,
            role,
        }),
        ..organization(external_id, OrganizationRole::Member)
    }
}

fn stating(world: &World<'_>, subject: &str, each: &[DesiredMembership]) -> Desired {
    Desired {
        each: Some(each.to_vec()),
        ..world.token(subject)
    }
}

fn members(of: &[&str]) -> Vec<DesiredMembership> {
    of.iter().map(|id| organization(id, OrganizationRole::Member)).collect()
}

pub async fn a_token_states_all_organizations(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut each = members(&["a", "b"]);
    each.push(with_team("c", "ops", TeamRole::Admin));
    let token = stating(&world, "ada", &each);
    let synced = world.sync(&token).await;
    assert_eq!(roles(&synced.principal), ["a member", "b member", "c member"]);
    assert_eq!(synced.principal.teams().len(), 1);
    let user = synced.principal.user().id;
    assert_eq!(*synced.principal, world.load(user).await);
    assert!(world.sync(&token).await.plan.is_empty());
    // In another order it says the same.
    each.reverse();
    let synced = world.sync(&stating(&world, "ada", &each)).await;
    assert!(synced.plan.is_empty() && !synced.plan.stale_token, "{:?}", synced.plan);
    world.later(1_000);
    let mut each = members(&["b", "d"]);
    each[0].organization.role = OrganizationRole::Admin;
    let synced = world.sync(&stating(&world, "ada", &each)).await;
    assert_eq!(roles(&synced.principal), ["b admin", "d member"]);
    assert!(synced.principal.teams().is_empty());
    let closed = world.grants(user, GrantsWhen::Ever).await;
    let closed: Vec<_> = closed.iter().filter_map(|grant| grant.revoked_why.as_deref()).collect();
    assert_eq!(closed.len(), 4, "{closed:?}");
    assert_eq!(
        closed
            .iter()
            .filter(|why| **why == "the token no longer states it")
            .count(),
        3
    );
}

pub async fn an_empty_list_ends_what_was_stated_and_no_list_ends_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let token = stating(&world, "ada", &members(&["a", "b"]));
    world.sync(&token).await;
    world.later(1_000);
    let synced = world.sync(&world.token("ada")).await;
    assert_eq!(roles(&synced.principal), ["a member", "b member"]);
    world.later(1_000);
    let token = stating(&world, "ada", &[]);
    let synced = world.sync(&token).await;
    assert_eq!(actions(&synced), ["grant.closed", "grant.closed"]);
    assert!(synced.principal.memberships().is_empty());
}

/// An older token ends nothing that a newer one stated, and brings nothing back that a newer one left out.
pub async fn sec_an_older_token_that_states_organizations_changes_nothing(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let older = stating(&world, "ada", &members(&["a"]));
    world.later(1_000);
    let token = stating(&world, "ada", &members(&["b"]));
    world.sync(&token).await;
    let synced = world.sync(&older).await;
    assert!(synced.plan.stale_token && synced.plan.is_empty());
    assert_eq!(roles(&synced.principal), ["b member"]);
}

pub async fn sec_a_statement_ends_only_what_its_issuer_stated(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.others.push(("second", world.policy.clone()));
    let manual = world.organization("manual", "", "tagged").await;
    let mut second = stating(&world, "ada", &members(&["second"]));
    second.issuer = IssuerName::new("second").unwrap();
    let user = world.sync(&second).await.principal.user().id;
    world
        .grant(user, ScopedRole::Organization(manual.id, OrganizationRole::Executor))
        .await;
    // A claim that names one organization only adds, and so does a tag.
    let mut single = world.linked("ada", "acme", "ops");
    single.tags = exactly(&["tagged"]);
    world.sync(&single).await;
    world.later(1_000);
    let mut token = stating(&world, "ada", &[]);
    token.tags = exactly(&["tagged"]);
    let synced = world.sync(&token).await;
    assert!(synced.plan.is_empty(), "{:?}", synced.plan.changes);
    assert_eq!(
        roles(&synced.principal),
        ["manual member", "second member", "the-acme-company admin"]
    );
}

pub async fn one_organization_stated_twice_has_the_higher_role(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let each = [
        organization("a", OrganizationRole::Member),
        with_team("a", "ops", TeamRole::Member),
        with_team("a", "ops", TeamRole::Admin),
        organization("a", OrganizationRole::Admin),
    ];
    let token = stating(&world, "ada", &each);
    let synced = world.sync(&token).await;
    assert_eq!(roles(&synced.principal), ["a admin"]);
    assert_eq!(synced.principal.teams()[0].role, TeamRole::Admin);
    assert_eq!(synced.principal.grants().len(), 2);
    assert!(world.sync(&token).await.plan.is_empty());
}

pub async fn sec_a_stated_team_never_moves(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let token = stating(&world, "ada", &[with_team("a", "ops", TeamRole::Member)]);
    world.sync(&token).await;
    world.later(1_000);
    let token = stating(&world, "ada", &[with_team("b", "ops", TeamRole::Member)]);
    assert!(matches!(world.refusal(&token).await, Refusal::TeamConflict { .. }));
    let both = [
        with_team("a", "web", TeamRole::Member),
        with_team("b", "web", TeamRole::Member),
    ];
    let token = stating(&world, "ada", &both);
    assert!(matches!(world.refusal(&token).await, Refusal::TeamConflict { .. }));
}

pub async fn what_may_not_be_created_is_not_stated(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.user("ada").await;
    let new = NewOrganization {
        external_id: Some(ExternalId::new("a").unwrap()),
        ..world.new_organization("known", "", "")
    };
    directory.create_organization(new, world.by()).await.unwrap();
    let foreign = NewOrganization {
        external_id: Some(ExternalId::new("f").unwrap()),
        realm: realm("other"),
        ..world.new_organization("foreign", "", "")
    };
    directory.create_organization(foreign, world.by()).await.unwrap();
    world.policy.provision = Provision::LinkOnly;
    let token = stating(&world, "ada", &members(&["a", "f", "new"]));
    let synced = world.sync(&token).await;
    assert_eq!(roles(&synced.principal), ["known member"]);
    assert_eq!(synced.plan.notes, [Note::OrganizationNotProvisioned]);
    world.policy.provision = Provision::Off;
    world.later(1_000);
    let synced = world.sync(&stating(&world, "ada", &[])).await;
    assert_eq!(roles(&synced.principal), ["known member"], "claims count for nothing");
}

pub async fn a_claim_of_one_organization_is_told_from_a_statement(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut single = world.token("ada");
    single.organization = Some(organization("a", OrganizationRole::Member).organization);
    let user = world.sync(&single).await.principal.user().id;
    world.later(1_000);
    world.sync(&stating(&world, "ada", &members(&["a"]))).await;
    let open = world.grants(user, GrantsWhen::Open).await;
    let stated: Vec<bool> = open
        .iter()
        .map(|grant| matches!(grant.source, GrantSource::Claim { each: true, .. }))
        .collect();
    assert_eq!(stated.len(), 2);
    assert!(stated.contains(&true) && stated.contains(&false));
}
