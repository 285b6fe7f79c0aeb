//! `narthex token verify|sign|decode`, with tokens that other libraries made.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use narthex_testkit::{Behaviour, IdentityProvider, TestIssuer, TestKey, TokenBuilder, keys::key_set};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::commands::{Ended, narthex, narthex_in};

/// When the tokens of the vectors are good.
const THEN: &str = "1700000100";
const SECRET: &str = "a secret that is long enough for all of HS256, HS384 and HS512, I hope";

fn vectors(name: &str) -> PathBuf {
    narthex_testkit::repository()
        .join("crates/token/tests/vectors")
        .join(name)
}

fn read(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(vectors(name)).unwrap()).unwrap()
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

/// A key set, its public keys in PEM, and a secret, in files.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut set = key_set(&TestKey::ALL);
        let broken = json!({ "kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB" });
        set["keys"].as_array_mut().unwrap().insert(0, broken);
        std::fs::write(folder.path().join("jwks.json"), set.to_string()).unwrap();
        std::fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
        Self { folder }
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn verify(&self, token: &str, arguments: &[&str]) -> Ended {
        let mut all = vec!["token", "verify", token, "--json"];
        all.extend(arguments);
        narthex_in(self.folder.path(), &all, "")
    }

    /// The reason and exit code of a refusal.
    fn refused(&self, token: &str, arguments: &[&str]) -> (i32, String) {
        let ended = self.verify(token, arguments);
        let answer = ended.json();
        assert_eq!(answer["valid"], false, "{ended:?}");
        assert!(
            answer["message"].as_str().is_some_and(|message| !message.is_empty()),
            "{ended:?}"
        );
        (ended.code, answer["reason"].as_str().unwrap().to_owned())
    }
}

fn issuer() -> TestIssuer {
    TestIssuer::new("https://idp.test")
}

fn with_secret() -> TokenBuilder {
    issuer().secret(SECRET).token().without_header("kid")
}

