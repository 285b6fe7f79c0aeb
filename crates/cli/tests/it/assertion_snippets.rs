//! The snippets of `docs/how-to/check-the-assertion.md`, and the layer for Rust applications, with an assertion of the binary.

use std::process::{Command, Output};

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use http::Request;
use narthex_testkit::repository;
use narthex_tower::{Access, Caller, KeySource, Verifier, VerifyLayer};
use serde_json::Value;
use tower_service::Service as _;

use crate::how_to::blocks;
use crate::world::{GUARDED, World, member};

/// The addresses on the page.
const KEYS: &str = "http://127.0.0.1:8080/.well-known/jwks.json";
const AUDIENCE: &str = "http://127.0.0.1:9000";

/// Runs a snippet with an assertion.
type Run = fn(&str, &str) -> Output;

/// An assertion as an application gets it, and the user in it.
async fn assertion(world: &World) -> (String, String) {
    let token = member("alice").sign();
    let answer = world.send(world.call("GET", GUARDED).bearer(&token)).await;
    assert_eq!(answer.status, 200);
    let seen = world.upstream.last().unwrap();
    let header = |name| seen.header(name).unwrap();
    (header("x-narthex-assertion"), header("x-narthex-user"))
}

fn keys(world: &World) -> String {
    format!("{}/.well-known/jwks.json", world.narthex.url())
}

/// The one snippet of a language, with the addresses of these surroundings.
fn snippet(language: &str, keys: &str, audience: &str) -> String {
    let page = std::fs::read_to_string(repository().join("docs/how-to/check-the-assertion.md")).unwrap();
    let [snippet] = blocks(&page, language).try_into().unwrap();
    assert!(snippet.contains(KEYS) && snippet.contains(AUDIENCE), "{snippet}");
    snippet.replace(KEYS, keys).replace(AUDIENCE, audience)
}

fn node(snippet: &str, assertion: &str) -> Output {
    let code = format!(
        "const request = {{ headers: {{ \"x-narthex-assertion\": process.env.ASSERTION }} }};\n{snippet}\n\
         console.log(JSON.stringify(payload));"
    );
    // Libraries are looked for from the working directory.
    Command::new("node")
        .args(["--input-type=module", "--eval", &code])
        .current_dir(repository().join("e2e/node"))
        .env("ASSERTION", assertion)
        .output()
        .expect("run `cargo xtask setup`")
}

fn python(snippet: &str, assertion: &str) -> Output {
    let code = format!(
        "import json, os\nclass request:\n    headers = {{\"X-Narthex-Assertion\": os.environ[\"ASSERTION\"]}}\n{snippet}\n\
         print(json.dumps(claims))"
    );
    Command::new(repository().join("e2e/python/.venv/bin/python"))
        .args(["-c", &code])
        .env("ASSERTION", assertion)
        .output()
        .expect("run `cargo xtask setup`")
}

/// Each takes a good assertion, and neither one that was changed nor one for another application.
#[tokio::test]
async fn sec_the_snippets_take_good_assertions_alone() {
    let world = World::start().await;
    let (assertion, user) = assertion(&world).await;
    let (keys, audience) = (keys(&world), world.upstream.url());
    let (claims, signature) = assertion.rsplit_once('.').unwrap();
    let (header, _) = claims.split_once('.').unwrap();
    // Another payload under the same signature.
    let changed = format!("{header}.e30.{signature}");
    let programs: [(&str, Run); 2] = [("js", node), ("python", python)];
    for (language, run) in programs {
        let good = snippet(language, &keys, &audience);
        let output = run(&good, &assertion);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{language}: {errors}");
        let claims: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(claims["sub"], user.as_str(), "{language}");
        assert_eq!(claims["organization"], "acme", "{language}");

        assert!(!run(&good, &changed).status.success(), "{language}");
        let other = snippet(language, &keys, "https://another.example.com");
        assert!(!run(&other, &assertion).status.success(), "{language}");
    }
}

#[tokio::test]
async fn sec_the_layer_takes_good_assertions_alone() {
    let world = World::start().await;
    let (assertion, user) = assertion(&world).await;
    let application = |audience: &str| {
        let keys = KeySource::url(&keys(&world), Access::default()).unwrap();
        let verifier = Verifier::of_assertions(keys, "narthex", audience).unwrap();
        let answer = async |Extension(caller): Extension<Caller>| {
            let parts = [caller.subject(), caller.organization(), caller.organization_role()];
            parts.map(Option::unwrap_or_default).join(" ")
        };
        Router::new().route("/", get(answer)).layer(VerifyLayer::new(verifier))
    };
    let (claims, signature) = assertion.rsplit_once('.').unwrap();
    let (header, _) = claims.split_once('.').unwrap();
    let changed = format!("{header}.e30.{signature}");
    let own = world.upstream.url();
    for (audience, assertion, expected) in [
        (own.as_str(), Some(&assertion), 200),
        (own.as_str(), Some(&changed), 401),
        (own.as_str(), None, 401),
        ("https://another.example.com", Some(&assertion), 401),
    ] {
        let mut request = Request::builder().uri("/").header("x-narthex-user", "forged");
        if let Some(assertion) = assertion {
            request = request.header("x-narthex-assertion", assertion);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = application(audience).call(request).await.unwrap();
        assert_eq!(response.status(), expected, "{audience} {assertion:?}");
        if expected == 200 {
            let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
            assert_eq!(body, format!("{user} acme member"));
        }
    }
}
