//! `narthex config check`, for programs.

use serde_json::json;

use crate::commands::narthex_in;

/// A start that fails says what can be done about it.
#[test]
fn a_start_that_fails_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (text, says) in [
        (
            format!("[listen]\npublic = \"{address}\"\nadmin = \"127.0.0.1:0\"\n"),
            "(`listen.public`): the address is in use; end the process that listens there, or choose another port",
        ),
        (
            "[listen]\npublic = \"127.0.0.1:0\"\nadmin = \"192.0.2.1:1\"\n[console]\norigin = \"https://a.example\"\n"
                .to_owned(),
            "(`listen.admin`): this machine has no such address",
        ),
        (
            "[store]\npath = \"nope/n.db\"\n".to_owned(),
            "there is no folder `nope`; make it first",
        ),
    ] {
        std::fs::write(folder.path().join("narthex.toml"), text).unwrap();
        let ended = narthex_in(folder.path(), &["serve", "--config", "narthex.toml"], "");
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(
            ended.stderr.contains(says) && !ended.stderr.contains("os error"),
            "{ended:?}"
        );
    }
}

/// Four ports in a row need a first one.
#[test]
fn the_demo_takes_no_port_that_it_could_not_name() {
    for port in ["0", "65533"] {
        let ended = narthex_in(std::path::Path::new("."), &["demo", "--port", port], "");
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains("1..=65532"), "{ended:?}");
    }
}

#[test]
fn what_is_wrong_can_be_json() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        std::fs::write(folder.path().join("narthex.toml"), text).unwrap();
        narthex_in(folder.path(), &["config", "check", "--json"], "")
    };
    let good = check("[listen]\npublic = \"127.0.0.1:8080\"\n");
    assert_eq!((good.code, good.stderr.as_str()), (0, ""), "{good:?}");
    assert_eq!(good.json()["usable"], true);

    let bad = check("[store]\npath = \"a.db\"\n\n[listen]\n  pubic = \"postgres://ann:s3cret@db/x\"\n");
    assert_eq!((bad.code, bad.stderr.as_str()), (1, ""), "{bad:?}");
    let told = bad.json();
    assert_eq!(told["usable"], false);
    let problem = &told["problems"][0];
    assert_eq!(
        (&problem["severity"], &problem["line"], &problem["column"]),
        (&json!("error"), &json!(5), &json!(3)),
        "{told}"
    );
    assert!(problem["message"].as_str().unwrap().contains("`pubic`"), "{told}");
    assert!(!bad.stdout.contains("s3cret"), "{}", bad.stdout);
}
