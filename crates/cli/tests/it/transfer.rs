//! `narthex export` and `import`, as somebody moves an installation from SQLite to PostgreSQL and back.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use narthex_testkit::admin::{Admin, encode};
use narthex_testkit::client::Call;
use narthex_testkit::postgres::{Cluster, Database};
use narthex_testkit::{Client, Narthex};
use serde_json::{Value, json};

use crate::commands::{Ended, narthex};
use crate::world::{GUARDED, World, config, member};

const BINARY: &str = env!("CARGO_BIN_EXE_narthex");
const SECRET_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The usual surroundings, with a connection that the server holds.
async fn world() -> (World, String) {
    let world = World::with_files(configured, &[("secret.key", SECRET_KEY)]).await;
    let document = json!({
        "url": format!("{}/hook", world.upstream.url()),
        "headers": { "authorization": "Bearer {{jwt(temp.claims, parameters.secret, 'HS256')}}" },
        "temp": { "claims": { "iss": "acme" } },
    });
    let parameters = json!({ "secret": "correct-horse-battery-staple" });
    let new = json!({ "organization": "acme", "name": "hook", "document": document, "parameters": parameters });
    let made = world
        .narthex
        .api()
        .done("POST", "/connections", Some(&new))
        .await
        .unwrap();
    let connection = made["id"].as_str().unwrap().to_owned();
    (world, connection)
}

fn configured(idp: &narthex_testkit::IdentityProvider, upstream: &narthex_testkit::Upstream) -> String {
    let own = "[secrets]\nkey_file = \"secret.key\"\n[connections]\nallowed_hosts = [\"127.0.0.1:*\"]\nallow_private_hosts = [\"127.0.0.1\"]\n";
    format!("{}\n{own}", config(idp, upstream))
}

/// A configuration that says only where the store is.
fn storing(folder: &Path, name: &str, store: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("[store]\n{store}\n")).unwrap();
    path.to_string_lossy().into_owned()
}

fn on(database: &Database, folder: &Path) -> String {
    fs::write(folder.join("store-url"), database.tcp_url()).unwrap();
    storing(folder, "postgres.toml", "url_file = \"store-url\"")
}

fn succeeds(arguments: &[&str]) -> Ended {
    let ended = narthex(arguments);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended
}

fn fails(arguments: &[&str], code: i32, why: &str) {
    let ended = narthex(arguments);
    assert_eq!(ended.code, code, "{ended:?}");
    assert!(ended.stderr.contains(why), "{}\nand not: {why}", ended.stderr);
}

/// A server on a store that was filled. It makes one more API key.
async fn serving(world: &World, store: &str) -> Narthex {
    let text = store.to_owned() + &configured(&world.idp, &world.upstream);
    let builder = Narthex::builder(BINARY).config(&text).unwrap();
    builder.file("secret.key", SECRET_KEY).start().await.unwrap()
}

/// What an installation says of itself, as far as a move must not change it.
async fn said(admin_url: &str, key: &str, user: &str, then: &str, events: usize) -> Value {
    let api = Admin::new(admin_url, key);
    let list = async |path: &str| Value::from(api.list(path).await.unwrap());
    let mut trail = api.list("/audit-events?order=oldest_first").await.unwrap();
    assert!(trail.len() >= events, "{} events", trail.len());
    trail.truncate(events);
    json!({
        "users": list("/users").await,
        "organizations": list("/organizations").await,
        "ever": list(&format!("/users/{user}/grants?all=true")).await,
        "then": list(&format!("/users/{user}/grants?as_of={}", encode(then))).await,
        "now": list(&format!("/users/{user}/grants")).await,
        "connections": list("/connections").await,
        "tags": list("/tags").await,
        "trail": trail,
    })
}

