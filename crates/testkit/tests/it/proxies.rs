//! Proves the configurations of `e2e/proxies/`: each proxy asks an imitation of Narthex that answers by the word in
//! the token, and what reaches the application is what that answer allows.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use narthex_testkit::{
    Client, Upstream,
    client::Call,
    proxy::Kind,
    proxy_cases::{Case, GUARDED, Tokens},
    server::{Body, Server, full},
};

/// How the question was put.
#[derive(Clone, Debug)]
struct Question {
    path: String,
    headers: HeaderMap,
}

fn header(headers: &HeaderMap, name: &str) -> String {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    values.join(", ")
}

/// Narthex as far as a proxy can tell.
fn imitation() -> (Server, Arc<Mutex<Vec<Question>>>) {
    let questions: Arc<Mutex<Vec<Question>>> = Arc::default();
    let asked = Arc::clone(&questions);
    let server = Server::start(move |request: Request<Incoming>| {
        let question = Question {
            path: request.uri().path().to_owned(),
            headers: request.headers().clone(),
        };
        asked.lock().unwrap().push(question.clone());
        Box::pin(async move { Ok(judge(&question)) })
    })
    .unwrap();
    (server, questions)
}

fn judge(question: &Question) -> Response<Body> {
    let prefix = match question.path.as_str() {
        "/.narthex/auth/nginx" | "/.narthex/auth/nginx/refusal" => "x-original",
        "/.narthex/auth/caddy" | "/.narthex/auth/haproxy" => "x-forwarded",
        _ => return refusal(500, "no.such.door", ""),
    };
    let method = header(&question.headers, &format!("{prefix}-method"));
    let uri = header(&question.headers, &format!("{prefix}-uri"));
    let token = header(&question.headers, "authorization");
    // nginx knows only 401 and 403, and asks for the refusal itself afterwards.
    let unmatched = if question.path == "/.narthex/auth/nginx" {
        403
    } else {
        404
    };
    match token.strip_prefix("Bearer ") {
        None if uri == "/public" || method == "OPTIONS" => allowance(),
        None => refusal(401, "token.missing", "401"),
        Some("good") if uri == GUARDED => allowance(),
        Some("good") => refusal(unmatched, "route.unmatched", "404"),
        Some(_) => refusal(403, "organization.role", "403"),
    }
}

fn allowance() -> Response<Body> {
    Response::builder()
        .header("x-narthex-decision", "allow")
        .header("x-narthex-user", "01hzzzzzzzzzzzzzzzzzzzzzzz")
        .header("x-narthex-external-id", "alice")
        .header("x-narthex-username", "alice")
        .header("x-narthex-platform-role", "user")
        .header("x-narthex-email", "")
        .header("x-narthex-organization", "acme")
        .header("x-narthex-organization-role", "member")
        .body(full(""))
        .unwrap()
}

fn refusal(status: u16, reason: &str, true_status: &str) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/problem+json")
        .header("www-authenticate", "Bearer error=\"invalid_token\"")
        .header("x-narthex-reason", reason)
        .header("x-narthex-status", true_status)
        .body(full(format!("{{\"reason\":\"{reason}\"}}")))
        .unwrap()
}

async fn check(kind: Kind) {
    let (narthex, questions) = imitation();
    let upstream = Upstream::start().unwrap();
    let proxy = kind.start(&narthex.address().to_string(), &upstream.address()).unwrap();
    let tokens = Tokens {
        good: "good".to_owned(),
        poor: "poor".to_owned(),
    };
    let outcome = Case::new(&proxy, &upstream, &tokens).all().await;
    if let Err(error) = outcome {
        panic!("{error:?}\n{}", proxy.output());
    }

    // No question carried a body, and every one was put at this proxy's own door.
    for question in questions.lock().unwrap().iter() {
        assert!(question.path.starts_with("/.narthex/auth/"));
        let length = header(&question.headers, "content-length");
        assert!(length.is_empty() || length == "0", "{question:?}");
        let host = if kind == Kind::Nginx {
            "host"
        } else {
            "x-forwarded-host"
        };
        assert_eq!(header(&question.headers, host), proxy.address(), "{question:?}");
    }

    // Nobody to ask: nobody passes.
    upstream.forget();
    narthex.down();
    let call = Call::post(&format!("{}{GUARDED}", proxy.url())).bearer("good");
    let answer = Client::new().send(call).await.unwrap();
    // Caddy says of itself that it found nobody.
    let undecided = if kind == Kind::Caddy { 502 } else { 503 };
    assert_eq!(answer.status, undecided, "{}", proxy.output());
    assert!(upstream.seen().is_empty());
}

/// Whoever answers without Narthex's word, a default backend for example, opens nothing.
async fn check_bare(kind: Kind) {
    let upstream = Upstream::start().unwrap();
    for (status, decision) in [(200, None), (204, None), (200, Some("deny")), (200, Some(""))] {
        let backend = Server::start(move |_: Request<Incoming>| {
            let mut answer = Response::builder().status(status).header("x-narthex-user", "anybody");
            if let Some(decision) = decision {
                answer = answer.header("x-narthex-decision", decision);
            }
            let body = if status == 204 { "" } else { "welcome" };
            Box::pin(async move { Ok(answer.body(full(body)).unwrap()) })
        })
        .unwrap();
        let proxy = kind.start(&backend.address().to_string(), &upstream.address()).unwrap();
        let call = Call::post(&format!("{}{GUARDED}", proxy.url()))
            .bearer("good")
            .body("{}");
        let call = call.header("x-narthex-decision", "allow");
        let answer = Client::new().send(call).await.unwrap();
        let told = format!("{status} {decision:?}: {}\n{}", answer.text(), proxy.output());
        assert_eq!(answer.status, 503, "{told}");
        assert!(upstream.seen().is_empty(), "{told}");
    }
}

#[tokio::test]
async fn sec_bare_200_nginx() {
    check_bare(Kind::Nginx).await;
}

#[tokio::test]
async fn sec_bare_200_haproxy() {
    check_bare(Kind::Haproxy).await;
}

#[tokio::test]
async fn sec_bare_200_caddy() {
    check_bare(Kind::Caddy).await;
}

#[tokio::test]
async fn nginx() {
    check(Kind::Nginx).await;
}

#[tokio::test]
async fn haproxy() {
    check(Kind::Haproxy).await;
}

#[tokio::test]
async fn caddy() {
    check(Kind::Caddy).await;
}
