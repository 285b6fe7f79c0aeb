//! Webhooks: their list, their page, and the forms on it.

use narthex_directory::{
    Actor, AuditEvent, DeliveryAttempt, Settlement, Trail as _, WaitingDelivery, WebhookProgress, Webhooks as _,
};

use crate::fixture::{Fixture, NOW_MS, Reply};

const SECOND_MS: i64 = 1_000;

/// A console with a webhook `crm` that is told of people and roles.
async fn with_webhook(signature: &str) -> (Fixture, Reply) {
    let console = Fixture::new().await;
    let fields = [
        ("name", "crm"),
        ("url", "https://crm.example.com/hooks"),
        ("event.people", "yes"),
        ("event.roles", "yes"),
        ("signature", signature),
    ];
    let created = console.post(&console.admin, "/webhooks/new", &fields).await;
    (console, created)
}

/// Records two events, the first of which was refused four times.
async fn failing(console: &Fixture) {
    let directory = &console.directory;
    for action in ["user.updated", "user.created"] {
        let event = AuditEvent::new(action, Actor::System, NOW_MS);
        directory.record(event).await.unwrap();
    }
    let newest = directory
        .events(
            narthex_directory::EventFilter::default(),
            narthex_directory::Page::first(1),
        )
        .await
        .unwrap();
    let last = newest.items[0].sequence;
    let waiting = |sequence: u64, attempts: u32, dead_at_ms: Option<i64>| WaitingDelivery {
        webhook: "crm".to_owned(),
        sequence,
        object: "user".to_owned(),
        attempts,
        taken_up_ms: NOW_MS - 600 * SECOND_MS,
        next_try_ms: NOW_MS + 300 * SECOND_MS,
        dead_at_ms,
    };
    let settlement = Settlement {
        progress: WebhookProgress {
            failures: 4,
            failing_since_ms: Some(NOW_MS - 600 * SECOND_MS),
            next_try_ms: NOW_MS + 60 * SECOND_MS,
            ..WebhookProgress::after("crm", last)
        },
        waiting: vec![
            waiting(last - 1, 4, None),
            waiting(last, 0, None),
            waiting(1, 12, Some(NOW_MS)),
        ],
        delivered: Vec::new(),
        attempts: vec![DeliveryAttempt {
            webhook: "crm".to_owned(),
            sequence: last - 1,
            attempt: 4,
            at_ms: NOW_MS - 60 * SECOND_MS,
            took_ms: 812,
            status: Some(500),
            error: None,
            next_try_ms: Some(NOW_MS + 300 * SECOND_MS),
        }],
        at_ms: NOW_MS,
    };
    let until_ms = NOW_MS + SECOND_MS;
    assert!(
        directory
            .lease_webhooks("a".to_owned(), NOW_MS, until_ms)
            .await
            .unwrap()
    );
    assert!(directory.settle_webhook("a".to_owned(), settlement).await.unwrap());
}

