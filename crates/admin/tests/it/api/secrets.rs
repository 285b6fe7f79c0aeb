//! `sec_console_secrets`: no API reads a secret back.

use narthex_directory::{
    ApiKey, ApiKeyId, AssertionKey, CountingIds, Keyring, PlatformRole, ScopedRole, SecretBytes, SecretHash,
};
use serde_json::{Value, json};

use super::Fixture;
use super::fixture::NOW_MS;

/// One of everything is made, with secrets that can be recognized, and then everything that can be read is read.
#[tokio::test]
async fn sec_console_secrets() {
    let api = Fixture::new().await;
    let hash = keys(&api).await;
    api.post(
        "/organizations",
        json!({"name": "acme", "external_member_groups": "staff"}),
    )
    .await;
    let team = api
        .post("/organizations/acme/teams", json!({"name": "Night shift"}))
        .await;
    let user = api.sign_in("ada", &["staff"]).await.user().id.to_string();
    let connection = connection(&api).await;
    let webhook = json!({"name": "crm", "url": "https://crm.example.com/", "secret": format!("whsec_{}", "S0VQVC13ZWJob29r".repeat(3))});
    api.post("/webhooks", webhook).await;
    let fresh = api.post("/api-keys", json!({"name": "fresh", "role": "admin"})).await;
    let body = json!({"name": "fresh", "role": "member"});
    let machine = api.post("/organizations/acme/machine-keys", body).await;

    let secrets = [
        fresh["key"].as_str().unwrap().trim_start_matches("nx_").to_owned(),
        machine["key"].as_str().unwrap().trim_start_matches("nxk_").to_owned(),
        api.admin.trim_start_matches("nx_").to_owned(),
        "a7a7a7a7".to_owned(),
        "p6en".to_owned(),
        "167,167".to_owned(),
        "PRIVATE-KEY-BYTES".to_owned(),
        "UFJJVkFURS1LRVktQllURV".to_owned(),
        "80,82,73,86".to_owned(),
        "KEPT-".to_owned(),
        "S0VQVC13ZWJob29r".to_owned(),
    ];
    let document: Value = serde_json::from_str(&narthex_admin::api::openapi()).unwrap();
    let mut read = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_none() {
            continue;
        }
        let path = path
            .trim_start_matches("/api/v1")
            .replace("{organization}", "acme")
            .replace("{team}", team["id"].as_str().unwrap())
            .replace("{user_id}", &user)
            .replace("{connection}", &connection)
            .replace("{key}", machine["id"].as_str().unwrap())
            .replace("{id}", &user)
            .replace("{name}", "idp")
            .replace("{webhook}", "crm");
        let reply = api.call("GET", &path, None).await;
        let text = reply.text().replace(", ", ",");
        for secret in &secrets {
            assert!(!text.contains(secret), "{path} gives {secret} away");
        }
        read += 1;
    }
    assert!(read >= 20, "only {read} were read");
    assert!(!format!("{:?}", api.directory.api_key(hash).await).contains("167"));
}

/// An API key and an assertion key whose secrets can be recognized. Returns the hash of the first.
async fn keys(api: &Fixture) -> SecretHash {
    let hash = SecretHash([0xa7; 32]);
    let key = ApiKey {
        id: ApiKeyId::new(NOW_MS, &mut CountingIds(77)),
        name: "known hash".to_owned(),
        hash,
        role: ScopedRole::Platform(PlatformRole::Viewer),
        created_at_ms: NOW_MS,
        expires_at_ms: None,
        revoked_at_ms: None,
        last_used_at_ms: None,
    };
    api.directory.create_api_key(key, api.by()).await.unwrap();
    let assertion = AssertionKey {
        kid: "assertion-1".to_owned(),
        private: SecretBytes(b"PRIVATE-KEY-BYTES".to_vec()),
        public_jwk: "{}".to_owned(),
        created_at_ms: NOW_MS,
        signs_until_ms: NOW_MS + 1,
        published_until_ms: NOW_MS + 2,
    };
    api.directory
        .rotate_assertion_key(assertion, 0, api.by())
        .await
        .unwrap();
    hash
}

/// A connection that keeps secrets.
async fn connection(api: &Fixture) -> String {
    super::connections::seal_with(api, 1, None);
    let body = json!({
        "organization": "acme", "name": "x", "document": {"url": "https://api.example.com/{{parameters.a}}"},
        "parameters": {"a": "KEPT-PARAMETER"}, "common": {"b": "KEPT-COMMON"},
    });
    let made = api.post("/connections", body).await;
    made["id"].as_str().unwrap().to_owned()
}
