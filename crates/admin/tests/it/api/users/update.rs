use serde_json::{Value, json};

use crate::api::Fixture;

async fn ada(api: &Fixture) -> String {
    let user = api
        .post("/users", json!({"external_id": "ada", "email": "a@x", "name": "Ada"}))
        .await;
    format!("/users/{}", user["id"].as_str().unwrap())
}

#[tokio::test]
async fn absent_stays_null_empties_and_a_value_sets() {
    let api = Fixture::new().await;
    let path = ada(&api).await;
    api.clock.advance(1_000);
    let change = json!({"email": null, "country": "DE", "username": "lovelace", "status": "disabled"});
    let reply = api.call("PATCH", &path, Some(change)).await;
    let user = reply.expect(200);
    assert_eq!(reply.header("etag"), "\"2\"");
    assert_eq!(
        [
            &user["email"],
            &user["name"],
            &user["country"],
            &user["username"],
            &user["status"]
        ],
        [
            &Value::Null,
            &json!("Ada"),
            &json!("DEU"),
            &json!("lovelace"),
            &json!("disabled")
        ]
    );
    assert_eq!(user["updated_at"], "2023-11-14T22:13:21.000Z");
}

#[tokio::test]
async fn if_match_keeps_a_change_from_undoing_another() {
    let api = Fixture::new().await;
    let path = ada(&api).await;
    let read = api.call("GET", &path, None).await;
    let etag = read.header("etag");
    let change = |name: &str| Some(json!({"name": name}));
    api.call_with("PATCH", &path, change("one"), &[("if-match", etag)])
        .await
        .expect(200);
    let second = api
        .call_with("PATCH", &path, change("two"), &[("if-match", etag)])
        .await;
    second.problem(412, "resource.changed");
    assert_eq!(api.get(&path).await["name"], "one");
    // Without the header, the last one wins.
    api.call("PATCH", &path, change("three")).await.expect(200);
    api.call_with("PATCH", &path, change("four"), &[("if-match", "*")])
        .await
        .expect(200);
    api.call_with("PATCH", &path, change("five"), &[("if-match", "W/\"4\"")])
        .await
        .problem(412, "resource.changed");
}

#[tokio::test]
async fn what_identifies_a_user_cannot_be_changed() {
    let api = Fixture::new().await;
    let path = ada(&api).await;
    for field in ["realm", "id", "platform_role", "context"] {
        let detail = api
            .call("PATCH", &path, Some(json!({field: "x"})))
            .await
            .problem(400, "request.malformed");
        assert!(detail.contains(&format!("unknown field `{field}`")), "{detail}");
    }
}

#[tokio::test]
async fn an_external_id_changes_and_is_never_anothers() {
    let api = Fixture::new().await;
    let path = ada(&api).await;
    api.post("/users", json!({"external_id": "bob"})).await;
    let change = |id: Value| Some(json!({"external_id": id, "why": "another identity provider"}));
    let user = api.call("PATCH", &path, change(json!("9b1f"))).await;
    assert_eq!(user.expect(200)["external_id"], "9b1f");
    api.call("PATCH", &path, change(json!("bob")))
        .await
        .problem(409, "resource.exists");
    for refused in [json!(null), json!(""), json!(" 9b1f"), json!("a\u{202e}b")] {
        api.call("PATCH", &path, change(refused))
            .await
            .problem(422, "resource.invalid");
    }
}

#[tokio::test]
async fn a_username_that_is_taken_is_a_conflict() {
    let api = Fixture::new().await;
    let path = ada(&api).await;
    api.post("/users", json!({"external_id": "bob"})).await;
    api.call("PATCH", &path, Some(json!({"username": "bob"})))
        .await
        .problem(409, "resource.exists");
}
