//! Tag patterns: roles by the names of organizations and roles in tags.

use super::world::{World, actions, realm, roles};
use narthex_directory::{
    Directory, ExternalId, GrantSource, GrantsWhen, NewOrganization, Note, OrganizationEdit, OrganizationFilter,
    OrganizationRole, Page, Provision, TagPattern, TagPatterns,
};

fn patterns(create: bool) -> TagPatterns {
    let roles = [("boss", OrganizationRole::Admin), ("hand", OrganizationRole::Member)];
    TagPatterns::new(&[TagPattern {
        matches: "app-{organization}-{role}".to_owned(),
        roles: roles.map(|(text, role)| (text.to_owned(), role)).into(),
        create,
    }])
    .unwrap()
}

fn world(directory: &dyn Directory, create: bool) -> World<'_> {
    let mut world = World::new(directory);
    world.policy.tag_patterns = patterns(create);
    world
}

async fn organizations(directory: &dyn Directory) -> Vec<(String, Option<String>)> {
    let listing = directory
        .organizations(OrganizationFilter::default(), Page::first(200))
        .await;
    let named = listing.unwrap().items.into_iter();
    let mut named: Vec<_> = named
        .map(|found| (found.name.to_string(), found.external_id.map(|id| id.to_string())))
        .collect();
    named.sort();
    named
}

pub async fn a_tag_pattern_gives_roles_in_organizations_that_exist(directory: &dyn Directory) {
    let mut world = world(directory, false);
    world.organization("acme", "", "").await;
    world.organization("globex", "", "").await;
    let token = world.tagged(
        "ada",
        &["app-acme-boss", "app-globex-hand", "app-none-boss", "unrelated"],
    );
    let synced = world.sync(&token).await;
    assert_eq!(roles(&synced.principal), ["acme admin", "globex member"]);
    assert_eq!(synced.plan.notes, [Note::PatternOrganizationUnknown]);
    assert!(synced.plan.names_unknown(), "it may be there at any time");
    let user = synced.principal.user().id;
    assert_eq!(roles(&world.load(user).await), ["acme admin", "globex member"]);
    assert!(world.sync(&token).await.plan.is_empty());
    world.later(1_000);
    let synced = world.sync(&world.tagged("ada", &["app-globex-boss"])).await;
    assert_eq!(roles(&synced.principal), ["globex admin"]);
    assert_eq!(actions(&synced), ["grant.closed", "grant.closed", "grant.opened"]);
    let ever = world.grants(user, GrantsWhen::Ever).await;
    assert!(
        ever.iter()
            .all(|grant| matches!(grant.source, GrantSource::Pattern { .. })),
        "{ever:?}"
    );
}

pub async fn a_tag_pattern_creates_an_organization_once(directory: &dyn Directory) {
    let mut world = world(directory, true);
    let token = world.tagged("ada", &["app-acme-boss", "app-acme-hand", "app-Big.Co-hand"]);
    let synced = world.sync(&token).await;
    assert_eq!(roles(&synced.principal), ["acme admin", "big.co member"]);
    assert!(world.sync(&token).await.plan.is_empty());
    world
        .sync(&world.tagged("bob", &["app-acme-hand", "app-Big.Co-hand"]))
        .await;
    let some = |text: &str| Some(text.to_owned());
    let expected = [("acme".to_owned(), some("acme")), ("big.co".to_owned(), some("Big.Co"))];
    assert_eq!(organizations(directory).await, expected);
    world.policy.provision = Provision::LinkOnly;
    world.later(1_000);
    let synced = world.sync(&world.tagged("ada", &["app-new-boss"])).await;
    assert_eq!(synced.plan.notes, [Note::PatternOrganizationUnknown]);
    assert_eq!(organizations(directory).await.len(), 2);
}

