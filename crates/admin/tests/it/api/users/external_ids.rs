use serde_json::{Value, json};

use crate::api::Fixture;

const PATH: &str = "/users/external-ids";

async fn people(api: &Fixture) {
    for id in ["ann", "bob", "eve"] {
        api.post("/users", json!({"external_id": id})).await;
    }
}

fn effects(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().unwrap();
    items.iter().map(|item| item["effect"].as_str().unwrap()).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "a request may have no body")]
fn list(entries: &[(&str, &str)], apply: bool) -> Option<Value> {
    let entries: Vec<Value> = entries
        .iter()
        .map(|(from, to)| json!({"from": from, "to": to}))
        .collect();
    Some(json!({"changes": entries, "apply": apply, "why": "another provider"}))
}

async fn external_ids(api: &Fixture) -> Vec<String> {
    let users = api.get("/users").await;
    let items = users["items"].as_array().unwrap().iter();
    let mut ids: Vec<String> = items
        .map(|user| user["external_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_preview_names_each_effect_and_changes_nothing() {
    let api = Fixture::new().await;
    people(&api).await;
    let entries = [
        ("ann", "1"),
        ("bob", "bob"),
        ("eve", "ann"),
        ("zoe", "2"),
        ("x", "3"),
        ("y", "3"),
        ("bob ", " "),
    ];
    let answer = api.call("POST", PATH, list(&entries, false)).await;
    let answer = answer.expect(200);
    assert_eq!(
        effects(&answer),
        [
            "changes", "same", "taken", "unknown", "repeated", "repeated", "unusable"
        ]
    );
    assert_eq!((&answer["applied"], &answer["obstacles"]), (&json!(false), &json!(5)));
    assert_eq!(external_ids(&api).await, ["ann", "bob", "eve"]);
}

#[tokio::test]
async fn a_list_is_carried_out_as_a_whole_or_not_at_all() {
    let api = Fixture::new().await;
    people(&api).await;
    api.call("POST", PATH, list(&[("ann", "1"), ("zoe", "2")], true))
        .await
        .problem(409, "resource.conflict");
    assert_eq!(external_ids(&api).await, ["ann", "bob", "eve"]);
    let answer = api.call("POST", PATH, list(&[("ann", "1"), ("bob", "2")], true)).await;
    assert_eq!(answer.expect(200)["applied"], true);
    assert_eq!(external_ids(&api).await, ["1", "2", "eve"]);
}
