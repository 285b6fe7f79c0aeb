//! `/search`

use narthex_directory::TokenSync;
use serde_json::{Value, json};

use crate::api::Fixture;

/// Kinds and names of what was found.
fn told(found: &Value) -> Vec<(String, String)> {
    let items = found["items"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    items.map(|item| (text(&item["kind"]), text(&item["name"]))).collect()
}

#[tokio::test]
async fn all_kinds_of_records_are_found_by_name_or_id() {
    let api = Fixture::new().await;
    let acme = api
        .post(
            "/organizations",
            json!({"name": "acme", "label": "Acme", "external_member_groups": "staff"}),
        )
        .await;
    let team = api
        .post("/organizations/acme/teams", json!({"name": "Night shift"}))
        .await;
    let ada = api.sign_in("ada", &["staff"]).await.user().id.to_string();
    api.directory.flush().await.unwrap();
    let pair = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    let of = |value: &Value| value["id"].as_str().unwrap().to_owned();
    for (q, expected) in [
        ("ADA".to_owned(), vec![pair("user", "ada")]),
        (ada, vec![pair("user", "ada")]),
        ("acm".to_owned(), vec![pair("organization", "Acme")]),
        (of(&acme), vec![pair("organization", "Acme")]),
        (of(&team), vec![pair("team", "Night shift")]),
        ("idp".to_owned(), vec![pair("issuer", "idp")]),
        (
            "staff".to_owned(),
            vec![pair("organization", "Acme"), pair("tag", "staff")],
        ),
        ("nothing-of-this-name".to_owned(), vec![]),
        ("%20".to_owned(), vec![]),
    ] {
        assert_eq!(told(&api.get(&format!("/search?q={q}")).await), expected, "{q}");
    }
}

#[tokio::test]
async fn sec_a_search_by_the_api_takes_no_credential() {
    let api = Fixture::new().await;
    let token = format!("{}.{}.{}", "e".repeat(20), "y".repeat(20), "J".repeat(20));
    for credential in [token.as_str(), "nx_abcdefgh", "nxk_abcdefgh"] {
        let answer = api.call("GET", &format!("/search?q={credential}"), None).await;
        let detail = answer.problem(422, "resource.invalid");
        assert!(!detail.contains(credential), "{detail}");
        assert!(detail.contains("explain"), "{detail}");
    }
}
