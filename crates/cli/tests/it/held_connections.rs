//! A connection that the server holds, from the configuration to the request that is sent, with real tokens of members.

use std::path::Path;

use narthex_testkit::{IdentityProvider, Upstream};
use serde_json::{Value, json};

use crate::world::{World, config, member};

const SECRET: &str = "correct-horse-battery-staple";
const OLD_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NEW_KEY: &str = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf";

/// The usual configuration with a secret key, and with this machine as a host that connections may reach.
fn configured(idp: &IdentityProvider, upstream: &Upstream, secrets: &str) -> String {
    let usual = config(idp, upstream).replace(
        "audiences = [\"narthex\"]",
        "audiences = [\"narthex\"]\nmapping.context.customBaseDomain = \"{{payload.customBaseDomain}}\"",
    );
    format!(
        "{usual}\n[secrets]\n{secrets}\n[connections]\nallowed_hosts = [\"127.0.0.1:*\"]\nallow_private_hosts = [\"127.0.0.1\"]\n"
    )
}

async fn post(world: &World, path: &str, token: &str) -> Value {
    let url = format!("{}/api/v1{path}", world.narthex.admin_url());
    let call = narthex_testkit::client::Call::post(&url).bearer(token);
    let answer = world.client.send(call).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().unwrap()
}

fn bytes_of(path: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.to_string_lossy().contains(".db"))
        .flat_map(|file| std::fs::read(file).unwrap())
        .collect()
}

#[tokio::test]
async fn a_member_uses_it_and_its_key_is_changed_without_a_pause() {
    let mut world = World::with_files(
        |idp, upstream| configured(idp, upstream, "key_file = \"old.key\""),
        &[("old.key", OLD_KEY), ("new.key", NEW_KEY)],
    )
    .await;
    let document = json!({
        "url": format!("{}/hook", world.upstream.url()),
        "headers": {
            "authorization": "Bearer {{jwt(temp.claims, parameters.secret, 'HS256')}}",
            "x-base": "{{environment.context.customBaseDomain}}",
        },
        "temp": {"claims": {"iss": "acme", "iat": "{{timestamp}}"}},
    });
    let new = json!({"organization": "acme", "name": "hook", "document": document, "parameters": {"secret": SECRET}});
    let made = world
        .narthex
        .api()
        .done("POST", "/connections", Some(&new))
        .await
        .unwrap();
    let path = format!("/connections/{}", made["id"].as_str().unwrap());

    let token = member("ada").claim("customBaseDomain", "acme.example").sign();
    let rendered = post(&world, &format!("{path}/headers"), &token).await;
    assert_eq!(
        rendered["headers"][1],
        json!({"name": "X-Base", "value": "acme.example"})
    );
    let tested = post(&world, &format!("{path}/test"), &token).await;
    assert_eq!(tested["valid"], true, "{tested}");

    // The key is changed: both at first, everything encrypted anew, then the old one goes.
    let both = configured(
        &world.idp,
        &world.upstream,
        "key_file = \"new.key\"\nprevious_key_file = \"old.key\"",
    );
    world.narthex.reload(&both).unwrap();
    post(&world, &format!("{path}/headers"), &token).await;
    let told = world.narthex.command(&["connection", "reencrypt"]).unwrap();
    assert_eq!(
        told,
        "The secrets of 1 connection are encrypted with the current key now.\n"
    );
    let one = configured(&world.idp, &world.upstream, "key_file = \"new.key\"");
    world.narthex.reload(&one).unwrap();
    post(&world, &format!("{path}/headers"), &token).await;

    let logs = world.narthex.logs();
    let minted = rendered["headers"][0]["value"]
        .as_str()
        .unwrap()
        .rsplit('.')
        .next()
        .unwrap();
    for hidden in [SECRET, minted, OLD_KEY, NEW_KEY] {
        assert!(!logs.contains(hidden), "the log holds {hidden}");
        let kept = bytes_of(world.narthex.folder());
        assert!(
            !kept.windows(hidden.len()).any(|window| window == hidden.as_bytes()),
            "the store holds {hidden}"
        );
    }
}

