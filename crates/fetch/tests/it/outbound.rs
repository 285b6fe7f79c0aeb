//! The sender of connections, against servers on loopback.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use http::{Response, header};
use http_body_util::BodyExt as _;
use narthex_connection::{Connection, Facts, Inputs, Limits, Request, Run, Step};
use narthex_fetch::outbound::{ConnectionError, HostPattern, OutboundError, OutboundLimits, Policy, Sender, drive};
use narthex_fetch::ssrf_guard::{Guard, Loopback, SystemNames};
use narthex_template::Zone;
use narthex_testkit::server::{Body, Outcome, Server, full};
use serde_json::{Value as Json, json};

use crate::keys::tls::{Authority, named};
use crate::keys::world::Script;

/// The request of a document.
fn request(document: &Json) -> Request {
    let connection = Connection::compile(&document.to_string(), &Limits::default()).unwrap();
    let zone = Zone::utc();
    let facts = Facts {
        now_ms: 0,
        zone: &zone,
        random: &|buffer| buffer.fill(7),
    };
    match Run::new(&connection, Inputs::default()).next(&facts).unwrap() {
        Step::Send(request) => *request,
        other => panic!("{other:?}"),
    }
}

/// A server's policy that lets these tests reach this machine.
fn policy(hosts: &[&str]) -> Policy {
    let patterns: Vec<HostPattern> = hosts.iter().map(|host| format!("{host}:*").parse().unwrap()).collect();
    Policy {
        guard: Guard::new(hosts.iter().copied(), Loopback::Permitted),
        limits: OutboundLimits {
            total: Duration::from_secs(5),
            response_bytes: 10_000,
            redirects: 3,
            ..OutboundLimits::default()
        },
        ..Policy::listed(patterns)
    }
}

async fn send(document: &Json, policy: Policy) -> Result<narthex_connection::Response, OutboundError> {
    Sender::new(policy).send(&request(document)).await
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(full(body)).unwrap()
}

