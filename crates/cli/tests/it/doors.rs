//! The same requests get the same answers at each door: `crates/cli/tests/doors.toml` has the requests, and each of them
//! is played at the proxy door, in front of an upstream, at the four of forward-auth, and at Envoy's by HTTP. They must give the same
//! reason, and where they let it pass, an application behind them must read the same identity.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use narthex_testkit::process::free_address;
use narthex_testkit::{IdentityProvider, TestIssuer, TestKey, TokenBuilder, Upstream, raw};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::World;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
    matrix: Vec<Matrix>,
    drawn: Drawn,
}

/// One request by many callers, each with a token of its own in `Authorization`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Matrix {
    #[serde(default = "get")]
    method: String,
    path: String,
    /// `allow`, or the reason why not, by caller; `none` has no token.
    expect: BTreeMap<String, String>,
    /// Role in the organization that the application must read, by caller; the others have none.
    #[serde(default)]
    roles: BTreeMap<String, String>,
}

impl Matrix {
    fn cases(&self) -> impl Iterator<Item = Case> {
        self.expect.iter().map(|(caller, expect)| {
            let has_token = caller != "none";
            let token = has_token.then(|| ("bearer".to_owned(), Whose::One(caller.clone())));
            let identity = [
                ("x-narthex-external-id", if has_token { caller.as_str() } else { "" }),
                (
                    "x-narthex-organization-role",
                    self.roles.get(caller).map_or("", String::as_str),
                ),
            ];
            let identity = identity.map(|(name, value)| (name.to_owned(), value.to_owned()));
            Case {
                about: format!("{} {} by `{caller}`", self.method, self.path),
                method: self.method.clone(),
                path: self.path.clone(),
                host: app(),
                token: token.into_iter().collect(),
                headers: Vec::new(),
                expect: Some(expect.clone()),
                proxy: None,
                differs: BTreeMap::new(),
                identity: if expect == "allow" {
                    identity.into()
                } else {
                    BTreeMap::new()
                },
            }
        })
    }
}

/// One request, and what is to become of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) about: String,
    #[serde(default = "get")]
    method: String,
    /// Path and query, byte for byte.
    pub(crate) path: String,
    #[serde(default = "app")]
    host: String,
    /// Whose token is where: `bearer`, `header`, `cookie`, `query`; a list puts several there.
    #[serde(default)]
    token: BTreeMap<String, Whose>,
    /// More headers, as they are.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// `allow`, or the reason why not. Of a drawn request nothing is expected.
    expect: Option<String>,
    /// What the proxy door says instead, where it cannot know better.
    proxy: Option<String>,
    /// Programs that cannot give the proxy door's answer, each with the cause. They let nothing pass then (see `programs.rs`).
    #[serde(default)]
    pub(crate) differs: BTreeMap<String, String>,
    /// Identity headers that the application must read; an empty one must be empty or not there.
    #[serde(default, rename = "as")]
    identity: BTreeMap<String, String>,
}

/// What requests are drawn from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drawn {
    count: usize,
    methods: Vec<String>,
    hosts: Vec<String>,
    paths: Vec<String>,
    tokens: Vec<BTreeMap<String, Whose>>,
    headers: Vec<Vec<(String, String)>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Whose {
    One(String),
    Many(Vec<String>),
}

fn get() -> String {
    "GET".to_owned()
}

fn app() -> String {
    "app.test".to_owned()
}

/// The doors: the name, and what its headers about the original request begin with.
const DOORS: [(&str, &str); 6] = [
    ("proxy", ""),
    ("ext_authz", ""),
    ("nginx", "x-original"),
    ("traefik", "x-forwarded"),
    ("caddy", "x-forwarded"),
    ("haproxy", "x-forwarded"),
];

/// What every answer that lets a request pass must name at a forward-auth door, with or without a value: the proxy there
/// overwrites with it what the client sent.
const OWNED: [&str; 10] = [
    "x-narthex-user",
    "x-narthex-external-id",
    "x-narthex-username",
    "x-narthex-email",
    "x-narthex-platform-role",
    "x-narthex-organization",
    "x-narthex-organization-role",
    "x-narthex-assertion",
    "x-narthex-decision",
    "x-narthex-context-plan",
];

