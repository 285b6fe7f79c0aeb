//! `/issuers` and `/routes`

use serde_json::{Value, json};

use crate::api::Fixture;

#[tokio::test]
async fn issuers_are_listed_by_name_with_the_health_of_their_keys() {
    let api = Fixture::new().await;
    let page = api.get("/issuers?limit=1").await;
    assert_eq!(
        [&page["items"][0]["name"], &page["next_cursor"]],
        ["corporate", "corporate"]
    );
    let rest = api.get("/issuers?limit=1&cursor=corporate").await;
    assert_eq!(
        [&rest["items"][0]["name"], &rest["next_cursor"]],
        [&json!("idp"), &Value::Null]
    );
    let issuer = api.get("/issuers/idp").await;
    assert_eq!(issuer["key_health"]["next_refresh_at"], "2023-11-14T22:23:20.000Z");
    api.call("GET", "/issuers/Idp", None)
        .await
        .problem(404, "resource.unknown");
}

#[tokio::test]
async fn keys_are_shown_and_fetched_on_demand() {
    let api = Fixture::new().await;
    let keys = api.get("/issuers/idp/keys").await;
    assert_eq!(
        [&keys["keys"][0]["kid"], &keys["refused"][0]["why"]],
        ["one", "its modulus is too small"]
    );
    assert_eq!(keys["serving"], true);
    assert_eq!(api.call("POST", "/issuers/idp/refresh", None).await.expect(200), keys);
    let soon = api.call("POST", "/issuers/idp/refresh", None).await;
    soon.problem(429, "rate.limited");
    assert_eq!(soon.header("retry-after"), "2");
    api.call("POST", "/issuers/corporate/refresh", None)
        .await
        .problem(409, "resource.conflict");
    api.call("POST", "/issuers/nobody/refresh", None)
        .await
        .problem(404, "resource.unknown");
    api.call("GET", "/issuers/nobody/keys", None)
        .await
        .problem(404, "resource.unknown");
}

#[tokio::test]
async fn routes_keep_the_order_of_the_configuration() {
    let api = Fixture::new().await;
    let page = api.get("/routes?limit=11").await;
    let indexes: Vec<u64> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| route["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, (0..11).collect::<Vec<_>>());
    let rest = api
        .get(&format!("/routes?cursor={}", page["next_cursor"].as_str().unwrap()))
        .await;
    assert_eq!(rest["items"][0]["index"], 11);
}

#[tokio::test]
async fn a_cursor_that_the_list_did_not_give_is_refused() {
    let api = Fixture::new().await;
    for path in [
        "/issuers?cursor=",
        "/issuers?cursor=zzz",
        "/routes?cursor=1",
        "/routes?cursor=zzzzzzzz",
        "/routes?cursor=",
    ] {
        let reply = api.call("GET", path, None).await;
        let detail = reply.problem(400, "request.malformed");
        assert!(detail.contains("cursor"), "{path}: {detail}");
    }
}

#[tokio::test]
async fn a_route_shows_whom_its_assertions_are_for() {
    let api = Fixture::new().await;
    let page = api.get("/routes?limit=1").await;
    assert_eq!(page["items"][0]["audience"], "https://app.example");
}

#[tokio::test]
async fn an_issuer_is_proposed_with_reasons_and_nothing_is_stored() {
    let api = Fixture::new().await;
    let body = json!({"issuer": "https://sso.example.com/realms/acme"});
    let proposal = api.call("POST", "/issuers/propose", Some(body)).await.expect(200);
    assert_eq!(proposal["provider"]["kind"], "keycloak");
    assert_eq!(proposal["is_complete"], false);
    assert_eq!(proposal["document"]["discovery"], true);
    let settings = proposal["settings"].as_array().unwrap();
    assert!(
        settings
            .iter()
            .all(|setting| !setting["reason"].as_str().unwrap().is_empty())
    );
    for body in [
        json!({}),
        json!({"token": "opaque"}),
        json!({"issuer": "http://id.example.com"}),
        json!({"issuer": "https://id.example.com", "token": "a.b.c"}),
    ] {
        api.call("POST", "/issuers/propose", Some(body))
            .await
            .problem(422, "resource.invalid");
    }
}

#[tokio::test]
async fn the_last_refusals_of_an_issuer_name_claims_and_no_values() {
    let api = Fixture::new().await;
    let refusals = api.get("/issuers/idp/refusals").await;
    assert_eq!(
        refusals["items"][0],
        json!({"at": "2023-11-14T22:13:20.000Z", "request_id": "r1", "door": "proxy", "stage": "token",
            "reason": "token.claim_missing", "problem": "the token lacks the claim `aud`"})
    );
    api.call("GET", "/issuers/none/refusals", None)
        .await
        .problem(404, "resource.unknown");
}
