//! The cure that `narthex explain` names for each input that cost a new user more than a minute.

use std::path::Path;

use narthex_testkit::{TestIssuer, TestKey, TokenBuilder, keys::key_set};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::commands::narthex_in;
use crate::world::{GUARDED, World, member};

const SECRET: &str = "a shared secret that has at least 32 bytes";

/// A configuration that nobody has started yet: an issuer with a key set, one with a secret, one that is away.
fn installation() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    write("jwks.json", &key_set(&[TestKey::Rsa1]).to_string());
    write("secret", SECRET);
    write(
        "narthex.toml",
        r#"
        [store]
        url = "sqlite:narthex.db"

        [[issuer]]
        name = "corp"
        issuer = "https://idp.test"
        jwks_file = "jwks.json"
        audiences = ["narthex"]
        tags = { claim = "groups", platform_admin = ["root"] }

        [[issuer]]
        name = "away"
        issuer = "https://away.test"
        jwks_url = "http://127.0.0.1:1/keys"
        audiences = ["narthex"]

        [[issuer]]
        name = "make"
        secret_file = "secret"
        mapping.user.external_id = "{{payload.userId}}"
        mapping.user.username = "{{payload.userName}}"

        [[organization]]
        name = "acme"
        realm = "corp"
        external_member_groups = ["acme-staff", "IT/Staff"]
        external_admin_groups = ["acme-admins"]

        [[route]]
        path = "/orgs/{organization}/reports/{name}"
        require = "organization:member"
        upstream = "http://127.0.0.1:9000"

        [[route]]
        path = "/orders"
        methods = ["POST"]
        require = "authenticated"
        upstream = "http://127.0.0.1:9000"
        "#,
    );
    folder
}

fn corp() -> TokenBuilder {
    TestIssuer::new("https://idp.test").token().tags(["acme-staff"])
}

/// A token of S1: no `iss`, whatever the platform wrote into it.
fn make(claims: &Value) -> String {
    let token = TestIssuer::new("https://make.test")
        .secret(SECRET)
        .token()
        .without_header("kid");
    token.payload(claims.as_object().unwrap().clone()).sign()
}

/// The explanation as text and as a value.
fn explained(folder: &Path, token: &str, request: &str) -> (String, Value) {
    let arguments = ["explain", "-", "--request", request];
    let text = narthex_in(folder, &arguments, token).stdout;
    let json = narthex_in(folder, &[&arguments[..], &["--json"]].concat(), token).json();
    (text, json)
}

/// The text begins with the answer, the cause and the cure, and nothing of the cure is cut off.
#[track_caller]
fn needs(name: &str, (text, json): &(String, Value), kind: &str, words: &[&str]) {
    let cure = &json["answer"]["cure"];
    assert_eq!(cure["kind"], kind, "{name}: {json}");
    let sentence = cure["sentence"].as_str().unwrap();
    for word in words {
        assert!(sentence.contains(word), "{name}: `{word}` is not in: {sentence}");
    }
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with('✗'), "{name}: {text}");
    assert!(lines.next().unwrap().starts_with("  cause:  "), "{name}: {text}");
    let line = lines.next().unwrap();
    assert!(
        line.starts_with("  cure:   ") && line.contains(words[0]),
        "{name}: {line}"
    );
    assert!(!line.ends_with('…'), "{name}: {line}");
}

const REPORT: &str = "GET /orgs/acme/reports/one";

#[test]
fn a_refused_token_is_told_its_cure() {
    let folder = installation();
    let mut many = corp().without("groups").claim("roles", json!(["acme-staff"]));
    for number in 0..40 {
        many = many.claim(&format!("session_state_{number}"), "x");
    }
    for (name, token, request, kind, words) in [
        (
            "iss with a slash",
            corp().issuer("https://idp.test/").sign(),
            REPORT,
            "issuer",
            &["a slash at the end", "`https://idp.test`", "`corp`", "`aliases`"][..],
        ),
        (
            "an iss of nobody",
            corp().issuer("https://other.test").sign(),
            REPORT,
            "issuer",
            &["the configured issuers are", "https://idp.test"],
        ),
        (
            "opaque access token",
            "ya29.a0AfH6SMBx7Zk1vX".to_owned(),
            REPORT,
            "token",
            &[
                "this looks like an opaque access token",
                "ask the identity provider for a JWT",
                "`audience`",
            ],
        ),
        (
            "no groups in a long token",
            many.sign(),
            REPORT,
            "claim",
            &["`groups`", "`roles`", "`on_missing`"],
        ),
        (
            "no exp, shared secret",
            make(&json!({ "userId": "1" })),
            "POST /orders",
            "claim",
            &["`exp`", "`expiresIn`", "`danger_tokens_without_exp = true`", "`make`"],
        ),
    ] {
        needs(name, &explained(folder.path(), &token, request), kind, words);
    }
}

