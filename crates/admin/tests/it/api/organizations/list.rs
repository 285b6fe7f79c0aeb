use narthex_directory::{OrganizationRole, ScopedRole};
use serde_json::{Value, json};

use crate::api::Fixture;

fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    let mut names: Vec<&str> = items.map(|item| item["name"].as_str().unwrap()).collect();
    // Ids of one millisecond are in no particular order.
    names.sort_unstable();
    names
}

#[tokio::test]
async fn finds_by_every_filter() {
    let api = Fixture::new().await;
    api.post(
        "/organizations",
        json!({"name": "acme", "external_id": "1", "external_member_groups": "staff"}),
    )
    .await;
    api.add_realm("two");
    api.post(
        "/organizations",
        json!({"name": "umbrella", "label": "Acme Umbrella", "realm": "two"}),
    )
    .await;
    for (query, expected) in [
        ("", vec!["acme", "umbrella"]),
        ("?realm=two", vec!["umbrella"]),
        ("?name=acme", vec!["acme"]),
        ("?name=acme&realm=two", vec![]),
        ("?name=Acme", vec![]),
        ("?external_id=1", vec!["acme"]),
        ("?tag=staff", vec!["acme"]),
        ("?tag=Staff", vec![]),
        ("?q=ACME", vec!["acme", "umbrella"]),
        ("?name=acme&q=acm&tag=staff&external_id=1", vec!["acme"]),
    ] {
        assert_eq!(
            names(&api.get(&format!("/organizations{query}")).await),
            expected,
            "{query}"
        );
    }
}

/// Whoever reaches one organization sees that one, whatever is asked for.
#[tokio::test]
async fn an_organizations_admin_sees_their_own() {
    let api = Fixture::new().await;
    let own = api.post("/organizations", json!({"name": "acme"})).await;
    api.post("/organizations", json!({"name": "umbrella"})).await;
    let id = own["id"].as_str().unwrap().parse().unwrap();
    let key = api.key(ScopedRole::Organization(id, OrganizationRole::Admin)).await;
    for (query, expected) in [("", vec!["acme"]), ("?name=umbrella", vec![]), ("?q=a", vec!["acme"])] {
        let page = api
            .call_as(&key, "GET", &format!("/organizations{query}"), None)
            .await
            .expect(200);
        assert_eq!(names(&page), expected, "{query}");
    }
}
