//! Pictures of the documents. `cargo xtask screenshots` (`UPDATE=1`) writes them; each run of the test looks whether what they
//! show is still there.

use narthex_testkit::{Browser, repository};

use crate::demo;

/// Takes a picture of the window, and keeps it as one of the documents if that is asked for.
async fn picture(browser: &Browser, name: &str) {
    let picture = browser.screenshot().await.unwrap();
    assert!(
        picture.starts_with(b"\x89PNG") && picture.len() > 20_000,
        "{name}: {} bytes",
        picture.len()
    );
    let file = repository().join("docs/images").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, picture).unwrap();
    }
}

#[tokio::test]
async fn the_pictures_of_the_documents_show_the_demo() {
    let (process, printed) = demo::start();
    let api = demo::api(&printed);
    demo::everyone_came(&process, &api).await;
    let words: Vec<&str> = printed.split_whitespace().collect();
    let link = words.iter().find(|word| word.contains("/sign-in/link")).unwrap();
    let origin = link.split("/sign-in").next().unwrap();
    let variable = words.iter().find_map(|word| word.strip_prefix("CAROL=")).unwrap();

    let browser = Browser::start().await.unwrap();
    browser.resize(1280, 900).await.unwrap();
    browser.prefer("light").await.unwrap();
    browser.open(link).await.unwrap();
    browser.press("Sign in").await.unwrap();
    browser.reads("Platform admin").await.unwrap();
    // A tag that tokens carry is known a moment after its first use.
    let begun = tokio::time::Instant::now();
    while !browser.text().await.unwrap().contains("nearly meets") {
        assert!(begun.elapsed().as_secs() < 120, "{}", process.output());
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        browser.open(&format!("{origin}/")).await.unwrap();
    }
    picture(&browser, "console.png").await;

    let asked = "method=POST&path=/v1/algo/acme/hello/0.1.1";
    browser.open(&format!("{origin}/explain?{asked}")).await.unwrap();
    browser.fill("token", variable).await.unwrap();
    browser.press_button("Explain").await.unwrap();
    browser.reads("To put it right").await.unwrap();
    picture(&browser, "explain.png").await;
    assert_eq!(browser.errors().await.unwrap(), Vec::<String>::new());
}