#[tokio::test]
async fn a_secret_is_shown_once_when_a_webhook_is_added() {
    let (console, created) = with_webhook("v1").await;
    created.shows(200, &["Copy the secret of crm now.", r#"<pre class="all">whsec_"#]);
    assert_eq!(created.header("cache-control"), "no-store");
    let page = console.get(&console.admin, "/webhooks/crm").await;
    page.shows(
        200,
        &["People, Roles", "Nothing has been sent yet.", "with a shared secret"],
    );
    assert!(!page.text.contains("whsec_"));
    let list = console.get(&console.admin, "/webhooks").await;
    list.shows(
        200,
        &[
            r#"<a href="/webhooks/crm">crm</a>"#,
            "https://crm.example.com/hooks",
            "Working",
            "Never",
        ],
    );
}

#[tokio::test]
async fn a_key_pair_shows_its_public_key_and_no_other() {
    let (console, created) = with_webhook("v1a").await;
    created.shows(200, &[r#"<pre class="all">whpk_"#]);
    assert!(!created.text.contains("whsk_"));
    let page = console.get(&console.viewer, "/webhooks/crm").await;
    page.shows(200, &["<code>whpk_", "Private key"]);
}

#[tokio::test]
async fn everything_typed_is_kept_when_a_webhook_is_not_added() {
    let console = Fixture::new().await;
    let fields = [
        ("name", "CRM"),
        ("url", "https://crm.example.com/"),
        ("event.roles", "yes"),
        ("signature", "v1a"),
    ];
    let reply = console.post(&console.admin, "/webhooks/new", &fields).await;
    reply.shows(
        422,
        &[
            r##"<a href="#name">"##,
            r#"value="CRM""#,
            r#"name="event.roles" value="yes" checked"#,
            r#"name="event.people" value="yes">"#,
            r#"value="v1a" checked"#,
        ],
    );
    let none = [
        ("name", "crm"),
        ("url", "https://crm.example.com/"),
        ("signature", "v1"),
    ];
    let reply = console.post(&console.admin, "/webhooks/new", &none).await;
    reply.shows(422, &[r##"<a href="#events">"##, "Choose at least one kind of events."]);
}

#[tokio::test]
async fn a_failing_webhook_says_since_when_and_what_waits() {
    let (console, _) = with_webhook("v1").await;
    failing(&console).await;
    let page = console.get(&console.admin, "/webhooks/crm").await;
    page.shows(
        200,
        &[
            "Failing",
            "Nothing has arrived since",
            "10 minutes ago",
            "Answer to the last try: 500.",
            "<code>user.updated</code>",
            r#"<span class="state bad">500</span><small>812 ms</small>"#,
            "Waits for the one before",
            "Given up",
            "Send all of them again",
        ],
    );
    let overview = console.get(&console.admin, "/").await;
    // The overview of a directory without people shows the first steps.
    assert!(!overview.text.contains("Nothing has arrived"));
    console.organization("acme", "Acme", ["boss", "staff"]).await;
    console.token("ada", None, &["staff"]).await;
    let overview = console.get(&console.admin, "/").await;
    overview.shows(
        200,
        &["Nothing has arrived at the webhook crm", r#"href="/webhooks/crm""#],
    );
}

#[tokio::test]
async fn what_waits_is_tried_now_and_what_was_given_up_is_sent_again() {
    let (console, _) = with_webhook("v1").await;
    failing(&console).await;
    let done = console
        .post(&console.admin, "/webhooks/crm/retry", &[("dead", "yes")])
        .await;
    assert_eq!(done.leads_to(), "/webhooks/crm?done=retried");
    let page = console.get(&console.admin, "/webhooks/crm").await;
    assert!(!page.text.contains("Send all of them again"), "{}", page.text);
    let wrong = console
        .post(&console.admin, "/webhooks/crm/replay", &[("from", "soon")])
        .await;
    wrong.shows(422, &[r##"<a href="#from">"##, r#"value="soon""#]);
    let from = [("from", "2023-11-14T22:00")];
    let done = console.post(&console.admin, "/webhooks/crm/replay", &from).await;
    assert_eq!(done.leads_to(), "/webhooks/crm?done=replayed");
    let progress = console.directory.webhook_progress().await.unwrap();
    assert!(progress[0].cursor < 3, "{progress:?}");
    let later = [("from", "2033-01-01T00:00")];
    let nothing = console.post(&console.admin, "/webhooks/crm/replay", &later).await;
    assert_eq!(nothing.leads_to(), "/webhooks/crm?done=unchanged");
}

#[tokio::test]
async fn a_webhook_is_changed_disabled_enabled_and_deleted() {
    let (console, _) = with_webhook("v1").await;
    let form = console.get(&console.admin, "/webhooks/crm/edit").await;
    let version = form.hidden("version");
    let change = [
        ("url", "https://new.example.com/"),
        ("event.keys", "yes"),
        ("version", version.as_str()),
    ];
    let saved = console.post(&console.admin, "/webhooks/crm/edit", &change).await;
    assert_eq!(saved.leads_to(), "/webhooks/crm?done=saved");
    let stale = console.post(&console.admin, "/webhooks/crm/edit", &change).await;
    stale.shows(409, &["Nothing was saved: this changed meanwhile."]);
    let page = console.get(&console.admin, "/webhooks/crm").await;
    page.shows(200, &["https://new.example.com/", "<dd>Keys</dd>"]);

    let question = console.get(&console.admin, "/webhooks/crm/disable").await;
    question.shows(200, &["<h1>Disable the webhook crm?</h1>"]);
    let version = question.hidden("version");
    let done = console
        .post(
            &console.admin,
            "/webhooks/crm/disable",
            &[("version", version.as_str())],
        )
        .await;
    assert_eq!(done.leads_to(), "/webhooks/crm?done=paused");
    let page = console.get(&console.admin, "/webhooks/crm").await;
    page.shows(200, &["It sends nothing: it is disabled.", "Enable crm"]);
    let done = console.post(&console.admin, "/webhooks/crm/enable", &[]).await;
    assert_eq!(done.leads_to(), "/webhooks/crm?done=resumed");

    let replaced = console.post(&console.admin, "/webhooks/crm/secret", &[]).await;
    replaced.shows(200, &[r#"<pre class="all">whsec_"#]);

    let version = console
        .get(&console.admin, "/webhooks/crm/delete")
        .await
        .hidden("version");
    let done = console
        .post(&console.admin, "/webhooks/crm/delete", &[("version", version.as_str())])
        .await;
    assert_eq!(done.leads_to(), "/webhooks?done=deleted");
    console.get(&console.admin, "/webhooks/crm").await.page(404);
}

#[tokio::test]
async fn sec_a_viewer_and_an_admin_of_an_organization_change_no_webhook() {
    let (console, _) = with_webhook("v1").await;
    let acme = console.organization("acme", "Acme", ["boss", "staff"]).await;
    let own = console.admin_of(acme.id).await;
    let page = console.get(&console.viewer, "/webhooks/crm").await;
    let (_, main) = page.page(200).split_once("<main").unwrap();
    assert!(!main.contains(r#"method="post""#), "{main}");
    console.get(&own, "/webhooks").await.page(404);
    for caller in [&console.viewer, &own] {
        for address in ["retry", "replay", "enable", "disable", "secret", "edit", "delete"] {
            let path = format!("/webhooks/crm/{address}");
            let fields = [
                ("version", "1"),
                ("from", "2023-11-14T22:00"),
                ("url", "https://x.example/"),
            ];
            console.post(caller, &path, &fields).await.page(404);
        }
        let fields = [
            ("name", "other"),
            ("url", "https://x.example/"),
            ("event.people", "yes"),
            ("signature", "v1"),
        ];
        console.post(caller, "/webhooks/new", &fields).await.page(404);
    }
}
