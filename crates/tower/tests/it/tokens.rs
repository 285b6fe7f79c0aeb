//! Tokens of an issuer, verified by the application itself.

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use http::{Request, Response};
use narthex_testkit::{IdentityProvider, TestIssuer, TestKey};
use narthex_token::BoundTokens;
use narthex_tower::{Access, Caller, IssuerPolicy, KeySource, Verifier, VerifyLayer};
use tower_service::Service as _;

const ISSUER: &str = "https://idp.test";

fn verifier(idp: &IdentityProvider) -> Verifier {
    let keys = KeySource::url(&idp.jwks_url(), Access::default()).unwrap();
    let policy = IssuerPolicy {
        audiences: vec!["narthex".to_owned()],
        ..IssuerPolicy::key_set("corp", ISSUER)
    };
    Verifier::of_tokens(keys, policy).unwrap()
}

/// An application that answers with the subject of its caller.
fn application(layer: VerifyLayer) -> Router {
    let answer = async |caller: Option<Extension<Caller>>| {
        let subject = caller.as_ref().and_then(|Extension(caller)| caller.subject());
        subject.unwrap_or("no caller").to_owned()
    };
    Router::new().route("/", get(answer)).layer(layer)
}

async fn ask(application: &Router, authorization: &[String]) -> (u16, String, Response<Body>) {
    let mut request = Request::builder().uri("/");
    for value in authorization {
        request = request.header("authorization", value);
    }
    let request = request.body(Body::empty()).unwrap();
    let mut response = application.clone().call(request).await.unwrap();
    let body = std::mem::take(response.body_mut());
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    (response.status().as_u16(), text, response)
}

fn bearer(token: &str) -> Vec<String> {
    vec![format!("Bearer {token}")]
}

#[tokio::test]
async fn a_token_is_verified_and_its_caller_is_there() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let application = application(VerifyLayer::new(verifier(&idp)));
    let token = TestIssuer::new(ISSUER).token().subject("ada").sign();
    let (status, text, _) = ask(&application, &bearer(&token)).await;
    assert_eq!((status, text.as_str()), (200, "ada"));
}

/// Every refusal has its reason, and nothing of it reaches the application.
#[tokio::test]
async fn sec_the_layer_lets_no_bad_token_pass() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let token = || TestIssuer::new(ISSUER).token().subject("ada");
    let good = token().sign();
    let cases = [
        (vec![], "token.missing"),
        (vec!["Basic YTpi".to_owned()], "token.missing"),
        ([bearer(&good), bearer(&good)].concat(), "token.multiple"),
        (bearer("a.b"), "token.malformed"),
        (bearer(&token().unsigned()), "token.algorithm"),
        (bearer(&token().forged_with(TestKey::Rsa2).sign()), "token.signature"),
        (bearer(&token().expired().sign()), "token.expired"),
        (bearer(&token().audience("another").sign()), "token.audience"),
        (
            bearer(&token().issuer("https://another.test").sign()),
            "token.issuer_unknown",
        ),
    ];
    for optional in [false, true] {
        let layer = if optional {
            VerifyLayer::optional(verifier(&idp))
        } else {
            VerifyLayer::new(verifier(&idp))
        };
        let application = application(layer);
        for (authorization, reason) in &cases {
            let (status, text, response) = ask(&application, authorization).await;
            if optional && *reason == "token.missing" {
                assert_eq!((status, text.as_str()), (200, "no caller"));
                continue;
            }
            assert_eq!(status, 401, "{reason}: {text}");
            assert!(
                text.contains(&format!("\"urn:narthex:reason:{reason}\"")),
                "{reason}: {text}"
            );
            let authenticate = response.headers()["www-authenticate"].to_str().unwrap();
            assert!(authenticate.starts_with("Bearer"), "{authenticate}");
        }
    }
}

/// The layer checks no proof of possession, so a stolen token would be as good as its owner's.
#[tokio::test]
async fn sec_the_layer_takes_no_token_that_is_bound_to_a_key() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let bound = TestIssuer::new(ISSUER).token().subject("ada");
    let bound = bound.claim(
        "cnf",
        serde_json::json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }),
    );
    let bound = bearer(&bound.sign());
    for bound_tokens in [BoundTokens::Refused, BoundTokens::Proved, BoundTokens::Required] {
        let keys = KeySource::url(&idp.jwks_url(), Access::default()).unwrap();
        let policy = IssuerPolicy {
            audiences: vec!["narthex".to_owned()],
            bound_tokens,
            ..IssuerPolicy::key_set("corp", ISSUER)
        };
        let application = application(VerifyLayer::new(Verifier::of_tokens(keys, policy).unwrap()));
        let (status, text, _) = ask(&application, &bound).await;
        assert_eq!(status, 401, "{bound_tokens:?}: {text}");
        assert!(text.contains("token.bound"), "{bound_tokens:?}: {text}");
    }
}

/// Nothing is believed while there are no keys, and the client is told to come again.
#[tokio::test]
async fn sec_the_layer_believes_nothing_without_keys() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    idp.down();
    let token = TestIssuer::new(ISSUER).token().subject("ada").sign();
    for layer in [VerifyLayer::new(verifier(&idp)), VerifyLayer::optional(verifier(&idp))] {
        let (status, text, response) = ask(&application(layer), &bearer(&token)).await;
        assert_eq!(status, 503, "{text}");
        assert!(response.headers().contains_key("retry-after"));
    }
}