/// The routes: path, requirement, further lines.
const ROUTES: &[(&str, &str, &str)] = &[
    ("/public/{*rest}", "\"public\"", ""),
    ("/whoami", "\"authenticated\"", ""),
    (
        "/execute/{organization}/{*what}",
        "\"organization:executor\"",
        "methods = [\"POST\"]\n",
    ),
    ("/edit/{organization}", "\"organization:member\"", ""),
    ("/manage/{organization}", "\"organization:admin\"", ""),
    ("/look/{organization}", "\"authenticated\"", ""),
    ("/watch/{organization}", "\"platform:viewer\"", ""),
    ("/platform/view", "\"platform:viewer\"", ""),
    ("/platform/keys", "\"platform:admin\"", ""),
    (
        "/either/{organization}",
        "[\"organization:admin\", \"platform:viewer\"]",
        "",
    ),
    (
        "/hosted",
        "\"authenticated\"",
        "hosts = \"api.test\"\nmethods = [\"GET\"]\n",
    ),
    (
        "/split/{*rest}",
        "\"platform:admin\"",
        "hosts = [\"admin.test.\", \"[::1]\"]\n",
    ),
    ("/split/{*rest}", "\"public\"", ""),
    (
        "/tenant",
        "\"organization:member\"",
        "hosts = \"{organization}.org.test\"\n",
    ),
    ("/hooks/{id}", "\"public\"", "token = \"ignore\"\n"),
    (
        "/projects/{project}",
        "\"authenticated\"",
        "encoded_slash = \"allow\"\n",
    ),
    ("/own-token", "\"authenticated\"", "token_from = \"header:X-Token\"\n"),
    ("/of-plain", "\"authenticated\"", "issuers = [\"plain\"]\n"),
    ("/of-staff", "\"authenticated\"", "tags = [\"staff\", \"owners\"]\n"),
    ("/fixed", "\"organization:member\"", "organization = \"acme\"\n"),
    (
        "/scoped",
        "\"organization:member\"",
        "organization_header = \"X-Scope-OrgID\"\n",
    ),
    (
        "/by-id/{organization}",
        "\"organization:member\"",
        "organization_by = \"external_id\"\n",
    ),
];

fn config(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let mut text = "[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n".to_owned();
    let places = "token_from = [\"authorization\", \"header:X-Token\", \"cookie:session\", \"query:jwt\"]\n";
    let tags = "tags = { claim = \"groups\", platform_admin = [\"root\"] }\n";
    let mapping = "mapping = { user = { email = \"{{payload.email}}\", timezone = \"{{payload.tz}}\" }, \
                   context = { plan = \"{{payload.plan}}\" } }\n";
    for (name, more) in [
        ("corp", format!("{places}{tags}{mapping}")),
        ("plain", String::new()),
        ("closed", "provision = \"off\"\n".to_owned()),
        ("off", "enabled = false\n".to_owned()),
    ] {
        text += &format!(
            "[[issuer]]\nname = \"{name}\"\nissuer = \"https://{name}.test\"\njwks_url = \"{}\"\naudiences = [\"narthex\"]\n{more}",
            idp.jwks_url()
        );
    }
    for (path, require, more) in ROUTES {
        text += &format!(
            "[[route]]\npath = \"{path}\"\nrequire = {require}\nupstream = \"{}\"\n{more}",
            upstream.url()
        );
    }
    text
}