/// The keys that assertions are checked with.
async fn published(url: &str) -> Vec<String> {
    let answer = Client::new()
        .get(&format!("{url}/.well-known/jwks.json"))
        .await
        .unwrap();
    let set: Value = answer.json().unwrap();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn status(url: &str, token: &str) -> u16 {
    let call = Call::post(url).bearer(token);
    Client::new().send(call).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_to_postgresql_and_back() {
    let (mut world, connection) = world().await;
    let (ada, bob) = (member("ada").sign(), member("bob").sign());
    let guarded = |narthex: &Narthex| format!("{}{GUARDED}", narthex.url());
    for token in [&ada, &bob] {
        assert_eq!(status(&guarded(&world.narthex), token).await, 200);
    }
    let api = world.narthex.api();
    let user = api.user("ada").await.unwrap().unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let role = format!("/users/{user}/platform-role");
    api.done("PUT", &role, Some(&json!({ "role": "viewer", "why": "an audit" })))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let granted = api.list(&format!("/users/{user}/grants")).await.unwrap();
    let granted = granted.iter().map(|grant| grant["granted_at"].as_str().unwrap());
    let granted = granted.max().unwrap().to_owned();
    api.done("DELETE", &role, None).await.unwrap();
    world.narthex.terminate().await.unwrap();
    world.narthex.start_again().await.unwrap();
    let events = api.list("/audit-events").await.unwrap().len();
    let key = api.key().to_owned();
    let before = said(&world.narthex.admin_url(), &key, &user, &granted, events).await;
    assert_ne!(before["then"], before["now"], "the history has something to say");
    let kids = published(&world.narthex.url()).await;
    assert!(!kids.is_empty());
    world.narthex.terminate().await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("moved.ndjson").to_string_lossy().into_owned();
    let old = world.narthex.config_file().to_string_lossy().into_owned();
    let out = succeeds(&["export", "--json", "--output", &file, "--config", &old]).json();
    let database = Cluster::shared().unwrap().empty_database().unwrap();
    let new = on(&database, folder.path());
    let into = succeeds(&["import", "--json", &file, "--config", &new]).json();
    assert_eq!(out["counts"], into["counts"]);
    assert_eq!(out["sha256"], into["sha256"]);
    assert_eq!(
        (&into["exported_from"], &into["counts"]["user"]),
        (&json!("sqlite"), &json!(2))
    );

    let url = folder.path().join("store-url");
    let moved = serving(&world, &format!("[store]\nurl_file = \"{}\"\n", url.display())).await;
    goes_on(&moved, &key, &user, &granted, &before, &kids).await;
    let headers = format!("{}/api/v1/connections/{connection}/headers", moved.admin_url());
    assert_eq!(status(&headers, &bob).await, 200, "the secret opens");

    // Back, while the servers on PostgreSQL go on.
    let back = folder.path().join("back.ndjson").to_string_lossy().into_owned();
    let own = storing(folder.path(), "back.toml", "path = \"back.db\"");
    succeeds(&["export", "--output", &back, "--config", &new]);
    let into = succeeds(&["import", &back, "--config", &own]);
    assert!(
        into.stdout.contains("exported from postgresql by version"),
        "{}",
        into.stdout
    );
    let path = folder.path().join("back.db");
    let returned = serving(&world, &format!("[store]\npath = \"{}\"\n", path.display())).await;
    goes_on(&returned, &key, &user, &granted, &before, &kids).await;
    let headers = format!("{}/api/v1/connections/{connection}/headers", returned.admin_url());
    assert_eq!(status(&headers, &ada).await, 200, "the secret opens");
}

/// The same answers as before, the same tokens and keys.
async fn goes_on(narthex: &Narthex, key: &str, user: &str, then: &str, before: &Value, kids: &[String]) {
    let events = before["trail"].as_array().unwrap().len();
    let mut after = said(&narthex.admin_url(), key, user, then, events).await;
    for member in before.as_object().unwrap().keys() {
        assert_eq!(before[member], after[member].take(), "{member}");
    }
    assert_eq!(published(&narthex.url()).await, kids);
    for subject in ["ada", "bob"] {
        let token = member(subject).sign();
        assert_eq!(
            status(&format!("{}{GUARDED}", narthex.url()), &token).await,
            200,
            "{subject}"
        );
    }
}

/// A store with some records, its configuration, and its export.
fn small(folder: &Path) -> (String, String) {
    let config = storing(folder, "small.toml", "path = \"small.db\"");
    succeeds(&["organization", "create", "acme", "--realm", "corp", "--config", &config]);
    succeeds(&["key", "create", "ci", "--role", "admin", "--config", &config]);
    let file = folder.join("small.ndjson").to_string_lossy().into_owned();
    succeeds(&["export", "--output", &file, "--config", &config]);
    (config, file)
}

#[test]
fn an_export_takes_nobodys_place_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let (config, file) = small(folder.path());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let export = |output: &str, force: bool| {
        let mut arguments = vec!["export", "--quiet", "--output", output, "--config", &config];
        arguments.extend(force.then_some("--force"));
        narthex(&arguments)
    };
    let there = export(&file, false);
    assert_eq!(there.code, 1);
    assert!(there.stderr.contains("exists already; name another file"), "{there:?}");
    let replaced = export(&file, true);
    assert_eq!(
        (replaced.code, replaced.stdout.as_str(), replaced.stderr.as_str()),
        (0, "", "")
    );
    // The store itself, a device, a link to a file: never.
    let store = folder.path().join("small.db");
    let link = folder.path().join("link");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let content = fs::read(&store).unwrap();
    for other in [store.as_path(), Path::new("/dev/null"), link.as_path()] {
        let refused = export(&other.to_string_lossy(), true);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(
            refused
                .stderr
                .contains("is no export, and `--force` replaces nothing else"),
            "{refused:?}"
        );
    }
    assert!(fs::read(&store).unwrap() == content);
    let nowhere = export(&folder.path().join("no/such/file").to_string_lossy(), false);
    assert!(nowhere.stderr.contains("nothing can be written in"), "{nowhere:?}");
    let left = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left
        .filter(|name| name.to_string_lossy().starts_with(".narthex"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn pipes_do_as_well_as_files() {
    let folder = tempfile::tempdir().unwrap();
    let (config, file) = small(folder.path());
    let piped = succeeds(&["export", "--output", "-", "--config", &config]);
    assert!(piped.stderr.contains("exported 4 records"), "{}", piped.stderr);
    let lines = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&piped.stdout), lines(&fs::read_to_string(&file).unwrap()));
    let other = storing(folder.path(), "other.toml", "path = \"other.db\"");
    let ended = crate::commands::narthex_in(folder.path(), &["import", "-", "--config", &other], &piped.stdout);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stdout.contains("organization               1"),
        "{}",
        ended.stdout
    );
    assert_eq!(ended.stderr, "", "no bar where there is no terminal");
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (config, file) = small(folder.path());
    fails(
        &["import", &file, "--config", &config],
        1,
        "the store is not empty: it holds organization (1)",
    );
    let other = storing(folder.path(), "other.toml", "path = \"other.db\"");
    fails(
        &["export", "--output", "x", "--config", &other],
        1,
        "there is no store yet",
    );
    fails(
        &["import", "/no/such/file", "--config", &other],
        1,
        "`/no/such/file` cannot be read",
    );
    let text = fs::read_to_string(&file).unwrap();
    let cut = folder.path().join("cut.ndjson");
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&cut, lines.split_last().unwrap().1.join("\n") + "\n").unwrap();
    let cut = cut.to_string_lossy();
    let line = format!("line {}: the file ends here without its last line", lines.len());
    fails(&["import", &cut, "--config", &other], 1, &line);
    fails(&["import", &cut, "--config", &other], 1, "nothing was written");
    succeeds(&["import", &file, "--config", &other]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        fails(
            &["import", &file, "--config", &other],
            1,
            "every user of this machine can read the keys in",
        );
    }
}

