//! An option that does nothing is worse than none: for each one there is a token that is answered differently with it
//! and without it.

use std::time::Duration;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use narthex_testkit::{IdentityProvider, Narthex, TestIssuer, TestKey, TokenBuilder, Upstream, client::Call};
use serde_json::{Value, json};

use crate::world::World;

mod options;

/// One option: its line in `[[issuer]]`, a token, and its status with the line and without it.
struct Effect {
    line: &'static str,
    token: fn(TokenBuilder) -> TokenBuilder,
    with: u16,
    without: u16,
}

const EFFECTS: &[Effect] = &[
    Effect {
        line: "enabled = false",
        token: |token| token,
        with: 401,
        without: 200,
    },
    Effect {
        line: "leeway = \"5m\"",
        token: |token| token.expires_in(-120),
        with: 200,
        without: 401,
    },
    Effect {
        line: "max_token_age = \"10m\"",
        token: |token| token.issued_in(-1200),
        with: 401,
        without: 200,
    },
    Effect {
        line: "required_claims = { hd = \"example.com\" }",
        token: |token| token,
        with: 401,
        without: 200,
    },
    Effect {
        line: "audience_claims = [\"client_id\"]",
        token: |token| token.without("aud").claim("client_id", "narthex"),
        with: 200,
        without: 401,
    },
    Effect {
        line: "algorithms = [\"ES256\"]",
        token: |token| token.key(TestKey::P256),
        with: 200,
        without: 401,
    },
    Effect {
        line: "danger_bound_tokens_as_bearer = true",
        token: |token| {
            token.claim(
                "cnf",
                serde_json::json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }),
            )
        },
        with: 200,
        without: 401,
    },
    Effect {
        line: "token_types = [\"acme-session+jwt\"]",
        token: |token| token.header("typ", "application/acme-session+jwt"),
        with: 200,
        without: 401,
    },
    Effect {
        line: "provision = \"off\"",
        token: |token| token.subject("nobody"),
        with: 403,
        without: 200,
    },
    Effect {
        line: "provision = \"link_only\"",
        token: |token| token.subject("nobody"),
        with: 403,
        without: 200,
    },
    Effect {
        line: "mode = \"observe\"",
        token: |token| token.subject("nobody"),
        with: 403,
        without: 200,
    },
    Effect {
        line: "tags = { claim = \"groups\" }",
        token: |token| token.without("groups"),
        with: 401,
        without: 200,
    },
    Effect {
        line: "token_from = [\"authorization\", \"header:x-token\"]",
        token: |token| token,
        with: 200,
        without: 401,
    },
    Effect {
        line: "token_from = \"cookie:session\"",
        token: |token| token,
        with: 200,
        without: 401,
    },
    Effect {
        line: "token_from = [\"query:jwt\", \"authorization\"]",
        token: |token| token,
        with: 200,
        without: 401,
    },
    Effect {
        line: "rule = [{ name = \"mfa\", require = \"{{contains(payload.amr; 'mfa')}}\", message = \"sign in again\" }]",
        token: |token| token.claim("amr", json!(["pwd"])),
        with: 401,
        without: 200,
    },
    Effect {
        line: "mapping = { user = { country = \"{{payload.country}}\" } }",
        token: |token| token.claim("country", "Absurdistan"),
        with: 401,
        without: 200,
    },
];

/// One issuer: its name is also in its `iss`.
fn issuer(name: &str, idp: &IdentityProvider, line: &str) -> String {
    format!(
        "[[issuer]]\nname = \"{name}\"\nissuer = \"https://{name}.test\"\njwks_url = \"{}\"\naudiences = [\"narthex\"]\n{line}\n\n",
        idp.jwks_url(),
    )
}

fn route(upstream: &Upstream) -> String {
    format!(
        "[[route]]\npath = \"/whoami\"\nrequire = \"authenticated\"\nupstream = \"{}\"\n",
        upstream.url()
    )
}

/// A request with the token where the option says that it may be.
fn call(world: &World, path: &str, line: &str, token: &str) -> Call {
    match line {
        line if line.contains("header:") => world.call("GET", path).header("x-token", token),
        line if line.contains("cookie:") => world.call("GET", path).header("cookie", &format!("session={token}")),
        line if line.contains("query:") => world.call("GET", &format!("{path}?jwt={token}")),
        _ => world.call("GET", path).bearer(token),
    }
}