/// Who is who. Each has a token of its own in every case, so that no answer is cached before.
fn token(who: &str, case: usize) -> String {
    let of = |issuer: &str| TestIssuer::new(&format!("https://{issuer}.test")).token();
    let corp = || {
        of("corp")
            .subject(who)
            .claim("email", format!("{who}@example.com"))
            .claim("plan", "gold")
            .tags(["other"])
    };
    let builder: TokenBuilder = match who {
        "executor" => corp().tags(["callers"]),
        "member" => corp().tags(["staff"]),
        "admin" => corp().tags(["owners", "staff"]),
        "root" => corp().tags(["root"]),
        "nobody" | "viewer" | "disabled" => corp(),
        // Long before: the cases take a while, and a later token of this user is good.
        "revoked" => corp().issued_in(-3_000),
        "expired" => corp().expired(),
        "early" => corp().not_before_in(600),
        "forged" => corp().tags(["root", "owners"]).forged_with(TestKey::Rsa2),
        "misdirected" => corp().audience("somebody-else"),
        "mistimed" => corp().claim("tz", "Nowhere/Land"),
        "untagged" => corp().without("groups"),
        "mistagged" => corp().claim("groups", 7),
        "plain" => of("plain").subject(who),
        "stranger" => of("closed").subject(who),
        "off" => of("off").subject(who),
        "foreign" => of("foreign").subject(who),
        "unsigned" => return corp().unsigned(),
        "garbage" => return "not.a.token".to_owned(),
        other => panic!("nobody is called `{other}`"),
    };
    builder.claim("jti", format!("{case}")).sign()
}

/// The surroundings with everything that only a person can change.
pub(crate) async fn world(ext_authz: SocketAddr) -> World {
    let listen = format!("[listen]\next_authz = \"{ext_authz}\"");
    let world = World::with_config(|idp, upstream| config(idp, upstream).replacen("[listen]", &listen, 1)).await;
    let api = world.narthex.api();
    let acme = api.organization("acme").await.unwrap().unwrap();
    let path = format!("/organizations/{}", acme["id"].as_str().unwrap());
    let callers = json!({ "external_executor_groups": ["callers"], "external_id": "ACME-77" });
    api.done("PATCH", &path, Some(&callers)).await.unwrap();
    for (name, status) in [("shut", "suspended"), ("other", "active")] {
        let body = json!({ "name": name, "realm": "corp", "external_member_groups": ["staff"] });
        let made = api.done("POST", "/organizations", Some(&body)).await.unwrap();
        let path = format!("/organizations/{}", made["id"].as_str().unwrap());
        api.done("PATCH", &path, Some(&json!({ "status": status })))
            .await
            .unwrap();
    }
    for (who, method, what, body) in [
        (
            "viewer",
            "PUT",
            "/platform-role",
            Some(json!({ "role": "viewer", "why": "a test" })),
        ),
        ("disabled", "PATCH", "", Some(json!({ "status": "disabled" }))),
        ("revoked", "POST", "/revoke-tokens", None),
    ] {
        let first = world
            .send(world.call("GET", "/whoami").bearer(&token(who, usize::MAX)))
            .await;
        assert_eq!(first.status, 200, "{who}: {}", first.text());
        let user = api.user(who).await.unwrap().unwrap();
        let path = format!("/users/{}{what}", user["id"].as_str().unwrap());
        api.done(method, &path, body.as_ref()).await.unwrap();
    }
    world
}

/// A case with its tokens, ready to be sent.
pub(crate) struct Request<'c> {
    case: &'c Case,
    target: String,
    headers: Vec<(String, String)>,
}

impl<'c> Request<'c> {
    pub(crate) fn new(case: &'c Case, number: usize) -> Self {
        let mut target = case.path.clone();
        let mut headers = case.headers.clone();
        // The same caller sends the same token, wherever it is.
        let mut tokens: BTreeMap<&str, String> = BTreeMap::new();
        for (place, whose) in &case.token {
            let everybody = match whose {
                Whose::One(who) => std::slice::from_ref(who),
                Whose::Many(all) => all,
            };
            for who in everybody {
                let token = &*tokens.entry(who).or_insert_with(|| token(who, number));
                match place.as_str() {
                    "bearer" => headers.push(("Authorization".to_owned(), format!("Bearer {token}"))),
                    "header" => headers.push(("X-Token".to_owned(), token.clone())),
                    "cookie" => headers.push(("Cookie".to_owned(), format!("a=b; session={token}"))),
                    "query" => {
                        target.push(if target.contains('?') { '&' } else { '?' });
                        target += &format!("jwt={token}");
                    }
                    other => panic!("a token cannot be in `{other}`"),
                }
            }
        }
        Self { case, target, headers }
    }

