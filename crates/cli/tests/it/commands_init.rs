//! `narthex init`: from a sample token to a configuration that lets it in.

use narthex_testkit::keys::TestKey;
use narthex_testkit::{IdentityProvider, TestIssuer};

use crate::commands::narthex_in;

/// The file passes `config check`, and lets the token in.
#[test]
fn a_token_and_an_upstream_are_enough() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let token = TestIssuer::new(&idp.url()).audience("shop").token();
    let token = token.subject("ann").tags(["staff"]).sign();
    let folder = tempfile::tempdir().unwrap();
    let upstream = ["--upstream", "http://127.0.0.1:9000"];

    let ended = narthex_in(
        folder.path(),
        &[&["init", "-"], &upstream[..]].concat(),
        &format!("Bearer {token}\n"),
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stdout.contains("`sub`") && !ended.stdout.contains("ann"),
        "{ended:?}"
    );
    let checked = narthex_in(folder.path(), &["config", "check"], "");
    assert_eq!(checked.code, 0, "{checked:?}");
    let explained = narthex_in(folder.path(), &["explain", &token, "--request", "GET /a"], "");
    assert!(explained.stdout.starts_with("✓ 200"), "{explained:?}");

    // A second time would add a second issuer of that name.
    let again = narthex_in(folder.path(), &[&["init", &token], &upstream[..]].concat(), "");
    assert!(
        again.code == 1 && again.stderr.contains("has an issuer or a route already"),
        "{again:?}"
    );
}

/// A file without issuers, such as that of the packages, is completed and stays whole.
#[test]
fn a_file_that_was_begun_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.toml");
    std::fs::write(&path, "[listen]\npublic = \"127.0.0.1:1\"\n\n# narthex: end\n").unwrap();
    let arguments = [
        "init",
        "--issuer",
        "https://id.example.com",
        "--audience",
        "shop",
        "--upstream",
        "http://127.0.0.1:9000",
    ];
    let ended = narthex_in(folder.path(), &arguments, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("[listen]\npublic = \"127.0.0.1:1\"\n"), "{text}");
    assert!(
        text.ends_with("\n# narthex: end\n") && text.matches("narthex: end").count() == 1,
        "{text}"
    );
}

#[test]
fn what_is_missing_or_wrong_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, code, says) in [
        (&["init"][..], 2, "a token or `--issuer` is missing"),
        (&["init", "opaque", "--upstream", "http://a"], 2, "opaque access tokens"),
        (
            &["init", "--issuer", "https://id.example.com", "--audience", "a"],
            2,
            "`--upstream` is missing",
        ),
        (
            &[
                "init",
                "--issuer",
                "https://id.example.com",
                "--audience",
                "a",
                "--upstream",
                "nowhere",
            ],
            1,
            "nothing was written",
        ),
    ] {
        let ended = narthex_in(folder.path(), arguments, "");
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stderr.contains(says), "{ended:?}");
    }
    assert!(!folder.path().join("narthex.toml").exists());
}

#[test]
fn a_proposal_says_why_and_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let address = "https://sso.example.com/realms/acme";
    let asked = narthex_in(
        folder.path(),
        &["issuer", "propose", "--address", address, "--json"],
        "",
    );
    assert_eq!(asked.code, 1, "the audience is missing: {asked:?}");
    let proposal: serde_json::Value = serde_json::from_str(&asked.stdout).unwrap();
    assert_eq!(proposal["provider"]["kind"], "keycloak");
    let refused = narthex_in(folder.path(), &["issuer", "propose", "opaque"], "");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("opaque access tokens"), "{refused:?}");
}