/// `/to?STATUS=URL` redirects; `/echo` tells method, headers and body; `/gzip`, `/bomb`, `/large`, `/slow` do as they say.
fn server() -> Server {
    Server::start(|request| -> Outcome {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(match parts.uri.path() {
                "/to" => {
                    let (status, to) = parts
                        .uri
                        .query()
                        .unwrap_or_default()
                        .split_once('=')
                        .unwrap_or_default();
                    answer(status.parse()?, &[("location", to)], "")
                }
                "/gzip" => answer(200, &[("content-encoding", "gzip")], gzip(b"hello")),
                "/bomb" => answer(200, &[("content-encoding", "gzip")], gzip(&vec![0; 5_000_000])),
                "/broken" => answer(200, &[("content-encoding", "gzip")], "no gzip"),
                "/brotli" => answer(200, &[("content-encoding", "br")], "x"),
                "/large" => answer(200, &[], vec![b'x'; 10_001]),
                "/slow" => {
                    tokio::time::sleep(Duration::from_secs(20)).await;
                    answer(200, &[], "late")
                }
                _ => {
                    let names: Vec<&str> = parts.headers.keys().map(http::HeaderName::as_str).collect();
                    let text = format!(
                        "{} {} {}",
                        parts.method,
                        names.join(","),
                        String::from_utf8_lossy(&body)
                    );
                    answer(200, &[], text)
                }
            })
        })
    })
    .unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn text(response: &narthex_connection::Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

#[tokio::test]
async fn sec_ssrf_names_are_judged_by_what_they_resolve_to() {
    for addresses in [
        &["10.0.0.1"][..],
        &["127.0.0.1"],
        &["169.254.169.254"],
        &["1.1.1.1", "192.168.0.1"],
        &["::ffff:10.0.0.1"],
    ] {
        let sender = Sender::with_names(
            Policy::listed(vec!["api.test".parse().unwrap()]),
            Script::new(&[addresses]),
        );
        let error = sender
            .send(&request(&json!({ "url": "https://api.test/" })))
            .await
            .unwrap_err();
        assert!(matches!(error, OutboundError::Refused(_)), "{addresses:?}: {error}");
        let error = sender
            .send(&request(&json!({ "url": "https://other.test/" })))
            .await
            .unwrap_err();
        assert!(matches!(error, OutboundError::HostNotAllowed { .. }), "{error}");
    }
}

#[tokio::test]
async fn sec_ssrf_redirects_are_judged_again() {
    let server = server();
    for (to, reason) in [
        ("https://elsewhere.test/", "not among the hosts"),
        ("http://169.254.169.254/latest/meta-data", "not among the hosts"),
        ("file:///etc/passwd", "not supported"),
        ("//elsewhere.test/x", "not among the hosts"),
        ("http://[", "cannot be read"),
    ] {
        let document = json!({ "url": format!("{}/to?302={to}", server.url()) });
        let error = send(&document, policy(&["127.0.0.1"])).await.unwrap_err();
        let said = error.to_string();
        assert!(
            matches!(error, OutboundError::Redirect { .. }) && said.contains(reason),
            "{to}: {said}"
        );
        assert!(!said.contains("latest") && !said.contains("passwd"), "{said}");
    }
    // A host may be listed and still be at an address that may not be reached.
    let listed = Policy {
        guard: Guard::new(["127.0.0.1"], Loopback::Permitted),
        ..policy(&["127.0.0.1", "10.0.0.1"])
    };
    let document = json!({ "url": format!("{}/to?302=https://10.0.0.1/", server.url()) });
    let error = send(&document, listed).await.unwrap_err().to_string();
    assert!(error.contains("a private address"), "{error}");
}

#[tokio::test]
async fn redirects_keep_what_they_may_and_drop_the_rest() {
    let (here, there) = (server(), server());
    let headers = json!({ "authorization": "a", "cookie": "b", "x-api-key": "c", "accept": "text/plain" });
    let post = |to: String| json!({ "url": to, "method": "POST", "headers": headers, "body": { "secret": 1 } });
    let go = |from: &Server, status: u16, to: String| format!("{}/to?{status}={to}", from.url());

    // A POST that is sent elsewhere becomes a GET without its body; within one origin it keeps its headers.
    let answer = send(&post(go(&here, 302, "/echo".to_owned())), policy(&["127.0.0.1"]))
        .await
        .unwrap();
    let said = text(&answer);
    assert!(
        said.starts_with("GET ") && said.contains("x-api-key") && said.contains("authorization"),
        "{said}"
    );
    assert!(!said.contains("secret") && !said.contains("content-type"), "{said}");
    let answer = send(&post(go(&here, 307, "/echo".to_owned())), policy(&["127.0.0.1"]))
        .await
        .unwrap();
    assert!(
        text(&answer).starts_with("POST ") && text(&answer).contains("secret"),
        "{}",
        text(&answer)
    );
    // SECURITY: at another origin neither credentials nor the body arrive.
    let answer = send(
        &post(go(&here, 303, format!("{}/echo", there.url()))),
        policy(&["127.0.0.1"]),
    )
    .await
    .unwrap();
    let said = text(&answer);
    assert!(said.starts_with("GET ") && said.contains("accept"), "{said}");
    for gone in ["authorization", "cookie", "x-api-key", "secret"] {
        assert!(!said.contains(gone), "{gone}: {said}");
    }
    let error = send(
        &post(go(&here, 308, format!("{}/echo", there.url()))),
        policy(&["127.0.0.1"]),
    )
    .await
    .unwrap_err();
    assert!(
        error.to_string().contains("the body would go to another origin"),
        "{error}"
    );

    // Nobody is sent in circles, and who does not follow gets the redirect itself.
    let circle = json!({ "url": go(&here, 302, "/to?302=/to?302=/to?302=/to?302=/echo".to_owned()) });
    let error = send(&circle, policy(&["127.0.0.1"])).await.unwrap_err();
    assert!(
        matches!(error, OutboundError::TooManyRedirects { limit: 3, .. }),
        "{error}"
    );
    let stay = json!({ "url": go(&here, 302, "/echo".to_owned()), "followRedirects": false });
    assert_eq!(send(&stay, policy(&["127.0.0.1"])).await.unwrap().status, 302);
    let mut stay = post(go(&here, 302, "/echo".to_owned()));
    stay["followAllRedirects"] = json!(false);
    assert_eq!(send(&stay, policy(&["127.0.0.1"])).await.unwrap().status, 302);
}

#[tokio::test]
async fn sec_dos_answers_are_bounded() {
    let server = server();
    let at = |path: &str, gzip: bool| json!({ "url": format!("{}{path}", server.url()), "gzip": gzip });
    let error = send(&at("/large", false), policy(&["127.0.0.1"])).await.unwrap_err();
    assert!(
        matches!(
            error,
            OutboundError::TooLarge {
                limit_bytes: 10_000,
                ..
            }
        ),
        "{error}"
    );
    // 5 MB in 5 kB: it is the size after decompression that counts.
    let error = send(&at("/bomb", true), policy(&["127.0.0.1"])).await.unwrap_err();
    assert!(matches!(error, OutboundError::TooLarge { .. }), "{error}");
    let mut impatient = policy(&["127.0.0.1"]);
    impatient.limits.total = Duration::from_millis(300);
    let error = send(&at("/slow", false), impatient).await.unwrap_err();
    assert!(
        matches!(error, OutboundError::TimedOut { limit_ms: 300, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn compressed_answers_are_read_if_they_were_asked_for() {
    let server = server();
    let at = |path: &str, gzip: bool| json!({ "url": format!("{}{path}", server.url()), "gzip": gzip });
    let answer = send(&at("/gzip", true), policy(&["127.0.0.1"])).await.unwrap();
    assert_eq!(text(&answer), "hello");
    let asked = send(&at("/echo", true), policy(&["127.0.0.1"])).await.unwrap();
    assert!(
        text(&asked).contains(header::ACCEPT_ENCODING.as_str()),
        "{}",
        text(&asked)
    );
    for (path, gzip) in [("/gzip", false), ("/broken", true), ("/brotli", true)] {
        let error = send(&at(path, gzip), policy(&["127.0.0.1"])).await.unwrap_err();
        assert!(matches!(error, OutboundError::Compressed { .. }), "{path}: {error}");
    }
}

#[tokio::test]
async fn an_authority_of_the_document_counts_alone() {
    let authority = Authority::new("ours");
    let url = authority.server(named("localhost")).await;
    let send = async |ca: Option<String>| {
        let mut document = json!({ "url": url });
        if let Some(ca) = ca {
            document["ca"] = json!(ca);
        }
        send(&document, policy(&["localhost"])).await
    };
    assert_eq!(send(Some(authority.pem())).await.unwrap().status, 200);
    let error = send(None).await.unwrap_err();
    assert!(matches!(error, OutboundError::Certificate { .. }), "{error}");
    let error = send(Some(Authority::new("theirs").pem())).await.unwrap_err();
    assert!(matches!(error, OutboundError::Certificate { .. }), "{error}");
    let public = Sender::with_names(Policy::open(), Arc::new(SystemNames));
    let error = public
        .send(&request(&json!({ "url": "https://idp.invalid/" })))
        .await
        .unwrap_err();
    assert!(matches!(error, OutboundError::Unresolved { .. }), "{error:?}");
}

/// The system's authorities are those of the process, so this asks from another process, to which ours is the system's.
#[tokio::test]
async fn sec_tls_an_authority_of_the_document_stands_in_place_of_the_systems() {
    const URL: &str = "NARTHEX_TEST_URL_OF_A_TRUSTED_SERVER";
    if let Some(url) = std::env::var_os(URL).and_then(|url| url.into_string().ok()) {
        let document = |ca: Option<String>| match ca {
            None => json!({ "url": url }),
            Some(ca) => json!({ "url": url, "ca": ca }),
        };
        let answer = send(&document(None), policy(&["localhost"])).await;
        assert_eq!(answer.unwrap().status, 200, "the system trusts it");
        let other = Authority::new("theirs").pem();
        let error = send(&document(Some(other)), policy(&["localhost"])).await.unwrap_err();
        assert!(matches!(error, OutboundError::Certificate { .. }), "{error}");
        return;
    }
    let authority = Authority::new("ours");
    let url = authority.server(named("localhost")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("system.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let child = move || {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "outbound::sec_tls_an_authority_of_the_document_stands_in_place_of_the_systems",
            ])
            .env(URL, url)
            .env("SSL_CERT_FILE", &file)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap()
    };
    let output = tokio::task::spawn_blocking(child).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Handlers of a server have to be able to hold a run across threads.
fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn a_run_is_driven_through_waits_to_its_end() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Server::start(move |_| -> Outcome {
        let count = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Box::pin(async move {
            let status = if count < 2 { "busy" } else { "ready" };
            let body = json!({ "status": status, "id": count }).to_string();
            Ok(answer(200, &[("content-type", "application/json")], body))
        })
    })
    .unwrap();
    let document = json!({
        "url": server.url(),
        "repeat": { "condition": "{{temp.status != 'ready'}}", "delay": 10, "limit": 5 },
        "response": { "temp": { "status": "{{body.status}}" }, "uid": "{{body.id}}" },
    });
    let connection = Connection::compile(&document.to_string(), &Limits::default()).unwrap();
    let zone = Zone::utc();
    let facts = || Facts {
        now_ms: 0,
        zone: &zone,
        random: &|buffer| buffer.fill(7),
    };
    let sender = Sender::new(policy(&["127.0.0.1"]));
    let mut run = Run::new(&connection, Inputs::default());
    let outcome = is_send(drive(&mut run, &sender, facts)).await.unwrap();
    assert_eq!(outcome.uid.as_deref(), Some("2"));
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 3);

    // SECURITY: a host name made of a parameter is not told.
    let document = json!({ "url": "https://{{parameters.tenant}}.test/" });
    let connection = Connection::compile(&document.to_string(), &Limits::default()).unwrap();
    let mut inputs = Inputs::default();
    inputs.parameters.insert("tenant".to_owned(), json!("secret-tenant"));
    let mut run = Run::new(&connection, inputs);
    let error = drive(&mut run, &sender, facts).await.unwrap_err();
    let kind = match &error {
        ConnectionError::Outbound { kind, .. } => *kind,
        other @ ConnectionError::Run(_) => panic!("{other}"),
    };
    assert_eq!(kind, "host_not_allowed");
    assert!(!format!("{error} {error:?}").contains("secret-tenant"), "{error:?}");
}
