//! `/issuers/{name}/preview`

use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn a_preview_says_who_gains_who_loses_and_when() {
    let api = Fixture::new().await;
    api.post("/organizations", json!({"name": "acme", "realm": "main"}))
        .await;
    api.sign_in("ada", &["app-acme-admin"]).await;
    api.sign_in("eve", &["app-umbrella-user", "platform-admins"]).await;
    api.sign_in("bob", &["staff"]).await;
    let patterns = json!([{
        "match": "app-{organization}-{role}",
        "roles": {"admin": "admin", "user": "member"},
        "create": true,
    }]);
    let change = json!({"patterns": patterns, "platform_admin": ["staff", "nobody has it"]});
    let preview = api.call("POST", "/issuers/idp/preview", Some(change)).await.expect(200);
    let mut found: Vec<String> = preview["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let word = |name: &str| item[name].as_str().unwrap_or("-").to_owned();
            let words = ["username", "scope", "organization", "before", "after", "when"].map(word);
            words.join(" ")
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "ada organization acme - admin next_token",
            "bob platform - - admin next_token",
            "eve new_organization umbrella - member next_token",
            "eve platform - admin - at_once",
        ]
    );
    assert_eq!(preview["never_seen"], json!(["nobody has it"]));
    let same = api
        .call("POST", "/issuers/idp/preview", Some(json!({})))
        .await
        .expect(200);
    assert_eq!(same["items"], json!([]));
    let wrong = json!({"patterns": [{"match": "app-{organization}", "roles": {"user": "member"}}]});
    api.call("POST", "/issuers/idp/preview", Some(wrong))
        .await
        .problem(422, "resource.invalid");
    api.call("POST", "/issuers/unknown/preview", Some(json!({})))
        .await
        .problem(404, "resource.unknown");
}
