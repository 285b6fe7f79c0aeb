//! Tasks of administrators in a real browser, from the question to the effect.

use narthex_testkit::Browser;

use super::console::{assert_no_errors, create_acme, enter};
use super::world::World;

/// From the refusal through explain, the near miss and its preview to the person who gets in.
#[tokio::test]
async fn an_administrator_corrects_a_near_miss_and_the_refused_person_gets_in() {
    let world = World::start(600).await;
    let browser = Browser::start().await.unwrap();
    enter(&world, &browser).await;
    create_acme(&world, &browser).await;
    let token = world.token("grace", &["MemberTag2"]);
    assert_eq!(world.use_token("/v1/acme/x", &token).await, 403);

    browser.open(&world.console("/explain")).await.unwrap();
    browser.fill("token", &token).await.unwrap();
    browser.fill("path", "/v1/acme/x").await.unwrap();
    browser.press_button("Explain").await.unwrap();
    let told = browser.reads("To put it right").await.unwrap();
    assert!(
        told.contains("organization.role") && told.contains("memberTag2"),
        "{told}"
    );

    // A tag that tokens carry is known a moment after its first use.
    let begun = tokio::time::Instant::now();
    loop {
        browser.open(&world.console("/organizations/acme")).await.unwrap();
        if browser.text().await.unwrap().contains("instead") {
            break;
        }
        assert!(begun.elapsed().as_secs() < 90, "the near miss is not shown");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    browser.press("Use MemberTag2 instead").await.unwrap();
    let preview = browser.reads("Before you save").await.unwrap();
    assert!(preview.contains("grace") && preview.contains("1 gain"), "{preview}");
    browser.press("Save and change 1 person").await.unwrap();
    browser.reads("Saved.").await.unwrap();
    let newer = world.token("grace", &["MemberTag2"]);
    assert_eq!(world.use_token("/v1/acme/x", &newer).await, 200, "{}", world.logs());
    assert_no_errors(&browser).await;
}

#[tokio::test]
async fn an_administrator_ends_a_role_and_the_history_shows_it() {
    let world = World::start(600).await;
    let browser = Browser::start().await.unwrap();
    enter(&world, &browser).await;
    create_acme(&world, &browser).await;
    // Not an empty list of tags, which would end manual roles too.
    let token = world.token("bob", &["otherTag"]);
    assert_eq!(world.use_token("/whoami", &token).await, 200);
    browser
        .open(&world.console("/organizations/acme/people/add"))
        .await
        .unwrap();
    browser.fill("person", "bob").await.unwrap();
    browser.fill("why", "covers for Ada").await.unwrap();
    browser.press_button("Add person").await.unwrap();
    browser.reads("Added.").await.unwrap();
    assert_eq!(world.use_token("/v1/acme/x", &token).await, 200, "{}", world.logs());

    browser.press("Remove").await.unwrap();
    browser.reads("Remove bob’s role?").await.unwrap();
    browser.fill("why", "Ada is back").await.unwrap();
    browser.press("Remove the role").await.unwrap();
    browser.reads("The role is removed.").await.unwrap();
    assert_eq!(world.use_token("/v1/acme/x", &token).await, 403);
    browser.open(&world.console("/users?q=bob")).await.unwrap();
    browser.press("bob").await.unwrap();
    let history = browser.reads("Ada is back").await.unwrap();
    assert!(history.contains("covers for Ada"), "{history}");
    assert_no_errors(&browser).await;
}

#[tokio::test]
async fn an_organizations_admin_sees_one_organization_and_nothing_else() {
    let world = World::start(600).await;
    let (platform, own) = (Browser::start().await.unwrap(), Browser::start().await.unwrap());
    enter(&world, &platform).await;
    create_acme(&world, &platform).await;
    let token = world.token("erin", &["adminTag"]);
    assert_eq!(world.use_token("/v1/acme/x", &token).await, 200);

    own.open(&world.console("/sign-in")).await.unwrap();
    own.fill("credential", &token).await.unwrap();
    own.press("Sign in").await.unwrap();
    let people = own.arrives(&world.console("/organizations/acme/people")).await;
    assert!(people.is_ok(), "{people:?}\n{}", world.logs());
    let text = own.text().await.unwrap();
    assert!(text.contains("Admin of Acme"), "{text}");
    for word in ["Issuers", "Routes", "Audit", "API keys", "Webhooks", "Find anything"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    for path in [
        "/",
        "/users",
        "/issuers",
        "/audit",
        "/search?q=acme",
        "/organizations/globex",
    ] {
        own.open(&world.console(path)).await.unwrap();
        let text = own.text().await.unwrap();
        let is_own = own.address().await.unwrap().contains("/organizations/acme/");
        assert!(is_own || text.contains("There is nothing here"), "{path}: {text}");
    }
}