    /// The request itself, or the question that a proxy asks about it.
    pub(crate) fn at(&self, door: &str, prefix: &str) -> String {
        let Case { method, host, .. } = self.case;
        let mut text = if door == "proxy" {
            format!("{method} {} HTTP/1.1\r\nhost: {host}\r\n", self.target)
        } else if door == "ext_authz" {
            format!(
                "{method} /.narthex/auth/envoy{} HTTP/1.1\r\nhost: {host}\r\n",
                self.target
            )
        } else {
            let (asked, described) = match door {
                "nginx" => (host.as_str(), String::new()),
                _ => ("narthex.test", format!("x-forwarded-host: {host}\r\n")),
            };
            format!(
                "GET /.narthex/auth/{door} HTTP/1.1\r\nhost: {asked}\r\n{described}{prefix}-method: {method}\r\n{prefix}-uri: {}\r\n",
                self.target
            )
        };
        for (name, value) in &self.headers {
            // What belongs to one connection is no part of a question.
            if door == "proxy" || !name.eq_ignore_ascii_case("connection") {
                text += &format!("{name}: {value}\r\n");
            }
        }
        text + "connection: close\r\n\r\n"
    }
}

/// What a door made of a request.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// `allow`, or why not.
    pub(crate) reason: String,
    /// The status by the table of reasons; that of what passed is the application's own.
    status: u16,
    /// Every header about identity that reaches the application, with the assertion's claims in its place.
    pub(crate) identity: BTreeMap<String, Value>,
}

/// The identity in these headers: nothing that is empty, nothing that differs from request to request.
pub(crate) fn identity<'h>(headers: impl Iterator<Item = (&'h str, &'h str)>) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (name, value) in headers {
        let plain = name.to_ascii_lowercase().replace(['_', '.'], "-");
        if !plain.starts_with("x-narthex-") || plain == "x-narthex-request-id" || value.is_empty() {
            continue;
        }
        let value = if plain == "x-narthex-assertion" {
            claims(value)
        } else {
            value.into()
        };
        let earlier = found.insert(name.to_ascii_lowercase(), value);
        assert!(earlier.is_none(), "`{name}` is there twice");
    }
    found
}

/// What an assertion says, but for when it was made.
fn claims(assertion: &str) -> Value {
    let payload = assertion.split('.').nth(1).unwrap();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    for name in ["iat", "nbf", "exp", "jti"] {
        claims.as_object_mut().unwrap().remove(name);
    }
    claims
}

/// Status and headers of an answer.
pub(crate) fn head(answer: &[u8]) -> (u16, Vec<(String, String)>) {
    let status = raw::status(answer).unwrap_or_default();
    let text = String::from_utf8_lossy(answer);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    (
        status,
        headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
    )
}

pub(crate) async fn ask(
    world: &World,
    ext_authz: SocketAddr,
    request: &Request<'_>,
    (door, prefix): (&str, &str),
) -> Outcome {
    world.upstream.forget();
    let sent = request.at(door, prefix);
    let address = if door == "ext_authz" {
        ext_authz.to_string()
    } else {
        world.narthex.address()
    };
    let answer = raw::exchange(&address, sent.as_bytes(), Duration::from_secs(10))
        .await
        .unwrap();
    let (status, headers) = head(&answer);
    let one = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let seen = world.upstream.seen();
    // What cannot be read as HTTP is refused before there is anything to give a reason.
    let unreadable = (["proxy", "ext_authz"].contains(&door) && status == 400).then_some("request.path");
    if let Some(reason) = one("x-narthex-reason").or(unreadable) {
        assert!(
            seen.is_empty(),
            "{door}: refused, and yet it reached the upstream: {sent}"
        );
        let status = match one("x-narthex-status") {
            Some(status) if door != "proxy" => status.parse().unwrap(),
            _ => status,
        };
        return Outcome {
            reason: reason.to_owned(),
            status,
            identity: BTreeMap::new(),
        };
    }
    assert_eq!(status, 200, "{door}: {sent}\n{}", String::from_utf8_lossy(&answer));
    let identity = if door == "proxy" {
        assert_eq!(seen.len(), 1, "{door}: {sent}");
        let path = request.case.path.split('#').next().unwrap_or_default();
        assert_eq!(seen[0].target, path, "another address than was asked for: {sent}");
        let values = seen[0].headers.iter();
        identity(values.map(|(name, value)| (name.as_str(), value.to_str().unwrap())))
    } else {
        assert!(seen.is_empty(), "{door}: {sent}");
        for name in OWNED {
            assert!(
                one(name).is_some(),
                "{door}: `{name}` is left as the client sent it: {sent}"
            );
        }
        identity(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    };
    Outcome {
        reason: "allow".to_owned(),
        status,
        identity,
    }
}

/// Numbers that look random and are the same every time (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        &list[usize::try_from(self.0 >> 33).unwrap() % list.len()]
    }
}