/// A server that is lost while it commits may have committed, and nobody is told that it has not.
#[test]
fn a_commit_without_an_answer_is_not_called_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_, file) = small(folder.path());
    let database = Cluster::shared().unwrap().empty_database().unwrap();
    let config = on(&database, folder.path());
    succeeds(&["organization", "list", "--config", &config]);
    let at_commit = |what: &str| {
        let trigger = format!(
            "CREATE OR REPLACE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; RETURN NULL; \
             END $$; DROP TRIGGER IF EXISTS at_commit ON organizations; CREATE CONSTRAINT TRIGGER at_commit AFTER \
             INSERT ON organizations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()"
        );
        database.sql(&trigger).unwrap();
    };
    at_commit("PERFORM pg_terminate_backend(pg_backend_pid())");
    let ended = narthex(&["import", &file, "--config", &config]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.stderr.contains("whether it was written is not known"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("nothing was written"), "{ended:?}");
    at_commit("RAISE check_violation");
    let refused = narthex(&["import", &file, "--config", &config]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("nothing was written"), "{refused:?}");
    assert!(!refused.stderr.contains("is not known"), "{refused:?}");
    at_commit("NULL");
    succeeds(&["import", &file, "--config", &config]);
}

/// A file of many users, which an import takes a while for, with the first line of this export.
fn large(export: &str) -> Vec<u8> {
    let export = fs::read_to_string(export).unwrap();
    let mut lines = format!("{}\n", export.lines().next().unwrap());
    for index in 0..20_000 {
        let user = json!({ "user": {
            "id": format!("01hf7yat0000000000000{index:05}"), "realm": "corp", "external_id": format!("u{index}"),
            "username": format!("u{index}"), "email": null, "name": null, "country": null, "timezone": null,
            "locale": null, "language": null, "status": "active", "context": {}, "tokens_not_before_ms": null,
            "last_seen_at_ms": null, "created_at_ms": 1, "updated_at_ms": 1, "version": 1,
        }});
        lines.push_str(&format!("{user}\n"));
    }
    lines.into_bytes()
}

