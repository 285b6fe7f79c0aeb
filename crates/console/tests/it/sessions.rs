//! Sign-in, sessions, and sign-out of browsers.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, header};
use narthex_directory::{Keyring as _, Page, Sessions as _};
use narthex_engine::inbound::ClientConnection;
use tokio::task::JoinSet;
use url::form_urlencoded::Serializer;

use crate::fixture::{Fixture, Reply};

const COOKIE: &str = "__Host-narthex-console";

/// A browser: its cookie, and the host by which it reaches the console.
#[derive(Debug, Clone)]
struct Browser {
    cookie: Option<String>,
    host: &'static str,
    connection: ClientConnection,
}

impl Default for Browser {
    fn default() -> Self {
        Self {
            cookie: None,
            host: "localhost:8081",
            connection: ClientConnection::default(),
        }
    }
}

impl Browser {
    /// Sends a request and keeps the cookie of the answer.
    async fn send(&mut self, console: &Fixture, method: &str, address: &str, fields: &[(&str, &str)]) -> Reply {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = Request::builder()
            .method(method)
            .uri(address)
            .header(header::HOST, self.host)
            .header(
                header::USER_AGENT,
                "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0",
            )
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .extension(self.connection);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, format!("{COOKIE}={cookie}"));
        }
        let reply = console.browse(request.body(Body::from(body)).unwrap()).await;
        let set = reply
            .headers
            .get(header::SET_COOKIE)
            .map(|value| value.to_str().unwrap());
        if let Some(rest) = set.and_then(|set| set.strip_prefix(COOKIE)?.strip_prefix('=')) {
            let value = rest.split(';').next().unwrap();
            self.cookie = (!value.is_empty()).then(|| value.to_owned());
        }
        reply
    }

    async fn get(&mut self, console: &Fixture, address: &str) -> Reply {
        self.send(console, "GET", address, &[]).await
    }

    /// Signs in with an API key or a token.
    async fn sign_in(&mut self, console: &Fixture, credential: &str) -> Reply {
        self.send(console, "POST", "/sign-in", &[("credential", credential)])
            .await
    }
}

#[tokio::test]
async fn a_browser_signs_in_with_a_key_and_signs_out() {
    let console = Fixture::new().await;
    let mut browser = Browser::default();
    let led = browser.get(&console, "/users?q=a").await;
    assert_eq!(led.leads_to(), "/sign-in?back=%2Fusers%3Fq%3Da");
    let form = browser.get(&console, "/sign-in?back=%2Fusers%3Fq%3Da").await;
    form.shows(
        200,
        &["<h1>Sign in to Narthex</h1>", r#"name="back" value="/users?q=a""#],
    );
    let fields = [("credential", console.admin.as_str()), ("back", "/users?q=a")];
    let signed_in = browser.send(&console, "POST", "/sign-in", &fields).await;
    assert_eq!(signed_in.leads_to(), "/users?q=a");
    let set = signed_in.header("set-cookie");
    assert!(set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set}");
    browser
        .get(&console, "/users?q=a")
        .await
        .shows(200, &["Platform admin"]);
    let out = browser.send(&console, "POST", "/sign-out", &[]).await;
    assert_eq!(out.leads_to(), "/sign-in?state=signed-out");
    assert_eq!(browser.cookie, None);
    browser
        .get(&console, out.leads_to())
        .await
        .shows(200, &["You are signed out."]);
}

#[tokio::test]
async fn a_browser_signs_in_with_a_token() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.token("erin", Some("Erin Walsh"), &["boss"]).await;
    console.token("bob", None, &["staff"]).await;
    let mut browser = Browser::default();
    let refused = browser.sign_in(&console, "bob").await;
    refused.shows(
        422,
        &["Only platform admins and viewers, and the admins of organizations can sign in here."],
    );
    assert_eq!(browser.sign_in(&console, "Bearer erin").await.leads_to(), "/");
    let first = browser.get(&console, "/").await;
    assert_eq!(first.leads_to(), "/organizations/acme/people");
    browser
        .get(&console, first.leads_to())
        .await
        .shows(200, &["<b>Erin Walsh</b>", "Admin of Acme"]);
}

