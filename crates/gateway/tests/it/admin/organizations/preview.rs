use serde_json::{Value, json};

use crate::admin::Fixture;

#[tokio::test]
async fn says_who_would_gain_and_lose_what_and_writes_nothing() {
    let api = Fixture::new().await;
    let body = json!({"name": "acme", "external_admin_groups": "boss", "external_member_groups": "staff"});
    let before = api.post("/organizations", body).await;
    for (name, tags) in [
        ("ada", vec!["staff"]),
        ("bob", vec!["temps"]),
        ("cy", vec!["boss", "staff"]),
        ("di", vec!["staff", "temps"]),
    ] {
        api.sign_in(name, &tags).await;
    }
    let eve = api.sign_in("eve", &["staff"]).await.user().id;
    api.call(
        "PUT",
        &format!("/organizations/acme/members/{eve}"),
        Some(json!({"role": "member"})),
    )
    .await
    .expect(200);

    let change = json!({"external_member_groups": null, "external_executor_groups": "temps"});
    let page = api
        .call("POST", "/organizations/acme/preview", Some(change))
        .await
        .expect(200);
    let rows: Vec<[&Value; 4]> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| [&row["username"], &row["before"], &row["after"], &row["tags"]])
        .collect();
    let expected = [
        [json!("ada"), json!("member"), json!(null), json!(["staff"])],
        [json!("bob"), json!(null), json!("executor"), json!(["temps"])],
        [
            json!("di"),
            json!("member"),
            json!("executor"),
            json!(["staff", "temps"]),
        ],
    ];
    assert_eq!(rows, expected.each_ref().map(<[Value; 4]>::each_ref));
    assert_eq!(api.get("/organizations/acme").await, before);
}

#[tokio::test]
async fn no_change_changes_nobody() {
    let api = Fixture::new().await;
    api.post(
        "/organizations",
        json!({"name": "acme", "external_member_groups": "staff"}),
    )
    .await;
    api.sign_in("ada", &["staff"]).await;
    for change in [json!({}), json!({"external_member_groups": ["staff"]})] {
        let page = api
            .call("POST", "/organizations/acme/preview", Some(change))
            .await
            .expect(200);
        assert_eq!(page, json!({"items": [], "next_cursor": null}));
    }
}
