//! Every endpoint of the OpenAPI document asks for its caller and passes it to its operation. The permissions of all kinds
//! of callers are tested without HTTP, in `ops/matrix.rs`.

use narthex_directory::{People, Trail};
use serde_json::{Value, json};

use super::Fixture;

/// The callers, and what each is answered.
const ACTORS: [(&str, &str); 3] = [
    ("no credential", "who?"),
    ("key: platform admin", "yes"),
    ("token: without any role", "no"),
];

/// A directory with one of everything, and the bearer of each actor.
struct World {
    api: Fixture,
    bearers: [Option<String>; 3],
    acme: String,
    team: String,
    user: String,
    key: String,
    connection: String,
    machine_key: String,
    session: String,
    setup_link: String,
}

async fn world() -> World {
    let api = Fixture::new().await;
    let body = json!({"name": "acme", "external_admin_groups": "boss", "external_member_groups": "staff"});
    let acme = id(&api.post("/organizations", body).await);
    let team = id(&api
        .post("/organizations/acme/teams", json!({"name": "Night shift"}))
        .await);
    let user = api.sign_in("subject", &["staff"]).await.user().id.to_string();
    for (path, role) in [("/organizations/acme", "member"), (&format!("/teams/{team}"), "member")] {
        api.call("PUT", &format!("{path}/members/{user}"), Some(json!({"role": role})))
            .await
            .expect(200);
    }
    api.call(
        "PUT",
        &format!("/users/{user}/platform-role"),
        Some(json!({"role": "viewer"})),
    )
    .await
    .expect(200);
    let logo = narthex_directory::Logo::new(vec![0xff, 0xd8, 0xff]).unwrap();
    api.directory
        .set_logo(acme.parse().unwrap(), Some(logo), api.by())
        .await
        .unwrap();
    let key = id(&api.post("/api-keys", json!({"name": "x", "role": "viewer"})).await);
    let body = json!({"organization": "acme", "name": "x", "document": {"url": "https://api.example.com/"}});
    let connection = id(&api.post("/connections", body).await);
    let denial = narthex_directory::DenialRecord {
        request_id: "request-1".to_owned(),
        at_ms: api.by().at_ms,
        facts: serde_json::Map::new(),
    };
    api.directory.keep_denials(vec![denial], api.by().at_ms).await.unwrap();
    let body = json!({"name": "x", "role": "member"});
    let machine_key = id(&api.post("/organizations/acme/machine-keys", body).await);
    let document = json!({"name": "idp", "issuer": "https://id.example.com", "discovery": true, "audiences": ["x"]});
    api.post("/issuers", json!({ "document": document })).await;
    let setup_link = id(&api
        .call("POST", "/organizations/acme/setup-links", None)
        .await
        .expect(201));
    super::connections::seal_with(&api, 1, None);
    api.post("/webhooks", json!({"name": "crm", "url": "https://crm.example.com/"}))
        .await;
    api.post("/organizations", json!({"name": "gone", "external_id": "gone"}))
        .await;
    api.call("DELETE", "/organizations/gone", None).await.expect(204);
    let gone = id(&api.post("/users", json!({"external_id": "gone"})).await);
    api.call("DELETE", &format!("/users/{gone}?refuse_later_tokens=true"), None)
        .await
        .expect(200);
    let session = super::sessions::signed_in(&api).await;
    api.sign_in("stranger", &["none"]).await;
    let bearers = [None, Some(api.admin.clone()), Some("stranger".to_owned())];
    World {
        api,
        bearers,
        acme,
        team,
        user,
        key,
        connection,
        machine_key,
        session,
        setup_link,
    }
}

