//! The console in real browsers, from the first link to the sign-out.

use narthex_testkit::Browser;

use super::world::World;

/// Signs a browser in by a link of the command line, which is good once.
pub(super) async fn enter(world: &World, browser: &Browser) -> String {
    let link = world.sign_in_link();
    browser.open(&link).await.unwrap();
    browser.press("Sign in").await.unwrap();
    let text = browser.reads("Platform admin").await;
    assert!(text.is_ok(), "{text:?}\n{:?}\n{}", browser.errors().await, world.logs());
    link
}

pub(super) async fn assert_no_errors(browser: &Browser) {
    let errors = browser.errors().await.unwrap();
    assert_eq!(errors, Vec::<String>::new(), "{}", browser.address().await.unwrap());
}

/// Creates an organization by the form, and looks for it in the list.
pub(super) async fn create_acme(world: &World, browser: &Browser) {
    browser.open(&world.console("/organizations")).await.unwrap();
    browser.press("Create an organization").await.unwrap();
    for (name, text) in [
        ("label", "Acme"),
        ("name", "acme"),
        ("external_admin_groups", "adminTag"),
        ("external_member_groups", "memberTag1,memberTag2"),
    ] {
        browser.fill(name, text).await.unwrap();
    }
    browser.press("Create organization").await.unwrap();
    let created = browser.reads("Created.").await;
    assert!(
        created.is_ok(),
        "{created:?}\n{:?}\n{}",
        browser.errors().await,
        world.logs()
    );
    assert!(
        browser
            .address()
            .await
            .unwrap()
            .starts_with(&world.console("/organizations/acme"))
    );
    browser.open(&world.console("/organizations")).await.unwrap();
    let list = browser.reads("acme").await.unwrap();
    for word in ["Acme", "adminTag", "memberTag1", "memberTag2", "Manual"] {
        assert!(list.contains(word), "{word}: {list}");
    }
    assert_no_errors(browser).await;
}

#[tokio::test]
async fn an_administrator_creates_an_organization_in_a_real_browser_and_is_told_of_a_change_by_another() {
    let world = World::start(600).await;
    let (one, two) = (Browser::start().await.unwrap(), Browser::start().await.unwrap());
    let link = enter(&world, &one).await;
    enter(&world, &two).await;
    assert_no_errors(&one).await;

    create_acme(&world, &one).await;

    // Both have the form open; the second saves first.
    for browser in [&one, &two] {
        browser.open(&world.console("/organizations/acme")).await.unwrap();
    }
    two.fill("contact_name", "Grace").await.unwrap();
    two.press("Preview changes").await.unwrap();
    two.reads("Saved.").await.unwrap();
    one.fill("website", "https://acme.example").await.unwrap();
    one.press("Preview changes").await.unwrap();
    let told = one.reads("Your change is not saved").await;
    assert!(told.is_ok(), "{told:?}\n{:?}\n{}", one.errors().await, world.logs());
    // The form has both changes, and the first person saves it after all.
    assert_eq!(one.value("contact_name").await.unwrap(), "Grace");
    assert_eq!(one.value("website").await.unwrap(), "https://acme.example");
    one.press("Preview changes").await.unwrap();
    one.reads("Saved.").await.unwrap();
    two.open(&world.console("/organizations/acme")).await.unwrap();
    assert_eq!(two.value("website").await.unwrap(), "https://acme.example");
    assert_no_errors(&two).await;

    one.press("Sign out").await.unwrap();
    one.arrives(&world.console("/sign-in")).await.unwrap();
    one.open(&world.console("/organizations")).await.unwrap();
    assert!(one.address().await.unwrap().starts_with(&world.console("/sign-in")));
    assert!(one.cookie("__Host-narthex-console").await.unwrap().is_none());
    // The link of before signs no browser in again.
    one.open(&link).await.unwrap();
    one.press("Sign in").await.unwrap();
    one.reads("narthex console link").await.unwrap();
    assert!(one.cookie("__Host-narthex-console").await.unwrap().is_none());
}

/// Every page that the navigation leads to, in light and dark: without an error, accessible, and not wider than a phone.
#[tokio::test]
async fn no_page_of_the_console_has_an_error_in_a_real_browser() {
    let world = World::start(600).await;
    let browser = Browser::start().await.unwrap();
    enter(&world, &browser).await;
    let links = "return [...document.querySelectorAll('nav a')].map((link) => link.getAttribute('href'))";
    let links = browser.run(links).await.unwrap();
    let links = links.as_array().unwrap().clone();
    assert!(links.len() > 8, "{links:?}");
    for theme in ["light", "dark"] {
        browser
            .run(&format!("document.cookie = 'narthex_theme={theme}; path=/'"))
            .await
            .unwrap();
        for link in &links {
            let path = link.as_str().unwrap();
            browser.open(&world.console(path)).await.unwrap();
            assert_eq!(browser.address().await.unwrap(), world.console(path));
            assert!(!browser.text().await.unwrap().is_empty(), "{path}");
            assert_no_errors(&browser).await;
            browser.resize(1280, 900).await.unwrap();
            let violations = browser.violations().await.unwrap();
            assert_eq!(violations, Vec::<String>::new(), "{path} in {theme}");
            browser.resize(360, 900).await.unwrap();
            assert!(!browser.scrolls_sideways().await.unwrap(), "{path} scrolls sideways");
        }
    }
}
