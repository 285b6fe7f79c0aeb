//! Envoy in front of an application, with the configurations of `docs/how-to/envoy.md` as they stand, by gRPC and by HTTP. The
//! binary answers its checks.

use std::time::Duration;

use narthex_testkit::client::Call;
use narthex_testkit::envoy::Mode;
use narthex_testkit::idp::Behaviour;
use narthex_testkit::process::free_address;
use narthex_testkit::proxy::ReverseProxy;
use narthex_testkit::proxy_cases::{Case, Tokens};
use narthex_testkit::{Answer, Client, IdentityProvider, TestIssuer, Upstream, raw};

use crate::world::{GUARDED, World, config, member};

/// Narthex, Envoy and an application.
struct Hall {
    world: World,
    envoy: ReverseProxy,
    client: Client,
}

impl Hall {
    async fn start(mode: Mode) -> Self {
        Self::with(mode, config, |text| text).await
    }

    async fn with(
        mode: Mode,
        config: impl Fn(&IdentityProvider, &Upstream) -> String,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        let port = free_address().unwrap();
        let listen = format!("[listen]\next_authz = \"{port}\"");
        let world = World::with_config(|idp, upstream| config(idp, upstream).replacen("[listen]", &listen, 1)).await;
        let envoy = mode
            .start(&port.to_string(), &world.upstream.address(), change)
            .unwrap();
        Self {
            world,
            envoy,
            client: Client::new(),
        }
    }

    fn call(&self, method: &str, path: &str) -> Call {
        Call::new(method, &format!("{}{path}", self.envoy.url()))
    }

    async fn send(&self, call: Call) -> Answer {
        self.world.upstream.forget();
        self.client.send(call).await.unwrap()
    }

    /// Sends a call that must be denied: its status, and the reason that the client is told.
    async fn denied(&self, call: Call) -> (u16, String) {
        let answer = self.send(call).await;
        assert!(self.world.upstream.seen().is_empty(), "it reached the application");
        let reason = answer.header("x-narthex-reason").unwrap_or_default().to_owned();
        assert_eq!(answer.reason().unwrap_or_default(), reason, "{}", answer.text());
        (answer.status, reason)
    }

    fn output(&self) -> String {
        format!("{}\n{}", self.envoy.output(), self.world.narthex.logs())
    }

    /// Number of 10,000 checks with an unknown key that Narthex denies in its own words. None may pass.
    async fn checks_in_time(&self) -> usize {
        let token = member("alice").kid("another").sign();
        let mut under_way = tokio::task::JoinSet::new();
        let mut counts = std::collections::BTreeMap::<(u16, String), usize>::new();
        for _ in 0..8 {
            let (client, call) = (Client::new(), self.call("GET", "/whoami").bearer(&token));
            under_way.spawn(async move {
                let mut answers = Vec::new();
                for _ in 0..1_250 {
                    let answer = client.send(call.clone()).await.unwrap();
                    answers.push((answer.status, answer.reason().unwrap_or_default()));
                }
                answers
            });
        }
        while let Some(answers) = under_way.join_next().await {
            for answer in answers.unwrap() {
                *counts.entry(answer).or_default() += 1;
            }
        }
        assert!(self.world.upstream.seen().is_empty(), "some reached the application");
        assert!(counts.keys().all(|(status, _)| *status == 503), "{counts:?}");
        // Without a reason, it is Envoy that gave up. After a first failure, Narthex asks for the key only now and then.
        let reasons = ["store.unavailable", "keys.unavailable", "token.key_unknown"];
        let in_time = counts
            .iter()
            .filter(|((_, reason), _)| reasons.contains(&reason.as_str()));
        in_time.map(|(_, count)| count).sum()
    }
}

async fn check(mode: Mode) {
    let hall = Hall::start(mode).await;
    let tokens = Tokens {
        good: member("alice").sign(),
        poor: TestIssuer::new("https://idp.test")
            .token()
            .subject("bob")
            .tags([])
            .sign(),
    };
    if let Err(error) = Case::new(&hall.envoy, &hall.world.upstream, &tokens).all().await {
        panic!("{error:?}\n{}", hall.output());
    }
}

#[tokio::test]
async fn envoy_by_grpc() {
    check(Mode::Grpc).await;
}

#[tokio::test]
async fn envoy_by_http() {
    check(Mode::Http).await;
}

