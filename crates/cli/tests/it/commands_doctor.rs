//! `narthex doctor`.

use narthex_testkit::{TestKey, keys::key_set};
use serde_json::Value;

use crate::commands::{Ended, narthex_in};
use crate::world::World;

fn states<'f>(ended: &'f Value, area: &str) -> Vec<&'f str> {
    let findings = ended["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["area"] == area)
        .map(|finding| finding["state"].as_str().unwrap())
        .collect()
}

fn doctor(folder: &std::path::Path) -> Ended {
    narthex_in(folder, &["doctor", "--json"], "")
}

fn installation(jwks: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (public, admin) = (
        narthex_testkit::process::free_address().unwrap(),
        narthex_testkit::process::free_address().unwrap(),
    );
    let config = format!(
        "[listen]\npublic = \"{public}\"\nadmin = \"{admin}\"\n[store]\nurl = \"sqlite:narthex.db\"\n[[issuer]]\nname = \"corp\"\n\
         issuer = \"https://idp.test\"\n{jwks}\naudiences = [\"narthex\"]\n[[route]]\npath = \"/x\"\nrequire = \"authenticated\"\n\
         upstream = \"http://127.0.0.1:9\"\n"
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
