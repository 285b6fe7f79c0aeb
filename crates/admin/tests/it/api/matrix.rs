//! Who may do what: every operation of the OpenAPI document, tried by every kind of actor.

use std::fmt::Write as _;
use std::path::PathBuf;

use narthex_directory::{OrganizationRole, People, PlatformRole, ScopedRole};
use serde_json::{Value, json};

use super::Fixture;

const ACTORS: [&str; 9] = [
    "nobody",
    "key: platform admin",
    "key: platform viewer",
    "key: admin of acme",
    "key: admin of umbrella",
    "token: platform admin",
    "token: admin of acme",
    "token: member of acme",
    "token: without any role",
];

/// A directory with one of everything, and the bearer of each actor.
struct World {
    api: Fixture,
    bearers: [Option<String>; 9],
    acme: String,
    team: String,
    user: String,
    key: String,
    connection: String,
}

async fn world() -> World {
    let api = Fixture::new().await;
    let body = json!({"name": "acme", "external_admin_groups": "boss", "external_member_groups": "staff"});
    let acme = id(&api.post("/organizations", body).await);
    let umbrella = id(&api.post("/organizations", json!({"name": "umbrella"})).await);
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
    for (name, tag) in [
        ("root", "platform-admins"),
        ("chief", "boss"),
        ("worker", "staff"),
        ("stranger", "none"),
    ] {
        api.sign_in(name, &[tag]).await;
    }
    let of_organization = |id: &str| ScopedRole::Organization(id.parse().unwrap(), OrganizationRole::Admin);
    let bearers = [
        None,
        Some(api.admin.clone()),
        Some(api.key(ScopedRole::Platform(PlatformRole::Viewer)).await),
        Some(api.key(of_organization(&acme)).await),
        Some(api.key(of_organization(&umbrella)).await),
        Some("root".to_owned()),
        Some("chief".to_owned()),
        Some("worker".to_owned()),
        Some("stranger".to_owned()),
    ];
    World {
        api,
        bearers,
        acme,
        team,
        user,
        key,
        connection,
    }
}

fn id(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

/// What is sent to an operation; operations that take no body are not here.
fn body(operation: &str) -> Option<Value> {
    Some(match operation {
        "create_user" => json!({"external_id": "new"}),
        "update_user" | "create_team" | "update_team" | "update_connection" => json!({"name": "x"}),
        "grant_platform_role" => json!({"role": "viewer"}),
        "create_organization" => json!({"name": "new"}),
        "update_organization" => json!({"label": "x"}),
        "grant_organization_role" | "grant_team_role" => json!({"role": "admin"}),
        "preview_organization_tags" => json!({"external_member_groups": "x"}),
        "explain" => json!({"token": "x"}),
        "create_connection" => {
            json!({"organization": "acme", "name": "x", "document": {"url": "https://api.example.com/"}})
        }
        "create_api_key" => json!({"name": "x", "role": "admin"}),
        _ => return None,
    })
}

/// Rows beside the operations: what an organization's admin may do to the organization depends on the member.
const MEMBERS: [(&str, &str, &str); 6] = [
    (
        "update_organization: name",
        "PATCH /organizations/{organization}",
        r#"{"name":"x"}"#,
    ),
    (
        "update_organization: external_id",
        "PATCH /organizations/{organization}",
        r#"{"external_id":"x"}"#,
    ),
    (
        "update_organization: membership",
        "PATCH /organizations/{organization}",
        r#"{"membership":"mixed"}"#,
    ),
    (
        "update_organization: status",
        "PATCH /organizations/{organization}",
        r#"{"status":"active"}"#,
    ),
    (
        "update_team: organization",
        "PATCH /teams/{team}",
        r#"{"organization":"umbrella"}"#,
    ),
    (
        "update_team: external_id",
        "PATCH /teams/{team}",
        r#"{"external_id":"x"}"#,
    ),
];

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
        .replace("/api-keys/{id}", &format!("/api-keys/{}", world.key))
        .replace("{id}", &world.user)
        .replace("{name}", "idp");
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
        // A logo is sent with another media type than the table's, which is looked at after the right to send it.
        415 if path.ends_with("/logo") => "yes",
        other => panic!("{method} {path} as {} is {other}: {}", ACTORS[actor], reply.text()),
    };
    if answer != "yes" || method == "GET" {
        *kept = Some(world);
    }
    answer
}

#[tokio::test]
async fn every_operation_by_every_kind_of_actor_is_in_the_matrix() {
    let document: Value = serde_json::from_str(&narthex_admin::api::openapi()).unwrap();
    let mut rows: Vec<(String, String, String, Option<Value>)> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.trim_start_matches("/api/v1").to_owned();
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            let takes_json = !operation["requestBody"]["content"]["application/json"].is_null();
            assert_eq!(
                takes_json,
                body(&name).is_some(),
                "`{name}` takes a body and this test sends none, or the reverse"
            );
            let body = body(&name);
            rows.push((name, method.to_uppercase(), path.clone(), body));
        }
    }
    for (name, operation, body) in MEMBERS {
        let (method, path) = operation.split_once(' ').unwrap();
        rows.push((
            name.to_owned(),
            method.to_owned(),
            path.to_owned(),
            serde_json::from_str(body).unwrap(),
        ));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let mut table = String::from(
        "Who may do what through the admin API. `no` is 403, `who?` is 401.\n`acme` is the organization the operation is about.\n\n",
    );
    for (index, actor) in ACTORS.iter().enumerate() {
        writeln!(table, "  {index} = {actor}").unwrap();
    }
    write!(table, "\n{:<34}", "operation").unwrap();
    for index in 0..ACTORS.len() {
        write!(table, "{index:<6}").unwrap();
    }
    let mut kept = None;
    for (name, method, path, body) in rows {
        write!(table, "\n{name:<34}").unwrap();
        for actor in 0..ACTORS.len() {
            write!(
                table,
                "{:<6}",
                cell(&mut kept, actor, &method, &path, body.clone()).await
            )
            .unwrap();
        }
    }
    let trimmed: Vec<&str> = table.lines().map(str::trim_end).collect();
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/api/matrix.txt");
    crate::golden(&file, &format!("{}\n", trimmed.join("\n")));
}
