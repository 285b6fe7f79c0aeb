//! `narthex doctor`.

use std::net::TcpListener;
use std::path::Path;

use narthex_testkit::process::ClosedAddress;
use narthex_testkit::{TestKey, Upstream, keys::key_set};
use serde_json::{Value, json};

use crate::commands::{Ended, narthex_in};
use crate::world::{World, config};

fn states<'f>(ended: &'f Value, area: &str) -> Vec<&'f str> {
    let findings = ended["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["area"] == area)
        .map(|finding| finding["state"].as_str().unwrap())
        .collect()
}

/// The messages of an area.
fn messages(found: &Value, area: &str) -> String {
    let findings = found["findings"].as_array().unwrap().iter();
    let of_area = findings.filter(|finding| finding["area"] == area);
    let messages: Vec<&str> = of_area.map(|finding| finding["message"].as_str().unwrap()).collect();
    messages.join("\n")
}

fn doctor(folder: &Path) -> Ended {
    narthex_in(folder, &["doctor", "--json"], "")
}

fn installation(jwks: &str) -> tempfile::TempDir {
    // Whatever listens takes connections.
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = installation_before(jwks, &format!("http://{}", upstream.local_addr().unwrap()));
    // It listens to the end of the process.
    std::mem::forget(upstream);
    folder
}

fn installation_before(jwks: &str, upstream: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (public, admin) = narthex_testkit::process::two_free_addresses().unwrap();
    let config = format!(
        "[listen]\npublic = \"{public}\"\nadmin = \"{admin}\"\n[store]\nurl = \"sqlite:narthex.db\"\n[[issuer]]\nname = \"corp\"\n\
         issuer = \"https://idp.test\"\n{jwks}\naudiences = [\"narthex\"]\n[[route]]\npath = \"/x\"\nrequire = \"authenticated\"\n\
         upstream = \"{upstream}\"\n[limits]\nconnect_timeout = \"500ms\"\n"
    );
    std::fs::write(folder.path().join("narthex.toml"), config).unwrap();
    std::fs::write(folder.path().join("jwks.json"), key_set(&[TestKey::Rsa1]).to_string()).unwrap();
    folder
}

