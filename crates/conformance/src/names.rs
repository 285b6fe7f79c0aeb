//! Names that are taken, reserved or compared exactly.

use serde_json::json;

use super::world::{World, realm, roles};
use narthex_directory::{
    Directory, OrganizationEdit, OrganizationFilter, OrganizationName, Page, TeamFilter, UserFilter,
};

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

/// Wherever a name or an id is taken, such a name would be read as the id, and lead to no organization or to another
/// one.
pub async fn an_organization_never_takes_an_id_as_its_name(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let mut token = world.linked("ada", "acme", "ops");
    token.organization.as_mut().unwrap().name = Some("01hf7yat000000000000000019".into());
    let made = world.sync(&token).await.principal.memberships()[0].name.clone();
    assert!(made.as_str().starts_with("01hf7yat000000000000000019-"), "{made}");
    let found = directory.organization_named(made).await.unwrap().unwrap();
    assert_eq!(found.label, "01hf7yat000000000000000019");
}

/// An application may still have what belongs to the organization that moved away.
pub async fn sec_a_former_name_goes_to_no_token(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let zed = world.organization("zed", "", "").await;
    for name in ["zed-new", "zed-newer"] {
        let rename = OrganizationEdit {
            name: Some(OrganizationName::new(name).unwrap()),
            ..OrganizationEdit::default()
        };
        directory
            .update_organization(zed.id, None, rename, world.by())
            .await
            .unwrap();
    }
    for (external_id, label) in [("z-8", "Zed"), ("z-9", "Zed New")] {
        let mut token = world.linked(external_id, external_id, "t");
        token.team = None;
        token.organization.as_mut().unwrap().name = Some(label.to_owned());
        let given = world.sync(&token).await.principal.memberships()[0].name.clone();
        let asked = OrganizationName::suggested_by(label).unwrap();
        assert!(
            given.as_str().starts_with(asked.as_str()) && given != asked && given.as_str() != "zed-new",
            "{given}"
        );
    }
    let chosen = world.organization("zed", "", "").await;
    assert_eq!(chosen.name.as_str(), "zed", "a person may choose it");
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
    for mut token in organizations {
        world.later(1_000);
        token.issued_at_ms = Some(world.now_ms);
        world.sync(&token).await;
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
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
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
