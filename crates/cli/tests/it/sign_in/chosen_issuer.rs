//! The choice of the issuer that a browser signs in at: it is its user's, or the configuration's.

use narthex_testkit::{Answer, Upstream, client::Call};

use super::browser::World;
use super::config;
use super::console::with_console;

const NAMED: &str = "/.narthex/sign-in?issuer=corp&return=/whoami%3Fa%3Db";

/// The configuration with a page of the operator's, from which browsers come to an issuer by its name.
fn with_own_page(issuer: &str, upstream: &Upstream) -> String {
    config(issuer, upstream).replace(
        "issuer = \"corp\"\n        origins",
        "url = \"https://id.example/in\"\n        origins",
    )
}

/// Opens an address as a browser does that pages of these sites have sent there.
async fn sent_by(world: &World, sites: &[&str], call: Call) -> Answer {
    let call = call
        .header("accept", "text/html")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document");
    let call = sites
        .iter()
        .fold(call, |call, site| call.header("sec-fetch-site", site));
    world.client.send(call).await.unwrap()
}

/// An attacker with an issuer, or with an account at one, sends the victim's browser there: it would come back as the attacker.
#[tokio::test]
async fn sec_another_site_chooses_no_issuer() {
    let world = World::start_with(600, with_own_page).await;
    for sites in [
        &[][..],
        &["none"],
        &["same-origin"],
        &["same-site"],
        &["cross-site"],
        &["something-else"],
        &["none", "none"],
    ] {
        let begins = matches!(sites, [] | ["none" | "same-origin" | "same-site"]);
        let answer = sent_by(&world, sites, world.call("GET", NAMED)).await;
        if begins {
            assert_eq!(answer.status, 302, "{sites:?}: {}", answer.text());
            continue;
        }
        assert_eq!(answer.status, 400, "{sites:?}: {}", answer.text());
        assert!(answer.headers.get("set-cookie").is_none(), "{sites:?}");
        assert!(answer.header("location").is_none(), "{sites:?}");
        let page = answer.text();
        assert!(page.contains("Another website has sent you"), "{page}");
        // The user may go on, to the same page.
        let link = "https://app.example/.narthex/sign-in?issuer=corp&#38;return=/whoami%3Fa%3Db";
        assert!(page.contains(link) && page.contains(">Sign in</a>"), "{page}");
    }
    let unknown = "/.narthex/sign-in?issuer=none-such";
    let unknown = sent_by(&world, &["cross-site"], world.call("GET", unknown)).await;
    assert!(!unknown.text().contains("none-such"));
}

#[tokio::test]
async fn a_link_on_another_site_leads_to_a_page_and_its_sign_in() {
    let world = World::start(600).await;
    let page = sent_by(&world, &["cross-site"], world.call("GET", "/whoami")).await;
    assert_eq!(page.status, 302, "{}", page.text());
    // The browser goes on as one that another site has sent, and to the configured issuer.
    for path in ["/.narthex/sign-in?return=/whoami", NAMED] {
        let answer = sent_by(&world, &["cross-site"], world.call("GET", path)).await;
        assert_eq!(answer.status, 302, "{path}: {}", answer.text());
        let location = answer.header("location").unwrap();
        assert!(location.starts_with(&world.issuer), "{location}");
    }
}

#[tokio::test]
async fn sec_another_site_chooses_no_issuer_at_the_console() {
    let world = World::start_with(600, with_console).await;
    let call = || {
        Call::get(&format!("{}/sign-in/at/corp?back=%2Fusers", world.narthex.admin_url()))
            .header("host", "console.example")
            .header("x-forwarded-proto", "https")
    };
    let answer = sent_by(&world, &["cross-site"], call()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.headers.get("set-cookie").is_none());
    let page = answer.text();
    assert!(page.contains("Another website has sent you here"), "{page}");
    assert!(page.contains("/sign-in/at/corp?back=%2Fusers"), "{page}");
    for sites in [&[][..], &["none"], &["same-origin"]] {
        let answer = sent_by(&world, sites, call()).await;
        assert_eq!(answer.status, 303, "{sites:?}: {}", answer.text());
        assert!(answer.headers.get("set-cookie").is_some());
    }
}