/// SECURITY: organizations that a token creates stay.
pub async fn sec_a_token_creates_a_bounded_number_of_organizations(directory: &dyn Directory) {
    let mut world = world(directory, true);
    let tags: Vec<String> = (0..101).map(|number| format!("app-o{number}-boss")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let synced = world.sync(&world.tagged("ada", &tags)).await;
    assert_eq!(synced.plan.notes, [Note::TooManyOrganizations]);
    assert_eq!(organizations(directory).await.len(), 100);
}

async fn known_as(world: &mut World<'_>, name: &str, external_id: &str) {
    let new = NewOrganization {
        external_id: Some(ExternalId::new(external_id).unwrap()),
        ..world.new_organization(name, "", "")
    };
    world.directory.create_organization(new, world.by()).await.unwrap();
}

/// An organization may get a name that is another one's external id. Roles that are meant for the one that was there first
/// stay its own.
pub async fn the_organization_that_was_there_first_keeps_its_tags(directory: &dyn Directory) {
    let mut world = world(directory, true);
    known_as(&mut world, "first", "acme").await;
    assert_eq!(
        world.roles(&world.tagged("ada", &["app-acme-boss"])).await,
        ["first admin"]
    );
    world.organization("acme", "", "").await;
    world.later(1_000);
    let synced = world.sync(&world.tagged("ada", &["app-acme-boss"])).await;
    assert_eq!(roles(&synced.principal), ["first admin"]);
    let user = synced.principal.user().id;
    assert_eq!(world.grants(user, GrantsWhen::Open).await.len(), 1);
}

pub async fn sec_a_tag_pattern_counts_only_while_it_is_configured(directory: &dyn Directory) {
    let mut world = world(directory, true);
    let token = world.tagged("ada", &["app-acme-boss"]);
    let user = world.sync(&token).await.principal.user().id;
    assert_eq!(roles(&world.load(user).await), ["acme admin"]);
    // Less than was granted, and then nothing. No token has come since.
    let lower = TagPattern {
        matches: "app-{organization}-{role}".to_owned(),
        roles: vec![("boss".to_owned(), OrganizationRole::Executor)],
        create: false,
    };
    world.policy.tag_patterns = TagPatterns::new(&[lower]).unwrap();
    assert_eq!(roles(&world.load(user).await), ["acme executor"]);
    world.policy.tag_patterns = TagPatterns::default();
    assert!(world.load(user).await.memberships().is_empty());
    world.later(1_000);
    let synced = world.sync(&world.tagged("ada", &["app-acme-boss"])).await;
    assert_eq!(actions(&synced), ["grant.closed"]);
}

pub async fn sec_an_organization_can_refuse_tag_patterns(directory: &dyn Directory) {
    let mut world = world(directory, true);
    let acme = world.organization("acme", "", "staff").await;
    let token = world.tagged("ada", &["app-acme-boss", "staff"]);
    let user = world.sync(&token).await.principal.user().id;
    let edit = OrganizationEdit {
        tag_patterns: Some(false),
        ..OrganizationEdit::default()
    };
    let edited = directory
        .update_organization(acme.id, None, edit, world.by())
        .await
        .unwrap();
    assert!(!edited.tag_patterns);
    assert!(!directory.organization(acme.id).await.unwrap().unwrap().tag_patterns);
    assert_eq!(roles(&world.load(user).await), ["acme member"]);
    world.later(1_000);
    let token = world.tagged("ada", &["app-acme-boss", "staff"]);
    let synced = world.sync(&token).await;
    assert_eq!(roles(&synced.principal), ["acme member"]);
    assert_eq!(synced.plan.notes, [Note::PatternRefused]);
    assert_eq!(actions(&synced), ["grant.closed"]);
    assert_eq!(organizations(directory).await.len(), 1, "none is created in its place");
}

pub async fn sec_tag_patterns_stay_in_their_realm(directory: &dyn Directory) {
    let mut world = world(directory, false);
    let new = NewOrganization {
        realm: realm("other"),
        external_id: Some(ExternalId::new("globex").unwrap()),
        ..world.new_organization("acme", "", "")
    };
    directory.create_organization(new, world.by()).await.unwrap();
    let token = world.tagged("ada", &["app-acme-boss", "app-globex-boss"]);
    assert!(world.roles(&token).await.is_empty());
}

/// A name that is taken, in another realm too, or that another one had, goes to no organization that a tag creates.
pub async fn sec_a_taken_name_is_not_what_a_tag_pattern_creates(directory: &dyn Directory) {
    let mut world = world(directory, true);
    let new = NewOrganization {
        realm: realm("other"),
        ..world.new_organization("acme", "", "")
    };
    directory.create_organization(new, world.by()).await.unwrap();
    let tools = world.organization("tools", "", "").await;
    let rename = OrganizationEdit {
        name: Some(narthex_directory::OrganizationName::new("renamed").unwrap()),
        ..OrganizationEdit::default()
    };
    directory
        .update_organization(tools.id, None, rename, world.by())
        .await
        .unwrap();
    // Two that would take one name, besides.
    let token = world.tagged(
        "ada",
        &["app-acme-boss", "app-tools-boss", "app-A-b-boss", "app-a-B-boss"],
    );
    let names = world.roles(&token).await;
    assert_eq!(names.len(), 4, "{names:?}");
    for name in ["acme admin", "tools admin"] {
        assert!(!names.contains(&name.to_owned()), "{names:?}");
    }
    assert!(world.sync(&token).await.plan.is_empty());
}

pub async fn a_listed_tag_and_a_tag_pattern_each_have_a_grant(directory: &dyn Directory) {
    let mut world = world(directory, false);
    world.organization("acme", "", "app-acme-boss").await;
    let token = world.tagged("ada", &["app-acme-boss"]);
    let synced = world.sync(&token).await;
    assert_eq!(roles(&synced.principal), ["acme admin"]);
    assert_eq!(synced.principal.grants().len(), 2);
    let user = synced.principal.user().id;
    assert_eq!(world.grants(user, GrantsWhen::Open).await.len(), 2);
    world.policy.tag_patterns = TagPatterns::default();
    assert_eq!(roles(&world.load(user).await), ["acme member"]);
}

pub async fn the_empty_list_removes_what_tag_patterns_gave(directory: &dyn Directory) {
    let mut world = world(directory, true);
    world.sync(&world.tagged("ada", &["app-acme-boss"])).await;
    world.later(1_000);
    let synced = world.sync(&world.tagged("ada", &[])).await;
    assert!(synced.principal.memberships().is_empty());
    assert_eq!(actions(&synced), ["grant.closed"]);
}
