//! The directory, worked on from the command line beside a running server.

use std::{fs, process::Command, time::Duration};

use serde_json::Value;

use crate::world::{GUARDED, World, member};

fn json(world: &World, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.push("--json");
    serde_json::from_str(&world.narthex.command(&all).unwrap()).unwrap()
}

/// Exit code, standard output, standard error.
fn fails(world: &World, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narthex"));
    let output = command
        .args(arguments)
        .arg("--config")
        .arg(world.narthex.config_file())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// The status that a member's token gets, once it is the one expected, or after five seconds.
async fn settles_at(world: &World, token: &str, status: u16) -> u16 {
    let mut last = 0;
    for _ in 0..250 {
        last = world.send(world.call("POST", GUARDED).bearer(token)).await.status;
        if last == status {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    last
}

#[tokio::test]
async fn a_change_at_the_command_line_reaches_the_running_server() {
    let world = World::start().await;
    let token = member("ada").sign();
    assert_eq!(settles_at(&world, &token, 200).await, 200);
    let user = world.narthex.api().user("ada").await.unwrap().unwrap();
    let id = user["id"].as_str().unwrap();
    let shown = json(&world, &["user", "disable", id]);
    assert_eq!(shown["status"], "disabled");
    assert_eq!(settles_at(&world, &token, 403).await, 403);
    json(&world, &["user", "enable", id]);
    assert_eq!(settles_at(&world, &token, 200).await, 200);
    json(&world, &["organization", "update", "acme", "--status", "suspended"]);
    assert_eq!(settles_at(&world, &token, 403).await, 403);
}

#[tokio::test]
async fn json_is_what_the_admin_api_answers() {
    let world = World::start().await;
    let token = member("ada").sign();
    assert_eq!(settles_at(&world, &token, 200).await, 200);
    let api = world.narthex.api();
    let user = api.user("ada").await.unwrap().unwrap();
    let id = user["id"].as_str().unwrap();
    json(
        &world,
        &[
            "grant",
            "create",
            id,
            "--organization",
            "acme",
            "--role",
            "admin",
            "--why",
            "holiday cover",
        ],
    );
    json(&world, &["team", "create", "acme", "Night shift"]);
    let made = json(&world, &["machine-key", "create", "acme", "ci", "--role", "executor"]);
    assert!(made["key"].as_str().unwrap().starts_with("nxk_"), "{made}");
    let machine_key = made["id"].as_str().unwrap();
    for (arguments, path) in [
        (&["organization", "list"][..], "/organizations"),
        (&["organization", "show", "acme"], "/organizations/acme"),
        (&["organization", "members", "acme"], "/organizations/acme/members"),
        (&["team", "list", "acme"], "/organizations/acme/teams"),
        (&["team", "list"], "/teams"),
        (&["user", "list"], "/users"),
        (&["grant", "list", id, "--all"], &format!("/users/{id}/grants?all=true")),
        (&["key", "list"], "/api-keys"),
        (&["machine-key", "list", "acme"], "/organizations/acme/machine-keys"),
        (
            &["machine-key", "show", machine_key],
            &format!("/organizations/acme/machine-keys/{machine_key}"),
        ),
    ] {
        let (at_the_host, over_the_network) = (json(&world, arguments), api.get(path).await.unwrap());
        assert_eq!(at_the_host, over_the_network, "{path}");
    }
    let members = api.get("/organizations/acme/members").await.unwrap();
    assert_eq!(members["items"][0]["role"], "admin");
}

#[tokio::test]
async fn a_team_is_changed_and_found_without_an_organization() {
    let world = World::start().await;
    let made = json(&world, &["team", "create", "acme", "Night shift"]);
    let id = made["id"].as_str().unwrap();
    let changed = json(
        &world,
        &["team", "update", id, "--name", "Day shift", "--external-id", "T1"],
    );
    assert_eq!(
        (&changed["name"], &changed["external_id"], &changed["organization_id"]),
        (&Value::from("Day shift"), &Value::from("T1"), &made["organization_id"])
    );
    let table = world.narthex.command(&["team", "list"]).unwrap();
    assert!(table.contains("Day shift  acme "), "{table}");
    json(&world, &["team", "update", id, "--no-organization"]);
    assert_eq!(json(&world, &["team", "list", "acme"])["items"], Value::Array(vec![]));
    let table = world.narthex.command(&["team", "list"]).unwrap();
    assert!(table.contains("Day shift  none yet "), "{table}");
    let back = json(&world, &["team", "update", id, "--organization", "acme"]);
    assert_eq!(back["organization_id"], made["organization_id"]);
    assert_eq!(back["name"], "Day shift");
}

/// A username will do where it says who is meant.
#[tokio::test]
async fn a_user_is_named_by_username_where_only_one_has_it() {
    let world = World::start().await;
    let made = json(&world, &["user", "create", "bob", "--realm", "corp"]);
    let id = made["id"].as_str().unwrap();
    json(
        &world,
        &["grant", "create", "bob", "--organization", "acme", "--role", "admin"],
    );
    let grants = json(&world, &["grant", "list", "bob"]);
    assert_eq!(grants["items"][0]["role"], "admin");
    assert_eq!(grants, json(&world, &["grant", "list", id]));
    // An external id is no username.
    json(
        &world,
        &["user", "create", "b-2", "--realm", "corp", "--username", "robert"],
    );
    assert_eq!(fails(&world, &["grant", "list", "b-2"]).0, 1);
    let create = ["user", "create", "x", "--realm", "other", "--username", "bob"];
    let (code, _, stderr) = fails(&world, &create);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("no issuer has the realm `other`; the realms are corp"),
        "{stderr}"
    );
    // The same store, with another configuration.
    let text = fs::read_to_string(world.narthex.config_file()).unwrap();
    let elsewhere = world.narthex.config_file().with_file_name("elsewhere.toml");
    fs::write(&elsewhere, text.replace("[[issuer]]", "[[issuer]]\nrealm = \"other\"")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_narthex"))
        .args(create)
        .args(["--json", "--config"])
        .arg(&elsewhere)
        .output()
        .unwrap();
    let other: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (code, stdout, stderr) = fails(&world, &["user", "disable", "bob"]);
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    for id in [id, other["id"].as_str().unwrap()] {
        assert!(stderr.contains(id), "{stderr}");
    }
    assert_eq!(json(&world, &["user", "show", id])["status"], "active");
}

#[tokio::test]
async fn tables_say_who_has_which_role_and_why() {
    let world = World::start().await;
    let token = member("ada").sign();
    assert_eq!(settles_at(&world, &token, 200).await, 200);
    let table = world.narthex.command(&["organization", "members", "acme"]).unwrap();
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with("USERNAME  ROLE    FROM"), "{table}");
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("ada       member  tag \"staff\" of corp"),
        "{table}"
    );
    let shown = world.narthex.command(&["organization", "show", "acme"]).unwrap();
    assert!(shown.contains("member groups    staff\n"), "{shown}");
    let made = world.narthex.command(&["organization", "create", "tools"]).unwrap();
    assert!(made.contains("made by          an administrator\n"), "{made}");
    let id = "01hf7yat000000000000000019";
    for command in [
        &["organization", "create", id][..],
        &["organization", "update", "tools", "--name", id],
    ] {
        let (code, _, stderr) = fails(&world, command);
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains("it would be read as an id"), "{stderr}");
    }
}