/// Sends a token in the way the option is about: the answer's status.
async fn status(world: &World, line: &str, token: &str) -> u16 {
    world.send(call(world, "/whoami", line, token)).await.status
}

/// Each option has an issuer with it and one without it; beside that they are the same.
#[tokio::test]
async fn sec_config_effect() {
    let world = World::with_config(|idp, upstream| {
        idp.rotate(&[TestKey::Rsa1, TestKey::P256]);
        let mut text = issuer("corp", idp, "");
        for (index, effect) in EFFECTS.iter().enumerate() {
            text += &issuer(&format!("with-{index}"), idp, effect.line);
            text += &issuer(&format!("without-{index}"), idp, "");
        }
        text + &route(upstream)
    })
    .await;
    for (index, effect) in EFFECTS.iter().enumerate() {
        for (name, expected) in [("with", effect.with), ("without", effect.without)] {
            let builder = TestIssuer::new(&format!("https://{name}-{index}.test"))
                .token()
                .tags([]);
            let token = (effect.token)(builder).sign();
            let status = status(&world, effect.line, &token).await;
            assert_eq!(status, expected, "{name} `{}`\n{}", effect.line, world.narthex.logs());
        }
    }
}

/// Options that only matter beside another one, or for an `iss` of their own.
#[tokio::test]
async fn sec_config_effect_of_combined_options() {
    let mapping = "mapping = { user = { country = \"{{payload.country}}\" } }";
    let world = World::with_config(|idp, upstream| {
        issuer("corp", idp, "aliases = [\"https://alias.test\"]")
            + &issuer("skips", idp, &format!("on_invalid = \"skip\"\n{mapping}"))
            + &issuer("refuses", idp, &format!("on_invalid = \"refuse\"\n{mapping}"))
            + &issuer("says-nothing", idp, mapping)
            + &route(upstream)
    })
    .await;
    for (issuer, expected) in [
        ("alias", 200),
        ("no-alias", 401),
        ("skips", 200),
        ("refuses", 401),
        ("says-nothing", 401),
    ] {
        let token = TestIssuer::new(&format!("https://{issuer}.test"))
            .token()
            .claim("country", "Absurdistan")
            .sign();
        assert_eq!(status(&world, "", &token).await, expected, "{issuer}");
    }
}

/// One option of a route: its line, and the request whose answer it changes.
struct RouteEffect {
    line: &'static str,
    request: fn(&World, &str, &str) -> Call,
    with: u16,
    without: u16,
}

fn preflight(world: &World, path: &str, method: &str) -> Call {
    let call = world.call("OPTIONS", path).header("origin", "https://app.test");
    call.header("access-control-request-method", method)
}

const ROUTE_EFFECTS: &[RouteEffect] = &[
    RouteEffect {
        line: "methods = [\"POST\"]",
        request: |world, path, token| world.call("GET", path).bearer(token),
        with: 404,
        without: 200,
    },
    // A preflight is for a method that the route has.
    RouteEffect {
        line: "methods = [\"POST\"]",
        request: |world, path, _| preflight(world, path, "DELETE"),
        with: 404,
        without: 200,
    },
    RouteEffect {
        line: "methods = [\"POST\"]",
        request: |world, path, _| preflight(world, path, "POST"),
        with: 200,
        without: 200,
    },
    RouteEffect {
        line: "hosts = \"api.test\"",
        request: |world, path, token| world.call("GET", path).bearer(token).header("host", "app.test"),
        with: 404,
        without: 200,
    },
    // Only where it is public.
    RouteEffect {
        line: "token = \"ignore\"\n# public",
        request: |world, path, _| world.call("GET", path).bearer("opaque"),
        with: 200,
        without: 401,
    },
    RouteEffect {
        line: "encoded_slash = \"allow\"",
        request: |world, path, token| world.call("GET", &format!("{path}/a%2fb")).bearer(token),
        with: 200,
        without: 400,
    },
    RouteEffect {
        line: "issuers = [\"other\"]",
        request: |world, path, token| world.call("GET", path).bearer(token),
        with: 403,
        without: 200,
    },
    RouteEffect {
        line: "tags = [\"grafana-users\"]",
        request: |world, path, token| world.call("GET", path).bearer(token),
        with: 403,
        without: 200,
    },
    RouteEffect {
        line: "token_from = [\"authorization\", \"header:x-token\"]",
        request: |world, path, token| call(world, path, "header:", token),
        with: 200,
        without: 401,
    },
    RouteEffect {
        line: "token_from = \"cookie:session\"",
        request: |world, path, token| call(world, path, "cookie:", token),
        with: 200,
        without: 401,
    },
    RouteEffect {
        line: "token_from = [\"query:jwt\", \"authorization\"]",
        request: |world, path, token| call(world, path, "query:", token),
        with: 200,
        without: 401,
    },
];