/// Every token of `jose`, `jsonwebtoken` and `PyJWT` verifies against the key set or the secret, by the rule its header
/// calls for, and not with another algorithm.
#[test]
fn tokens_of_other_libraries_verify() {
    let files = Files::new();
    let secret = read("test-keys.json")["secret"].as_str().unwrap().to_owned();
    std::fs::write(
        files.folder.path().join("secret"),
        URL_SAFE_NO_PAD.decode(secret).unwrap(),
    )
    .unwrap();
    let jwks = vectors("jwks.json");
    let mut seen = 0;
    for name in ["node.json", "pyjwt.json"] {
        let file = read(name);
        for vector in file["vectors"].as_array().unwrap() {
            let (token, algorithm) = (vector["token"].as_str().unwrap(), vector["algorithm"].as_str().unwrap());
            let header: Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
            let keys: [&str; 2] = if algorithm.starts_with("HS") {
                ["--secret-file", "secret"]
            } else {
                ["--jwks", path(&jwks)]
            };
            let ended = files.verify(token, &[&keys[..], &["--algorithm", algorithm, "--at", THEN]].concat());
            let hint = ["kid", "x5t#S256", "x5t"]
                .into_iter()
                .find(|hint| header.get(hint).is_some());
            let several = hint.is_none() && (algorithm.starts_with("RS") || algorithm.starts_with("PS"));
            if several {
                assert_eq!(ended.json()["reason"], "token.key_unknown", "{name} {vector}");
                continue;
            }
            let expected = if algorithm.starts_with("HS") {
                "secret"
            } else {
                hint.unwrap_or("only_key")
            };
            let answer = ended.json();
            assert_eq!(
                (ended.code, &answer["valid"]),
                (0, &Value::Bool(true)),
                "{name} {vector} {ended:?}"
            );
            assert_eq!(answer["key"]["matched_by"], expected, "{name} {vector}");
            assert_eq!(
                (&answer["header"], &answer["claims"]),
                (&header, &file["claims"]),
                "{name} {vector}"
            );
            let other = if algorithm.starts_with("HS") { "HS384" } else { "ES256" };
            if other != algorithm {
                let refused = files.refused(token, &[&keys[..], &["--algorithm", other, "--at", THEN]].concat());
                assert_eq!(refused, (1, "token.algorithm".to_owned()), "{name} {vector}");
            }
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

/// A public key by itself chooses its own usual algorithm.
#[test]
fn one_public_key_is_enough() {
    let files = Files::new();
    let file = read("node.json");
    let token = |case: &str| {
        let mut vectors = file["vectors"].as_array().unwrap().iter();
        let vector = vectors.find(|vector| vector["case"] == case && vector["algorithm"] == "RS256");
        vector.unwrap()["token"].as_str().unwrap()
    };
    // Nearly every real token names its key, and a file has no name that could be compared.
    for case in ["jose no_kid", "jose kid"] {
        for key in ["rsa.spki.pem", "rsa.pkcs1.pem", "certificate.pem"] {
            let ended = files.verify(token(case), &["--public-key", path(&vectors(key)), "--at", THEN]);
            assert_eq!(
                ended.json()["key"],
                json!({ "kid": null, "matched_by": "only_key" }),
                "{case} {key} {ended:?}"
            );
        }
    }
    let token = token("jose no_kid");
    files.write("private.pem", TestKey::Rsa1.pem());
    let (code, reason) = files.refused(token, &["--public-key", "private.pem", "--at", THEN]);
    assert_eq!((code, reason.as_str()), (2, "keys.unavailable"));
}

/// Each option, alone and against a token that does not meet it.
#[test]
fn what_is_named_is_compared_and_nothing_else() {
    let files = Files::new();
    let good = issuer().token().sign();
    let jwks = ["--jwks", "jwks.json"];
    for (arguments, expected) in [
        (&[][..], Ok(())),
        (&["--issuer", "https://idp.test"], Ok(())),
        (&["--issuer", "https://idp.test/"], Err("token.issuer_unknown")),
        (&["--audience", "narthex"], Ok(())),
        (&["--audience", "other", "--audience", "narthex"], Ok(())),
        (&["--audience", "Narthex"], Err("token.audience")),
        (&["--require", "exp,sub,iat"], Ok(())),
        (&["--require", "exp,tenant"], Err("token.claim_missing")),
        (&["--require", "none"], Ok(())),
        (&["--algorithm", "RS512", "--algorithm", "RS256"], Ok(())),
        (&["--algorithm", "RS512,RS256"], Ok(())),
        (&["--algorithm", "PS256"], Err("token.algorithm")),
        (&["--at", "1"], Err("token.issued_in_future")),
        (&["--at", "99999999999"], Err("token.expired")),
    ] {
        let ended = files.verify(&good, &[&jwks[..], arguments].concat());
        let expected = match expected {
            Ok(()) => (0, Value::Null),
            Err(reason) => (1, Value::from(reason)),
        };
        assert_eq!(
            (ended.code, ended.json()["reason"].clone()),
            expected,
            "{arguments:?} {ended:?}"
        );
    }
}

/// The times, to the second, on both sides of the leeway.
#[test]
fn times_count_with_the_leeway() {
    let files = Files::new();
    let at = |builder: TokenBuilder, seconds: i64, leeway: &str| {
        let ended = files.verify(
            &builder.sign(),
            &[
                "--secret-file",
                "secret",
                "--at",
                &seconds.to_string(),
                "--leeway",
                leeway,
            ],
        );
        ended.json()["reason"].as_str().map(str::to_owned)
    };
    let token = || {
        issuer()
            .secret(SECRET)
            .token_at(1_700_000_000_000)
            .without_header("kid")
    };
    let reason = |reason: &str| Some(reason.to_owned());
    assert_eq!(at(token(), 1_700_003_659, "60s"), None);
    assert_eq!(at(token(), 1_700_003_660, "60s"), reason("token.expired"));
    assert_eq!(at(token(), 1_700_003_600, "0s"), reason("token.expired"));
    assert_eq!(at(token(), 1_700_003_599, "0"), None);
    assert_eq!(at(token().not_before_in(600), 1_700_000_300, "5m"), None);
    assert_eq!(
        at(token().not_before_in(600), 1_700_000_299, "5m"),
        reason("token.not_yet_valid")
    );
    assert_eq!(
        at(token().issued_in(61), 1_700_000_000, "60s"),
        reason("token.issued_in_future")
    );
}

/// A token without `exp` passes only where it is not required, and a wrong type is never "absent".
#[test]
fn exp_is_required_unless_it_is_waived() {
    let files = Files::new();
    let secret = ["--secret-file", "secret"];
    let refused = |token: &str, arguments: &[&str]| files.refused(token, &[&secret[..], arguments].concat()).1;
    let without = with_secret().without("exp").sign();
    assert_eq!(refused(&without, &[]), "token.claim_missing");
    assert_eq!(refused(&without, &["--require", "exp,sub"]), "token.claim_missing");
    assert_eq!(
        files
            .verify(&without, &[&secret[..], &["--require", "none"]].concat())
            .code,
        0
    );
    assert_eq!(
        files
            .verify(&without, &[&secret[..], &["--require", "sub"]].concat())
            .code,
        0
    );
    for exp in [
        json!("9999999999"),
        json!(null),
        json!([9_999_999_999_i64]),
        json!(1e300),
    ] {
        let token = with_secret().claim("exp", exp.clone()).sign();
        assert_eq!(refused(&token, &["--require", "none"]), "token.claim_invalid", "{exp}");
    }
    assert_eq!(
        refused(&with_secret().expired().sign(), &["--require", "none"]),
        "token.expired"
    );
}

/// Tokens that must not pass, whatever the options.
#[test]
fn refusals_name_their_reason() {
    let files = Files::new();
    let jwks = ["--jwks", "jwks.json"];
    let token = || issuer().token();
    let none = token().unsigned();
    let tampered = {
        let good = token().sign();
        let (signed, _) = good.rsplit_once('.').unwrap();
        let (_, signature) = token()
            .subject("mallory")
            .sign()
            .rsplit_once('.')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        format!("{signed}.{signature}")
    };
    for (token, reason) in [
        (none, "token.algorithm"),
        (tampered, "token.signature"),
        (token().forged_with(TestKey::Rsa2).sign(), "token.signature"),
        (token().kid("nobody").sign(), "token.key_unknown"),
        (token().kid("broken").sign(), "token.key_unknown"),
        (token().header("crit", json!(["x"])).sign(), "token.header"),
        (token().header("typ", "dpop+jwt").sign(), "token.header"),
        (
            token().issuer(json!(["https://idp.test"])).sign(),
            "token.claim_invalid",
        ),
        (token().secret(TestKey::Rsa1.pem()).sign(), "token.algorithm"),
        (format!("{}=", token().sign()), "token.malformed"),
        ("a.b".to_owned(), "token.malformed"),
        (String::new(), "token.malformed"),
        (format!("Basic {}", token().sign()), "token.malformed"),
        ("x".repeat(17_000), "token.too_large"),
    ] {
        assert_eq!(files.refused(&token, &jwks), (1, reason.to_owned()), "{token}");
    }
}

/// What was copied from a request carries its scheme; everything else counts, as at a door.
#[test]
fn a_token_may_be_pasted_with_its_scheme() {
    let files = Files::new();
    let jwks = ["--jwks", "jwks.json"];
    let token = issuer().token().sign();
    for pasted in [format!("Bearer {token}"), format!("bearer  {token}")] {
        let answer = files.verify(&pasted, &jwks);
        assert_eq!(answer.code, 0, "{answer:?}");
    }
    assert_eq!(
        files.refused(&format!("{token} "), &jwks),
        (1, "token.malformed".to_owned())
    );
}

/// A public key is no secret, and a secret no public key: neither can be talked into it.
#[test]
fn sec_alg_confusion_has_no_command_line() {
    let files = Files::new();
    let pem = std::fs::read_to_string(vectors("rsa.spki.pem")).unwrap();
    files.write("public.pem", &pem);
    let confused = issuer().secret(pem).token().without_header("kid").sign();
    for (arguments, code, reason) in [
        (&["--public-key", "public.pem"][..], 1, "token.algorithm"),
        (
            &["--public-key", "public.pem", "--algorithm", "HS256"],
            2,
            "token.algorithm",
        ),
        (
            &["--public-key", "public.pem", "--algorithm", "RS256,HS256"],
            2,
            "token.algorithm",
        ),
        (&["--jwks", "jwks.json", "--algorithm", "HS256"], 2, "token.algorithm"),
        (&["--secret-file", "public.pem"], 2, "keys.unavailable"),
        (
            &["--secret-file", "secret", "--algorithm", "RS256"],
            2,
            "token.algorithm",
        ),
    ] {
        assert_eq!(
            files.refused(&confused, arguments),
            (code, reason.to_owned()),
            "{arguments:?}"
        );
    }
}

/// A command line that makes no sense ends with 2, and so does a file that cannot be used.
#[test]
fn misuse_ends_with_two() {
    let files = Files::new();
    files.write("list.json", "[]");
    files.write("empty", "\n");
    let token = issuer().token().sign();
    for arguments in [
        &["--jwks", "nowhere.json"][..],
        &["--jwks", "list.json"],
        &["--jwks", "ftp://idp.test/jwks.json"],
        &["--jwks", "http://idp.test/jwks.json"],
        &["--secret-file", "nowhere"],
        &["--secret-file", "empty"],
        &["--public-key", "jwks.json"],
        &["--jwks", "jwks.json", "--require", "none,sub"],
        &["--jwks", "jwks.json", "--issuer", ""],
    ] {
        let (code, _) = files.refused(&token, arguments);
        assert_eq!(code, 2, "{arguments:?}");
    }
    for arguments in [
        &[][..],
        &["--jwks", "jwks.json", "--secret-file", "secret"],
        &["--jwks", "jwks.json", "--algorithm", "none"],
        &["--jwks", "jwks.json", "--leeway", "soon"],
        &["--jwks", "jwks.json", "--at", "noon"],
    ] {
        assert_eq!(files.verify(&token, arguments).code, 2, "{arguments:?}");
    }
}

/// The key set of a URL is fetched, guarded and bounded; one that cannot be had refuses the token for now.
#[tokio::test]
async fn a_key_set_is_fetched_from_a_url() {
    let files = Files::new();
    let provider = IdentityProvider::start(&[TestKey::Rsa1, TestKey::P256]).unwrap();
    let url = provider.jwks_url();
    let token = issuer().token().sign();
    let answer = files.verify(&token, &["--jwks", &url]).json();
    assert_eq!(answer["key"], json!({ "kid": "rsa_1", "matched_by": "kid" }));
    provider.publish(json!({ "keys": [TestKey::Rsa1.x5t_jwk()] }));
    let by_x5t = issuer().token().by_x5t().sign();
    assert_eq!(
        files.verify(&by_x5t, &["--jwks", &url]).json()["key"]["matched_by"],
        "x5t"
    );
    for behaviour in [
        Behaviour::Garbage,
        Behaviour::Status(500),
        Behaviour::Closing,
        Behaviour::Redirect("http://127.0.0.1:1/".to_owned()),
    ] {
        provider.behave(behaviour.clone());
        assert_eq!(
            files.refused(&token, &["--jwks", &url]),
            (1, "keys.unavailable".to_owned()),
            "{behaviour:?}"
        );
    }
}

#[test]
fn a_token_comes_from_standard_input_too() {
    let files = Files::new();
    for end in ["", "\n", "\r\n"] {
        let stdin = format!("{}{end}", with_secret().sign());
        let ended = narthex_in(
            files.folder.path(),
            &["token", "verify", "-", "--secret-file", "secret"],
            &stdin,
        );
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.stdout.starts_with("✓ valid\n"), "{ended:?}");
    }
    let ended = narthex_in(
        files.folder.path(),
        &["token", "verify", "-", "--secret-file", "secret"],
        "rubbish",
    );
    assert_eq!(
        (ended.code, ended.stdout.starts_with("✗ refused: token.malformed: ")),
        (1, true),
        "{ended:?}"
    );
}

/// Claims cannot write to the terminal of whoever looks at them.
/// Pasted from a header, in whatever case the scheme is.
#[test]
fn a_header_can_be_decoded() {
    let token = TestIssuer::new("https://idp.test").token().subject("alice").sign();
    for pasted in [format!("Bearer {token}"), format!(" bearer  {token}\n")] {
        let ended = narthex(&["token", "decode", &pasted, "--json"]);
        assert_eq!(
            (ended.code, ended.json()["claims"]["sub"].as_str()),
            (0, Some("alice")),
            "{ended:?}"
        );
    }
}

#[test]
fn sec_decoded_claims_cannot_move_the_cursor() {
    let token = with_secret().claim("name", "\u{1b}[2J\u{202e}gone").sign();
    let ended = narthex(&["token", "decode", &token]);
    assert!(ended.stdout.starts_with("NOT VERIFIED"), "{ended:?}");
    assert!(
        !ended.stdout.contains('\u{1b}') && !ended.stdout.contains('\u{202e}'),
        "{ended:?}"
    );
    let answer = narthex(&["token", "decode", &token, "--json"]).json();
    assert_eq!(
        (&answer["verified"], &answer["claims"]["sub"]),
        (&json!(false), &json!("alice"))
    );
    let ended = narthex(&["token", "decode", "a.b.c", "--json"]);
    assert_eq!(
        (ended.code, ended.json()["reason"].clone()),
        (1, json!("token.malformed"))
    );
}

/// Through the binary: every case of npm `jsonwebtoken` that a command line can express.
#[test]
fn signing_is_that_of_jsonwebtoken() {
    let files = Files::new();
    let file = narthex_testkit::repository().join("crates/mint/tests/vectors/jwt_sign.json");
    let file: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut played = 0;
    for case in file["cases"].as_array().unwrap() {
        let secret = &case["secret"];
        let (option, content) = match secret["kind"].as_str().unwrap() {
            "string" => ("--secret-file", secret["value"].as_str().unwrap()),
            "key_pem" if secret.get("transform").is_none() => {
                ("--key", file["keys"][secret["ref"].as_str().unwrap()].as_str().unwrap())
            }
            _ => continue,
        };
        let minted = ["HS256", "HS384", "HS512", "RS256"];
        let header = case["expected_header_json"]
            .as_str()
            .map(|text| serde_json::from_str::<Value>(text).unwrap());
        if case["payload_kind"] != "json"
            || header.is_some_and(|header| !minted.contains(&header["alg"].as_str().unwrap()))
        {
            continue;
        }
        files.write("key", content);
        let (payload, options, at) = (
            case["payload"].to_string(),
            case["options"].to_string(),
            case["now_ms"].to_string(),
        );
        let ended = narthex_in(
            files.folder.path(),
            &["token", "sign", "-", option, "key", "--options", &options, "--at", &at],
            &payload,
        );
        let name = case["name"].as_str().unwrap();
        match case["expected_error"]["message"].as_str() {
            Some(message) => {
                assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{name}");
                assert_eq!(ended.stderr, format!("{message}\n"), "{name}");
            }
            None => assert_eq!(
                (ended.code, ended.stdout),
                (0, format!("{}\n", case["expected_token"].as_str().unwrap())),
                "{name}"
            ),
        }
        played += 1;
    }
    assert!(played > 120, "{played}");
}

#[test]
fn the_algorithm_of_the_command_line_wins_over_the_option() {
    let files = Files::new();
    let sign = |arguments: &[&str]| {
        let all = [&["token", "sign", "{}", "--secret-file", "secret"], arguments].concat();
        narthex_in(files.folder.path(), &all, "")
    };
    let signed = sign(&["--algorithm", "HS512", "--options", r#"{"algorithm":"HS384"}"#]).stdout;
    let ended = files.verify(
        signed.trim(),
        &["--secret-file", "secret", "--algorithm", "HS512", "--require", "none"],
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(sign(&["--options", "{"]).code, 2);
    assert_eq!(narthex(&["token", "sign", "{", "--secret-file", "/dev/null"]).code, 2);
}

/// ML-DSA, which the library has not: the token verifies with the public half in PEM and in a key set, which another
/// implementation made.
#[test]
fn ml_dsa_signs_and_verifies() {
    let files = Files::new();
    let vectors = read("ml-dsa.json");
    for vector in vectors["vectors"].as_array().unwrap() {
        let algorithm = vector["jwk"]["alg"].as_str().unwrap();
        files.write("private.pem", vector["private_pem"].as_str().unwrap());
        files.write("public.pem", vector["public_pem"].as_str().unwrap());
        files.write("set.json", &json!({ "keys": [vector["jwk"]] }).to_string());
        let key = json!({ "keyid": vector["jwk"]["kid"], "expiresIn": "1h" }).to_string();
        let arguments = ["token", "sign", r#"{"sub":"ann"}"#, "--key", "private.pem"];
        let arguments = [&arguments[..], &["--algorithm", algorithm, "--options", &key]].concat();
        let signed = narthex_in(files.folder.path(), &arguments, "");
        assert_eq!((signed.code, signed.stderr.as_str()), (0, ""), "{algorithm} {signed:?}");
        let token = signed.stdout.trim();
        for keys in [
            &["--public-key", "public.pem"][..],
            &["--jwks", "set.json", "--algorithm", algorithm],
        ] {
            let verified = files.verify(token, keys);
            assert_eq!(verified.code, 0, "{algorithm} {verified:?}");
        }
        let arguments = [
            "token",
            "sign",
            "{}",
            "--secret-file",
            "secret",
            "--algorithm",
            algorithm,
        ];
        let refused = narthex_in(files.folder.path(), &arguments, "");
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{refused:?}");
    }
}

/// Every algorithm of the library but `none`, verified by the library that it is from and by our own verifier.
#[test]
fn every_algorithm_of_the_library_signs() {
    let files = Files::new();
    let keys = read("test-keys.json");
    let mut requests = String::new();
    for (algorithm, name) in [
        ("RS256", "rsa"),
        ("RS384", "rsa_pkcs1"),
        ("RS512", "rsa"),
        ("PS256", "rsa"),
        ("PS384", "rsa_pkcs1"),
        ("PS512", "rsa"),
        ("ES256", "p256_sec1"),
        ("ES384", "p384"),
        ("ES512", "p521"),
    ] {
        let pem = keys[name].as_str().unwrap();
        files.write("private.pem", pem);
        let arguments = [
            "token",
            "sign",
            r#"{"sub":"ann"}"#,
            "--key",
            "private.pem",
            "--algorithm",
            algorithm,
        ];
        let signed = narthex_in(files.folder.path(), &arguments, "");
        assert_eq!((signed.code, signed.stderr.as_str()), (0, ""), "{algorithm} {signed:?}");
        let request = json!({ "verify": signed.stdout.trim(), "algorithm": algorithm, "secret": pem });
        requests.push_str(&format!("{request}\n"));
    }
    let script = narthex_testkit::repository().join("e2e/node/sign-many.mjs");
    let mut node = std::process::Command::new("node")
        .arg(script)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("node could not be started: run `cargo xtask setup`");
    std::io::Write::write_all(&mut node.stdin.take().unwrap(), requests.as_bytes()).unwrap();
    let answers = String::from_utf8(node.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(answers, "{\"valid\":true}\n".repeat(9));
    for algorithm in ["none", "EdDSA"] {
        let arguments = [
            "token",
            "sign",
            "{}",
            "--secret-file",
            "secret",
            "--algorithm",
            algorithm,
        ];
        let refused = narthex_in(files.folder.path(), &arguments, "");
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{refused:?}");
    }
}