/// A status from 500 on would be an error of the service in the HTTP mode, and errors can let a request pass.
const fn status_in(mode: Mode, status: u16) -> u16 {
    match mode {
        Mode::Http if status >= 500 => 403,
        _ => status,
    }
}

#[tokio::test]
async fn each_kind_of_denial_reaches_the_client_of_envoy() {
    for mode in Mode::ALL {
        let hall = Hall::start(mode).await;
        let good = member("alice").sign();
        let get = |path: &str| hall.call("GET", path);
        for (call, status, reason) in [
            (get("/whoami"), 401, "token.missing"),
            (get("/whoami").bearer("x"), 401, "token.malformed"),
            (
                get("/whoami").bearer(&member("alice").expired().sign()),
                401,
                "token.expired",
            ),
            (get("/nowhere").bearer(&good), 404, "route.unmatched"),
            (get("/v1/algo/other/echo/1").bearer(&good), 403, "organization.role"),
            (get("/public//a"), 400, "request.path"),
            (get("/public/%2e%2e/whoami"), 400, "request.path"),
            (get("/public/a;b"), 400, "request.path"),
        ] {
            let got = hall.denied(call).await;
            assert_eq!(got, (status, reason.to_owned()), "{mode:?}: {}", hall.output());
        }
        // Envoy joins two lines of this name by a comma; neither reading lets them pass.
        let (status, reason) = hall.denied(get("/whoami").bearer(&good).bearer(&good)).await;
        let read = [(400, "token.multiple"), (401, "token.malformed")];
        assert!(read.contains(&(status, reason.as_str())), "{mode:?}: {status} {reason}");
        hall.world.idp.down();
        let unknown = member("alice").kid("another").sign();
        let (status, reason) = hall.denied(get("/whoami").bearer(&unknown)).await;
        assert_eq!(
            (status, reason.as_str()),
            (status_in(mode, 503), "keys.unavailable"),
            "{mode:?}"
        );
        let page = hall.send(get("/whoami").header("accept", "text/html")).await;
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{mode:?}"
        );
        assert!(page.text().contains("<html"), "{mode:?}: {}", page.text());
    }
}

#[tokio::test]
async fn encoded_paths_reach_the_application_byte_for_byte() {
    for mode in Mode::ALL {
        let hall = Hall::start(mode).await;
        for path in ["/public/a%20b%23c?d=%2F&e", "/public/%25?", "/public/~a:b@c?x=1?y"] {
            let answer = hall.send(hall.call("GET", path)).await;
            assert_eq!(answer.status, 200, "{mode:?} {path}: {}", answer.text());
            assert_eq!(hall.world.upstream.last().unwrap().target, path, "{mode:?}");
            assert!(answer.header("x-narthex-request-id").is_some(), "{mode:?}");
        }
    }
}

#[tokio::test]
async fn sec_raw_bytes_do_not_pass_envoy() {
    for mode in Mode::ALL {
        let hall = Hall::start(mode).await;
        for head in [
            &b"GET /public/\xff HTTP/1.1\r\nhost: a\r\n"[..],
            b"GET /public/a?\xc3\xa9 HTTP/1.1\r\nhost: a\r\n",
            b"GET /public/a#b HTTP/1.1\r\nhost: a\r\n",
            b"GET /whoami HTTP/1.1\r\nhost: a\r\nauthorization: Bearer \xff\r\n",
            b"GET /public/a HTTP/1.1\r\nhost: a\xff\r\n",
        ] {
            hall.world.upstream.forget();
            let sent = [head, b"connection: close\r\n\r\n"].concat();
            let answer = raw::exchange(&hall.envoy.address(), &sent, Duration::from_secs(10))
                .await
                .unwrap();
            let seen = hall.world.upstream.seen();
            let shown = String::from_utf8_lossy(&sent).into_owned();
            // A fragment, Envoy itself may remove.
            let cut = seen
                .iter()
                .all(|request| request.target == "/public/a" && shown.contains("a#b"));
            assert!(cut, "{mode:?} {shown}: {seen:?}");
            assert!(raw::status(&answer).is_some_and(|status| status == 200 || (400..500).contains(&status)));
        }
    }
}

