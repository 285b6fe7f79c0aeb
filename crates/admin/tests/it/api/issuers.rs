//! `/issuers` and `/routes`

use narthex_admin::ops::OpError;
use narthex_admin::ops::issuers::setup_links::{LINK_MS, SetupHolder};
use narthex_directory::{DocumentKind, Documents as _};
use narthex_session::cookie::Secret;
use serde_json::{Map, Value, json};

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

fn document(name: &str, iss: &str) -> Value {
    json!({ "name": name, "issuer": iss, "discovery": true, "audiences": ["app"] })
}

#[tokio::test]
async fn an_issuer_is_created_changed_and_deleted() {
    let api = Fixture::new().await;
    let body = json!({ "document": document("partners", "https://id.partners.example") });
    let created = api.call("POST", "/issuers", Some(body.clone())).await;
    assert_eq!(created.header("location"), "/api/v1/issuers/partners/document");
    let made = created.expect(201);
    assert_eq!([&made["name"], &made["state"]], ["partners", "pending"]);
    api.call("POST", "/issuers", Some(body))
        .await
        .problem(409, "resource.exists");
    let mut changed = document("partners", "https://id.partners.example");
    changed["mode"] = json!("observe");
    let path = "/issuers/partners/document";
    let body = Some(json!({ "document": changed }));
    let old = [("if-match", "\"7\"")];
    api.call_with("PUT", path, body.clone(), &old)
        .await
        .problem(412, "resource.changed");
    let read = api.call("PUT", path, body).await.expect(200);
    assert_eq!(read["document"]["mode"], "observe");
    assert_eq!(api.get("/issuer-documents").await["items"][0]["name"], "partners");
    api.call("DELETE", "/issuers/partners", None).await.expect(204);
    api.call("GET", path, None).await.problem(404, "resource.unknown");
}

#[tokio::test]
async fn a_document_is_answered_with_all_of_its_problems_and_their_places() {
    let api = Fixture::new().await;
    let mut body = document("partners", "https://id.partners.example");
    body["leeway"] = json!(7);
    body["proxy"] = json!("http://proxy.internal:3128");
    let refused = api.call("POST", "/issuers", Some(json!({ "document": body }))).await;
    refused.problem(422, "resource.invalid");
    let text = refused.text();
    assert!(text.contains("/leeway") && text.contains("/proxy"), "{text}");
    let twice = "{\"document\":{\"name\":\"a\",\"name\":\"b\"}}";
    let request = http::Request::post("/api/v1/issuers")
        .header("authorization", format!("Bearer {}", api.admin))
        .header("content-type", "application/json")
        .body(axum::body::Body::from(twice))
        .unwrap();
    assert!(api.send(request).await.text().contains("is there twice"));
}

/// Users of an issuer that is gone may still hold roles anywhere.
#[tokio::test]
async fn sec_a_realm_with_users_goes_to_no_issuer_of_one_organization() {
    let api = Fixture::new().await;
    api.post("/organizations", json!({ "name": "acme" })).await;
    api.sign_in("ada", &["platform-admins"]).await;
    let mut body = document("acme-idp", "https://id.acme.example");
    body["organization"] = json!("acme");
    body["realm"] = json!("main");
    let refused = api.call("POST", "/issuers", Some(json!({ "document": body }))).await;
    refused.problem(422, "resource.invalid");
    assert!(refused.text().contains("has users or organizations already"));
    body["realm"] = json!("acme-idp");
    api.call("POST", "/issuers", Some(json!({ "document": body })))
        .await
        .expect(201);
}

async fn setup_link(api: &Fixture) -> Secret {
    let made = api
        .call("POST", "/organizations/acme/setup-links", None)
        .await
        .expect(201);
    let path = made["path"].as_str().unwrap().to_owned();
    assert!(
        !api.get("/organizations/acme/setup-links")
            .await
            .to_string()
            .contains(&path)
    );
    Secret::parse(path.trim_start_matches("/setup?code=")).unwrap()
}

fn issuer(iss: &str) -> Map<String, Value> {
    json!({ "issuer": iss, "discovery": true, "audiences": ["app"] })
        .as_object()
        .unwrap()
        .clone()
}

async fn holder(api: &Fixture, secret: &Secret) -> Result<SetupHolder, OpError> {
    api.operations.setup_holder(secret).await
}

#[tokio::test]
async fn sec_a_setup_link_makes_one_issuer() {
    let api = Fixture::new().await;
    let acme = api.post("/organizations", json!({ "name": "acme" })).await;
    let secret = setup_link(&api).await;
    let mut first = holder(&api, &secret).await.unwrap();
    let mut second = holder(&api, &secret).await.unwrap();
    let made = first.save(issuer("https://id.acme.example")).await.unwrap();
    assert_eq!(made.organization.unwrap().to_string(), acme["id"].as_str().unwrap());
    assert!(
        made.name.starts_with("acme-") && made.body["mode"] == "observe",
        "{made:?}"
    );
    // Another browser that came at the same time makes no second one.
    assert!(second.save(issuer("https://other.example")).await.is_err());
    let mut again = holder(&api, &secret).await.unwrap();
    let changed = again.save(issuer("https://id2.acme.example")).await.unwrap();
    assert_eq!(changed.name, made.name);
    let mut reaching = issuer("https://id.acme.example");
    reaching.insert("realm".to_owned(), json!("main"));
    assert!(again.save(reaching).await.is_err());
    // It lets people in, and the link has ended.
    let on = again.switch_on().await.unwrap();
    assert_eq!(on.body["mode"], "enforce");
    assert!(matches!(holder(&api, &secret).await, Err(OpError::Unknown { .. })));
    let found = api.directory.document(DocumentKind::Issuer, made.name).await.unwrap();
    assert_eq!(found.unwrap().version, on.version);
}

#[tokio::test]
async fn sec_a_setup_link_that_does_not_work_is_not_there() {
    let api = Fixture::new().await;
    api.post("/organizations", json!({ "name": "acme" })).await;
    let unknown = |found: Result<SetupHolder, OpError>| matches!(found, Err(OpError::Unknown { .. }));
    assert!(unknown(holder(&api, &Secret::draw().unwrap()).await), "never made");
    let secret = setup_link(&api).await;
    let id = api.get("/organizations/acme/setup-links").await["items"][0]["id"].clone();
    api.call("DELETE", &format!("/setup-links/{}", id.as_str().unwrap()), None)
        .await
        .expect(204);
    assert!(unknown(holder(&api, &secret).await), "revoked");
    let secret = setup_link(&api).await;
    api.clock.advance(LINK_MS);
    assert!(unknown(holder(&api, &secret).await), "expired");
}