/// Each option has a route with it and one without it.
#[tokio::test]
async fn sec_config_effect_of_routes() {
    let world = World::with_config(|idp, upstream| {
        let mut text = issuer("corp", idp, "") + &issuer("other", idp, "");
        for (index, effect) in ROUTE_EFFECTS.iter().enumerate() {
            for (name, line) in [("with", effect.line), ("without", "")] {
                let path = format!("[\"/{name}-{index}\", \"/{name}-{index}/{{file}}\"]");
                let route = route(upstream).replace("\"/whoami\"", &path);
                text += &if effect.line.ends_with("# public") {
                    route.replace("authenticated", "public")
                } else {
                    route
                };
                text += &format!("{line}\n");
            }
        }
        // `forward_token` changes nothing of the status.
        text += &route(upstream).replace("/whoami", "/forwards");
        text + "forward_token = true\n" + &route(upstream)
    })
    .await;
    let token = TestIssuer::new("https://corp.test").token().sign();
    for (index, effect) in ROUTE_EFFECTS.iter().enumerate() {
        for (name, expected) in [("with", effect.with), ("without", effect.without)] {
            let call = (effect.request)(&world, &format!("/{name}-{index}"), &token);
            let status = world.send(call).await.status;
            assert_eq!(status, expected, "{name} `{}`", effect.line);
        }
    }
    for (path, reaches) in [("/forwards", true), ("/whoami", false)] {
        assert_eq!(world.send(call(&world, path, "", &token)).await.status, 200);
        let seen = world.upstream.last().unwrap();
        assert_eq!(seen.header("authorization").is_some(), reaches, "{path}");
    }
}

/// One option of an organization: its line, and the answers to somebody with the tag `tag` who wants to execute there.
const ORGANIZATION_EFFECTS: &[(&str, u16, u16)] = &[
    ("external_admin_groups = [\"tag\"]", 200, 403),
    ("external_member_groups = [\"tag\"]", 200, 403),
    ("external_executor_groups = [\"tag\"]", 200, 403),
    ("status = \"suspended\"", 403, 200),
    ("realm = \"other\"", 403, 200),
];

#[tokio::test]
async fn sec_config_effect_of_organizations() {
    let world = World::with_config(|idp, upstream| {
        let mut text = issuer("corp", idp, "tags = { claim = \"groups\" }") + &issuer("other", idp, "");
        for (index, (line, _, without)) in ORGANIZATION_EFFECTS.iter().enumerate() {
            // Where the option takes something away, there has to be something.
            let there = if *without == 200 {
                "external_member_groups = [\"tag\"]"
            } else {
                ""
            };
            for (name, line) in [("with", *line), ("without", "")] {
                let realm = if line.starts_with("realm") {
                    ""
                } else {
                    "realm = \"corp\""
                };
                text += &format!("[[organization]]\nname = \"{name}-{index}\"\n{realm}\n{there}\n{line}\n");
            }
        }
        text + &route(upstream)
            .replace("/whoami", "/in/{organization}")
            .replace("authenticated", "organization:executor")
    })
    .await;
    let token = TestIssuer::new("https://corp.test").token().tags(["tag"]).sign();
    for (index, (line, with, without)) in ORGANIZATION_EFFECTS.iter().enumerate() {
        for (name, expected) in [("with", with), ("without", without)] {
            let answer = world
                .send(call(&world, &format!("/in/{name}-{index}"), "", &token))
                .await;
            assert_eq!(answer.status, *expected, "{name} `{line}`: {}", answer.text());
        }
    }
}

