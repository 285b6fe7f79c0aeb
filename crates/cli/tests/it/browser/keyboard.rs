//! The console by Tab, Enter, Space and letters alone, and without scripts.

use narthex_testkit::Browser;

use super::console::assert_no_errors;
use super::world::World;

/// Signs a browser in by the keyboard.
async fn enter(world: &World, browser: &Browser) {
    browser.open(&world.sign_in_link()).await.unwrap();
    follow(browser, "Sign in", "Platform admin").await;
}

/// Goes to a link or button by Tab, presses Enter, and waits for the words on the page that comes.
async fn follow(browser: &Browser, name: &str, words: &str) {
    browser.tab_to(name).await.unwrap();
    browser.enter().await.unwrap();
    browser.reads(words).await.unwrap();
}

/// Goes to a field by Tab, which selects what is in it, and types.
async fn type_into(browser: &Browser, label: &str, text: &str) {
    browser.tab_to(label).await.unwrap();
    browser.keys(text).await.unwrap();
}

/// S3's tasks: an organization with its tags, its members with the tag that gave the role, and a change of the tags.
#[tokio::test]
async fn the_tasks_of_s3_are_done_by_the_keyboard_alone() {
    let world = World::start(600).await;
    let browser = Browser::start().await.unwrap();
    enter(&world, &browser).await;

    follow(&browser, "Organizations", "No organization yet").await;
    follow(&browser, "Create an organization", "Who gets in by which tag?").await;
    type_into(&browser, "External Admin Group", "adminTag").await;
    type_into(&browser, "External Member Group", "memberTag1,memberTag2").await;
    type_into(&browser, "Organization name", "Acme").await;
    type_into(&browser, "Name in paths", "acme").await;
    follow(&browser, "Create organization", "Created.").await;
    assert_eq!(
        world
            .use_token("/v1/acme/x", &world.token("bob", &["memberTag1"]))
            .await,
        200,
        "{}",
        world.logs()
    );

    follow(&browser, "Organizations", "Which organizations are there").await;
    follow(&browser, "Acme", "External Group ID").await;
    follow(&browser, "People", "Is a person missing?").await;
    let people = browser.text().await.unwrap();
    for word in ["bob", "Member", "memberTag1"] {
        assert!(people.contains(word), "{word}: {people}");
    }

    follow(&browser, "Tags and details", "External Group ID").await;
    type_into(&browser, "External Member Group", "memberTag2").await;
    follow(&browser, "Preview changes", "Before you save").await;
    let preview = browser.text().await.unwrap();
    assert!(preview.contains("bob") && preview.contains("1 lose"), "{preview}");
    follow(&browser, "Save and change 1 person", "Saved.").await;
    let refused = world
        .use_token("/v1/acme/x", &world.token("bob", &["memberTag1"]))
        .await;
    assert_eq!(refused, 403);
    assert_no_errors(&browser).await;
}

/// The skip link comes first, and the focus is always seen.
#[tokio::test]
async fn the_first_stop_skips_the_navigation_and_the_focus_is_seen() {
    let world = World::start(600).await;
    let browser = Browser::start().await.unwrap();
    enter(&world, &browser).await;
    browser.open(&world.console("/users")).await.unwrap();
    browser.tab_to("Skip to content").await.unwrap();
    browser.enter().await.unwrap();
    assert!(browser.address().await.unwrap().ends_with("/users#main"));
    // Ctrl K and / lead to the search, which the script alone knows.
    for is_combined in [false, true] {
        browser.open(&world.console("/users")).await.unwrap();
        if is_combined {
            browser.with_control('k').await.unwrap();
        } else {
            browser.keys("/").await.unwrap();
        }
        assert_eq!(browser.focused().await.unwrap(), "Find anything", "{is_combined}");
    }
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.run(outline).await.unwrap(), "solid");
    browser.keys("acme").await.unwrap();
    browser.enter().await.unwrap();
    browser.arrives(&world.console("/search?q=acme")).await.unwrap();
    assert_no_errors(&browser).await;
}

#[tokio::test]
async fn all_of_create_edit_and_explain_works_without_scripts() {
    let world = World::start(600).await;
    let browser = Browser::start().await.unwrap();
    browser.without_scripts().await.unwrap();
    super::console::enter(&world, &browser).await;
    super::console::create_acme(&world, &browser).await;

    browser.open(&world.console("/organizations/acme")).await.unwrap();
    browser.fill("contact_name", "Grace").await.unwrap();
    browser.press("Preview changes").await.unwrap();
    browser.reads("Saved.").await.unwrap();
    assert_eq!(browser.value("contact_name").await.unwrap(), "Grace");

    browser.open(&world.console("/explain")).await.unwrap();
    let token = world.token("bob", &["memberTag1"]);
    browser.fill("token", &token).await.unwrap();
    browser.fill("path", "/v1/acme/x").await.unwrap();
    browser.press_button("Explain").await.unwrap();
    let told = browser.reads("Allowed.").await.unwrap();
    assert!(told.contains("memberTag1"), "{told}");
    assert_no_errors(&browser).await;
}