#[tokio::test]
async fn a_key_is_printed_alone_works_at_once_and_is_revoked() {
    let world = World::start().await;
    let printed = world
        .narthex
        .command(&["key", "create", "night job", "--organization", "acme"])
        .unwrap();
    let key = printed.trim_end();
    assert_eq!((key.len(), printed.lines().count()), (46, 1), "{printed}");
    let api = narthex_testkit::admin::Admin::new(&world.narthex.admin_url(), key);
    api.get("/organizations/acme").await.unwrap();
    assert_eq!(api.call("GET", "/users", None).await.unwrap().status, 403);
    let keys = json(&world, &["key", "list"]);
    let made = keys["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["name"] == "night job")
        .unwrap();
    world
        .narthex
        .command(&["key", "revoke", made["id"].as_str().unwrap()])
        .unwrap();
    assert_eq!(api.call("GET", "/organizations/acme", None).await.unwrap().status, 401);
    assert!(!json(&world, &["key", "list"]).to_string().contains(key));
}

/// What is listed is what the server decides by, and what cannot be taken by hand is said with what to do.
#[tokio::test]
async fn roles_are_shown_and_taken_as_decisions_find_them() {
    let world = World::start().await;
    let token = member("ada").tags(["staff", "root"]).sign();
    assert_eq!(settles_at(&world, &token, 200).await, 200);
    let shown = json(&world, &["user", "show", "ada"]);
    assert_eq!(shown["platform_role"], "admin");
    for (arguments, says) in [
        (
            &["grant", "revoke", "ada", "--organization", "acme"][..],
            "`staff` of the issuer `corp`",
        ),
        (&["grant", "revoke", "ada", "--platform"], "`platform_admin` list"),
    ] {
        let (code, _, stderr) = fails(&world, arguments);
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    }
    json(
        &world,
        &["grant", "create", "ada", "--organization", "acme", "--role", "member"],
    );
    let closed = json(&world, &["grant", "revoke", "ada", "--organization", "acme"]);
    assert_eq!(closed["items"].as_array().unwrap().len(), 1);
    assert_eq!(closed["items"][0]["source"], "manual");

    json(&world, &["organization", "update", "acme", "--member-groups", ""]);
    let members = json(&world, &["organization", "members", "acme"]);
    assert_eq!(members["items"], Value::Array(Vec::new()));
    let table = world.narthex.command(&["grant", "list", "ada"]).unwrap();
    assert!(
        table.contains("gives nothing: the organization no longer lists the tag"),
        "{table}"
    );

    let shown = json(&world, &["user", "revoke-tokens", "ada"]);
    assert!(shown["tokens_not_before"].is_string());
    let shown = json(&world, &["user", "revoke-tokens", "ada", "--undo"]);
    assert!(shown["tokens_not_before"].is_null());
}

#[tokio::test]
async fn what_cannot_be_done_is_said_and_ends_with_a_code() {
    let world = World::start().await;
    for (arguments, code, says) in [
        (&["organization", "show", "nowhere"][..], 1, "no organization `nowhere`"),
        (&["user", "show", "ada"], 1, "narthex user list"),
        (&["organization", "create", "acme"], 1, "already"),
        (&["organization", "update", "acme"], 2, "nothing to change"),
        (&["team", "update", "x"], 2, "nothing to change"),
        (&["grant", "list", "bob"], 1, "narthex user list"),
        (
            &["organization", "update", "acme", "--admin-groups", "\"open"],
            2,
            "--admin-groups",
        ),
        (
            &["key", "create", "x", "--role", "viewer", "--organization", "acme"],
            2,
            "--role",
        ),
        (&["key", "revoke", "x"], 1, "no valid API key"),
        (
            &["grant", "list", "x", "--as-of", "yesterday"],
            2,
            "2026-03-01T12:00:00Z",
        ),
        (&["grant", "create", "x", "--role", "admin"], 2, "--platform"),
    ] {
        let (found, stdout, stderr) = fails(&world, arguments);
        assert_eq!((found, stdout.as_str()), (code, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
}

/// A name that is refused comes with one that is not.
#[tokio::test]
async fn a_name_is_refused_with_what_to_do() {
    let world = World::start().await;
    let (code, _, told) = fails(&world, &["organization", "create", "Acme Corp!"]);
    assert_eq!(code, 1, "{told}");
    assert!(
        told.contains("the organization name is not usable: it must begin with a lower-case letter or a digit"),
        "{told}"
    );
    assert!(
        told.contains("use one such as `acme-corp`, and `--label` for the name that people read"),
        "{told}"
    );
    let (_, _, told) = fails(&world, &["user", "create", " u1", "--realm", "corp"]);
    assert!(
        told.contains("the external id is not usable: it begins or ends with a blank; use one such as `u1`"),
        "{told}"
    );
}

/// A name or an external id that another record has is refused with the id of that record.
#[tokio::test]
async fn what_is_taken_names_its_owner() {
    let world = World::start().await;
    let acme = json(&world, &["organization", "show", "acme"]);
    let (_, _, told) = fails(&world, &["organization", "create", "acme"]);
    let id = acme["id"].as_str().unwrap();
    assert!(
        told.contains(&format!("another organization (`{id}`) already has this `name`")),
        "{told}"
    );
}

/// The trail names the system user whose process it was, whatever the environment says.
#[tokio::test]
async fn the_trail_names_the_system_user() {
    let world = World::start().await;
    let output = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let (name, uid) = (output("id", &["-un"]), output("id", &["-u"]));
    let made = Command::new(env!("CARGO_BIN_EXE_narthex"))
        .args(["organization", "create", "by-hand", "--config"])
        .arg(world.narthex.config_file())
        .envs([("USER", "mallory"), ("LOGNAME", "mallory"), ("SUDO_USER", "mallory")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let path = "/audit-events?organization=by-hand";
    let event = world.narthex.api().get(path).await.unwrap()["items"][0].clone();
    assert_eq!(event["actor"]["kind"], "command_line");
    assert_eq!(event["actor"]["name"], format!("{name} (uid {uid})"));
}

/// A key for a while ends by itself.
#[tokio::test]
async fn a_key_is_made_for_a_while() {
    let world = World::start().await;
    let made = json(&world, &["key", "create", "export", "--expires-in", "90d"]);
    let at = |member: &str| made[member].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let lasts = at("expires_at").as_second() - at("created_at").as_second();
    assert_eq!(lasts, 90 * 24 * 3600);
    let made = json(&world, &["key", "create", "x", "--expires-at", "2999-01-01T00:00:00Z"]);
    assert_eq!(made["expires_at"], "2999-01-01T00:00:00.000Z");
    for (option, value, code) in [
        ("--expires-at", "2001-01-01T00:00:00Z", 2),
        ("--expires-at", "tomorrow", 2),
        ("--expires-in", "90", 2),
        ("--expires-in", "0s", 2),
    ] {
        let (found, _, told) = fails(&world, &["key", "create", "x", option, value]);
        assert_eq!(found, code, "{option} {value}: {told}");
    }
    let both = [
        "key",
        "create",
        "x",
        "--expires-in",
        "1d",
        "--expires-at",
        "2999-01-01T00:00:00Z",
    ];
    assert_eq!(fails(&world, &both).0, 2);
    let table = world.narthex.command(&["key", "list"]).unwrap();
    assert!(table.contains("works until 2999-01-01"), "{table}");
}

/// A key that is used says when.
#[tokio::test]
async fn a_key_says_when_it_was_last_used() {
    let world = World::start().await;
    let made = json(&world, &["key", "create", "export"]);
    let find = |keys: &Value| {
        let mut items = keys["items"].as_array().unwrap().clone();
        items.retain(|key| key["id"] == made["id"]);
        items.remove(0)
    };
    let before = find(&json(&world, &["key", "list"]));
    assert_eq!(before.get("last_used_at"), Some(&Value::Null));
    let client = narthex_testkit::Client::new();
    let call = narthex_testkit::client::Call::get(&format!("{}/api/v1/users", world.narthex.admin_url()))
        .bearer(made["key"].as_str().unwrap());
    assert_eq!(client.send(call).await.unwrap().status, 200);
    let mut last = Value::Null;
    for _ in 0..250 {
        last = find(&json(&world, &["key", "list"]))["last_used_at"].clone();
        if !last.is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(last.is_string(), "{last}");
    let table = world.narthex.command(&["key", "list"]).unwrap();
    assert!(table.contains("LAST USED"), "{table}");
}

#[tokio::test]
async fn a_role_that_expires_and_its_end_are_shown() {
    let world = World::start().await;
    json(&world, &["user", "create", "eve", "--realm", "corp"]);
    let arguments = ["grant", "create", "eve", "--organization", "acme", "--role", "member"];
    let mut expiring = arguments.to_vec();
    expiring.extend(["--expires-in", "30d", "--why", "stands in"]);
    let granted = json(&world, &expiring);
    assert!(granted["lapses_at"].is_string(), "{granted}");
    assert_eq!(granted["why"], "stands in");
    let stays = json(&world, &arguments);
    assert!(stays["lapses_at"].is_null(), "another end replaces it: {stays}");
}

#[tokio::test]
async fn a_user_is_erased_and_an_organization_deleted_only_with_a_confirmation() {
    let world = World::start().await;
    json(
        &world,
        &[
            "user",
            "create",
            "eve",
            "--realm",
            "corp",
            "--email",
            "forgetme@example.com",
        ],
    );
    let (code, _, told) = fails(&world, &["user", "erase", "eve"]);
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("--yes"), "{told}");
    let erased = json(&world, &["user", "erase", "eve", "--yes"]);
    assert_eq!(erased["refuses"], "older");
    let listed = json(&world, &["user", "list", "--all-pages"]);
    assert!(!listed.to_string().contains("forgetme"), "{listed}");

    json(&world, &["organization", "create", "short", "--realm", "corp"]);
    let looked = json(&world, &["organization", "delete", "short"]);
    assert_eq!(
        (&looked["deleted"], &looked["content"]["is_empty"]),
        (&Value::from(false), &Value::from(true))
    );
    let deleted = json(&world, &["organization", "delete", "short", "--yes"]);
    assert_eq!(deleted["deleted"], true);
    let (code, _, told) = fails(&world, &["organization", "show", "short"]);
    assert_eq!(code, 1, "{told}");
}

#[tokio::test]
async fn external_ids_change_by_a_list_after_a_preview() {
    let world = World::start().await;
    json(&world, &["user", "create", "eve", "--realm", "corp"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ids.tsv");
    fs::write(&file, "eve\t9b1f\n").unwrap();
    let file = file.to_str().unwrap();
    let list = ["user", "external-ids", file, "--realm", "corp"];
    let preview = json(&world, &list);
    assert_eq!(
        (&preview["applied"], &preview["items"][0]["effect"]),
        (&Value::from(false), &Value::from("changes"))
    );
    let mut apply = list.to_vec();
    apply.push("--apply");
    assert_eq!(json(&world, &apply)["applied"], true);
    let (code, out, _) = fails(&world, &apply);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("unknown"), "{out}");
}