fn drawn(from: &Drawn) -> Vec<Case> {
    let mut dice = Dice(20_260_101);
    let one = |number| Case {
        about: format!("drawn, number {number}"),
        method: dice.pick(&from.methods).clone(),
        path: dice.pick(&from.paths).clone(),
        host: dice.pick(&from.hosts).clone(),
        token: dice.pick(&from.tokens).clone(),
        headers: dice.pick(&from.headers).clone(),
        expect: None,
        proxy: None,
        differs: BTreeMap::new(),
        identity: BTreeMap::new(),
    };
    (0..from.count).map(one).collect()
}

/// Whether it is what the case says: of nginx, because the proxy door may have an answer of its own.
fn as_expected(case: &Case, outcomes: &BTreeMap<&str, Outcome>) -> bool {
    let outcome = &outcomes["nginx"];
    let identity = |name: &str| {
        outcome
            .identity
            .get(name)
            .map_or("", |value| value.as_str().unwrap_or("?"))
    };
    case.expect.as_ref().is_none_or(|expected| *expected == outcome.reason)
        && case.identity.iter().all(|(name, value)| identity(name) == value)
}

fn file() -> File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doors.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The cases of the file that say what is expected.
pub(crate) fn cases() -> Vec<Case> {
    let File { case, matrix, .. } = file();
    let rows = matrix.iter().flat_map(Matrix::cases);
    case.iter().cloned().chain(rows).collect()
}

#[tokio::test]
async fn sec_the_doors_agree_on_every_request() {
    let mut cases = cases();
    assert!(cases.len() >= 300, "only {} cases", cases.len());
    cases.extend(drawn(&file().drawn));
    let ext_authz = free_address().unwrap();
    let world = world(ext_authz).await;
    let mut allowed = 0;
    let mut reasons = BTreeSet::new();
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let request = Request::new(case, number);
        // The first door has to go the whole way, the next ones may find an answer: each is the first in turn.
        let mut outcomes = BTreeMap::new();
        for turn in 0..DOORS.len() {
            let door = DOORS[(number + turn) % DOORS.len()];
            outcomes.insert(door.0, ask(&world, ext_authz, &request, door).await);
        }
        let proxy = &outcomes["proxy"];
        let agreed = match &case.proxy {
            Some(reason) => {
                let others = outcomes.values().filter(|outcome| *outcome != proxy).count();
                // Envoy can remove headers, as the proxy door does.
                others == 4 && outcomes["ext_authz"] == *proxy && *reason == proxy.reason
            }
            None => outcomes.values().all(|outcome| outcome == proxy),
        };
        if !agreed || !as_expected(case, &outcomes) {
            wrong.push(format!("{}:\n{case:?}\n{outcomes:#?}", case.about));
        }
        allowed += usize::from(proxy.reason == "allow");
        reasons.insert(proxy.reason.clone());
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    // Doors that refuse everything agree, too.
    assert!(allowed >= 70 && reasons.len() >= 20, "{allowed} pass; {reasons:?}");
}
