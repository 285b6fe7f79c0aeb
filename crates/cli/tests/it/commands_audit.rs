//! `narthex audit list|export|verify`, beside a running server.

use std::fs;

use serde_json::Value;

use crate::commands::narthex;
use crate::world::{GUARDED, World, config, member};

/// A server that has let a member in, so that its trail has events.
async fn world() -> World {
    let world = World::start().await;
    let token = member("ada").sign();
    assert_eq!(world.send(world.call("POST", GUARDED).bearer(&token)).await.status, 200);
    world
}

#[tokio::test]
async fn an_export_verifies_with_the_key_and_a_changed_one_does_not() {
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (export, keys) = (path("audit.ndjson"), path("keys.json"));
    world
        .narthex
        .command(&["audit", "export", "--output", &export])
        .unwrap();
    let set = world.narthex.api().get("/audit/keys").await.unwrap();
    fs::write(&keys, set.to_string()).unwrap();
    let verified = narthex(&["audit", "verify", &export, "--key", &keys, "--json"]);
    let report = verified.json();
    assert_eq!(
        (verified.code, &report["valid"]),
        (0, &Value::Bool(true)),
        "{verified:?}"
    );
    assert_eq!(
        (&report["origin_proved"], &report["complete"]),
        (&Value::Bool(true), &Value::Bool(true))
    );
    assert_eq!(report["first"], 1);
    assert!(report["events"].as_u64().unwrap() > 3, "{report}");
    let text = fs::read_to_string(&export).unwrap();
    fs::write(&export, text.replacen("user.created", "user.updated", 1)).unwrap();
    let refused = narthex(&["audit", "verify", &export]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stdout.contains("its hash is not that of the event"),
        "{}",
        refused.stdout
    );
    let again = world.narthex.command(&["audit", "export", "--output", &export]);
    assert!(again.is_err(), "an export replaces no file");
}

#[tokio::test]
async fn the_api_exports_what_the_command_line_exports() {
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let exported = world
        .narthex
        .command(&["audit", "export", "--action", "user.created"])
        .unwrap();
    let file = folder.path().join("filtered.ndjson");
    fs::write(&file, &exported).unwrap();
    let verified = narthex(&["audit", "verify", file.to_str().unwrap(), "--json"]);
    let report = verified.json();
    assert_eq!(
        (verified.code, &report["complete"]),
        (0, &Value::Bool(false)),
        "{verified:?}"
    );
    assert_eq!(report["events"], 1);
    let csv = world.narthex.command(&["audit", "export", "--format", "csv"]).unwrap();
    assert!(csv.starts_with("sequence,at,actor_kind,"), "{csv}");
    let listed = world
        .narthex
        .command(&["audit", "list", "--actor", "system", "--json"])
        .unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let actions: Vec<&str> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["action"].as_str().unwrap())
        .collect();
    assert!(actions.contains(&"audit_key.created"), "{actions:?}");
}

#[tokio::test]
async fn a_refused_request_is_explained_by_its_id() {
    let world = world().await;
    let refused = world.send(world.call("GET", "/whoami")).await;
    assert_eq!(refused.status, 401);
    let problem: Value = serde_json::from_str(&refused.text()).unwrap();
    let id = problem["request_id"].as_str().unwrap();
    let mut told = None;
    for _ in 0..100 {
        told = world.narthex.command(&["why", id, "--json"]).ok();
        if told.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let told: Value = serde_json::from_str(&told.expect("it is kept within a second")).unwrap();
    assert_eq!(
        (&told["facts"]["reason"], &told["facts"]["path"]),
        (&"token.missing".into(), &"/whoami".into())
    );
    let listed = world.narthex.api().list("/denials").await.unwrap();
    assert!(listed.iter().any(|denial| denial["request_id"] == id), "{listed:?}");
    let unknown = narthex(&[
        "why",
        "nothing-1",
        "--config",
        world.narthex.config_file().to_str().unwrap(),
    ]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
}

#[test]
fn a_file_or_a_key_that_is_none_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    fs::write(&file, "{}").unwrap();
    let (file, missing) = (file.to_str().unwrap(), folder.path().join("none"));
    let missing = missing.to_str().unwrap();
    let wrong: [&[&str]; 4] = [
        &["audit", "verify", missing],
        &["audit", "verify", file, "--key", missing],
        &["audit", "verify", file, "--key", file],
        &["audit", "list", "--action", "user.creatd"],
    ];
    for arguments in wrong {
        let ended = narthex(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}: {ended:?}");
    }
}

/// `[audit] file` gets every event, across a rename and a restart; a refusal is among them.
#[tokio::test]
async fn the_file_of_the_audit_trail_verifies_and_goes_on() {
    let mut world =
        World::with_config(|idp, upstream| format!("[audit]\nfile = \"audit.ndjson\"\n{}", config(idp, upstream)))
            .await;
    let (file, old) = (
        world.narthex.folder().join("audit.ndjson"),
        world.narthex.folder().join("old.ndjson"),
    );
    let has = |path: &std::path::Path, words: &str| fs::read_to_string(path).is_ok_and(|text| text.contains(words));
    let refused = world.send(world.call("GET", "/whoami")).await;
    assert_eq!(refused.status, 401);
    until("a refusal in the file", || {
        has(&file, "request.refused") && has(&file, "token.missing")
    })
    .await;
    let report = narthex(&["audit", "verify", file.to_str().unwrap(), "--json"]).json();
    assert_eq!(
        (&report["valid"], &report["stream"]),
        (&true.into(), &true.into()),
        "{report}"
    );
    let first = report["last"].as_u64().unwrap();

    fs::rename(&file, &old).unwrap();
    let token = member("ada").sign();
    assert_eq!(world.send(world.call("POST", GUARDED).bearer(&token)).await.status, 200);
    until("the user in a new file", || has(&file, "user.created")).await;
    assert!(!has(&old, "user.created"));
    world.narthex.terminate().await.unwrap();
    world.narthex.start_again().await.unwrap();
    world.narthex.command(&["user", "revoke-tokens", "ada"]).unwrap();
    until("a change after the restart", || has(&file, "tokens_not_before")).await;
    let report = narthex(&["audit", "verify", file.to_str().unwrap(), "--json"]).json();
    assert_eq!(report["valid"], true, "{report}");
    assert!(report["first"].as_u64().unwrap() > first, "{report}");
}

/// Waits until something is so, for five seconds at the most.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..100 {
        if is_so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{what}: not within five seconds");
}