/// Exit code, standard output and standard error of a command on the world's store.
fn ended(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_narthex"));
    let output = command
        .args(arguments)
        .arg("--config")
        .arg(world.narthex.config_file())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn the_command_line_creates_shows_tests_and_deletes_one() {
    let world = World::with_files(
        |idp, upstream| configured(idp, upstream, "key_file = \"key\""),
        &[("key", NEW_KEY), ("secret", SECRET)],
    )
    .await;
    let document = json!({
        "url": format!("{}/hook", world.upstream.url()),
        "headers": {"authorization": "Bearer {{jwt(temp.claims, parameters.secret, 'HS256')}}"},
        "temp": {"claims": {"iss": "acme"}},
        "response": {"valid": "{{statusCode = 200}}", "uid": "hook-1"},
    });
    let folder = world.narthex.folder().to_owned();
    let file = folder.join("connection.json").display().to_string();
    std::fs::write(&file, document.to_string()).unwrap();
    let secret = format!("secret={}", folder.join("secret").display());

    // Without its parameter it is listed with what it misses, and its test says so.
    ended(&world, &["connection", "create", "acme", "bare", &file]);
    let (_, listed, _) = ended(&world, &["connection", "list", "acme"]);
    assert!(listed.contains("parameters.secret"), "{listed}");
    let (code, bare, _) = ended(&world, &["connection", "test", "bare"]);
    assert_eq!(code, Some(1), "{bare}");

    let create = ["connection", "create", "acme", "hook", &file, "--param-file", &secret];
    let (code, shown, errors) = ended(&world, &create);
    assert_eq!(code, Some(0), "{errors}");
    assert!(shown.contains("given         parameters.secret"), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");

    // The server holds what the command line made, and the command line sends what the server holds.
    let api = world.narthex.api();
    let listed = api.done("GET", "/connections?organization=acme", None);
    assert_eq!(listed.await.unwrap()["items"][1]["name"], "hook");
    let (code, tested, errors) = ended(&world, &["connection", "test", "hook"]);
    assert_eq!(code, Some(0), "{tested}{errors}");
    assert!(tested.contains("uid      hook-1"), "{tested}");
    let shown = world
        .narthex
        .command(&["connection", "show", "hook", "--json"])
        .unwrap();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["uid"], "hook-1");
    assert_eq!(
        shown["parameters"][0],
        json!({"name": "secret", "needed": true, "given": true})
    );

    // A name that two have is told with both ids; an id and an organization say which.
    world.narthex.command(&["organization", "create", "globex"]).unwrap();
    let create = ["connection", "create", "globex", "hook", &file, "--param-file", &secret];
    world.narthex.command(&create).unwrap();
    let (code, _, errors) = ended(&world, &["connection", "show", "hook"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("add `--organization`"), "{errors}");
    let of_globex = ["connection", "delete", "hook", "--organization", "globex"];
    world.narthex.command(&of_globex).unwrap();
    let (code, _, errors) = ended(&world, &["connection", "show", "hook", "--organization", "globex"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("narthex connection list"), "{errors}");
    assert_eq!(ended(&world, &["connection", "show", "hook"]).0, Some(0));
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_told_with_the_setting() {
    let world = World::with_files(
        |idp, upstream| configured(idp, upstream, "key_file = \"key\""),
        &[("key", NEW_KEY)],
    )
    .await;
    let file = world.narthex.folder().join("connection.json").display().to_string();
    std::fs::write(&file, r#"{"url": "https://elsewhere.example/"}"#).unwrap();
    world
        .narthex
        .command(&["connection", "create", "acme", "away", &file])
        .unwrap();
    let (code, tested, _) = ended(&world, &["connection", "test", "away"]);
    assert_eq!(code, Some(1));
    assert!(tested.contains("`[connections] allowed_hosts`"), "{tested}");
}
