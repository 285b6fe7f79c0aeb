//! `narthex explain`, read as the administrator who asks at the end of a long day.

use narthex_testkit::{TestIssuer, TestKey, keys::key_set};
use serde_json::json;
use tempfile::TempDir;

use crate::commands::{Ended, narthex_in};
use crate::world::{GUARDED, World, config, member};

const SECRET: &str = "a shared secret that has at least 32 bytes";
/// 2023-11-14T22:13:20Z: every token here was issued then.
const ISSUED: i64 = 1_700_000_000;

/// A configuration that nobody has started yet: S3's issuer with a key set, S1's with a secret.
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
        name = "make"
        secret_file = "secret"
        danger_tokens_without_exp = true

        [issuer.mapping.user]
        external_id = "{{payload.userId}}"
        email = "{{payload.userEmail}}"
        timezone = "{{payload.tz}}"

        [issuer.mapping.organization]
        external_id = "{{payload.organizationId}}"
        name = "{{payload.orgName}}"

        [issuer.mapping.team]
        external_id = "{{payload.teamId}}"

        [issuer.mapping.context]
        teamdomain = "{{payload.customBaseDomain}}"

        [[organization]]
        name = "acme"
        realm = "corp"
        external_member_groups = ["MemberTag1"]
        external_admin_groups = ["owners"]

        [[route]]
        path = "/v1/algo/{organization}/{algorithm}/{*version}"
        methods = ["POST"]
        require = "organization:member"
        upstream = "http://127.0.0.1:9000"

        [[route]]
        path = "/app/{*rest}"
        require = "authenticated"
        upstream = "http://127.0.0.1:9000"
        "#,
    );
    folder
}

fn explain(folder: &TempDir, token: &str, at_seconds: i64, arguments: &[&str]) -> Ended {
    let at = format!("--at={}", at_seconds * 1000);
    narthex_in(folder.path(), &[&["explain", "-", &at], arguments].concat(), token)
}

/// Ids begin with the time and end in a count; the time of the run is not part of what is shown.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for word in text.split_inclusive([' ', '\n']) {
        let bare = word.trim_end();
        let is_id = bare.len() == 26
            && bare
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() && !byte.is_ascii_uppercase());
        masked.push_str(if is_id { "[id]" } else { bare });
        masked.push_str(word.strip_prefix(bare).unwrap());
    }
    masked
}

fn corp() -> TestIssuer {
    TestIssuer::new("https://idp.test")
}

const CALL: [&str; 2] = ["--request", "POST /v1/algo/acme/echo/1.0"];

#[test]
fn an_expired_token_is_understood_at_once() {
    let folder = installation();
    let token = corp().token_at(ISSUED * 1000).tags(["MemberTag1"]).sign();
    let ended = explain(&folder, &token, ISSUED + 3600 + 7380, &CALL);
    assert_eq!(ended.code, 0, "{ended:?}");
    insta::assert_snapshot!("explain_expired", masked(&ended.stdout));
    assert!(!folder.path().join("narthex.db").exists(), "nothing is written");
}

#[test]
fn a_tag_that_differs_in_case_is_pointed_out() {
    let folder = installation();
    let token = corp().token_at(ISSUED * 1000).tags(["memberTag1", "other"]).sign();
    let ended = explain(&folder, &token, ISSUED + 60, &CALL);
    insta::assert_snapshot!("explain_near_miss", masked(&ended.stdout));
}

#[test]
fn the_payload_of_s1_shows_what_it_makes() {
    let folder = installation();
    let claims = json!({
        "userId": "123456789", "userEmail": "myemail@email.com", "organizationId": "XYZ123", "teamId": "DEF45G",
        "tz": "Europe/Prague", "customBaseDomain": "organization.integromat.cloud",
    });
    let token = corp().secret(SECRET).token_at(ISSUED * 1000).without_header("kid");
    let token = token.payload(claims.as_object().unwrap().clone()).sign();
    let ended = explain(&folder, &token, ISSUED, &["--request", "GET /app/home"]);
    insta::assert_snapshot!("explain_s1", masked(&ended.stdout));
}

