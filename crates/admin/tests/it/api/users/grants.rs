use serde_json::{Value, json};

use crate::api::Fixture;

fn roles(page: &Value) -> Vec<(&str, &str)> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|grant| {
            (
                grant["scope"]["name"].as_str().unwrap_or("-"),
                grant["role"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn says_who_had_which_role_when_and_which_token_gave_it() {
    let api = Fixture::new().await;
    let body = json!({"name": "acme", "external_admin_groups": ["boss"], "external_member_groups": "staff"});
    let organization = api.post("/organizations", body).await;
    let id = api.sign_in("ada", &["staff"]).await.user().id;
    let path = format!("/users/{id}/grants");
    let first = api.get(&path).await;
    assert_eq!(
        first["items"][0],
        json!({
            "id": first["items"][0]["id"], "user_id": id.to_string(),
            "scope": {"kind": "organization", "id": organization["id"], "name": "acme"},
            "role": "member", "source": "tag", "issuer": "idp", "tag": "staff",
            "token": {"jti": "jti-1", "sha256_prefix": "00ff00ff00ff00ff00ff00ff00ff00ff"},
            "gives": "member", "idle_why": null,
            "granted_at": "2023-11-14T22:13:20.000Z", "asserted_at": "2023-11-14T22:13:20.000Z",
            "lapses_at": null, "revoked_at": null, "why": null, "revoked_why": first["items"][0]["revoked_why"],
        })
    );

    api.clock.advance(3_600_000);
    api.sign_in("ada", &["boss"]).await;
    assert_eq!(roles(&api.get(&path).await), [("acme", "admin")]);
    assert_eq!(roles(&api.get(&format!("{path}?all=true")).await).len(), 2);
    for (as_of, expected) in [
        ("2023-11-14T22:13:19.999Z", vec![]),
        ("2023-11-14T22:13:20Z", vec![("acme", "member")]),
        ("2023-11-14T23:13:20%2B00:30", vec![("acme", "member")]),
        ("2023-11-14T23:13:20Z", vec![("acme", "admin")]),
    ] {
        assert_eq!(
            roles(&api.get(&format!("{path}?as_of={as_of}")).await),
            expected,
            "{as_of}"
        );
    }
}

#[tokio::test]
async fn a_time_that_is_none_is_named() {
    let api = Fixture::new().await;
    let id = api.sign_in("ada", &[]).await.user().id;
    let path = format!("/users/{id}/grants");
    for query in [
        "as_of=yesterday",
        "as_of=2023-11-14",
        "as_of=2023-11-14T22:13:20Z&all=true",
    ] {
        let detail = api
            .call("GET", &format!("{path}?{query}"), None)
            .await
            .problem(400, "request.malformed");
        assert!(detail.contains("as_of"), "{detail}");
    }
}
