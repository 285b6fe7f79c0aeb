//! `/webhooks`.

use narthex_directory::{
    DeliveryAttempt, DocumentKind, Documents as _, Settlement, WaitingDelivery, WebhookProgress, Webhooks as _,
};
use narthex_webhooks::WebhookSettings;
use serde_json::{Value, json};

use super::Fixture;
use super::connections::seal_with;
use super::fixture::NOW_MS;

async fn with_webhook() -> (Fixture, Value) {
    let api = Fixture::new().await;
    seal_with(&api, 1, None);
    let body = json!({ "name": "crm", "url": "https://crm.example.com/hooks", "actions": ["user.*", "grant.opened"] });
    let made = api.post("/webhooks", body).await;
    (api, made)
}

#[tokio::test]
async fn a_webhook_is_created_with_a_secret_that_is_shown_once() {
    let (api, made) = with_webhook().await;
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let read = api.get("/webhooks/crm").await;
    assert_eq!(read["url"], "https://crm.example.com/hooks");
    assert_eq!(read["actions"], json!(["user.*", "grant.opened"]));
    assert_eq!((&read["enabled"], &read["cursor"]), (&json!(true), &Value::Null));
    assert!(read.get("secret").is_none(), "{read}");
    let listed = api.get("/webhooks").await;
    assert_eq!(listed["items"], json!([read]));
    let taken = json!({ "name": "crm", "url": "https://other.example.com/" });
    api.call("POST", "/webhooks", Some(taken)).await.expect(409);
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_with_the_name_of_the_value() {
    let api = Fixture::new().await;
    seal_with(&api, 1, None);
    for (body, named) in [
        (json!({ "name": "CRM", "url": "https://a.example.com/" }), "name"),
        (json!({ "name": "", "url": "https://a.example.com/" }), "name"),
        (json!({ "name": "a", "url": "ftp://a.example.com/" }), "url"),
        (
            json!({ "name": "a", "url": "https://user:secret@a.example.com/" }),
            "url",
        ),
        (
            json!({ "name": "a", "url": "https://a.example.com/", "actions": ["user.vanished"] }),
            "actions",
        ),
        (
            json!({ "name": "a", "url": "https://a.example.com/", "secret": "hunter2" }),
            "secret",
        ),
    ] {
        let refused = api.call("POST", "/webhooks", Some(body.clone())).await.expect(422);
        let detail = refused["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(&format!("`{named}`")), "{body}: {detail}");
        assert!(!detail.contains("hunter2"), "{detail}");
    }
}

#[tokio::test]
async fn a_webhook_is_changed_and_its_secret_replaced() {
    let (api, made) = with_webhook().await;
    let change = json!({ "url": "https://new.example.com/", "enabled": false });
    let changed = api.call("PATCH", "/webhooks/crm", Some(change)).await.expect(200);
    assert_eq!(
        (&changed["url"], &changed["enabled"]),
        (&json!("https://new.example.com/"), &json!(false))
    );
    assert_eq!(
        changed["actions"],
        json!(["user.*", "grant.opened"]),
        "what is absent stays"
    );
    let rotated = api
        .call("POST", "/webhooks/crm/rotate-secret", Some(json!({})))
        .await
        .expect(200);
    assert_ne!(rotated["secret"], made["secret"]);
    api.call("DELETE", "/webhooks/crm", None).await.expect(204);
    api.call("GET", "/webhooks/crm", None).await.expect(404);
}

#[tokio::test]
async fn a_webhook_with_a_key_pair_shows_its_public_key_alone() {
    let api = Fixture::new().await;
    seal_with(&api, 1, None);
    let body = json!({ "name": "crm", "url": "https://crm.example.com/", "signature": "v1a" });
    let made = api.post("/webhooks", body).await;
    assert_eq!((&made["signature"], &made["secret"]), (&json!("v1a"), &Value::Null));
    assert!(made["public_key"].as_str().unwrap().starts_with("whpk_"), "{made}");
    assert_eq!(api.get("/webhooks/crm").await["public_key"], made["public_key"]);
    let path = "/webhooks/crm/rotate-secret";
    let rotated = api.call("POST", path, Some(json!({}))).await.expect(200);
    assert_ne!(rotated["public_key"], made["public_key"]);
    assert_eq!(rotated["signature"], "v1a", "what is absent stays");
    let change = json!({ "signature": "v1" });
    let shared = api.call("POST", path, Some(change)).await.expect(200);
    assert!(shared["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(
        (&shared["signature"], &shared["public_key"]),
        (&json!("v1"), &Value::Null)
    );
    let given = json!({ "signature": "v1a", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" });
    let refused = api.call("POST", path, Some(given)).await.expect(422);
    assert!(refused["detail"].as_str().unwrap().contains("`secret`"), "{refused}");
}

#[tokio::test]
async fn tries_deliveries_and_progress_are_shown() {
    let (api, _) = with_webhook().await;
    let attempt = DeliveryAttempt {
        webhook: "crm".to_owned(),
        sequence: 7,
        attempt: 2,
        at_ms: NOW_MS,
        took_ms: 31,
        status: Some(503),
        error: None,
        next_try_ms: Some(NOW_MS + 1_000),
    };
    let waiting = WaitingDelivery {
        webhook: "crm".to_owned(),
        sequence: 7,
        object: "user:1".to_owned(),
        attempts: 2,
        taken_up_ms: NOW_MS,
        next_try_ms: NOW_MS + 1_000,
        dead_at_ms: None,
    };
    let settlement = Settlement {
        progress: WebhookProgress {
            failures: 1,
            failing_since_ms: Some(NOW_MS),
            next_try_ms: NOW_MS + 500,
            ..WebhookProgress::after("crm", 7)
        },
        waiting: vec![waiting],
        delivered: Vec::new(),
        attempts: vec![attempt],
        at_ms: NOW_MS,
    };
    let directory = &api.directory;
    assert!(
        directory
            .lease_webhooks("a".to_owned(), NOW_MS, NOW_MS + 1_000)
            .await
            .unwrap()
    );
    assert!(directory.settle_webhook("a".to_owned(), settlement).await.unwrap());
    let shown = api.get("/webhooks/crm").await;
    assert_eq!((&shown["cursor"], &shown["failures"]), (&json!(7), &json!(1)));
    let tries = api.get("/webhooks/crm/attempts").await;
    assert_eq!(tries["items"][0]["outcome"], "failed");
    assert_eq!(tries["items"][0]["status"], 503);
    let deliveries = api.get("/webhooks/crm/deliveries").await;
    assert_eq!(deliveries["items"][0]["object"], "user:1");
    let dead = api.get("/webhooks/crm/deliveries?state=dead").await;
    assert_eq!(dead["items"], json!([]));
    let retried = api
        .call("POST", "/webhooks/crm/retry", Some(json!({})))
        .await
        .expect(200);
    assert_eq!(retried, json!({ "deliveries": 1 }));
    api.call("POST", "/webhooks/crm/replay", Some(json!({ "after": 3 })))
        .await
        .expect(204);
    assert_eq!(api.get("/webhooks/crm").await["cursor"], 3);
}

/// `narthex connection reencrypt` seals the secrets of webhooks again, too: afterwards the previous key can go.
#[tokio::test]
async fn sec_webhook_secrets_are_sealed_again_with_a_new_key() {
    let (api, _) = with_webhook().await;
    let both = seal_with(&api, 2, Some(1));
    let done = narthex_admin::reseal(&*api.directory, &both, &api.by()).await.unwrap();
    assert_eq!((done.sealed_again, done.failed.len()), (1, 0));
    let only_new = seal_with(&api, 2, None);
    let document = api.directory.document(DocumentKind::Webhook, "crm".to_owned()).await;
    let document = document.unwrap().unwrap();
    let settings = WebhookSettings::read(&document.body).unwrap();
    let opened = narthex_admin::ops::webhooks::record::open_secrets(Some(&only_new), &document, &settings);
    assert!(opened.is_ok(), "{opened:?}");
    let elsewhere = WebhookSettings {
        url: "https://attacker.example.com/".to_owned(),
        ..settings
    };
    let opened = narthex_admin::ops::webhooks::record::open_secrets(Some(&only_new), &document, &elsewhere);
    assert!(opened.is_err(), "a secret opens for its address only");
}