#[tokio::test]
async fn a_refused_credential_is_said_at_its_field_and_never_shown() {
    let console = Fixture::new().await;
    let mut browser = Browser::default();
    for (credential, text) in [
        ("nx_unknown", "That key is not known here."),
        ("e30.e30.secret", "token.signature"),
        ("", "Type an API key, or paste a token."),
    ] {
        let reply = browser.sign_in(&console, credential).await;
        reply.shows(422, &[text, r#"aria-invalid="true""#]);
        assert!(credential.is_empty() || !reply.text.contains(credential));
        assert_eq!(browser.cookie, None);
    }
}

/// A cookie that an attacker had set before the sign-in stands for nothing after it.
#[tokio::test]
async fn sec_the_session_is_another_one_after_each_sign_in() {
    let console = Fixture::new().await;
    let mut browser = Browser::default();
    browser.sign_in(&console, &console.viewer).await.leads_to();
    let mut before = browser.clone();
    browser.sign_in(&console, &console.admin).await.leads_to();
    assert_ne!(before.cookie, browser.cookie);
    browser.get(&console, "/users").await.page(200);
    assert_eq!(
        before.get(&console, "/users").await.leads_to(),
        "/sign-in?back=%2Fusers&state=ended"
    );
}

#[tokio::test]
async fn sec_a_session_ends_with_its_credential_and_with_time() {
    let console = Fixture::new().await;
    let mut browser = Browser::default();
    browser.sign_in(&console, &console.viewer).await.leads_to();
    browser.get(&console, "/users").await.page(200);
    let keys = console.directory.api_keys(Page::default()).await.unwrap().items;
    let viewer = keys.iter().find(|key| key.role.role_str() == "viewer").unwrap().id;
    console
        .post(&console.admin, &format!("/api-keys/{viewer}/revoke"), &[])
        .await
        .leads_to();
    let led = browser.get(&console, "/users").await;
    assert_eq!(led.leads_to(), "/sign-in?back=%2Fusers&state=ended");
    browser
        .get(&console, led.leads_to())
        .await
        .shows(200, &["Your session ended."]);

    let mut idle = Browser::default();
    idle.sign_in(&console, &console.admin).await.leads_to();
    console.advance(3_599_999);
    idle.get(&console, "/users").await.page(200);
    console.advance(3_600_000);
    idle.get(&console, "/users").await.leads_to();
}

/// A session is over after its sign-out, also if its credential did not count just then.
#[tokio::test]
async fn sec_a_sign_out_ends_a_session_whose_credential_does_not_count() {
    let console = Fixture::new().await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let mut browser = Browser::default();
    let key = console.admin_of(acme.id).await;
    browser.sign_in(&console, &key).await.leads_to();
    let mut copy = browser.clone();
    copy.get(&console, "/organizations/acme").await.page(200);
    let question = console.get(&console.admin, "/organizations/acme/suspend").await;
    let version = question.hidden("version");
    let suspended = console
        .post(&console.admin, "/organizations/acme/suspend", &[("version", &version)])
        .await;
    suspended.leads_to();
    browser.send(&console, "POST", "/sign-out", &[]).await.leads_to();
    console
        .post(&console.admin, "/organizations/acme/open", &[])
        .await
        .leads_to();
    let led = copy.get(&console, "/organizations/acme").await;
    assert!(led.leads_to().ends_with("&state=ended"), "{}", led.leads_to());
}

/// One of a hundred browsers that use a link at once is signed in.
#[tokio::test]
async fn sec_a_sign_in_link_is_good_once_and_for_fifteen_minutes() {
    let console = Arc::new(Fixture::new().await);
    let link = console.link().await;
    let mut first = Browser::default();
    // A program that looks at the address does not use it up.
    let page = first.get(&console, &format!("/sign-in/link?code={link}")).await;
    page.shows(200, &[&format!(r#"name="code" value="{link}""#)]);
    let mut uses = JoinSet::new();
    for _ in 0..100 {
        let (console, link) = (Arc::clone(&console), link.clone());
        uses.spawn(async move {
            let mut browser = Browser::default();
            let reply = browser
                .send(&console, "POST", "/sign-in/link", &[("code", &link)])
                .await;
            (reply.status.as_u16(), browser.cookie)
        });
    }
    let answers = uses.join_all().await;
    let signed_in: Vec<_> = answers.iter().filter(|(status, _)| *status == 303).collect();
    assert_eq!(signed_in.len(), 1);
    assert!(
        answers
            .iter()
            .all(|(status, cookie)| (*status == 303) == cookie.is_some())
    );
    let mut browser = Browser {
        cookie: signed_in[0].1.clone(),
        ..Browser::default()
    };
    browser
        .get(&console, "/sessions")
        .await
        .shows(200, &["Platform admin", "Sign-in link", "Firefox on Linux", "This one"]);

    let late = console.link().await;
    console.advance(15 * 60_000);
    let reply = first.send(&console, "POST", "/sign-in/link", &[("code", &late)]).await;
    reply.shows(403, &["This link was used before, or it is older than 15 minutes."]);
}

#[tokio::test]
async fn sec_no_credential_is_taken_over_plain_http() {
    let console = Fixture::new().await;
    let mut plain = Browser {
        host: "narthex.example.com",
        ..Browser::default()
    };
    plain
        .get(&console, "/sign-in")
        .await
        .shows(200, &["You cannot sign in here."]);
    let reply = plain.sign_in(&console, &console.admin).await;
    reply.shows(403, &["is not reached over https"]);
    assert_eq!(plain.cookie, None);
    let mut by_proxy = Browser {
        host: "narthex.example.com",
        connection: ClientConnection {
            is_encrypted: true,
            ..ClientConnection::default()
        },
        ..Browser::default()
    };
    assert_eq!(by_proxy.sign_in(&console, &console.admin).await.leads_to(), "/");
}

#[tokio::test]
async fn sec_a_sign_in_leads_back_to_a_page_of_the_console() {
    let console = Fixture::new().await;
    for back in [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/sign-out",
        "/sign-in?back=/",
    ] {
        let mut browser = Browser::default();
        let fields = [("credential", console.admin.as_str()), ("back", back)];
        let reply = browser.send(&console, "POST", "/sign-in", &fields).await;
        assert_eq!(reply.leads_to(), "/", "{back}");
    }
}

/// A session of another place, or of another kind of cookie, is none of the console.
#[tokio::test]
async fn sec_a_session_of_the_doors_does_not_open_the_console() {
    let console = Fixture::new().await;
    let mut browser = Browser::default();
    browser.sign_in(&console, &console.admin).await.leads_to();
    let cookie = browser.cookie.clone().unwrap();
    for name in ["__Host-narthex", "__host-narthex-console", "narthex-console"] {
        let request = Request::builder()
            .uri("/users")
            .header(header::HOST, "localhost")
            .header(header::COOKIE, format!("{name}={cookie}"));
        let reply = console.browse(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.leads_to(), "/sign-in?back=%2Fusers", "{name}");
    }
    let filter = narthex_directory::SessionFilter::default();
    let sessions = console.directory.sessions(filter, Page::default()).await.unwrap().items;
    assert_eq!(sessions.len(), 1);
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.token("erin", Some("Erin Walsh"), &["boss"]).await;
    let (mut erin, mut phone, mut admin) = (Browser::default(), Browser::default(), Browser::default());
    erin.sign_in(&console, "erin").await.leads_to();
    phone.sign_in(&console, "erin").await.leads_to();
    admin.sign_in(&console, &console.admin).await.leads_to();

    let own = erin.get(&console, "/sessions").await;
    own.shows(200, &["This one", "Token of idp", "Sign out all others"]);
    assert!(!own.text.contains("API key") && !own.text.contains("Sessions of others"));
    erin.send(&console, "POST", "/sessions/end-others", &[])
        .await
        .leads_to();
    phone.get(&console, "/settings").await.leads_to();

    let all = admin.get(&console, "/sessions").await;
    all.shows(200, &["Erin Walsh", "API key", "Sessions of others"]);
    let (_, rest) = all.text.split_once(r#"action="/sessions/"#).unwrap();
    let id = rest.split('/').next().unwrap();
    let not_theirs = erin.get(&console, "/sessions").await;
    assert!(!not_theirs.text.contains(&format!("/sessions/{id}/end")));
    let address = format!("/sessions/{id}/end");
    assert_eq!(
        admin.send(&console, "POST", &address, &[]).await.leads_to(),
        "/sessions?done=session-ended"
    );
    erin.get(&console, "/settings").await.leads_to();
    admin.get(&console, "/settings").await.page(200);
}

/// An admin of an organization ends no session of others.
#[tokio::test]
async fn sec_sessions_of_others_are_ended_by_platform_admins_only() {
    let console = Fixture::new().await;
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.token("erin", Some("Erin Walsh"), &["boss"]).await;
    let (mut erin, mut admin) = (Browser::default(), Browser::default());
    erin.sign_in(&console, "erin").await.leads_to();
    admin.sign_in(&console, &console.admin).await.leads_to();
    let filter = narthex_directory::SessionFilter::default();
    let sessions = console.directory.sessions(filter, Page::default()).await.unwrap().items;
    for session in sessions.iter().filter(|session| session.user.is_none()) {
        let reply = erin
            .send(&console, "POST", &format!("/sessions/{}/end", session.id), &[])
            .await;
        assert!(reply.page(404).contains("There is nothing here"));
    }
    admin.get(&console, "/users").await.page(200);
}