#[test]
fn a_token_that_does_not_fit_is_told_its_cure() {
    let folder = installation();
    let now = json!({ "userId": "1", "exp": 4_000_000_000_i64 });
    for (name, token, request, kind, words) in [
        (
            "another audience",
            corp().audience("graph").sign(),
            REPORT,
            "audience",
            &["`narthex`", "`graph`", "`audiences`"][..],
        ),
        (
            "expired",
            corp().expired().sign(),
            REPORT,
            "time",
            &["send a new token", "a leeway of 60 s"],
        ),
        (
            "keys that are away",
            corp().issuer("https://away.test").sign(),
            REPORT,
            "keys",
            &["mend the key source at `http://127.0.0.1:1/keys`", "no connection to"],
        ),
        (
            "an id that is a number",
            make(&json!({ "userId": 7, "exp": 4_000_000_000_i64 })),
            "POST /orders",
            "claim",
            &["`{{toString(payload.userId)}}`"],
        ),
        (
            "a claim in another case",
            make(&json!({ "userid": "1", "exp": 4_000_000_000_i64 })),
            "POST /orders",
            "claim",
            &["the token has no `userId`, and it has `userid`", "`{{payload.userid}}`"],
        ),
        (
            "tags in an object",
            corp().claim("groups", json!({ "acme-staff": {} })).sign(),
            REPORT,
            "claim",
            &["`{{keys(payload.groups)}}`"],
        ),
        (
            "a method",
            make(&now),
            "GET /orders",
            "route",
            &["`/orders`", "for POST"],
        ),
    ] {
        needs(name, &explained(folder.path(), &token, request), kind, words);
    }
}

#[test]
fn a_refused_user_is_told_what_would_do() {
    let folder = installation();
    for (name, token, request, kind, words) in [
        (
            "right organization, wrong tags",
            corp().tags(["other"]).sign(),
            REPORT,
            "tags",
            &["`acme-staff`", "`acme-admins`", "member of acme", "admin of acme"][..],
        ),
        (
            "a path that misses its pattern",
            corp().sign(),
            "GET /orgs/acme/reports",
            "route",
            &["`/orgs/{organization}/reports/{name}`"],
        ),
        (
            "a misspelt organization",
            corp().sign(),
            "GET /orgs/acmee/reports/one",
            "organization_name",
            &["the nearest name is `acme`"],
        ),
        (
            "one text with commas",
            corp().claim("groups", "acme-staff,acme-admins").sign(),
            REPORT,
            "tags",
            &["one text is one tag", "`acme-admins`", "`split`"],
        ),
        (
            "a leading slash",
            corp().tags(["/acme-staff"]).sign(),
            REPORT,
            "tags",
            &["they differ by a leading `/`", "`/acme-staff`"],
        ),
        (
            "a leading slash before a path",
            corp().tags(["/IT/Staff"]).sign(),
            REPORT,
            "tags",
            &["they differ by a leading `/`", "`IT/Staff`"],
        ),
        (
            "letters that look alike",
            corp().tags(["аcme-staff"]).sign(),
            REPORT,
            "tags",
            &["look alike", "`acme-staff`"],
        ),
        (
            "blanks",
            corp().tags(["acme-staff\u{a0}"]).sign(),
            REPORT,
            "tags",
            &["blanks", "`acme-staff`"],
        ),
        (
            "punctuation at the end",
            corp().tags(["acme-staff;"]).sign(),
            REPORT,
            "tags",
            &["punctuation at the end", "`acme-staff`"],
        ),
    ] {
        needs(name, &explained(folder.path(), &token, request), kind, words);
    }
}

/// With a store: what only a directory knows.
#[tokio::test]
async fn what_the_directory_knows_is_told() {
    let world = World::start().await;
    let config = world.narthex.config_file();
    let config = config.to_str().unwrap();
    let explained = |token: &str| {
        let request = format!("POST {GUARDED}");
        let arguments = ["explain", token, "--request", &request, "--config", config];
        let text = narthex_in(world.narthex.folder(), &arguments, "").stdout;
        let json = narthex_in(world.narthex.folder(), &[&arguments[..], &["--json"]].concat(), "").json();
        (text, json)
    };
    let call = |token: &str| world.call("POST", GUARDED).bearer(token);
    let newer = member("ada").sign();
    assert_eq!(world.send(call(&newer)).await.status, 200);
    let none = member("ada").tags(["none"]).issued_in(5).sign();
    assert_eq!(world.send(call(&none)).await.status, 403);
    let older = member("ada").issued_in(-100).sign();
    needs(
        "an older token",
        &explained(&older),
        "newer_token",
        &["send the user's newest token", "`staff`"],
    );
    let (text, _) = explained(&older);
    assert!(
        text.lines()
            .nth(1)
            .unwrap()
            .contains("a newer token of this user was seen already"),
        "{text}"
    );

    // A user made by hand has the username that a new one would get.
    let owner = json!({ "realm": "corp", "external_id": "by-hand", "username": "eve" });
    let owner = world.narthex.api().done("POST", "/users", Some(&owner)).await.unwrap();
    let id = owner["id"].as_str().unwrap();
    let taken = explained(&member("eve").sign());
    needs("a taken username", &taken, "user", &[id, "`by-hand`", "`eve`"]);

    // The caller is told none of it.
    let answer = world.send(call(&member("eve").sign())).await;
    assert_eq!(
        answer.json().unwrap()["detail"],
        "Another user already has your username; ask the administrator."
    );
    let user = world.narthex.api().user("ada").await.unwrap().unwrap();
    let path = format!("/users/{}", user["id"].as_str().unwrap());
    let disabled = json!({ "status": "disabled" });
    world.narthex.api().done("PATCH", &path, Some(&disabled)).await.unwrap();
    let told = explained(&member("ada").sign());
    needs("a disabled user", &told, "user", &["narthex user enable"]);
}
