//! The demo's application: it runs "algorithms" and says who it was told is calling.

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::routing::{any, post};
use serde_json::{Map, Value, json};

/// The application behind the gateway.
pub(super) fn router() -> Router {
    Router::new()
        .route("/v1/algo/{organization}/{algorithm}", post(run))
        .route("/v1/algo/{organization}/{algorithm}/{*version}", post(run_version))
        .fallback(any(echo))
}

async fn run(Path((organization, algorithm)): Path<(String, String)>, headers: HeaderMap, body: String) -> Json<Value> {
    Json(result(&organization, &algorithm, "latest", &headers, &body))
}

async fn run_version(
    Path((organization, algorithm, version)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: String,
) -> Json<Value> {
    Json(result(&organization, &algorithm, &version, &headers, &body))
}

async fn echo(headers: HeaderMap) -> Json<Value> {
    Json(json!({ "hello_from": "the demo application", "caller": caller(&headers) }))
}

fn result(organization: &str, algorithm: &str, version: &str, headers: &HeaderMap, body: &str) -> Value {
    let input: Value = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
    json!({
        "algorithm": format!("{organization}/{algorithm}/{version}"),
        "input": input,
        "caller": caller(headers),
        "token_seen_by_the_application": headers.contains_key("authorization"),
    })
}

/// Identity headers that the gateway sent about the caller, without the signature.
fn caller(headers: &HeaderMap) -> Map<String, Value> {
    let ours = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().strip_prefix("x-narthex-")?, value.to_str().ok()?)));
    ours.map(|(name, value)| {
        let shown = if name == "assertion" {
            format!(
                "{}… (a signed JWT, {} bytes)",
                value.chars().take(20).collect::<String>(),
                value.len()
            )
        } else {
            value.to_owned()
        };
        (name.to_owned(), Value::String(shown))
    })
    .collect()
}