/// Killed or interrupted half-way, an import leaves nothing, and the next one does as if it had not been.
#[test]
fn an_import_that_is_killed_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = Cluster::shared().unwrap().empty_database().unwrap();
    let own = storing(folder.path(), "own.toml", "path = \"own.db\"");
    let (_, file) = small(folder.path());
    for config in [own, on(&database, folder.path())] {
        for signal in ["KILL", "INT"] {
            let mut child = Command::new(BINARY)
                .args(["import", "-", "--config", &config])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // All but what a pipe holds has been read when this comes back; the file goes on.
            child.stdin.as_mut().unwrap().write_all(&large(&file)).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "it waits for the rest");
            let id = child.id().to_string();
            assert!(
                Command::new("kill")
                    .args([format!("-{signal}"), id])
                    .status()
                    .unwrap()
                    .success()
            );
            assert!(!child.wait().unwrap().success());
            let path: PathBuf = folder.path().join(format!("{signal}.ndjson"));
            let _ = fs::remove_file(&path);
            let output = path.to_string_lossy().into_owned();
            let nothing = succeeds(&["export", "--json", "--output", &output, "--config", &config]).json();
            assert_eq!(nothing["counts"]["user"], 0);
        }
        succeeds(&["import", &file, "--config", &config]);
    }
}

/// Whoever interrupts an export finds no half of one, under whatever name, and does not wait.
#[test]
fn an_export_that_is_interrupted_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let database = Cluster::shared().unwrap().empty_database().unwrap();
    let config = on(&database, folder.path());
    succeeds(&["organization", "create", "acme", "--realm", "corp", "--config", &config]);
    let place = folder.path().join("place");
    fs::create_dir(&place).unwrap();
    let files = || fs::read_dir(&place).unwrap().count();
    std::thread::scope(|scope| {
        // Nothing can be read of this table for as long.
        let lock = "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(25); COMMIT";
        scope.spawn(|| database.sql(lock));
        let activity = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND";
        let asleep = format!("SELECT count(*) {activity} wait_event = 'PgSleep'");
        while database.sql(&asleep).unwrap() == "0" {
            std::thread::sleep(Duration::from_millis(10));
        }
        for signal in ["INT", "TERM"] {
            let output = place.join("moved.ndjson").to_string_lossy().into_owned();
            let mut child = Command::new(BINARY)
                .args(["export", "--output", &output, "--config", &config])
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let waits = format!("SELECT count(*) {activity} wait_event_type = 'Lock'");
            while database.sql(&waits).unwrap() == "0" {
                assert!(child.try_wait().unwrap().is_none());
                std::thread::sleep(Duration::from_millis(10));
            }
            assert_eq!(files(), 1, "it is being written");
            let id = child.id().to_string();
            assert!(
                Command::new("kill")
                    .args([format!("-{signal}"), id])
                    .status()
                    .unwrap()
                    .success()
            );
            let ended = child.wait_with_output().unwrap();
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(ended.status.code(), Some(1), "{said}");
            assert!(said.contains("interrupted; no file was written"), "{said}");
            assert_eq!(files(), 0);
            assert_eq!(database.sql(&asleep).unwrap(), "1", "it did not wait for the table");
            // The server itself has not noticed yet that nobody waits any more.
            let forgotten = format!("SELECT pg_terminate_backend(pid, 5000) {activity} wait_event_type = 'Lock'");
            database.sql(&forgotten).unwrap();
        }
        database
            .sql(&format!(
                "SELECT pg_terminate_backend(pid) {activity} wait_event = 'PgSleep'"
            ))
            .unwrap();
    });
}

/// What a command prints where both its output and its errors go to a terminal, and how it ends.
fn on_a_terminal(arguments: &str) -> (i32, String) {
    let command = format!("{BINARY} {arguments}");
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    let output = terminal.stdin(Stdio::null()).env("TERM", "xterm").output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_a_bar_and_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (config, _) = small(folder.path());
    let (code, said) = on_a_terminal(&format!("export --output - --config {config}"));
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("an export holds private keys and is not for a terminal"),
        "{said}"
    );
    assert!(!said.contains("narthex_export"), "{said}");
    let output = folder.path().join("shown.ndjson");
    let arguments = format!("export --output {} --config {config}", output.display());
    let (code, said) = on_a_terminal(&arguments);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("exporting") && said.contains("4/4 records"), "{said}");
    let (code, said) = on_a_terminal(&format!("{arguments} --force --quiet"));
    assert_eq!((code, said.as_str()), (0, ""));
    let (code, said) = on_a_terminal(&format!("import - --config {config}"));
    assert!(code == 2 && said.contains("standard input is a terminal"), "{said}");
}
