//! Machine keys at the doors: what they open, where they count, and what ends them.

use std::time::Duration;

use narthex_testkit::{
    Answer, Client, IdentityProvider, Narthex, TestKey, Upstream, client::Call, postgres::Cluster, websocket::WebSocket,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::world::{GUARDED, World, config, member};

const BINARY: &str = env!("CARGO_BIN_EXE_narthex");

/// A new machine key of `acme`.
async fn key_of(node: &Narthex, role: &str) -> Value {
    let body = json!({ "name": "nightly export", "role": role });
    let path = "/organizations/acme/machine-keys";
    node.api().done("POST", path, Some(&body)).await.unwrap()
}

fn text<'v>(made: &'v Value, member: &str) -> &'v str {
    made[member].as_str().unwrap()
}

async fn ask(world: &World, key: &str, method: &str, path: &str) -> Answer {
    world.send(world.call(method, path).bearer(key)).await
}

/// The reason of a refusal, once it is the one expected, or after two seconds.
async fn settles_at(world: &World, key: &str, path: &str, reason: &str) -> Option<String> {
    let mut last = None;
    for _ in 0..100 {
        last = ask(world, key, "POST", path).await.reason();
        if last.as_deref() == Some(reason) {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    last
}

/// The application gets the key's id and name, and neither the key nor anything of a person.
#[tokio::test]
async fn an_application_sees_a_machine_key_as_a_service() {
    let world = World::start().await;
    let made = key_of(&world.narthex, "member").await;
    for _ in 0..3 {
        let answer = ask(&world, text(&made, "key"), "POST", GUARDED).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let seen = world.upstream.last().unwrap();
    for (name, value) in [
        ("x-narthex-user", text(&made, "id")),
        ("x-narthex-external-id", &format!("machine-key:{}", text(&made, "id"))),
        ("x-narthex-username", "machine-key:acme/nightly export"),
        ("x-narthex-organization", "acme"),
        ("x-narthex-organization-role", "member"),
        ("x-narthex-platform-role", "user"),
    ] {
        assert_eq!(seen.header(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(seen.header("x-narthex-email").unwrap_or_default(), "");
    assert_eq!(seen.header("authorization"), None);
    let assertion = seen.header("x-narthex-assertion").unwrap();
    let claims = &decoded(&assertion)["claims"];
    assert_eq!((&claims["sub"], &claims["kind"]), (&made["id"], &json!("service")));

    let me = ask(&world, text(&made, "key"), "GET", "/.narthex/me")
        .await
        .json()
        .unwrap();
    assert_eq!(me["user"]["kind"], "service");
    assert_eq!(me["organizations"][0]["role"], "member");
    let person = ask(&world, &member("alice").sign(), "GET", "/.narthex/me").await;
    assert_eq!(person.json().unwrap()["user"]["kind"], "person");

    // No user is made of it, and its use is written down.
    assert_eq!(world.narthex.api().list("/users").await.unwrap().len(), 1);
    let path = format!("/organizations/acme/machine-keys/{}", text(&made, "id"));
    for _ in 0..100 {
        if !world.narthex.api().get(&path).await.unwrap()["last_used_at"].is_null() {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("the use is not recorded");
}

/// A token, as the command line decodes it.
fn decoded(token: &str) -> Value {
    let mut command = std::process::Command::new(BINARY);
    let output = command.args(["token", "decode", token, "--json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A key opens the routes of its own organization as far as its role goes, and no other route of anything.
#[tokio::test]
async fn sec_machine_key_opens_its_own_organization_alone() {
    let world = World::with_config(|idp, upstream| {
        let more = |path: &str, rest: &str| {
            format!(
                "[[route]]\npath = \"{path}\"\nupstream = \"{}\"\n{rest}\n",
                upstream.url()
            )
        };
        [
            config(idp, upstream),
            more("/admin/{organization}", "require = \"organization:admin\""),
            more("/platform", "require = \"platform:user\""),
            more(
                "/issuers/{organization}",
                "require = \"organization:member\"\nissuers = [\"corp\"]",
            ),
            more(
                "/tags/{organization}",
                "require = \"organization:member\"\ntags = [\"staff\"]",
            ),
        ]
        .concat()
    })
    .await;
    let api = world.narthex.api();
    let other = json!({ "name": "other", "realm": "corp" });
    api.done("POST", "/organizations", Some(&other)).await.unwrap();
    let made = key_of(&world.narthex, "member").await;
    for (path, reason) in [
        (GUARDED, None),
        ("/whoami", None),
        ("/public/page", None),
        ("/v1/algo/other/echo/1.0", Some("organization.role")),
        ("/admin/acme", Some("organization.role")),
        ("/platform", Some("platform.role")),
        ("/issuers/acme", Some("route.issuer")),
        ("/tags/acme", Some("route.tag")),
    ] {
        for _ in 0..3 {
            let answer = ask(&world, text(&made, "key"), "POST", path).await;
            assert_eq!(answer.reason().as_deref(), reason, "{path}");
            assert_eq!(answer.status == 200, reason.is_none(), "{path}");
        }
        let body = json!({ "token": made["key"], "request": { "method": "POST", "path": path } });
        let told = api.done("POST", "/explain", Some(&body)).await.unwrap();
        assert_eq!(told["answer"]["reason"].as_str(), reason, "{told}");
    }
    // The key's holder does not find out which organizations there are.
    let unknown = ask(&world, text(&made, "key"), "POST", "/v1/algo/nowhere/echo/1.0").await;
    assert_eq!(unknown.reason().as_deref(), Some("organization.role"));
}

/// A key counts in `Authorization` and nowhere else, and what has its form is tried as nothing else.
#[tokio::test]
async fn sec_machine_key_in_a_query() {
    let world = World::with_config(|idp, upstream| {
        let places = "[\"authorization\", \"query:access_token\", \"cookie:session\", \"header:X-Token\"]";
        config(idp, upstream).replace("name = \"corp\"", &format!("name = \"corp\"\ntoken_from = {places}"))
    })
    .await;
    let made = key_of(&world.narthex, "member").await;
    let key = text(&made, "key");
    let answer = ask(&world, key, "POST", GUARDED).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let elsewhere = [
        world.call("POST", &format!("{GUARDED}?access_token={key}")),
        world.call("POST", GUARDED).header("x-token", key),
        world.call("GET", GUARDED).header("cookie", &format!("session={key}")),
    ];
    for call in elsewhere {
        let refused = world.send(call).await;
        assert_eq!(
            (refused.status, refused.reason().as_deref()),
            (401, Some("token.missing"))
        );
        assert!(!refused.text().contains(key));
    }
    for (wrong, reason) in [
        ("nxk_", "key.unknown"),
        ("nxk_abc", "key.unknown"),
        (&format!("{key}a"), "key.unknown"),
        (key.get(..key.len() - 1).unwrap(), "key.unknown"),
        (&key.replace("nxk_", "nx_"), "token.malformed"),
        (&member("alice").sign().replacen("eyJ", "nxk_eyJ", 1), "key.unknown"),
    ] {
        for path in [GUARDED, "/public/page"] {
            let refused = ask(&world, wrong, "POST", path).await;
            assert_eq!(
                (refused.status, refused.reason().as_deref()),
                (401, Some(reason)),
                "{wrong}"
            );
        }
    }
    assert!(!world.narthex.logs().contains(key), "no key is logged");
}

/// A key of the admin API opens no route.
#[tokio::test]
async fn sec_api_key_at_a_door() {
    let world = World::start().await;
    let api_key = world.narthex.api().key().to_owned();
    for path in [GUARDED, "/whoami", "/public/page", "/.narthex/me"] {
        let refused = ask(&world, &api_key, "GET", path).await;
        assert_eq!(refused.status, 401, "{path}");
        assert_eq!(refused.reason().as_deref(), Some("token.malformed"), "{path}");
    }
    assert!(world.upstream.seen().is_empty());
    // And the other way about.
    let made = key_of(&world.narthex, "admin").await;
    let call = Call::get(&format!("{}/api/v1/organizations/acme", world.narthex.admin_url()));
    let refused = world.send(call.bearer(text(&made, "key"))).await;
    assert_eq!(
        (refused.status, refused.reason().as_deref()),
        (401, Some("api_key.machine_key"))
    );
}

/// Cached answers of a key end with the key, and with its organization on routes that name none.
#[tokio::test]
async fn sec_machine_key_ends_with_what_gave_it() {
    let world = World::start().await;
    let [revoked, kept] = [
        key_of(&world.narthex, "member").await,
        key_of(&world.narthex, "member").await,
    ];
    for made in [&revoked, &kept] {
        for path in [GUARDED, "/whoami", GUARDED, "/whoami", GUARDED] {
            assert_eq!(ask(&world, text(made, "key"), "POST", path).await.status, 200);
        }
    }
    let command = world.narthex.command(&["machine-key", "revoke", text(&revoked, "id")]);
    command.unwrap();
    let reason = settles_at(&world, text(&revoked, "key"), "/whoami", "key.revoked").await;
    assert_eq!(reason.as_deref(), Some("key.revoked"));
    assert_eq!(ask(&world, text(&kept, "key"), "POST", "/whoami").await.status, 200);

    let suspended = json!({ "status": "suspended" });
    let api = world.narthex.api();
    api.done("PATCH", "/organizations/acme", Some(&suspended))
        .await
        .unwrap();
    for path in ["/whoami", GUARDED] {
        let refused = ask(&world, text(&kept, "key"), "POST", path).await;
        assert_eq!(
            (refused.status, refused.reason().as_deref()),
            (403, Some("organization.suspended")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_machine_key_expires_while_its_answer_is_cached() {
    let world = World::start().await;
    let created = world
        .narthex
        .command(&["machine-key", "create", "acme", "short", "--expires-in", "5s", "--json"]);
    let made: Value = serde_json::from_str(&created.unwrap()).unwrap();
    let key = text(&made, "key");
    for _ in 0..3 {
        assert_eq!(ask(&world, key, "POST", GUARDED).await.status, 200);
    }
    sleep(Duration::from_secs(4)).await;
    let reason = settles_at(&world, key, GUARDED, "key.expired").await;
    assert_eq!(reason.as_deref(), Some("key.expired"));
    let body = json!({ "token": key });
    let told = world.narthex.api().done("POST", "/explain", Some(&body)).await.unwrap();
    assert_eq!(told["answer"]["reason"], "key.expired");
    assert_eq!(told["answer"]["cure"]["kind"], "machine_key");
}

#[tokio::test]
async fn explain_takes_a_machine_key_at_the_command_line() {
    let world = World::start().await;
    let made = key_of(&world.narthex, "executor").await;
    let request = format!("POST {GUARDED}");
    let told = world
        .narthex
        .command(&["explain", text(&made, "key"), "--request", &request])
        .unwrap();
    for words in ["organization.role", "Machine key", "nightly export", "executor of acme"] {
        assert!(told.contains(words), "{words} is not in\n{told}");
    }
    assert!(!told.contains(text(&made, "key")), "the key is not repeated");
    // Nothing was written, not even that the key was used.
    let path = format!("/organizations/acme/machine-keys/{}", text(&made, "id"));
    assert_eq!(
        world.narthex.api().get(&path).await.unwrap()["last_used_at"],
        json!(null)
    );
}

/// A stream that a key began ends with the key.
#[tokio::test]
async fn sec_machine_key_ends_its_streams() {
    let world = World::start().await;
    let made = key_of(&world.narthex, "member").await;
    let bearer = format!("Bearer {}", text(&made, "key"));
    let headers = [("authorization", bearer.as_str())];
    let mut socket = WebSocket::open(&world.narthex.address(), "/whoami", &headers)
        .await
        .unwrap();
    let path = format!("/organizations/acme/machine-keys/{}", text(&made, "id"));
    world.narthex.api().done("DELETE", &path, None).await.unwrap();
    let ended = timeout(Duration::from_secs(2), async {
        while socket.receive().await.is_ok() {}
    })
    .await;
    assert!(ended.is_ok(), "the socket is still open");
}

/// A key that one node revokes is refused by the other within a second, although both have answers for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_revoked_machine_key_at_another_node() {
    let (idp, upstream) = (
        IdentityProvider::start(&[TestKey::Rsa1]).unwrap(),
        Upstream::start().unwrap(),
    );
    let database = Cluster::shared().unwrap().empty_database().unwrap();
    let start = async || {
        Narthex::builder(BINARY)
            .config(&("[store]\nurl_file = \"store-url\"\n".to_owned() + &config(&idp, &upstream)))
            .unwrap()
            .file("store-url", database.tcp_url() + "\n")
            .start()
            .await
            .unwrap()
    };
    let (one, two) = (start().await, start().await);
    let acme = json!({ "name": "acme", "realm": "corp" });
    one.api().done("POST", "/organizations", Some(&acme)).await.unwrap();
    let made = key_of(&one, "member").await;
    let client = Client::new();
    let ask = async |node: &Narthex| {
        let call = Call::post(&format!("{}{GUARDED}", node.url())).bearer(text(&made, "key"));
        client.send(call).await.unwrap()
    };
    for node in [&one, &two, &one, &two, &one, &two] {
        assert_eq!(ask(node).await.status, 200);
    }
    let path = format!("/organizations/acme/machine-keys/{}", text(&made, "id"));
    two.api().done("DELETE", &path, None).await.unwrap();
    assert_eq!(ask(&two).await.reason().as_deref(), Some("key.revoked"), "at once");
    sleep(Duration::from_secs(1)).await;
    let refused = ask(&one).await;
    assert_eq!(
        (refused.status, refused.reason().as_deref()),
        (401, Some("key.revoked")),
        "within a second"
    );
}