fn id(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

/// What is sent to an operation; operations that take no body are not here.
fn body(operation: &str) -> Option<Value> {
    Some(match operation {
        "change_external_ids" => json!({"changes": [{"from": "subject", "to": "x"}]}),
        "lift_user_erasure" | "lift_organization_deletion" => json!({"external_id": "gone"}),
        "create_user" => json!({"external_id": "new"}),
        "update_user" | "create_team" | "update_team" | "update_connection" => json!({"name": "x"}),
        "grant_platform_role" => json!({"role": "viewer"}),
        "create_organization" => json!({"name": "new"}),
        "update_organization" => json!({"label": "x"}),
        "grant_organization_role" | "grant_team_role" => json!({"role": "admin"}),
        "preview_organization_tags" => json!({"external_member_groups": "x"}),
        "create_revocation" => json!({"issuer": "idp", "jti": "one"}),
        "explain" => json!({"token": "x"}),
        "propose_issuer" => json!({"issuer": "https://id.example.com"}),
        "create_issuer" => {
            json!({"document": {"name": "new", "issuer": "https://new.example.com", "discovery": true, "audiences": ["x"]}})
        }
        "replace_issuer_document" => {
            json!({"document": {"issuer": "https://id.example.com", "discovery": true, "audiences": ["y"]}})
        }
        "create_connection" => {
            json!({"organization": "acme", "name": "x", "document": {"url": "https://api.example.com/"}})
        }
        "create_machine_key" => json!({"name": "x", "role": "member"}),
        "create_webhook" => json!({"name": "erp", "url": "https://erp.example.com/"}),
        "preview_issuer_tags" | "update_webhook" | "rotate_webhook_secret" | "retry_webhook" => json!({}),
        "replay_webhook" => json!({"after": 0}),
        "create_api_key" => json!({"name": "x", "role": "admin"}),
        _ => return None,
    })
}

/// One call: `yes`, `no` (403) or `who?` (401). A world in which something was done is left behind.
async fn cell(kept: &mut Option<World>, actor: usize, method: &str, path: &str, body: Option<Value>) -> &'static str {
    let world = match kept.take() {
        Some(world) => world,
        None => world().await,
    };
    let path = path
        .replace("{organization}", &world.acme)
        .replace("{team}", &world.team)
        .replace("{user_id}", &world.user)
        .replace("{connection}", &world.connection)
        .replace("{key}", &world.machine_key)
        .replace("{link}", &world.setup_link)
        .replace("{request_id}", "request-1")
        .replace("{session}", &world.session)
        .replace("/api-keys/{id}", &format!("/api-keys/{}", world.key))
        .replace("{id}", &world.user)
        .replace("{name}", "idp")
        .replace("{webhook}", "crm");
    let path = if path == "/search" { path + "?q=acme" } else { path };
    let reply = match &world.bearers[actor] {
        Some(bearer) => world.api.call_as(bearer, method, &path, body).await,
        None => {
            world
                .api
                .call_with(method, &path, body, &[("authorization", "None")])
                .await
        }
    };
    let answer = match reply.status.as_u16() {
        200..=299 => "yes",
        401 => "who?",
        403 => "no",
        // The organization is not empty, which is looked at after the right to delete it.
        422 if method == "DELETE" => "yes",
        // A logo is sent with another media type than the table's, which is looked at after the right to send it.
        415 if path.ends_with("/logo") => "yes",
        other => panic!("{method} {path} as {} is {other}: {}", ACTORS[actor].0, reply.text()),
    };
    if answer != "yes" || method == "GET" {
        *kept = Some(world);
    }
    answer
}

#[tokio::test]
async fn every_endpoint_passes_its_caller_to_its_operation() {
    let document: Value = serde_json::from_str(&narthex_admin::api::openapi()).unwrap();
    let mut kept = None;
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.trim_start_matches("/api/v1");
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            let takes_json = !operation["requestBody"]["content"]["application/json"].is_null();
            let body = body(name);
            assert_eq!(
                takes_json,
                body.is_some(),
                "`{name}` takes a body and this test sends none, or the reverse"
            );
            for (actor, (who, expected)) in ACTORS.iter().enumerate() {
                let answer = cell(&mut kept, actor, &method.to_uppercase(), path, body.clone()).await;
                assert_eq!(answer, *expected, "{name}: {who}");
            }
        }
    }
}
