//! The OpenAPI document, as it is served and as it is kept.

use std::path::PathBuf;

use axum::body::Body;
use http::Request;
use narthex_directory::TokenSync;
use serde_json::{Value, json};

use super::Fixture;

/// Review happens on the file: `UPDATE=1` rewrites it.
#[test]
fn the_document_is_the_one_that_is_kept() {
    crate::golden(&reference(), &narthex_admin::api::openapi());
}

fn reference() -> PathBuf {
    narthex_testkit::repository().join("docs/reference/openapi.json")
}

#[tokio::test]
async fn it_is_served_to_anybody() {
    let api = Fixture::new().await;
    let reply = api
        .send(Request::get("/openapi.json").body(Body::empty()).unwrap())
        .await;
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.expect(200)["openapi"], "3.1.0");
}

/// Every operation says what it answers when it does not do what was asked, and every reference leads somewhere.
#[test]
fn it_holds_together() {
    let document: Value = serde_json::from_str(&narthex_admin::api::openapi()).unwrap();
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            for status in ["401", "403", "500", "503"] {
                let problem = &operation["responses"][status]["content"]["application/problem+json"];
                assert_eq!(
                    problem["schema"]["$ref"], "#/components/schemas/Problem",
                    "{method} {path} {status}"
                );
            }
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!(count, ids.len(), "two operations share an id");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for reference in references(&document) {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(schemas.contains_key(name), "{reference}");
    }
}

fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str);
            own.into_iter().chain(members.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// What is answered is what the description says: a client that is made from it must be able to read it.
#[tokio::test]
async fn answers_are_as_described() {
    let api = Fixture::new().await;
    let acme = api
        .post(
            "/organizations",
            json!({"name": "acme", "external_member_groups": "staff"}),
        )
        .await;
    api.post("/organizations/acme/teams", json!({"name": "ops"})).await;
    api.post("/api-keys", json!({"name": "ci", "role": "viewer"})).await;
    let ada = api
        .sign_in("ada", &["staff", "Staff", "Platform-Admins"])
        .await
        .user()
        .id;
    api.directory.flush().await.unwrap();
    let document: Value = serde_json::from_str(&narthex_admin::api::openapi()).unwrap();
    let mut answers = Vec::new();
    for (path, described) in [
        ("/users", "/users"),
        ("/organizations", "/organizations"),
        ("/teams", "/teams"),
        ("/api-keys", "/api-keys"),
        ("/audit-events", "/audit-events"),
        ("/tags", "/tags"),
        ("/issuers", "/issuers"),
        ("/issuers/idp/keys", "/issuers/{name}/keys"),
        ("/routes", "/routes"),
        ("/organizations/acme", "/organizations/{organization}"),
        ("/organizations/acme/members", "/organizations/{organization}/members"),
        (&format!("/users/{ada}"), "/users/{id}"),
        (&format!("/users/{ada}/grants"), "/users/{id}/grants"),
    ] {
        answers.push((described.to_owned(), "get", api.get(path).await));
    }
    let explained = api.call("POST", "/explain", Some(json!({"token": "a.b.c"}))).await;
    answers.push(("/explain".to_owned(), "post", explained.expect(200)));
    let change = json!({"external_member_groups": null});
    let path = format!("/organizations/{}/preview", acme["id"].as_str().unwrap());
    let preview = api.call("POST", &path, Some(change)).await;
    answers.push((
        "/organizations/{organization}/preview".to_owned(),
        "post",
        preview.expect(200),
    ));
    for (path, method, answer) in answers {
        let response = &document["paths"][format!("/api/v1{path}")][method]["responses"]["200"];
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{method} {path} is not described");
        assert_eq!(complaints(&document, schema, &answer, &path), [""; 0]);
    }
}

/// Where a value is not what a schema says: of types, members and items, which are all that the description uses.
fn complaints(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
        return complaints(document, schema, value, at);
    }
    let judged = |schema: &Value| complaints(document, schema, value, at);
    if let Some(one_of) = schema["oneOf"].as_array() {
        let fitting = one_of.iter().filter(|schema| judged(schema).is_empty()).count();
        return if fitting == 1 {
            Vec::new()
        } else {
            vec![format!("{at}: {fitting} of them")]
        };
    }
    let mut found: Vec<String> = schema["allOf"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(judged)
        .collect();
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        named => named.as_str().into_iter().collect(),
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.is_empty() && !types.contains(&is) {
        found.push(format!("{at}: {is}, not {types:?}"));
    }
    let names = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    if value.is_object() {
        let missing = names.filter(|name| value.get(name).is_none());
        found.extend(missing.map(|name| format!("{at}/{name}: missing")));
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let schema = schema["properties"]
            .get(name)
            .unwrap_or(&schema["additionalProperties"]);
        found.extend(complaints(document, schema, value, &format!("{at}/{name}")));
    }
    for value in value.as_array().into_iter().flatten() {
        found.extend(complaints(document, &schema["items"], value, &format!("{at}/-")));
    }
    found
}