/// What a token is mapped to: roles other than the usual ones, and the organization of the configuration that it names.
#[tokio::test]
async fn sec_config_effect_of_mapped_organizations() {
    let world = World::with_config(|idp, upstream| {
        let mut text = issuer("corp", idp, "");
        for (name, organization_role, team_role, external_id) in [
            (
                "with",
                "role = \"member\"",
                "role = \"member\"",
                "external_id = \"XYZ\"",
            ),
            ("without", "", "", ""),
        ] {
            let organization = "[issuer.mapping.organization]\nexternal_id = \"{{payload.organization}}\"";
            let team = "[issuer.mapping.team]\nexternal_id = \"{{payload.team}}\"";
            let line = format!("{organization}\n{organization_role}\n{team}\n{team_role}\n");
            text += &issuer(name, idp, &line);
            text += &format!("[[organization]]\nname = \"of-{name}\"\nrealm = \"{name}\"\n{external_id}\n");
        }
        text + &route(upstream)
            .replace("/whoami", "/in/{organization}")
            .replace("authenticated", "organization:executor")
    })
    .await;
    let api = world.narthex.api();
    for (name, roles, status) in [
        ("with", ["member", "member"], 200),
        // It names an organization that is made for it then.
        ("without", ["admin", "admin"], 403),
    ] {
        let token = TestIssuer::new(&format!("https://{name}.test")).token().subject(name);
        let token = token.claim("organization", "XYZ").claim("team", "DEF").sign();
        let answer = world.send(call(&world, &format!("/in/of-{name}"), "", &token)).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        let user = api.user(name).await.unwrap().unwrap();
        let grants = api.open_grants(user["id"].as_str().unwrap()).await.unwrap();
        let found: Vec<&str> = grants.iter().map(|grant| grant["role"].as_str().unwrap()).collect();
        assert_eq!(found, roles, "{name}: {grants:?}");
    }
}

/// One limit: its line in `[limits]`, and the status with it; without it the request passes.
const LIMIT_EFFECTS: &[(&str, u16)] = &[
    ("token_size = \"1KiB\"", 401),
    ("tags = 1", 401),
    ("template_fuel = 100", 401),
    ("template_size = \"1KiB\"", 401),
    ("key_set_size = \"300B\"", 503),
    ("keys = 1", 503),
    ("header_size = \"8KiB\"", 431),
];

/// A user whose tokens take turns is given nothing more once the limit is reached.
#[tokio::test]
async fn sec_config_effect_of_sync_changes_per_minute() {
    for (line, expected) in [("", 200), ("[limits]\nsync_changes_per_minute = 1\n", 403)] {
        let world = World::with_config(|idp, upstream| line.to_owned() + &crate::world::config(idp, upstream)).await;
        let mut last = 0;
        for tags in ["staff", "owners", "staff"] {
            let token = crate::world::member("alice").tags([tags]).sign();
            last = world
                .send(world.call("POST", crate::world::GUARDED).bearer(&token))
                .await
                .status;
        }
        assert_eq!(last, expected, "{line}");
    }
}

#[tokio::test]
async fn sec_config_effect_of_limits() {
    for (line, expected) in [("", 200)].iter().chain(LIMIT_EFFECTS) {
        let world = World::with_config(|idp, upstream| {
            idp.rotate(&[TestKey::Rsa1, TestKey::P256]);
            let mapping = "tags = { claim = \"groups\" }\n\
                           mapping = { context = { size = \"{{length(join(payload.list; ','))}}\" } }\n";
            format!("[limits]\n{line}\n") + &issuer("corp", idp, mapping) + &route(upstream)
        })
        .await;
        let list: Vec<Value> = (100..600).map(|number| number.to_string().into()).collect();
        let token = TestIssuer::new("https://corp.test").token();
        let token = token.tags(["a", "b"]).claim("list", list).sign();
        let call = call(&world, "/whoami", "", &token).header("x-large", &"x".repeat(20_000));
        let answer = world.send(call).await;
        assert_eq!(
            answer.status,
            *expected,
            "`{line}`: {}\n{}",
            answer.text(),
            world.narthex.logs()
        );
        if line.is_empty() {
            let seen = world.upstream.last().unwrap();
            assert_eq!(seen.header("x-narthex-context-size").as_deref(), Some("1999"));
        }
    }
}