/// A forged token is read out with a warning, and nothing is said that could be taken for somebody's roles.
#[test]
fn a_forged_token_is_shown_as_such() {
    let folder = installation();
    let token = corp()
        .token_at(ISSUED * 1000)
        .tags(["owners"])
        .claim("name", "\u{1b}[31mred")
        .forged_with(TestKey::Rsa2)
        .sign();
    let ended = explain(&folder, &token, ISSUED + 60, &CALL);
    insta::assert_snapshot!("explain_forged", masked(&ended.stdout));
    assert!(!ended.stdout.contains('\u{1b}'));
    let answer = explain(&folder, &token, ISSUED + 60, &[&CALL[..], &["--json"]].concat()).json();
    assert_eq!(answer["request"]["decision"], "undecided");
    for part in ["tags", "changes", "organizations", "headers"] {
        assert_eq!(answer[part], json!([]), "{part}");
    }
}

/// Nor of one that names a key of its own.
#[test]
fn a_token_of_an_unknown_key_leads_to_nothing() {
    let folder = installation();
    let token = corp().token_at(ISSUED * 1000).tags(["owners"]).kid("mine").sign();
    let ended = explain(&folder, &token, ISSUED + 60, &CALL);
    assert!(
        ended.stdout.starts_with("✗ 401 token.key_unknown\n"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("these claims may be forged"), "{}", ended.stdout);
    for word in ["acme`", "admin", "x-narthex"] {
        assert!(!ended.stdout.contains(word), "{word}: {}", ended.stdout);
    }
}

/// Where the keys cannot be had the token may be good: what it would lead to is shown, and said to be no more than that.
#[test]
fn without_keys_a_token_is_explained_as_if_it_were_good() {
    let folder = installation();
    let config = std::fs::read_to_string(folder.path().join("narthex.toml")).unwrap();
    let config = config.replace("jwks_file = \"jwks.json\"", "jwks_url = \"http://127.0.0.1:1/keys\"");
    std::fs::write(folder.path().join("narthex.toml"), config).unwrap();
    let token = corp().token_at(ISSUED * 1000).tags(["owners"]).sign();
    let ended = explain(&folder, &token, ISSUED + 60, &CALL);
    assert!(ended.stdout.starts_with("✗ 503 keys.unavailable\n"), "{}", ended.stdout);
    for head in [
        "\nDirectory  if the token were good; ",
        "\nHeaders  what the application would see if the token were good, ",
    ] {
        assert!(ended.stdout.contains(head), "{head}: {}", ended.stdout);
    }
}

#[test]
fn the_answer_can_be_json() {
    let folder = installation();
    let token = corp().token_at(ISSUED * 1000).tags(["MemberTag1"]).sign();
    let answer = explain(
        &folder,
        &format!("Bearer {token}"),
        ISSUED + 60,
        &[&CALL[..], &["--json"]].concat(),
    )
    .json();
    assert_eq!(answer["answer"]["status"], 200);
    assert_eq!(answer["key"], json!({ "kid": "rsa_1", "matched_by": "kid" }));
    assert_eq!(
        answer["organizations"],
        json!([{ "name": "acme", "role": "member", "status": "active" }])
    );
    let refused = explain(&folder, &token, ISSUED + 60, &["--request", "nonsense"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
}

/// Beside a running server, with its store and its issuer's key URL; neither the directory nor the keys are written.
#[tokio::test]
async fn it_works_beside_a_running_server() {
    let world = World::start().await;
    let config = world.narthex.config_file();
    let config = config.to_str().unwrap();
    let token = member("bob").sign();
    let request = format!("POST {GUARDED}");
    let arguments = ["explain", &token, "--request", &request, "--config", config, "--json"];
    let answer = narthex_in(world.narthex.folder(), &arguments, "").json();
    assert_eq!(answer["answer"]["status"], 200, "{answer}");
    assert!(
        answer["changes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|change| change["action"] == "user.created"),
        "{answer}"
    );
    let users = world.narthex.api().done("GET", "/users", None).await.unwrap();
    assert_eq!(users["items"], json!([]), "nothing is written");
    assert_eq!(world.send(world.call("POST", GUARDED).bearer(&token)).await.status, 200);
    let again = narthex_in(world.narthex.folder(), &arguments, "").json();
    assert_eq!(
        again["changes"],
        json!([]),
        "the directory that is there is the one that is asked"
    );
}

/// A store that is there, and a file that declares what no server has applied yet: it is explained as it will be.
#[tokio::test]
async fn declared_organizations_count_before_a_server_has_applied_them() {
    let world = World::start().await;
    let next = std::fs::read_to_string(world.narthex.config_file()).unwrap()
        + "\n[[organization]]\nname = \"globex\"\nrealm = \"corp\"\nexternal_member_groups = [\"globex-staff\"]\n";
    let file = world.narthex.folder().join("next.toml");
    std::fs::write(&file, next).unwrap();
    let call = |token: &str, extra: &[&str]| {
        let request = "POST /v1/algo/globex/echo/1.0";
        let file = file.to_str().unwrap();
        let arguments = [&["explain", token, "--request", request, "--config", file], extra].concat();
        narthex_in(world.narthex.folder(), &arguments, "")
    };
    let ended = call(&member("bob").tags(["globex-staff"]).sign(), &["--json"]);
    let answer = ended.json();
    assert_eq!(answer["answer"]["status"], 200, "{answer}");
    assert_eq!(
        answer["organizations"],
        json!([{ "name": "globex", "role": "member", "status": "active" }])
    );
    assert!(ended.stderr.contains("1 organizations"), "{}", ended.stderr);
    // Near misses of it are seen too.
    let answer = call(&member("bob").tags(["/globex-staff"]).sign(), &["--json"]).json();
    assert_eq!(
        answer["answer"]["cure"]["near"][0]["difference"], "leading_slash",
        "{answer}"
    );
    let named = world.narthex.api().list("/organizations").await.unwrap();
    assert_eq!(named.len(), 1, "nothing is written");
    // One that is as it is declared is no news.
    let text = call(&member("bob").sign(), &[]);
    assert!(text.stdout.starts_with("✗ 403 organization.role"), "{}", text.stdout);
}

/// What the API says of a token.
async fn explained(world: &World, body: &serde_json::Value) -> serde_json::Value {
    world.narthex.api().done("POST", "/explain", Some(body)).await.unwrap()
}

/// The API explains with the keys that a door would have: where a token's is not there, the issuer is asked, as seldom as a
/// door would.
#[tokio::test]
async fn the_api_asks_for_newer_keys_as_a_door_does() {
    let world = World::start().await;
    let call = || world.call("GET", "/whoami");
    assert_eq!(world.send(call().bearer(&member("alice").sign())).await.status, 200);
    world.idp.rotate(&[TestKey::Rsa1, TestKey::Rsa2]);
    let before = world.idp.key_set_requests();
    let newer = member("alice").key(TestKey::Rsa2).sign();
    let told = explained(&world, &json!({ "token": format!("Bearer {newer}") })).await;
    assert_eq!(told["answer"]["status"], 200, "{told}");
    assert_eq!(told["key"]["kid"], "rsa_2", "{told}");
    let unknown = member("alice").kid("rsa_9").sign();
    let told = explained(&world, &json!({ "token": unknown })).await;
    assert_eq!(told["answer"]["reason"], "token.key_unknown", "{told}");
    assert_eq!(world.idp.key_set_requests(), before + 1, "once in a cooldown");
    assert_eq!(world.send(call().bearer(&newer)).await.status, 200);
}

/// A key that everybody sees in the set, and that is not used: the answer says why, and so does the log when no other is left.
#[tokio::test]
async fn it_says_why_a_published_key_is_not_used() {
    let token = || member("alice").key(TestKey::Rsa2).sign();
    let unused = "key `rsa_2` is not used: its `use` is `enc`, not `sig`";
    for (beside, status, words) in [
        (
            &[TestKey::Rsa1][..],
            401,
            "it is not used: its `use` is `enc`, not `sig`",
        ),
        (&[], 503, unused),
    ] {
        let world = World::start().await;
        let whoami = |token: &str| world.call("GET", "/whoami").bearer(token);
        assert_eq!(world.send(whoami(&member("alice").sign())).await.status, 200);
        let mut set = key_set(&[&[TestKey::Rsa2], beside].concat());
        set["keys"][0]["use"] = "enc".into();
        world.idp.publish(set);
        let told = explained(&world, &json!({ "token": token() })).await;
        assert_eq!(told["answer"]["status"], status, "{told}");
        assert!(told["answer"]["cause"].as_str().unwrap().contains(words), "{told}");
        // A door says the same, and whose key is known is let in.
        assert_eq!(world.send(whoami(&token())).await.status, status);
        assert_eq!(world.send(whoami(&member("alice").sign())).await.status, 200);
        let logs = world.narthex.logs();
        let warning = logs.lines().find(|line| line.contains("has no usable key"));
        assert_eq!(warning.is_some(), beside.is_empty(), "{logs}");
        assert!(
            warning.is_none_or(|line| line.contains("WARN") && line.contains(unused)),
            "{logs}"
        );
    }
}

/// What would be left out without a word is taken, or refused with one.
#[tokio::test]
async fn a_request_is_explained_as_it_is_said() {
    let world = World::with_config(|idp, upstream| {
        config(idp, upstream)
            + "\n[[route]]\npath = \"/split\"\nrequire = \"platform:admin\"\nhosts = [\"admin.test\"]\nupstream = \"http://127.0.0.1:9\"\n"
    })
    .await;
    let token = member("alice").sign();
    for (request, says) in [
        (
            json!({ "method": "GET", "path": "/split", "headers": { "Host": "admin.test." } }),
            "platform.role",
        ),
        (
            json!({ "method": "GET", "path": "/split", "host": "admin.test" }),
            "platform.role",
        ),
        (json!({ "method": "GET", "path": "/split" }), "route.unmatched"),
        (
            json!({ "method": "GET", "path": "/split", "host": "a..b" }),
            "request.host",
        ),
    ] {
        let told = explained(&world, &json!({ "token": token, "request": request })).await;
        assert_eq!(told["answer"]["reason"], says, "{told}");
    }
    for (request, says) in [
        (json!({ "method": "G T", "path": "/split" }), "`G T` is not a method"),
        (
            json!({ "method": "GET", "path": "/split", "host": "a", "headers": { "Host": "a" } }),
            "more than once",
        ),
        (
            json!({ "method": "GET", "path": "/split", "headers": { "a b": "c" } }),
            "`a b` is not a header",
        ),
    ] {
        let body = json!({ "token": token, "request": request });
        let answer = world.narthex.api().call("POST", "/explain", Some(&body)).await.unwrap();
        assert!(
            answer.status == 400 && answer.text().contains(says),
            "{} {}",
            answer.status,
            answer.text()
        );
    }
}

/// An answer of `explain` cuts what it quotes of the request, and escapes characters that change the direction of text.
#[tokio::test]
async fn sec_explain_repeats_little_of_a_request_that_cannot_be() {
    let world = World::start().await;
    let token = member("alice").sign();
    let (long, cut) = ("h ".repeat(20_000), "h ".repeat(30));
    for (request, shown) in [
        (
            json!({ "method": "GET", "path": "/", "headers": { (long.as_str()): "c" } }),
            format!("`{cut}…` is not a header"),
        ),
        (
            json!({ "method": long, "path": "/" }),
            format!("`{cut}…` is not a method"),
        ),
        (
            json!({ "method": "GET", "path": "/", "headers": { "a\u{202e}b": "c" } }),
            "`a\\u{202e}b` is not a header".to_owned(),
        ),
        (
            json!({ "method": "G\u{1b}[1mT", "path": "/" }),
            "`G\\u{1b}[1mT` is not a method".to_owned(),
        ),
    ] {
        let body = json!({ "token": token, "request": request });
        let answer = world.narthex.api().call("POST", "/explain", Some(&body)).await.unwrap();
        let problem = answer.json().unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            answer.status == 400 && detail.contains(&shown) && detail.len() < 400,
            "{detail}"
        );
    }
}
