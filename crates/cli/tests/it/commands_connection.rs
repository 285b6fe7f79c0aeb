//! `narthex connection …`, against a service that checks tokens with npm `jsonwebtoken`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use narthex_testkit::process::Process;
use narthex_testkit::repository;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::commands::Ended;

const CLIENT_SECRET: &str = "my-client-secret";

/// The service, and a folder with the files that tests name.
struct World {
    folder: TempDir,
    url: String,
    _service: Process,
}

impl World {
    fn start() -> Self {
        let needs = repository().join("e2e/node/node_modules/jsonwebtoken");
        assert!(
            needs.exists(),
            "`{}` is missing: run `cargo xtask setup`",
            needs.display()
        );
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("secret.txt"), format!("{CLIENT_SECRET}\n")).unwrap();
        std::fs::write(folder.path().join("key.pem"), vector_key("rsa2048_pkcs1")).unwrap();
        let settings = json!({
            "secret": CLIENT_SECRET,
            "publicKey": vector_key("rsa2048_public_spki"),
            "appId": "123456",
        });
        let path = folder.path().join("settings.json");
        std::fs::write(&path, settings.to_string()).unwrap();
        let service = Process::start(
            Command::new("node")
                .arg(repository().join("e2e/node/token-service.mjs"))
                .arg(path),
        )
        .unwrap();
        let port = port(&service);
        Self {
            folder,
            url: format!("http://127.0.0.1:{port}"),
            _service: service,
        }
    }

    /// Writes a document to a file.
    fn document(&self, source: &str) -> PathBuf {
        let path = self.folder.path().join("connection.json");
        std::fs::write(&path, source).unwrap();
        path
    }

    /// The document of Make's documentation, unchanged but for its URL.
    fn seed(&self) -> PathBuf {
        let seed = read(&repository().join("crates/connection/tests/documents/make_jwt.json"));
        self.document(&seed.replace("https://mock.api/connect", &format!("{}/connect", self.url)))
    }

    fn run(&self, command: &str, document: &Path, arguments: &[&str]) -> Ended {
        let document = document.to_str().unwrap();
        self.narthex(&[&["connection", command, document], arguments].concat(), "")
    }

    fn narthex(&self, arguments: &[&str], stdin: &str) -> Ended {
        let mut child = Command::new(env!("CARGO_BIN_EXE_narthex"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("SECRET_OF_TEST", CLIENT_SECRET)
            // Whatever is logged is looked at too.
            .env("RUST_LOG", "trace")
            .env("NARTHEX_LOG", "trace")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A key of the vectors that npm `jsonwebtoken` made.
fn vector_key(name: &str) -> String {
    let vectors: Value =
        serde_json::from_str(&read(&repository().join("crates/mint/tests/vectors/jwt_sign.json"))).unwrap();
    vectors["keys"][name].as_str().unwrap().to_owned()
}

fn port(service: &Process) -> u16 {
    for _ in 0..500 {
        if let Some(port) = service.output().lines().next().and_then(|line| line.parse().ok()) {
            return port;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the service did not start: {}", service.output());
}

const SECRETS: [&str; 6] = [
    "--param",
    "clientId=my-client-id",
    "--param-file",
    "clientSecret=secret.txt",
    "--timezone",
    "Europe/Prague",
];

#[test]
fn the_document_of_the_documentation_is_accepted_by_the_library() {
    let world = World::start();
    let seed = world.seed();
    let ended = world.run("run", &seed, &SECRETS);
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (0, "done\n", ""),
        "{ended:?}"
    );
    let ended = world.run("run", &seed, &[&SECRETS[..], &["--json"]].concat());
    let minted = &ended.json()["minted"][0];
    assert_eq!(minted["header"], json!(["alg", "typ", "kid"]), "{ended:?}");
    assert_eq!(
        minted["claims"],
        json!(["iss", "iat", "exp", "scope", "aud"]),
        "{ended:?}"
    );
    // A minute after it ended, the service says no.
    let ended = world.run("run", &seed, &[&SECRETS[..], &["--at", "1700000000123"]].concat());
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("RuntimeError (status 401)"), "{ended:?}");
    let wrong = ["--param", "clientId=x", "--param-env", "clientSecret=PATH"];
    assert_eq!(world.run("run", &seed, &wrong).code, 1);
    let by_variable = ["--param", "clientId=x", "--param-env", "clientSecret=SECRET_OF_TEST"];
    assert_eq!(world.run("run", &seed, &by_variable).code, 0);
}

#[test]
fn headers_are_the_token_of_the_vector() {
    let world = World::start();
    let vectors: Value =
        serde_json::from_str(&read(&repository().join("crates/mint/tests/vectors/jwt_sign.json"))).unwrap();
    let case = vectors["cases"].as_array().unwrap().iter();
    let case = { case }
        .find(|case| case["name"] == "make doc example: HS512 with header.kid")
        .unwrap();
    let token = case["expected_token"].as_str().unwrap();
    let arguments = [&SECRETS[..], &["--at", "1700000000123"]].concat();
    let ended = world.run("headers", &world.seed(), &arguments);
    assert_eq!(
        (ended.code, ended.stdout),
        (0, format!("Authorization: Bearer {token}\n"))
    );
    let ended = world.run("headers", &world.seed(), &[&arguments[..], &["--json"]].concat());
    assert_eq!(ended.json(), json!({ "Authorization": format!("Bearer {token}") }));
    // The same from standard input.
    let source = read(&world.seed());
    let ended = world.narthex(&[&["connection", "headers", "-"], &arguments[..]].concat(), &source);
    assert_eq!(ended.stdout, format!("Authorization: Bearer {token}\n"));
}

#[test]
fn the_oauth2_document_gets_its_token() {
    let world = World::start();
    let document = repository().join("docs/how-to/connections/oauth2-jwt-bearer.json");
    let url = format!("tokenUrl={}/oauth/token", world.url);
    let arguments = [
        "--param",
        &url,
        "--param",
        "clientId=client-1",
        "--param-file",
        "privateKey=key.pem",
    ];
    let ended = world.run(
        "run",
        &document,
        &[
            &arguments[..],
            &["--param", "scope=a b", "--show", "clientId", "--json"],
        ]
        .concat(),
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    let answer = ended.json();
    assert_eq!(answer["uid"], "client-1");
    assert!(
        answer["data"]["accessToken"]
            .as_str()
            .unwrap()
            .starts_with("at-client-1-"),
        "{answer}"
    );
    assert!(
        answer["expires_at_ms"].as_i64().unwrap() > 1_700_000_000_000,
        "{answer}"
    );
    assert_eq!(
        answer["minted"][0]["claims"],
        json!(["iss", "sub", "aud", "scope", "jti", "iat", "exp"])
    );
    let human = world.run("run", &document, &arguments);
    assert!(human.stdout.contains("data      accessToken, tokenType"), "{human:?}");
    // What is to be shown is, although a masked assertion holds it too.
    let dry = world.run(
        "run",
        &document,
        &[&arguments[..], &["--dry-run", "--show", "tokenUrl"]].concat(),
    );
    let first = format!("POST {}/oauth/token\n", world.url);
    assert!(dry.stdout.starts_with(&first), "{dry:?}");
    assert!(
        dry.stdout.contains("assertion=***") && !dry.stdout.contains("client-1"),
        "{dry:?}"
    );
    assert!(
        human.stdout.contains("uid       ***") && !human.stdout.contains("client-1"),
        "{human:?}"
    );
    // Meant for another place, it is refused, and the document says so in the service's words.
    let elsewhere = format!("{url}/other");
    let arguments = arguments.map(|argument| if argument == url { elsewhere.as_str() } else { argument });
    let refused = world.run("run", &document, &arguments);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("invalid_grant: jwt audience invalid"),
        "{refused:?}"
    );
}

/// The library's message to the letter, and beside it what is the matter.
#[test]
fn a_key_that_does_not_open_is_told_with_its_cause() {
    let world = World::start();
    std::fs::write(
        world.folder.path().join("locked.pem"),
        vector_key("rsa2048_pkcs8_enc_aes256cbc"),
    )
    .unwrap();
    let document = world.document(
        r#"{ "url": "https://a.example/", "temp": { "secret": { "key": "{{parameters.key}}", "passphrase": "{{parameters.phrase}}" } },
             "headers": { "x-assertion": "{{jwt(parameters.claims, temp.secret, 'RS256')}}" } }"#,
    );
    let given = [
        "--param",
        "claims=x",
        "--param",
        "phrase=wrong one",
        "--param-file",
        "key=locked.pem",
    ];
    let ended = world.run("headers", &document, &given);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("error: secretOrPrivateKey is not valid key material\n"),
        "{ended:?}"
    );
    assert!(
        ended
            .stderr
            .contains("help: the passphrase does not open this private key"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("wrong one"), "{ended:?}");
    let document = world.document(
        r#"{ "url": "https://a.example/", "headers": { "x-assertion": "{{jwt('x', parameters.key, 'RS256')}}" } }"#,
    );
    let ended = world.run("headers", &document, &["--param", "key=key.pem"]);
    let told = "help: this looks like the name of a file: give what is in the file (`--param-file NAME=PATH` reads it)";
    assert!(
        ended
            .stderr
            .contains("error: secretOrPrivateKey must be an asymmetric key when using RS256\n"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains(told), "{ended:?}");
}

#[test]
fn the_github_document_gets_its_token() {
    let world = World::start();
    let document = repository().join("docs/how-to/connections/github-app-token.json");
    let api = format!("api={}", world.url);
    let arguments = [
        "--param",
        &api,
        "--param",
        "appId=123456",
        "--param",
        "installationId=77",
        "--param-file",
        "privateKey=key.pem",
        "--json",
    ];
    let ended = world.run(
        "run",
        &document,
        &[&arguments[..], &["--show", "appId", "--show", "installationId"]].concat(),
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    let answer = ended.json();
    assert_eq!(
        (&answer["uid"], &answer["data"]),
        (&json!("77"), &json!({ "token": "ghs_0123456789abcdef" }))
    );
    assert_eq!(
        answer["metadata"],
        json!({ "type": "text", "value": "app 123456, installation 77" })
    );
    // An answer without a token is no success, whatever its status.
    let empty: Vec<&str> = arguments
        .iter()
        .map(|text| {
            if *text == "installationId=77" {
                "installationId=78"
            } else {
                text
            }
        })
        .collect();
    let ended = world.run("run", &document, &empty);
    assert_eq!(
        (ended.code, &ended.json()["error"]["message"]),
        (1, &json!("the answer has no token")),
        "{ended:?}"
    );
    let wrong: Vec<&str> = arguments
        .iter()
        .map(|text| if *text == "appId=123456" { "appId=1" } else { text })
        .collect();
    let ended = world.run("run", &document, &wrong);
    assert_eq!(
        (ended.code, &ended.json()["error"]["type"]),
        (1, &json!("InvalidAccessTokenError")),
        "{ended:?}"
    );
}

#[test]
fn a_dry_run_sends_nothing_and_shows_no_secret() {
    let world = World::start();
    let document = world.document(
        r#"{ "url": "http://127.0.0.1:1/{{parameters.user}}", "method": "POST", "type": "urlencoded",
             "headers": { "authorization": "Basic {{base64(parameters.user + ':' + parameters.key)}}" },
             "body": { "key": "{{parameters.key}}", "plain": "text" } }"#,
    );
    let arguments = [
        "--dry-run",
        "--param",
        "user=ann-of-x",
        "--param-file",
        "key=secret.txt",
    ];
    let ended = world.run("run", &document, &arguments);
    let expected = "POST http://127.0.0.1:1/***\nAuthorization: Basic ***\nContent-Type: application/x-www-form-urlencoded\n\n\
                    key=***&plain=text\n";
    assert_eq!((ended.code, ended.stdout.as_str()), (0, expected), "{ended:?}");
    let ended = world.run(
        "run",
        &document,
        &[&arguments[..], &["--show", "user", "--json"]].concat(),
    );
    assert_eq!(ended.json()["url"], "http://127.0.0.1:1/ann-of-x");
    assert_eq!(ended.json()["headers"]["Authorization"], "Basic ***");
}

#[test]
fn what_cannot_be_understood_ends_with_two() {
    let world = World::start();
    let seed = world.seed();
    for arguments in [
        &["--param", "novalue"][..],
        &["--param", "=x"],
        &["--param", "a=1", "--param-env", "a=PATH"],
        &["--param-env", "a=NO_SUCH_VARIABLE_HERE"],
        &["--param-file", "a=/nowhere"],
        &["--data", "secret.txt"],
        &["--show", "nobody"],
        &["--timezone", "Mars/Olympus"],
    ] {
        let ended = world.run("run", &seed, arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?} {ended:?}");
    }
    assert_eq!(world.run("run", Path::new("/nowhere.json"), &[]).code, 2);
    let broken = world.document(r#"{ "ulr": "{{paramters.x}}", "headers": { "a": "{{uper('x')}}" } }"#);
    let ended = world.run("headers", &broken, &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{ended:?}");
    for part in [
        "unknown key `ulr`",
        "did you mean `url`?",
        "at `/headers/a`: there is no function `uper`",
        "^^^^",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {ended:?}");
    }
}

#[test]
fn failures_point_at_their_place() {
    let world = World::start();
    let ended = world.run("headers", &world.seed(), &["--param", "clientId=x"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
    for part in [
        "at `/headers/authorization`",
        "secretOrPrivateKey must have a value",
        "^^^^",
        "were not given: `clientSecret`",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {ended:?}");
    }
    let nobody = world.document(r#"{ "url": "http://127.0.0.1:1/" }"#);
    let ended = world.run("run", &nobody, &["--json"]);
    assert_eq!(
        (ended.code, &ended.json()["error"]["type"]),
        (1, &json!("ConnectionError")),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("no connection to `127.0.0.1`"), "{ended:?}");
}

#[test]
fn credentials_stay_when_a_redirect_leaves_the_origin() {
    let (world, other) = (World::start(), World::start());
    let document = |to: &str| {
        let source = json!({
            "url": format!("{}/redirect", world.url), "qs": { "to": to },
            "headers": { "authorization": "Bearer plain-credential", "x-api-key": "plain-key", "cookie": "plain-cookie" },
            "response": { "error": "{{body.error.message}}" },
        });
        world.document(&source.to_string())
    };
    let ended = world.run("run", &document(&format!("{}/echo/418", other.url)), &[]);
    assert!(ended.code == 1 && ended.stderr.contains("User-Agent"), "{ended:?}");
    assert!(!ended.stderr.contains("plain-"), "{ended:?}");
    let ended = world.run("run", &document("/echo/418"), &[]);
    assert!(ended.stderr.contains("plain-credential"), "{ended:?}");
    // Names arrive as the document's author would write them.
    assert!(ended.stderr.contains("X-Api-Key plain-key"), "{ended:?}");
    let ended = world.run("run", &document("file:///etc/passwd"), &[]);
    assert!(
        ended.code == 1 && ended.stderr.contains("which is not followed"),
        "{ended:?}"
    );
}

/// Every mode, with a service that echoes all it was sent: no secret on either output, in any of its usual forms.
#[test]
fn sec_no_secret_leaves_on_standard_output_error_or_in_logs() {
    let world = World::start();
    let secret = "hunter2/hunter+2";
    std::fs::write(world.folder.path().join("key.txt"), secret).unwrap();
    std::fs::write(world.folder.path().join("data.json"), r#"{"old":"stored-secret-9"}"#).unwrap();
    let source = |url: &str| {
        json!({
            "url": url, "method": "POST",
            "headers": { "authorization": "Basic {{base64('user:' + parameters.key)}}", "x-one": "{{parameters.key}}", "x-two": "{{common.shared}}" },
            "qs": { "k": "{{parameters.key}}", "d": "{{data.old}}" },
            "body": { "jwt": "{{jwt(temp, parameters.key)}}", "all": "{{parameters}}" },
            "temp": { "sub": "ann" },
            "response": { "error": "{{body.error.message}} {{parameters.key}}" },
        })
        .to_string()
    };
    let inputs = [
        "--param-file",
        "key=key.txt",
        "--common",
        "shared=common-secret-7",
        "--data",
        "data.json",
    ];
    let echo = source(&format!("{}/echo/500", world.url));
    let mut seen = Vec::new();
    for (document, extra) in [
        (echo.clone(), &[][..]),
        (echo.clone(), &["--json"]),
        (echo.clone(), &["--dry-run"]),
        (echo.clone(), &["--dry-run", "--json"]),
        (source("http://127.0.0.1:1/{{parameters.key}}"), &[]),
        (source("http://{{parameters.key}}.invalid/"), &[]),
        (source("{{parameters.key}}"), &[]),
        (source("http://{{common.shared}}@127.0.0.1/"), &[]),
        (echo.replace("'user:'", "parseJSON(parameters.key)"), &[]),
        (echo.replace("\"ann\"", "\"ann\",\"exp\":\"{{parameters.key}}\""), &[]),
        (echo.replace("x-one", "x one"), &[]),
    ] {
        let path = world.document(&document);
        for command in ["run", "headers"] {
            let is_sending = command == "headers" && extra.is_empty();
            if command == "headers" && !is_sending {
                continue;
            }
            let ended = world.run(command, &path, &[&inputs[..], extra].concat());
            // What `headers` prints is what is to be sent.
            let stdout = if command == "headers" && ended.code == 0 {
                String::new()
            } else {
                ended.stdout
            };
            seen.push(format!("{command} {extra:?} {document}\n{stdout}\n{}", ended.stderr));
        }
    }
    let forms = [
        secret,
        "hunter2%2Fhunter%2B2",
        "dXNlcjpodW50ZXIyL2h1bnRlcisy",
        "aHVudGVyMi9odW50ZXIrMg",
        "common-secret-7",
        "stored-secret-9",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
    ];
    assert!(seen.iter().any(|text| text.contains("status 500")), "{seen:?}");
    for text in &seen {
        for form in forms {
            assert!(!text.contains(form), "`{form}` in {text}");
        }
    }
}