/// Options of a shared secret: what they are called says that they make something worse.
#[tokio::test]
async fn sec_config_effect_of_shared_secrets() {
    const SHORT: &str = "short";
    const LONG: &str = "a shared secret that has at least 32 bytes";
    let text = |name: &str, file: &str, line: &str| {
        format!("[[issuer]]\nname = \"{name}\"\nissuer = \"https://{name}.test\"\nsecret_file = \"{file}\"\n{line}\n")
    };
    let hex = LONG
        .bytes()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let (base64, url) = (STANDARD.encode(LONG), URL_SAFE_NO_PAD.encode(LONG));
    let broken = format!("{LONG}\n");
    let files = [
        ("short", SHORT),
        ("long", LONG),
        ("broken", &broken),
        ("hex", &hex),
        ("base64", &base64),
        ("url", &url),
    ];
    let world = World::with_files(
        |idp, upstream| {
            issuer("corp", idp, "")
                + &text("dangerous", "short", "danger_short_secret = true")
                + &text("endless", "long", "danger_tokens_without_exp = true")
                + &text("usual", "long", "")
                + &text("raw", "broken", "secret_format = \"raw\"")
                + &text("hex", "hex", "secret_format = \"hex\"")
                + &text("base64", "base64", "secret_format = \"base64\"")
                + &text("url", "url", "secret_format = \"base64url\"")
                + &text("undecoded", "base64", "")
                + &route(upstream)
        },
        &files,
    )
    .await;
    for (name, secret, without_end, expected) in [
        ("dangerous", SHORT, false, 200),
        ("endless", LONG, true, 200),
        ("usual", LONG, false, 200),
        ("usual", LONG, true, 401),
        ("raw", &broken, false, 200),
        ("raw", LONG, false, 401),
        ("hex", LONG, false, 200),
        ("base64", LONG, false, 200),
        ("url", LONG, false, 200),
        ("undecoded", LONG, false, 401),
        ("undecoded", &base64, false, 200),
    ] {
        let token = TestIssuer::new(&format!("https://{name}.test")).secret(secret).token();
        let token = if without_end { token.without("exp") } else { token };
        assert_eq!(
            status(&world, "", &token.sign()).await,
            expected,
            "{name}, {without_end}"
        );
    }
    // Without the option a short one is no configuration at all; what counts are the decoded bytes.
    for (file, line, told) in [
        ("short", "", "danger_short_secret"),
        ("enough", "secret_format = \"hex\"", "danger_short_secret"),
        ("long", "secret_format = \"hex\"", "not hex"),
    ] {
        let mut builder = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
            .config(&text("usual", file, line))
            .unwrap()
            .file("enough", "00112233445566778899aabbccddeeff");
        for (name, content) in files {
            builder = builder.file(name, content);
        }
        let error = builder.start().await.unwrap_err();
        assert!(format!("{error:#}").contains(told), "{error:#}");
    }
}

fn read(moment: &Value) -> Timestamp {
    moment.as_str().unwrap().parse().unwrap()
}

/// Options that move a time which is further away than a test can wait: the time itself is looked at. That it is kept is
/// shown where the clock can be moved.
#[tokio::test]
async fn sec_config_effect_of_times() {
    let seconds = |from: &Value, to: &Value| {
        let (from, to): (Timestamp, Timestamp) = (read(from), read(to));
        Duration::try_from(to.duration_since(from)).unwrap().as_secs()
    };
    for (lines, stale, leased, lifetime, name) in [
        ("", 3600, None, 300, "narthex"),
        ("changed", 120, Some(60), 30, "somebody"),
    ] {
        let world = World::with_config(|idp, upstream| {
            let (times, lease, assertion) = match lines {
                "" => ("", "", ""),
                _ => (
                    "stale_max = \"2m\"\n",
                    ", lease = \"1m\"",
                    "[assertion]\nissuer = \"somebody\"\nlifetime = \"30s\"\n",
                ),
            };
            let line = format!("{times}tags = {{ claim = \"groups\"{lease} }}");
            assertion.to_owned() + &issuer("corp", idp, &line) + &route(upstream)
        })
        .await;
        let token = TestIssuer::new("https://corp.test").token().tags(["staff"]).sign();
        assert_eq!(status(&world, "", &token).await, 200);
        let api = world.narthex.api();
        let keys = api.get("/issuers/corp/keys").await.unwrap();
        assert_eq!(seconds(&keys["fresh_until"], &keys["usable_until"]), stale, "{keys}");
        let user = api.user("alice").await.unwrap().unwrap();
        let grants = api.open_grants(user["id"].as_str().unwrap()).await.unwrap();
        let lapses = grants[0].get("lapses_at").filter(|at| !at.is_null());
        assert_eq!(
            lapses.map(|at| seconds(&grants[0]["asserted_at"], at)),
            leased,
            "{grants:?}"
        );
        let assertion = world.upstream.last().unwrap().header("x-narthex-assertion").unwrap();
        let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let lasts = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!((lasts, &claims["iss"]), (lifetime, &json!(name)));
    }
}