/// A header of the client's under a name that Narthex sets or reads does not reach the application.
#[tokio::test]
async fn sec_a_name_in_use_is_no_clients_behind_envoy() {
    let named = |idp: &IdentityProvider, upstream: &Upstream| {
        let whoami = "path = \"/whoami\"";
        let headers = "headers = { username = \"X-App-User\" }";
        config(idp, upstream).replace(whoami, &format!("{whoami}\n{headers}"))
    };
    // The page says to add the name to those that Envoy takes from an answer.
    let change = |text: String| {
        text.replace(
            "- prefix: x-narthex-\n",
            "- prefix: x-narthex-\n                    - exact: x-app-user\n",
        )
    };
    for mode in Mode::ALL {
        let hall = Hall::with(mode, named, change).await;
        let token = member("alice").sign();
        for (path, user) in [("/whoami", Some("alice")), ("/public/page", None)] {
            let mut call = hall.call("GET", path).bearer(&token);
            for name in [
                "x-app-user",
                "x_app_user",
                "remote-user",
                "x_webauth_user",
                "x-narthex-user",
                "x-original-url",
                "x-forwarded-host",
                "x_forwarded_for",
                "x-real-ip",
                "forwarded",
                "x-envoy-original-path",
            ] {
                call = call.header(name, "spoofed");
            }
            let answer = hall.send(call).await;
            assert_eq!(answer.status, 200, "{mode:?}: {}", hall.output());
            let seen = hall.world.upstream.last().unwrap();
            assert_eq!(
                seen.header("x-app-user").filter(|user| !user.is_empty()).as_deref(),
                user
            );
            let spoofed = seen.headers.iter().find(|(_, value)| value.as_bytes() == b"spoofed");
            assert_eq!(spoofed, None, "{mode:?} {path}");
            assert_eq!(seen.header("authorization"), None, "{mode:?} {path}");
        }
    }
}

/// A token in a cookie or in the query does not reach the application; by HTTP, one in the query does.
#[tokio::test]
async fn sec_the_token_is_removed_wherever_it_is() {
    let places = |idp: &IdentityProvider, upstream: &Upstream| {
        let places = "token_from = [\"cookie:session\", \"query:jwt\"]";
        config(idp, upstream).replacen("audiences =", &format!("{places}\naudiences ="), 1)
    };
    for mode in Mode::ALL {
        let hall = Hall::with(mode, places, |text| text).await;
        let token = member("alice").sign();
        let call = hall.call("GET", "/whoami?a=b");
        let call = call.header("cookie", &format!("theme=dark; session={token}; a=\"b\""));
        let answer = hall.send(call).await;
        assert_eq!(answer.status, 200, "{mode:?}: {}", hall.output());
        let seen = hall.world.upstream.last().unwrap();
        assert_eq!(
            seen.header("cookie").as_deref(),
            Some("theme=dark; a=\"b\""),
            "{mode:?}"
        );
        let only = hall
            .call("GET", "/whoami")
            .header("cookie", &format!("session={token}"));
        assert_eq!(hall.send(only).await.status, 200);
        assert_eq!(hall.world.upstream.last().unwrap().header("cookie"), None, "{mode:?}");
        if mode == Mode::Grpc {
            let call = hall.call("GET", &format!("/whoami?b=%20&jwt={token}&a"));
            let answer = hall.send(call).await;
            assert_eq!(answer.status, 200, "{}", hall.output());
            assert_eq!(hall.world.upstream.last().unwrap().target, "/whoami?b=%20&a");
        }
    }
}

#[tokio::test]
async fn a_preflight_passes_without_a_token() {
    for mode in Mode::ALL {
        let hall = Hall::start(mode).await;
        let preflight = hall.call("OPTIONS", GUARDED).header("origin", "https://spa.test");
        assert_eq!(hall.denied(preflight.clone()).await.0, 401, "{mode:?}");
        let preflight = preflight.header("access-control-request-method", "POST");
        let answer = hall.send(preflight).await;
        assert_eq!(answer.status, 200, "{mode:?}: {}", hall.output());
        // By HTTP, a header without a value may be there and empty.
        let user = hall.world.upstream.last().unwrap().header("x-narthex-user");
        assert_eq!(user.unwrap_or_default(), "", "{mode:?}");
    }
}

