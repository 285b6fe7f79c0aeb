//! The OpenAPI document, as it is served and as it is kept.

use std::path::PathBuf;

use axum::body::Body;
use http::Request;
use serde_json::Value;

use super::Fixture;

/// Review happens on the file: `UPDATE=1` rewrites it.
#[test]
fn the_document_is_the_one_that_is_kept() {
    crate::golden(&reference(), &narthex_gateway::admin::openapi());
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
    let document: Value = serde_json::from_str(&narthex_gateway::admin::openapi()).unwrap();
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
