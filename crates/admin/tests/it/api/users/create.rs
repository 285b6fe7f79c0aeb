use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn makes_a_user_with_exactly_the_fields_of_the_specification() {
    let api = Fixture::new().await;
    let body = json!({
        "external_id": "7f2c", "username": "ada", "email": " ada@example.com ", "name": "Ada",
        "country": "cz", "timezone": "europe/prague", "locale": "cs_cz", "language": "CS",
    });
    let reply = api.call("POST", "/users", Some(body)).await;
    let user = reply.expect(201);
    let id = user["id"].as_str().unwrap();
    assert_eq!(reply.header("location"), format!("/api/v1/users/{id}"));
    assert_eq!(reply.header("etag"), "\"1\"");
    let expected = json!({
        "id": id, "realm": "main", "external_id": "7f2c", "username": "ada", "email": "ada@example.com",
        "name": "Ada", "country": "CZE", "timezone": "Europe/Prague", "locale": "cs-CZ", "language": "cs",
        "platform_role": "user", "status": "active", "context": {}, "tokens_not_before": null,
        "last_seen_at": null, "created_at": "2023-11-14T22:13:20.000Z", "updated_at": "2023-11-14T22:13:20.000Z",
    });
    assert_eq!(user, expected);
    assert_eq!(api.get(&format!("/users/{id}")).await, expected);
}

#[tokio::test]
async fn the_username_defaults_to_the_external_id_and_both_are_unique_in_the_realm() {
    let api = Fixture::new().await;
    assert_eq!(api.post("/users", json!({"external_id": "a"})).await["username"], "a");
    let again = api
        .call("POST", "/users", Some(json!({"external_id": "a", "username": "b"})))
        .await;
    assert!(again.problem(409, "resource.exists").contains("external_id"));
    let same_name = api
        .call("POST", "/users", Some(json!({"external_id": "b", "username": "a"})))
        .await;
    assert!(same_name.problem(409, "resource.exists").contains("username"));
    api.add_realm("other");
    api.post("/users", json!({"external_id": "a", "realm": "other"})).await;
}

#[tokio::test]
async fn says_which_value_breaks_which_rule() {
    let api = Fixture::new().await;
    for (body, field) in [
        (json!({"external_id": " a"}), "external_id"),
        (json!({"external_id": ""}), "external_id"),
        (json!({"external_id": "a", "username": "a\u{7}"}), "username"),
        (json!({"external_id": "a\u{202e}b"}), "external_id"),
        (json!({"external_id": "a", "username": "a\u{2066}b"}), "username"),
        (json!({"external_id": "a", "realm": ""}), "realm"),
        (json!({"external_id": "a", "country": "Bohemia"}), "country"),
        (json!({"external_id": "a", "timezone": "Mars/Olympus"}), "timezone"),
        (json!({"external_id": "a", "locale": "!"}), "locale"),
        (json!({"external_id": "a", "name": "x".repeat(257)}), "name"),
    ] {
        let detail = api
            .call("POST", "/users", Some(body))
            .await
            .problem(422, "resource.invalid");
        assert!(detail.starts_with(&format!("`{field}`: ")), "{detail}");
        let names_it = !detail.contains("direction of text") || detail.contains("U+2");
        assert!(names_it, "{detail}");
    }
}

#[tokio::test]
async fn a_realm_must_be_named_where_there_is_more_than_one_or_none() {
    let api = Fixture::new().await;
    api.gateway.realms.lock().unwrap().push("second");
    let create = || api.call("POST", "/users", Some(json!({"external_id": "a"})));
    assert!(
        create()
            .await
            .problem(422, "resource.invalid")
            .contains("more than one realm")
    );
    api.gateway.realms.lock().unwrap().clear();
    assert!(create().await.problem(422, "resource.invalid").contains("no issuer"));
}