/// Each client has its own share of `limits.rate`, whatever it says of addresses.
#[tokio::test]
async fn sec_client_address_envoy() {
    let limited =
        |idp: &IdentityProvider, upstream: &Upstream| format!("{}\n[limits]\nrate = \"2/h\"\n", config(idp, upstream));
    for mode in Mode::ALL {
        let hall = Hall::with(mode, limited, |text| text).await;
        let token = member("alice").sign();
        let mut statuses = Vec::new();
        for (client, spoofed) in [
            ("127.0.0.2", "198.51.100.1"),
            ("127.0.0.2", "198.51.100.2"),
            ("127.0.0.2", "198.51.100.3"),
            ("127.0.0.3", "127.0.0.2"),
        ] {
            let call = hall.call("POST", GUARDED).bearer(&token);
            let call = call
                .header("x-forwarded-for", spoofed)
                .header("x-real-ip", spoofed)
                .header("forwarded", &format!("for={spoofed}"));
            let client = Client::from_address(client.parse().unwrap());
            statuses.push(client.send(call).await.unwrap().status);
        }
        assert_eq!(statuses, [200, 200, 429, 200], "{mode:?}: {}", hall.output());
    }
}

/// Facts about a decision are in the access log of Envoy.
#[tokio::test]
async fn the_access_log_of_envoy_has_the_decision() {
    let hall = Hall::start(Mode::Grpc).await;
    let allowed = hall
        .send(hall.call("POST", GUARDED).bearer(&member("alice").sign()))
        .await;
    let denied = hall.send(hall.call("POST", GUARDED)).await;
    let id = |answer: &Answer| answer.header("x-narthex-request-id").unwrap().to_owned();
    let (allowed, denied) = (id(&allowed), id(&denied));
    let begun = tokio::time::Instant::now();
    // Envoy writes its log now and then.
    let lines = loop {
        let output = hall.envoy.output();
        let lines: Vec<serde_json::Value> = output
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if lines.len() >= 2 || begun.elapsed() > Duration::from_secs(20) {
            break lines;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let line = |id: &str| lines.iter().find(|line| line["request_id"] == id).unwrap().clone();
    let allowed = line(&allowed);
    assert_eq!(
        (&allowed["decision"], &allowed["organization"]),
        (&"allow".into(), &"acme".into())
    );
    assert!(
        allowed["user"].as_str().is_some_and(|user| !user.is_empty()),
        "{allowed}"
    );
    let denied = line(&denied);
    assert_eq!(
        (&denied["decision"], &denied["reason"]),
        (&"deny".into(), &"token.missing".into())
    );
}

/// While nothing can be decided, each check is denied within its deadline, and in the words of Narthex.
#[tokio::test]
async fn sec_ten_thousand_checks_are_denied() {
    let hall = Hall::with(Mode::Grpc, config, |text| {
        text.replace("timeout: 1s\n", "timeout: 0.1s\n")
    })
    .await;
    hall.world.idp.behave(Behaviour::Hanging);
    hall.world.upstream.forget();
    // A machine that is busy with something else misses deadlines too, for a while.
    let mut in_time = 0;
    for _ in 0..3 {
        in_time = hall.checks_in_time().await;
        if in_time == 10_000 {
            break;
        }
    }
    assert_eq!(in_time, 10_000);
}

/// Without Narthex, no request passes.
#[tokio::test]
async fn sec_without_narthex_envoy_lets_no_request_pass() {
    for mode in Mode::ALL {
        let mut hall = Hall::start(mode).await;
        hall.world.narthex.kill();
        let answer = hall.send(hall.call("GET", "/public/page")).await;
        assert_eq!(answer.status, 503, "{mode:?}");
        assert!(hall.world.upstream.seen().is_empty(), "{mode:?}");
    }
}

/// Also an Envoy that is told to let requests pass on errors lets none pass that Narthex could not decide.
#[tokio::test]
async fn sec_what_cannot_be_decided_is_denied_also_where_errors_pass() {
    for mode in Mode::ALL {
        let lax = |text: String| text.replace("failure_mode_allow: false", "failure_mode_allow: true");
        let hall = Hall::with(mode, config, lax).await;
        hall.world.idp.down();
        let unknown = member("alice").kid("another").sign();
        let (status, reason) = hall.denied(hall.call("GET", "/whoami").bearer(&unknown)).await;
        assert_eq!(
            (status, reason.as_str()),
            (status_in(mode, 503), "keys.unavailable"),
            "{mode:?}"
        );
    }
}