#[test]
fn a_fresh_installation_is_well() {
    let folder = installation("jwks_file = \"jwks.json\"");
    let ended = doctor(folder.path());
    assert_eq!(ended.code, 0, "{ended:?}");
    let found = ended.json();
    assert_eq!(found["healthy"], true);
    assert_eq!(states(&found, "configuration"), ["good"]);
    assert_eq!(states(&found, "issuer"), ["good"]);
    assert_eq!(states(&found, "store"), ["absent"]);
    assert_eq!(states(&found, "upstream"), ["good"]);
    assert_eq!(states(&found, "port"), ["good", "good"]);
    assert!(!folder.path().join("narthex.db").exists(), "looking makes no store");
    let said = narthex_in(folder.path(), &["doctor"], "").stdout;
    assert!(
        said.contains("✓ corp  1 key at jwks.json: RSA 2048 `rsa_1`") && said.ends_with("\nnothing is wrong\n"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_is_found_and_said() {
    let folder = installation("jwks_url = \"http://127.0.0.1:1/jwks.json\"");
    std::fs::write(
        folder.path().join("narthex.db"),
        "this is no database, but it is long enough to look like one",
    )
    .unwrap();
    let ended = doctor(folder.path());
    assert_eq!(ended.code, 1, "{ended:?}");
    let found = ended.json();
    assert_eq!(found["healthy"], false);
    assert_eq!(
        (states(&found, "issuer"), states(&found, "store")),
        (vec!["problem"], vec!["problem"])
    );
    std::fs::write(folder.path().join("narthex.toml"), "[listen]\npubic = \"x\"\n").unwrap();
    let ended = doctor(folder.path());
    assert_eq!(
        (ended.code, states(&ended.json(), "configuration")),
        (1, vec!["problem"]),
        "{ended:?}"
    );
}

#[test]
fn keys_that_do_not_fit_the_algorithms_are_a_problem() {
    let folder = installation("jwks_file = \"jwks.json\"\nalgorithms = [\"ES256\"]");
    let ended = doctor(folder.path());
    assert_eq!(
        (ended.code, states(&ended.json(), "issuer")),
        (1, vec!["good", "problem"]),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_running_server_is_recognized() {
    let world = World::start().await;
    let ended = doctor(world.narthex.folder());
    let found = ended.json();
    assert_eq!(states(&found, "port"), ["good", "good"], "{found}");
    assert_eq!(states(&found, "assertion"), ["good"], "{found}");
    assert!(ended.stdout.contains("in use by a narthex that answers"), "{found}");
    // A new key is made every 30 days, and published for a day before it signs.
    assert!(
        ended
            .stdout
            .contains("the next one takes over in 30 d 23 h at the latest"),
        "{found}"
    );
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// An upstream that cannot be reached is a problem, and the cause is told with what to do.
#[test]
fn an_upstream_that_is_down_is_found() {
    let closed = ClosedAddress::take().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = Upstream::start().unwrap();
    for (upstream, told) in [
        (
            format!("http://{closed}"),
            "nothing listens there: the connection is refused; start the application",
        ),
        ("http://nowhere.invalid:80".to_owned(), "its host has no address"),
        (
            format!("https://{}", silent.local_addr().unwrap()),
            "it does not answer within 500 ms; a firewall may be in between",
        ),
        (format!("https://{}", plain.address()), "it cannot be reached: "),
    ] {
        let folder = installation_before("jwks_file = \"jwks.json\"", &upstream);
        let ended = doctor(folder.path());
        let found = ended.json();
        assert_eq!(
            (ended.code, &found["healthy"]),
            (1, &json!(false)),
            "{upstream}: {ended:?}"
        );
        assert_eq!(states(&found, "upstream"), ["problem"], "{found}");
        assert!(messages(&found, "upstream").contains(told), "{found}");
    }
}

/// Finds declarations that are not applied, and organizations that no token can meet.
#[tokio::test]
async fn organizations_that_are_not_as_declared_or_meet_no_tag_are_found() {
    let world = World::with_config(|idp, upstream| {
        config(idp, upstream).replace("tags = { claim = \"groups\", platform_admin = [\"root\"] }", "")
    })
    .await;
    let found = doctor(world.narthex.folder()).json();
    let told = "1 organization of the realm `corp` list tags (`acme`), and no enabled issuer of that realm has `[issuer.tags]`";
    assert!(messages(&found, "organization").contains(told), "{found}");
    assert_eq!(states(&found, "organization"), ["warning"]);
    let file = world.narthex.folder().join("narthex.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    let declared = "\n[[organization]]\nname = \"beta\"\n\n[[organization]]\nname = \"acme\"\nexternal_member_groups = [\"other\"]\n";
    std::fs::write(world.narthex.folder().join("next.toml"), before + declared).unwrap();
    let ended = narthex_in(
        world.narthex.folder(),
        &["doctor", "--json", "--config", "next.toml"],
        "",
    );
    let found = ended.json();
    let told = "not applied yet (not there yet: `beta`; there with other values: `acme`)";
    assert!(messages(&found, "configuration").contains(told), "{found}");
    assert_eq!(ended.code, 0, "{found}");
}

/// A server whose secret key was exchanged cannot use what it holds.
#[tokio::test]
async fn a_secret_key_that_opens_nothing_is_found() {
    const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const NEW: &str = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf";
    let secrets = |keys: &str| format!("[secrets]\n{keys}\n");
    let world = World::with_files(
        |idp, upstream| config(idp, upstream) + &secrets("key_file = \"old.key\""),
        &[("old.key", OLD), ("new.key", NEW)],
    )
    .await;
    let document = json!({ "url": "https://api.example.com/", "headers": { "x-key": "{{parameters.key}}" } });
    let new =
        json!({ "organization": "acme", "name": "hook", "document": document, "parameters": { "key": "a secret" } });
    world
        .narthex
        .api()
        .done("POST", "/connections", Some(&new))
        .await
        .unwrap();
    let file = world.narthex.folder().join("narthex.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    let old = toml::to_string(&json!({ "secrets": { "key_file": "old.key" } })).unwrap();
    assert!(before.contains(old.trim()), "{before}");
    for (keys, state, code, told) in [
        (
            "[secrets]\nkey_file = \"old.key\"",
            "good",
            0,
            "1 connection can be used",
        ),
        (
            "[secrets]\nkey_file = \"new.key\"",
            "problem",
            1,
            "encrypted with another secret key than the configured one",
        ),
        ("", "problem", 1, "encrypted with a secret key, and none is configured"),
        (
            "[secrets]\nkey_file = \"new.key\"\nprevious_key_file = \"old.key\"",
            "warning",
            0,
            "`narthex connection reencrypt` gives them the current one",
        ),
    ] {
        let next = before.replace(old.trim(), keys);
        std::fs::write(world.narthex.folder().join("next.toml"), next).unwrap();
        let ended = narthex_in(
            world.narthex.folder(),
            &["doctor", "--json", "--config", "next.toml"],
            "",
        );
        let found = ended.json();
        assert_eq!(
            (states(&found, "connection"), ended.code),
            (vec![state], code),
            "{keys}: {found}"
        );
        assert!(messages(&found, "connection").contains(told), "{found}");
        assert!(!ended.stdout.contains("a secret\""), "{found}");
    }
}
